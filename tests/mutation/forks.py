"""Forks of a warm process, in which a mutant lives."""

from __future__ import annotations

import os
import resource
import select
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

ROOM: Final = 2 << 30  # bytes of memory that a mutant may take


def survives(tests: Callable[[], bool], seconds: float) -> bool:
    """Whether ``tests``, in a process of its own, finds within so many seconds nothing wrong."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            _limit_memory()
            status = 0 if tests() else 1
        finally:
            os._exit(status)
    pidfd = os.pidfd_open(pid)
    try:
        if not select.select([pidfd], [], [], seconds)[0]:
            os.kill(pid, signal.SIGKILL)
        return os.waitpid(pid, 0)[1] == 0
    finally:
        os.close(pidfd)


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    most = pages * resource.getpagesize() + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
