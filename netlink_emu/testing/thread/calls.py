"""Calls into a kernel that belongs to one thread, from any other."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from netlink_emu.testing.errors import (
    EmulatorError,
    FamilyFailed,
    KernelClosed,
    WrongProcess,
    hide,
)

if TYPE_CHECKING:
    from netlink_emu.testing.thread.loop import Loop, Running

__tracebackhide__ = hide

T = TypeVar("T")


def _nothing() -> None:
    return


class Calls:
    """Who may touch a kernel, and when. ``changed`` is called when something of ours failed.

    While nobody serves clients a lock is enough; from then on the kernel is the loop's.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed: Final = changed
        self._pid: Final = os.getpid()
        self._over = ""
        self._lock: Final = threading.RLock()
        self._loop: Loop | None = None
        self._failures: list[BaseException] = []
        # Sends what is queued for clients; in the loop's thread.
        self.flush: Callable[[], None] = _nothing

    def call(self, function: Callable[[], T]) -> T:
        """Call ``function`` where it may touch the kernel.

        What it queues for clients has been sent to them when this returns.
        """
        self.check()
        return self.look(function)

    def call_here(self, function: Callable[[], T]) -> T:
        """As :meth:`call`, and from the midst of the kernel's own work, too."""
        if self._loop is not None and self._loop.is_here:
            return function()
        return self.call(function)

    def look(self, function: Callable[[], T]) -> T:
        """The same for what only looks: also after the end, and whatever failed before."""
        self._check_process()
        loop = None if self._over else self._loop
        if loop is None:
            with self._lock:
                return function()

        def run() -> T:
            try:
                return function()
            finally:
                self.flush()

        return loop.call(run)

    @property
    def loop(self) -> Loop:
        """The loop whose thread the kernel belongs to, from the first use on."""
        if self._loop is None:
            from netlink_emu.testing.thread.loop import Loop

            with self._lock:
                self._loop = Loop.get()
        return self._loop

    def start(self, task: Callable[..., Any]) -> Running:
        """Start a task in the loop; returns when it has said that it has started."""
        running = self.loop.spawn(task, failed=self.failed, over=self._changed)
        running.started.result()
        return running

    # --- who may call

    @property
    def is_forked(self) -> bool:
        """Whether this is a child of the kernel's process: of the kernel it has but a picture."""
        return os.getpid() != self._pid

    def check(self) -> None:
        """Raise KernelClosed after the end, WrongProcess in a child, EmulatorError."""
        self._check_process()
        if self._over:
            raise KernelClosed(self._over)
        self.raise_failures()

    def _check_process(self) -> None:
        if self.is_forked:
            raise WrongProcess(
                f"the emulated kernel belongs to process {self._pid}, which forked this one "
                f"({os.getpid()}): use it there, and have the child talk to kernel.path"
            )

    def end(self, why: str) -> None:
        """From now on :meth:`call` raises KernelClosed, which says ``why``."""
        self._over = why

    # --- failures of ours

    def failed(self, exc: BaseException) -> None:
        """Something of ours failed: whoever calls next is told."""
        self._failures.append(exc)
        self._changed()

    def raise_failures(self) -> None:
        """Raise EmulatorError if something failed that nobody has been told."""
        if self._failures:
            failures, self._failures = self._failures, []
            first = failures[0]
            while isinstance(first, BaseExceptionGroup) and len(first.exceptions) == 1:
                first = first.exceptions[0]
            if isinstance(first, FamilyFailed):
                raise first
            raise EmulatorError(f"netlink-emu itself failed: {first!r}") from first


def need_threads() -> None:
    """Raise WrongProcess where threads are none: gevent has replaced them."""
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None and monkey.is_module_patched("threading"):
        raise WrongProcess(
            "gevent has replaced this process's threads, which an emulated kernel needs: "
            "make the kernel in a process that is not monkey-patched, and start the patched "
            "client as a program (kernel.popen() or kernel.run())"
        )
