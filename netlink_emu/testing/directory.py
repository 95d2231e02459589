"""Temporary directories of a handle."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import ClassVar, Final

from netlink_emu.backends.unix_paths import fits

# Where a temporary directory has a name that leaves room for a Unix socket's.
_SHORT: Final = ("/tmp", "/var/tmp", "/dev/shm")
_ROOM: Final = 32


def _make(prefix: str) -> Path:
    """A temporary directory in which Unix sockets can be made, wherever TMPDIR is."""
    made = Path(tempfile.mkdtemp(prefix=prefix))
    if fits(f"{made}/{'x' * _ROOM}"):
        return made
    for place in _SHORT:
        with contextlib.suppress(OSError):
            shorter = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
            made.rmdir()
            return shorter
    return made


class Directory:
    """A private directory, made when it is first needed.

    It is removed by :meth:`remove`, or when the process that made it ends; a forked child leaves
    it alone.
    """

    _all: ClassVar[set[Directory]] = set()

    def __init__(self, prefix: str) -> None:
        self._prefix: Final = prefix
        self._made: Path | None = None
        self._pid = 0

    @property
    def path(self) -> Path:
        if self._made is None:
            self._made = _make(self._prefix)
            self._pid = os.getpid()
            self._all.add(self)
        return self._made

    def remove(self) -> None:
        if self._made is not None and self._pid == os.getpid():
            shutil.rmtree(self._made, ignore_errors=True)
            self._made = None
            self._all.discard(self)

    @classmethod
    def remove_all(cls) -> None:
        """What nobody has removed, at the end of the process."""
        for directory in list(cls._all):
            directory.remove()


atexit.register(Directory.remove_all)
