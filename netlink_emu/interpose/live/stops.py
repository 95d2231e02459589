"""Signals to stop that come back to life while a process with several threads executes.

A tracee that takes SIGSTOP waits for its tracer before it stops. Where another thread's execve(2)
kills it meanwhile, the kernel queues the signal once more (ptrace_signal() in kernel/signal.c,
since 5.18), for the program that is executed: also where SIGCONT came in between, which has
removed it. Untraced this cannot be, for nothing lies between taking the signal and stopping. The
program would stay stopped for ever.
"""

from __future__ import annotations

import re
from itertools import count
from pathlib import Path
from typing import Final

from netlink_emu.interpose.filter.bpf_filter import SIGCONT
from netlink_emu.interpose.live.ptrace import STOP_SIGNALS

_PENDING: Final = re.compile(rb"^(?:SigPnd|ShdPnd):\s*([0-9a-f]+)$", re.MULTILINE)
_STOPS: Final = sum(1 << (number - 1) for number in STOP_SIGNALS)


class Stops:
    """Knows by what its clients sent last whether a process is to stop.

    What others send is not seen here: their signals have the last word as the kernel has them.
    """

    def __init__(self) -> None:
        self._order: Final = count(1)
        self._last: dict[int, tuple[int, int]] = {}  # by process: when, and which signal
        self._last_to_many = (0, 0)
        self._stale: set[int] = set()

    def sent(self, tgid: int | None, number: int) -> None:
        """A signal that stops or continues is about to be sent; None: to a group, or to anybody.

        For any thread.
        """
        if tgid is None:
            self._last_to_many = (next(self._order), number)
        else:
            self._last[tgid] = (next(self._order), number)

    def executed(self, tgid: int) -> None:
        """A process, stopped now, begins a program; a signal to stop may lie there."""
        self._stale.discard(tgid)
        if self._is_to_run(tgid) and self._has_stops_pending(tgid):
            self._stale.add(tgid)

    def is_stale(self, tid: int, number: int) -> bool:
        """Whether a thread takes a signal that SIGCONT had removed."""
        if tid not in self._stale or number not in STOP_SIGNALS:
            return False
        self._stale.discard(tid)
        return self._is_to_run(tid)

    def forget(self, tid: int) -> None:
        """A thread has ended."""
        self._last.pop(tid, None)
        self._stale.discard(tid)

    def _is_to_run(self, tgid: int) -> bool:
        return max(self._last.get(tgid, (0, 0)), self._last_to_many)[1] == SIGCONT

    def _has_stops_pending(self, tgid: int) -> bool:
        try:
            status = Path(f"/proc/{tgid}/status").read_bytes()
        except OSError:
            return False
        return any(int(mask, 16) & _STOPS for mask in _PENDING.findall(status))
