"""netlink-emu whose tracer has one system call fail: failing_tracer.py FILE CALL N ERRNO ARGS...

The N-th call of this name in the tracer's thread fails, as in helpers.failing_calls: calls into C
by sys.setprofile, ptrace(2), which is ctypes', by a function in its place. CALL is posix.waitid,
poll.poll and the like, or the number of a request of ptrace's; "io.open in _figures" counts only
what is called by a function of that name. FILE is made when the call has failed.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from netlink_emu.cli.main import main
from netlink_emu.interpose import libc

FAILED = Path(sys.argv[1])
CALL, _, WITHIN = sys.argv[2].partition(" in ")
NUMBER, ERROR = int(sys.argv[3]), int(sys.argv[4])
seen = 0


def due(name: str) -> bool:
    global seen
    if name != CALL or threading.current_thread().name != "netlink-emu tracer":
        return False
    frame = sys._getframe(1)
    while WITHIN and frame.f_code.co_name != WITHIN:
        if frame.f_back is None:
            return False
        frame = frame.f_back
    seen += 1
    if seen == NUMBER:
        FAILED.touch()
    return seen == NUMBER


def profile(_frame: FrameType, event: str, function: Any) -> None:
    if event == "c_call":
        module = getattr(function, "__module__", None)
        name = f"{module}.{function.__name__}" if module else str(function.__qualname__)
        if due(name.removeprefix("_")):  # Python 3.13 has _io.open for io.open
            raise OSError(ERROR, os.strerror(ERROR))


def failing_ptrace(request: int, *args: int) -> int:
    if due(str(request)):
        ctypes.set_errno(ERROR)
        return -1
    result: int = real(request, *args)
    return result


real: Any = libc.ptrace
setattr(libc, "ptrace", failing_ptrace)  # noqa: B010 # it is Final
threading.setprofile(profile)
sys.argv = ["netlink-emu", *sys.argv[5:]]
main()
