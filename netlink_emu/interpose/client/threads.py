"""The threads that make the stopped calls, and their descriptors.

A thread is known here by a pidfd, so that a number used again by another thread is noticed.
"""

from __future__ import annotations

import errno
import os
from typing import Final

from netlink_emu.host import proc
from netlink_emu.interpose.client import pidfd
from netlink_emu.interpose.client.memory import ClientGone, ClientSealed

# Enough for the threads of busy clients; each costs one descriptor.
_CACHED: Final = 128


def gone(exc: OSError) -> Exception:
    """What to raise when a thread's files cannot be read: ClientGone if that is because it ended.

    To have no descriptor left for it, say, is something else.
    """
    return ClientGone() if exc.errno in (errno.ENOENT, errno.ESRCH) else exc


class Client:
    """One client thread. Its descriptors are reached by duplicates, which the caller closes."""

    def __init__(self, tid: int) -> None:
        self.tid: Final = tid
        self._tgid: int | None = None
        try:
            fd = pidfd.open_thread(tid)
            self._of_thread = fd is not None
            if fd is None:
                self._tgid = proc.read_status(tid).tgid
                fd = pidfd.open_process(self._tgid)
        except (ProcessLookupError, FileNotFoundError) as exc:
            raise ClientGone from exc
        self._pidfd = fd

    def close(self) -> None:
        os.close(self._pidfd)

    @property
    def tgid(self) -> int:
        """Its process, as our pid namespace numbers it; raises ClientGone."""
        if self._tgid is None:
            self._tgid = self.status().tgid
        return self._tgid

    def duplicate(self, fd: int) -> int:
        """A duplicate of the client's ``fd``.

        Raises OSError EBADF where nothing is open there, ClientGone, ClientSealed.
        """
        if not self._of_thread and not proc.is_thread_of(self.tid, self.tgid):
            raise ClientGone
        try:
            return pidfd.get_descriptor(self._pidfd, fd)
        except ProcessLookupError as exc:
            raise ClientGone from exc
        except PermissionError as exc:
            raise ClientSealed from exc

    def status(self) -> proc.Status:
        """Its /proc/T/status now."""
        try:
            return proc.read_status(self.tid)
        except OSError as exc:
            raise gone(exc) from exc


class Threads:
    """The client threads seen so far."""

    def __init__(self) -> None:
        self._cache: dict[int, Client] = {}

    def get(self, tid: int) -> Client:
        """The thread ``tid``; raises ClientGone."""
        client = self._cache.get(tid)
        if client is None:
            if len(self._cache) >= _CACHED:
                self.close()
            client = self._cache[tid] = Client(tid)
        return client

    def duplicate(self, tid: int, fd: int) -> int:
        """:meth:`Client.duplicate`, of whoever has the number ``tid`` now."""
        client = self._cache.get(tid)
        try:
            return (client or self.get(tid)).duplicate(fd)
        except ClientGone:
            self.forget(tid)
        return self.get(tid).duplicate(fd)

    def forget(self, tid: int) -> None:
        """Another thread may have this number by now."""
        client = self._cache.pop(tid, None)
        if client is not None:
            client.close()

    def close(self) -> None:
        """Give all descriptors back; they are opened anew when needed."""
        for client in self._cache.values():
            client.close()
        self._cache.clear()
