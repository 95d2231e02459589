"""Writes what a test has recorded."""

from __future__ import annotations

from pathlib import Path

from netlink_emu import __version__
from netlink_emu.cassettes import Cassette, Stream, write_cassette
from netlink_emu.cassettes.recording.finish import Incompatible, appended, finished
from netlink_emu.host.files import write_whole
from netlink_emu.host.head import head_here
from netlink_emu.protocol.format import HOST_ORDER
from netlink_emu.testing.errors import WrongValue, hide

__tracebackhide__ = hide


def save(path: Path, before: Cassette, streams: tuple[Stream, ...]) -> None:
    """Write a cassette with what was on it and ``streams``, whose keys are blanked.

    Raises WrongValue.
    """
    cassette = finished(head_here(__version__), streams, HOST_ORDER)
    try:
        if before.streams:
            cassette = appended(before, cassette)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, write_cassette(cassette).encode())
    except Incompatible as exc:
        raise WrongValue(f"the cassette {path} cannot be added to: {exc}") from None
    except OSError as exc:
        raise WrongValue(f"the cassette {path} cannot be written: {exc.strerror}") from None
