"""What the report of a bug needs beside the traceback: versions, the machine, what was asked."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from typing import Final

from netlink_emu import __version__

_noted: Final[dict[str, str]] = {}


def note(what: str, value: str) -> None:
    """Something that a report is to have, if one has to be made."""
    _noted[what] = value


def circumstances() -> Iterator[str]:
    """Lines for the report of a bug. Nothing of the environment, nothing of a client's."""
    import platform
    import shlex

    host = os.uname()
    yield (
        f"netlink-emu {__version__}, Python {platform.python_version()}, "
        f"{host.sysname} {host.release} {host.machine}"
    )
    for what, value in _noted.items():
        yield f"{what}: {value}"
    yield f"command line: {shlex.join(['netlink-emu', *_shown(sys.argv[1:])])}"


def _shown(args: Sequence[str]) -> list[str]:
    """The arguments; of a command that is run its name alone, for the rest may be secret."""
    if args[:1] != ["run"]:
        return [*args]
    from netlink_emu.cli.declare import parse_plain
    from netlink_emu.cli.run import run

    understood = parse_plain(run, args[1:])
    if understood is None:
        return ["run", "..."]
    command = understood["command"]
    ours = [*args[: len(args) - len(command)]]
    return [*ours, command[0], "..."] if command[1:] else [*ours, command[0]]
