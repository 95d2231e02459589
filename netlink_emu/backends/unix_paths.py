"""Short names for Unix sockets in the file system, as struct sockaddr_un is small."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

SUN_PATH_MAX: Final = 107  # sizeof(sun_path) less the NUL
_FDS: Final = Path("/proc/self/fd")


def fits(path: Path | str) -> bool:
    """Whether a path is short enough to bind or connect to."""
    return len(os.fsencode(path)) <= SUN_PATH_MAX


def may_be_short(name: str) -> bool:
    """Whether :func:`name_in` finds a short enough name, if /proc is mounted."""
    return fits(f"{_FDS}/999999/{name}")


def name_in(directory: int, name: str) -> str | None:
    """A short name of a file in an open directory; None if there is none."""
    short = f"{_FDS}/{directory}/{name}"
    return short if fits(short) and (_FDS / str(directory)).exists() else None


@contextmanager
def connectable(path: Path) -> Iterator[str]:
    """Return a name of ``path`` that you can connect or send to within the context.

    Raises FileNotFoundError if its directory does not exist, OSError if no name is short enough.
    """
    if fits(path):
        yield os.fspath(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # Where nothing is shorter, the system call says so.
        yield name_in(directory, path.name) or os.fspath(path)
    finally:
        os.close(directory)
