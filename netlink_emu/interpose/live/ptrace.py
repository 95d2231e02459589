"""ptrace(2), as far as it takes to be told of every end in time: PTRACE_SEIZE and its stops.

A tracee belongs to the thread that seized it; all calls about it must be that thread's.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
from typing import Final

from netlink_emu.interpose import libc
from netlink_emu.interpose.filter.bpf_filter import PTRACE_SEIZE

# include/uapi/linux/ptrace.h
PTRACE_CONT: Final = 7
PTRACE_DETACH: Final = 17
PTRACE_GETEVENTMSG: Final = 0x4201
PTRACE_INTERRUPT: Final = 0x4207
PTRACE_LISTEN: Final = 0x4208

PTRACE_EVENT_EXEC: Final = 4
PTRACE_EVENT_EXIT: Final = 6
PTRACE_EVENT_STOP: Final = 128

_PTRACE_O_TRACEFORK: Final = 1 << 1
_PTRACE_O_TRACEVFORK: Final = 1 << 2
_PTRACE_O_TRACECLONE: Final = 1 << 3
_PTRACE_O_TRACEEXEC: Final = 1 << 4
_PTRACE_O_TRACEEXIT: Final = 1 << 6
# What a tracee starts is traced likewise, from its first instruction.
_OPTIONS: Final = (
    _PTRACE_O_TRACEFORK
    | _PTRACE_O_TRACEVFORK
    | _PTRACE_O_TRACECLONE
    | _PTRACE_O_TRACEEXEC
    | _PTRACE_O_TRACEEXIT
)

STOP_SIGNALS: Final = frozenset({signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU})

# include/uapi/linux/wait.h: also children that end without SIGCHLD, and threads
WALL: Final = 0x40000000
_CLD_TRAPPED: Final = 4
_ENDS: Final = frozenset({os.CLD_EXITED, os.CLD_KILLED, os.CLD_DUMPED})


def _ptrace(request: int, tid: int, data: int = 0) -> None:
    if libc.ptrace(request, tid, 0, data) < 0:
        raise libc.last_error("ptrace")


def seize(tid: int) -> None:
    """Trace a thread without stopping it.

    Raises OSError: ESRCH if it is gone, EPERM if it is traced already or we may not.
    """
    _ptrace(PTRACE_SEIZE, tid, _OPTIONS)


def go_on(tid: int, number: int = 0) -> bool:
    """Let a stopped tracee run, with the signal that it stopped for; False if it was killed."""
    return _unless_gone(PTRACE_CONT, tid, number)


def listen(tid: int) -> bool:
    """Leave a tracee stopped as its signal has it, and be told when it is continued.

    False if it was killed meanwhile: it may stop in its exit then, which is yet to be told.
    """
    try:
        return _unless_gone(PTRACE_LISTEN, tid)
    except OSError as exc:
        if exc.errno != errno.EIO:
            raise
        return False


def interrupt(tid: int) -> bool:
    """Have a tracee stop at the next chance (PTRACE_EVENT_STOP)."""
    return _unless_gone(PTRACE_INTERRUPT, tid)


def detach(tid: int, number: int = 0) -> bool:
    """Trace a stopped tracee no more, and let it run."""
    return _unless_gone(PTRACE_DETACH, tid, number)


def _unless_gone(request: int, tid: int, data: int = 0) -> bool:
    try:
        _ptrace(request, tid, data)
    except ProcessLookupError:
        return False
    return True


def event_message(tid: int) -> int | None:
    """What belongs to the event: at an exit the wait status. None if it was killed meanwhile."""
    message = ctypes.c_ulong()
    try:
        _ptrace(PTRACE_GETEVENTMSG, tid, ctypes.addressof(message))
    except ProcessLookupError:
        return None
    return message.value


def next_stop() -> tuple[int, int, bool] | None:
    """A thread that stopped, why (event << 8 | signal), and whether it is traced; or None."""
    info = _next(os.WSTOPPED | os.WNOHANG | WALL)
    return None if info is None else (info.si_pid, info.si_status, info.si_code == _CLD_TRAPPED)


def next_end() -> int | None:
    """A thread or child that has ended, and that waits for :func:`reap`; None if none is found.

    waitid(2) gives the stops of tracees without being asked for them, too, and a stop that came
    just now may stand before an end.
    """
    info = _next(os.WEXITED | os.WNOHANG | os.WNOWAIT | WALL)
    return info.si_pid if info is not None and info.si_code in _ENDS else None


def _next(options: int) -> os.waitid_result | None:
    try:
        return os.waitid(os.P_ALL, 0, options)
    except ChildProcessError:
        return None


def reap(tid: int) -> int | None:
    """The wait status of what has ended: its own parent, if it has another, may wait for it then.

    None if it is not to be waited for any more.
    """
    try:
        pid, status = os.waitpid(tid, os.WNOHANG | WALL)
    except ChildProcessError:
        return None
    return status if pid else None
