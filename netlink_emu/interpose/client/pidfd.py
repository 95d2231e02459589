"""References to processes and threads that do not outlive them: pidfd_open(2), pidfd_getfd(2)."""

from __future__ import annotations

import errno
import os
from typing import Final

from netlink_emu.interpose import libc

PIDFD_THREAD: Final = os.O_EXCL  # include/uapi/linux/pidfd.h, Linux 6.9

KCMP_FILE: Final = 0  # include/uapi/linux/kcmp.h

_pidfd_open: Final = libc.system_call("pidfd_open", 2)
_pidfd_getfd: Final = libc.optional("pidfd_getfd") or libc.system_call("pidfd_getfd", 3)
# kcmp(2) of two threads, KCMP_FILE, and a descriptor of each: 0 where both are the same open file,
# less than 0 on failure.
kcmp: Final = libc.quick_system_call("kcmp")


def open_thread(tid: int) -> int | None:
    """A pidfd of this very thread; None where the kernel only has those of processes.

    Raises ProcessLookupError when the thread is gone.
    """
    fd: int = _pidfd_open(tid, PIDFD_THREAD)
    if fd < 0:
        if libc.get_errno() == errno.EINVAL:
            return None
        raise libc.last_error("pidfd_open")
    return fd


def open_process(pid: int) -> int:
    """A pidfd of a process; raises OSError."""
    return os.pidfd_open(pid)


def get_descriptor(pidfd: int, fd: int) -> int:
    """A duplicate of the other's descriptor ``fd``, close-on-exec; raises OSError.

    EBADF: it has none of that number. ESRCH: it is gone. EPERM: we may not.
    """
    copy: int = _pidfd_getfd(pidfd, fd, 0)
    if copy < 0:
        raise libc.last_error("pidfd_getfd")
    return copy
