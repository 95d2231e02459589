"""Make a system call of netlink-emu's own fail: any that it makes, with any errno.

Python tells of each call into C before it is made (sys.setprofile), and an exception that is
raised then is the call's; calls by ctypes are replaced. So nothing in the product is prepared
for it, and a new call is found by itself.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from netlink_emu.interpose import libc
from netlink_emu.interpose.client import pidfd

# Modules of C functions that make system calls.
_MODULES = frozenset({"posix", "fcntl", "_socket", "select", "_io", "io", "resource", "time"})
# What is no system call, or cannot fail however it is called.
NO_CALLS = frozenset(
    {
        "posix.fspath", "posix.getpid", "posix.sched_getaffinity", "posix.stat_result",
        "select.poll", "time.monotonic", "time.monotonic_ns", "poll.register",
        "TextIOWrapper.__enter__", "TextIOWrapper.__exit__", "epoll.fileno", "socket.fileno",
        "_IOBase.__exit__", "_IOBase.__enter__", "TextIOWrapper.close",
        "posix.fsdecode", "posix.major", "posix.minor", "posix.waitstatus_to_exitcode",
        "BufferedReader.__enter__", "socket.gettimeout", "socket.getpeername",
        "resource.getrlimit", "posix.uname", "posix.strerror", "_socket.CMSG_SPACE",
        "time.perf_counter", "io.text_encoding", "posix.urandom", "posix._path_splitroot_ex",
    }
)  # fmt: skip
# Closing gives the descriptor back whatever it returns, and of none of ours can it fail.
CLOSING = frozenset({"posix.close", "socket.close", "socket.detach", "epoll.close"})
_FOREIGN = {
    "process_vm_readv": libc, "process_vm_writev": libc, "recv": libc, "write": libc,
    "_pidfd_open": pidfd, "_pidfd_getfd": pidfd, "kcmp": pidfd,
}  # fmt: skip
_PARTS = ("/netlink_emu/interpose/", "/netlink_emu/host/")
_DEEP = 6  # frames of the standard library between our code and C


class Calls:
    """Counts calls by site: "function in file.py function", the place of ours that made it."""

    def __init__(self, site: str = "", number: int = 1, error: int = 0) -> None:
        self.seen: Counter[str] = Counter()
        self.failed = False
        self._site = site
        self._number = number
        self._error = error

    def due(self, name: str, frame: FrameType | None) -> bool:
        """Count a call; whether it is the one that fails."""
        place = _our_place(frame)
        if place is None:
            return False
        site = f"{name} in {place}"
        self.seen[site] += 1
        hit = site == self._site and self.seen[site] == self._number and not self.failed
        self.failed = self.failed or hit
        return hit

    def error(self) -> OSError:
        return OSError(self._error, os.strerror(self._error))

    @property
    def number(self) -> int:
        return self._error


def _our_place(frame: FrameType | None) -> str | None:
    for _ in range(_DEEP):
        if frame is None:
            return None
        path = frame.f_code.co_filename
        # trio's loop is not made for a client, and to begin with there is none.
        if "/trio/" in path or path.endswith("/interpose/launch.py"):
            return None
        for part in _PARTS:
            if part in path:
                return f"{path.partition(part)[2]} {frame.f_code.co_name}"
        frame = frame.f_back
    return None


def _name(function: Any) -> str | None:
    module = getattr(function, "__module__", None)
    if module is None:
        module = type(getattr(function, "__self__", None)).__module__
        name = str(function.__qualname__)
    else:
        name = f"{module}.{function.__name__}"
    if module == "_io":  # as Python 3.13 names what was io
        name = name.lstrip("_")
    if module == "socket":  # socket.socket is a class of Python's on top of C's
        module = "_socket"
    if module not in _MODULES or name in NO_CALLS or name in CLOSING:
        return None
    return name


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, calls: Calls) -> Iterator[None]:
    """Within, in this thread, the system calls of netlink-emu are counted and one may fail."""

    def profile(frame: FrameType, event: str, function: Any) -> None:
        if event == "c_call":
            name = _name(function)
            if name is not None and calls.due(name, frame):
                raise calls.error()

    with monkeypatch.context() as patch:
        for name, module in _FOREIGN.items():
            patch.setattr(module, name, _foreign(name, getattr(module, name), calls))
        sys.setprofile(profile)
        try:
            yield
        finally:
            sys.setprofile(None)


def _foreign(name: str, real: Callable[..., int], calls: Calls) -> Callable[..., int]:
    def call(*args: Any) -> int:
        if calls.due(name.lstrip("_"), sys._getframe(1)):
            ctypes.set_errno(calls.number)
            return -1
        return real(*args)

    return call
