"""Duplicates of clients' descriptors, kept from one call to the next that follows at once."""

from __future__ import annotations

import os
from errno import ENOSYS, EPERM
from typing import Final, Generic, TypeVar

from netlink_emu.interpose import libc
from netlink_emu.interpose.client import pidfd

Sock = TypeVar("Sock")

# As many as a few threads take turns with; fewer than what is left free for a moment's use.
_MOST: Final = 8
# A kernel without kcmp(2), or a container's profile against it.
_NEVER: Final = frozenset({ENOSYS, EPERM})


class Copies(Generic[Sock]):
    """For a moment, of each thread's descriptor: a duplicate, and the socket that it refers to.

    Any close(2) or dup2(2), which do not stop, may give a descriptor another meaning. That it has
    not, one comparison tells (kcmp(2)), instead of another duplicate, a look at that and its
    close. While a duplicate is kept the end of a socket is not seen: :meth:`close` comes before
    anyone looks for ends, and as soon as no call follows. A number of a thread does not come
    round in so short a time.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[int, int], tuple[Sock, int]] = {}
        self._our_pid: Final = os.getpid()
        self._most = _MOST

    def take(self, tid: int, fd: int) -> tuple[Sock, int] | None:
        """The socket that the thread's descriptor refers to, and the duplicate.

        It is the caller's from now on. None if there is none, or it may be another by now.
        """
        kept = self._kept.pop((tid, fd), None)
        if kept is None:
            return None
        differs = pidfd.kcmp(tid, self._our_pid, pidfd.KCMP_FILE, fd, kept[1])
        if not differs:
            return kept
        if differs < 0 and libc.get_errno() in _NEVER:
            self._most = 0
        os.close(kept[1])
        return None

    def keep(self, tid: int, fd: int, sock: Sock, copy: int) -> None:
        """Keep a duplicate for the thread's next call on the descriptor."""
        self._kept[tid, fd] = sock, copy
        if len(self._kept) > self._most:
            self.close()

    def close(self) -> None:
        """Keep none any more."""
        for _, copy in self._kept.values():
            os.close(copy)
        self._kept.clear()
