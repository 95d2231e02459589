"""What the report of a bug needs beside the traceback: versions, the machine, what was asked."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Final

from netlink_emu import __version__

_noted: Final[dict[str, str | Callable[[], str]]] = {}


def note(what: str, value: str | Callable[[], str]) -> None:
    """Something that a report is to have, if one is made: only then a function is called."""
    _noted[what] = value


def circumstances() -> Iterator[str]:
    """Lines for the report of a bug. Nothing of the environment, nothing of a client's."""
    import platform

    host = os.uname()
    yield (
        f"netlink-emu {__version__}, Python {platform.python_version()}, "
        f"{host.sysname} {host.release} {host.machine}"
    )
    for what, value in _noted.items():
        yield f"{what}: {value if isinstance(value, str) else value()}"
