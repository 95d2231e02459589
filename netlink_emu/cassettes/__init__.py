"""Cassettes: recordings of a client and a real kernel in a file, which can be replayed.

A :class:`Cassette` has a head and a stream for each socket. :mod:`.read` and :mod:`.write` handle
its file; :mod:`.match` finds the recorded request that a client's request equals.
:mod:`.playing` answers the sockets of an emulated kernel from a cassette; :mod:`.recording`
makes one.
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
