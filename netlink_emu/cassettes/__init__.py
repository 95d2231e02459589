"""Cassettes: what a client and a real kernel said, kept in a file, and played to the client again.

A :class:`Cassette` has a head and a stream for each socket. :mod:`.read` and :mod:`.write` are its
file; :mod:`.tape` answers the sockets of an emulated kernel from it; :mod:`.match` says which
recorded request a client's is.
"""

from netlink_emu.cassettes.model import (
    Answer,
    Bound,
    Cassette,
    Connected,
    Event,
    Failed,
    Head,
    Option,
    RecordedFamily,
    Request,
    Stream,
)
from netlink_emu.cassettes.read import read_cassette
from netlink_emu.cassettes.write import write_cassette

__all__ = [
    "Answer",
    "Bound",
    "Cassette",
    "Connected",
    "Event",
    "Failed",
    "Head",
    "Option",
    "RecordedFamily",
    "Request",
    "Stream",
    "read_cassette",
    "write_cassette",
]
