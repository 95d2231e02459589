"""Keeps a recording in a file as it goes, so that who records may be killed."""

from __future__ import annotations

import os
from collections.abc import Callable
from errno import ENOSPC
from pathlib import Path
from typing import Final

from netlink_emu.cassettes import Event
from netlink_emu.cassettes.recording.unfinished import Plan, event_line, head_line, socket_line


class FileKeeper:
    """See :class:`netlink_emu.cassettes.recording.recording.Keeper`.

    The file is made with the first socket, and for its owner alone: keys are not blanked in it.
    Where it cannot be written any more that is told once, by ``failed``.
    """

    def __init__(
        self, path: Path, plan: Callable[[], Plan], failed: Callable[[OSError], None]
    ) -> None:
        self.path: Final = path
        self._plan: Final = plan
        self._failed: Final = failed
        self._fd: int | None = None
        self._works = True

    @property
    def exists(self) -> bool:
        """Whether anything was kept."""
        return self._fd is not None

    @property
    def whole(self) -> bool:
        """Whether all was kept until now."""
        return self._works

    def socket(self, protocol: int, type: int, comm: str, pid: int) -> None:
        """A socket was made."""
        if self._works and self._fd is None:
            self._make()
        self._append(socket_line(protocol, type, comm))

    def event(self, socket: int, event: Event) -> None:
        """What happened on it."""
        self._append(event_line(socket, event))

    def _make(self) -> None:
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._fd = os.open(self.path, flags, 0o600)
        except OSError as exc:
            self._give_up(exc)
        else:
            self._append(head_line(self._plan()))

    def _append(self, line: bytes) -> None:
        """Write in one go: a line that is cut is the last, whoever is killed when."""
        if self._works and self._fd is not None:
            try:
                if os.write(self._fd, line) < len(line):
                    raise OSError(ENOSPC, os.strerror(ENOSPC))
            except OSError as exc:
                self._give_up(exc)

    def _give_up(self, exc: OSError) -> None:
        self._works = False
        self._failed(exc)

    def remove(self) -> None:
        """The recording is finished."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
            self.path.unlink(missing_ok=True)
