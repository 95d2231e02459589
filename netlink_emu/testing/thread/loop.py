"""One thread with a trio loop for all emulated kernels of a process that need one.

Server and interposer live there; a test calls into it and waits, whatever its own thread does.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any, ClassVar, Final, TypeVar

import trio

from netlink_emu.testing.errors import EmulatorError, hide

__tracebackhide__ = hide

T = TypeVar("T")

_LOOK: Final = 1.0  # seconds between two looks whether the thread is alive, while one waits for it


class Loop:
    """The thread; :meth:`get` starts it when it is first needed.

    It is a daemon: a test run that is interrupted does not wait for it.
    """

    _one: ClassVar[Loop | None] = None
    _lock: ClassVar[threading.Lock] = threading.Lock()

    @classmethod
    def get(cls) -> Loop:
        """The loop of this process; a fork's child gets its own."""
        with cls._lock:
            if cls._one is None or cls._one.pid != os.getpid() or cls._one.ended:
                cls._one = cls()
            return cls._one

    def __init__(self) -> None:
        self.pid: Final = os.getpid()
        self._token: Future[trio.lowlevel.TrioToken] = Future()
        self._thread: Final = threading.Thread(
            target=self._run, name="netlink-emu kernels", daemon=True
        )
        self._thread.start()
        self._trio: Final = self._token.result()

    def _run(self) -> None:
        try:
            trio.run(self._main)
        except BaseException as exc:
            if not self._token.done():
                self._token.set_exception(exc)
            raise

    async def _main(self) -> None:
        self._stop = trio.Event()
        self._token.set_result(trio.lowlevel.current_trio_token())
        await self._stop.wait()

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    @property
    def is_here(self) -> bool:
        """Whether the caller is in the loop's thread."""
        return threading.current_thread() is self._thread

    def stop(self) -> None:
        """End the thread; whatever runs in it must have ended."""
        self._trio.run_sync_soon(self._stop.set)
        self._thread.join()

    def call(self, function: Callable[[], T]) -> T:
        """Call ``function`` in the loop's thread, and give what it returns or raises."""
        if self.is_here:
            return function()
        returned: list[T] = []
        raised: list[BaseException] = []
        done = threading.Event()

        def run() -> None:
            try:
                returned.append(function())
            except BaseException as exc:
                raised.append(exc)
            finally:
                done.set()

        self._trio.run_sync_soon(run)
        while not done.wait(_LOOK):
            if self.ended and not done.is_set():
                raise EmulatorError("the thread of the emulated kernels has ended; see stderr")
        if raised:
            raise raised.pop()  # and no cycle is left of exception and frame
        return returned[0]

    def later(self, seconds: float, function: Callable[[], None]) -> None:
        """Have ``function`` called in so many seconds; from the loop's thread."""

        async def wait() -> None:
            await trio.sleep(seconds)
            function()

        trio.lowlevel.spawn_system_task(wait)

    def spawn(
        self,
        task: Callable[..., Awaitable[Any]],
        *,
        failed: Callable[[BaseException], None],
        over: Callable[[], None],
    ) -> Running:
        """Start a task of its own in the loop.

        ``failed`` is told what it dies of, ``over`` is called when it has ended in any way.
        """
        return self.call(lambda: Running(task, failed, over))


class Running:
    """A task in the loop, with its own cancel scope. Made in the loop's thread.

    ``task`` is for ``nursery.start()``: what it says when it has started is the result of
    ``started``, which raises what keeps it from starting.
    """

    def __init__(
        self,
        task: Callable[..., Awaitable[Any]],
        failed: Callable[[BaseException], None],
        over: Callable[[], None],
    ) -> None:
        self._over: Final = over
        self._scope: Final = trio.CancelScope()
        self._failed: Final = failed
        self.started: Final[Future[Any]] = Future()
        self.ended: Final[Future[None]] = Future()
        trio.lowlevel.spawn_system_task(self._run, task)

    async def _run(self, task: Callable[..., Awaitable[Any]]) -> None:
        # An exception that leaves a system task would end the loop for all kernels.
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    self.started.set_result(await nursery.start(task))
        except Exception as exc:
            if self.started.done():
                self._failed(exc)
            else:
                self.started.set_exception(_alone(exc))
        finally:
            self.ended.set_result(None)
            if not self.started.done():
                self.started.cancel()
            self._over()

    def cancel(self, loop: Loop) -> None:
        """End the task and wait until it has ended."""
        loop.call(self._scope.cancel)
        self.ended.result()


def _alone(exc: BaseException) -> BaseException:
    """What a nursery has put into a group of one."""
    while isinstance(exc, BaseExceptionGroup) and len(exc.exceptions) == 1:
        exc = exc.exceptions[0]
    return exc
