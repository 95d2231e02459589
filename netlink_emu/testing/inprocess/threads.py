"""Functions of the test's own process, run in threads whose generic netlink is emulated."""

from __future__ import annotations

import array
import atexit
import ctypes
import os
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Generic, TypeVar

from netlink_emu.host.progress import WaitingLines
from netlink_emu.interpose import libc
from netlink_emu.interpose.abi import native
from netlink_emu.interpose.client.access import need_access
from netlink_emu.interpose.filter.bpf_filter import build_filter
from netlink_emu.interpose.filter.seccomp import install_filter
from netlink_emu.kernel.profile import KernelConfig
from netlink_emu.testing.errors import EmulatorError, TimeIsUp, hide
from netlink_emu.testing.waiting import TIMEOUT

__tracebackhide__ = hide

T = TypeVar("T")

_PR_SET_PTRACER: Final = 0x59616D61  # include/uapi/linux/prctl.h; known to Yama only


@dataclass(frozen=True, slots=True)
class Start:
    """To the helper, with the listener and the wire: whose calls to answer, for which kernel."""

    release: str
    arch: str
    config: KernelConfig
    high: int
    uid: int
    protocols: frozenset[int] = frozenset()


class Helper:
    """The helper process of this one; started when the first thread needs it."""

    _one: ClassVar[Helper | None] = None
    _lock: ClassVar[threading.Lock] = threading.Lock()

    @classmethod
    def get(cls) -> Helper:
        with cls._lock:
            if cls._one is None or cls._one.pid != os.getpid() or cls._one.ended:
                cls._one = cls()
            return cls._one

    def __init__(self) -> None:
        self.pid: Final = os.getpid()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            module = "netlink_emu.testing.inprocess.helper"
            self._process: Final = subprocess.Popen(
                [sys.executable, "-m", module, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        # Under Yama (kernel.yama.ptrace_scope 1) a child may not look into its parent unasked.
        with suppress(OSError):  # without Yama there is nothing to allow
            libc.prctl(_PR_SET_PTRACER, self._process.pid)
        self._handing: Final = threading.Lock()
        atexit.register(self.close)

    def close(self) -> None:
        """It ends when its threads have."""
        if self.pid == os.getpid():
            self._control.close()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(1.0)

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def hand_over(self, start: Start, listener: int, wire: int) -> None:
        """Give it a listener; returns when it serves. Both descriptors may be closed then."""
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [listener, wire]))
        with self._handing:
            self._control.sendmsg([pickle.dumps(start)], [rights])
            if not self._control.recv(1):
                raise EmulatorError("the helper process has ended; its traceback is on stderr")


class ClientThread(Generic[T]):
    """A function that runs in a filtered thread; made by :meth:`EmulatedKernel.thread`."""

    def __init__(
        self,
        function: Callable[[], T],
        name: str,
        start: Start,
        wire: socket.socket,
        ended: Callable[[], None],
    ) -> None:
        self._function: Final = function
        self._start: Final = start
        self._wire: Final = wire
        self._ended: Final = ended
        self._future: Final[Future[T]] = Future()
        self.entered = False  # whether the function was called
        self.name: Final = name
        self._thread: Final = threading.Thread(
            target=self._run, name=f"netlink-emu client {self.name}", daemon=True
        )
        self._thread.start()

    @property
    def running(self) -> bool:
        return not self._future.done()

    def _run(self) -> None:
        try:
            with self._wire:
                need_access()
                program = build_filter(native(), high=self._start.high)
                helper = Helper.get()
                listener = install_filter(program)
                try:
                    helper.hand_over(self._start, listener, self._wire.fileno())
                finally:
                    os.close(listener)
            self.entered = True
            result = self._function()
        except BaseException as exc:
            self._future.set_exception(exc)
        else:
            self._future.set_result(result)
        finally:
            self._ended()

    def result(self, timeout: float | None = TIMEOUT) -> T:
        """Return what the function returns, or raise what it raises; TimeIsUp if it still runs."""
        __tracebackhide__ = True
        try:
            for piece in WaitingLines(f"waiting for {self.name}", timeout).pieces():
                if wait([self._future], piece).done:
                    break
            return self._future.result(0)
        except FutureTimeout:
            if self._future.done():
                raise
            raise TimeIsUp(f"{self.name} still runs after {timeout} s") from None

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in it when it next runs Python code, so after a waiting call.

        Calls that wait for netlink end when the kernel is closed.
        """
        raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
        raise_in(ctypes.c_ulong(self._thread.ident or 0), ctypes.py_object(KeyboardInterrupt))

    def join(self, timeout: float) -> None:
        """Wait for its end, at most ``timeout`` seconds."""
        self._thread.join(timeout)

    def describe(self) -> str:
        """Return its state as text."""
        if self.running:
            return f"thread {self.name}: running"
        exc: Any = self._future.exception()
        return f"thread {self.name}: " + ("has returned" if exc is None else f"raised {exc!r}")
