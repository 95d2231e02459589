"""The thread that traces the clients, so that nobody among them ends unnoticed.

A tracee stops as it begins to exit (PTRACE_EVENT_EXIT), with its figures, memory and parent as
they were: before its descriptors close, before anybody who waits for it can wake. It goes on
when :meth:`Tracer.release` says so. In between, every signal, fork and exec costs a stop that
ends at once.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final, TypeVar

from netlink_emu.interpose.errands import Errands
from netlink_emu.interpose.launch import start_thread
from netlink_emu.interpose.live import ptrace
from netlink_emu.interpose.live.stops import Stops
from netlink_emu.machine.task import Task

T = TypeVar("T")

_BATCH: Final = 16
_PATIENCE: Final = 0.1  # seconds
_SIGINFO_SIZE: Final = 128  # struct signalfd_siginfo


@dataclass(frozen=True, slots=True)
class Ended:
    """A thread ends. ``code`` is its wait status, ``task`` its figures if they could be read.

    It goes on at :meth:`Tracer.release`. One that was killed before it could stop is dead by
    now; then ``told`` is to be set instead.
    """

    tid: int
    code: int
    task: Task | None
    told: threading.Event | None = None


@dataclass(frozen=True, slots=True)
class Executed:
    """A process runs another program; the thread that did it has the process's number now."""

    tgid: int


@dataclass(frozen=True, slots=True)
class ChildChanged:
    """waitpid(2) gave this status for the command."""

    status: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """A system call of ours failed that never should; ``lost`` if an end may not be told."""

    exc: OSError
    lost: bool


@dataclass(frozen=True, slots=True)
class Failed:
    """A mistake of ours has ended the tracer."""

    exc: BaseException


News = Ended | Executed | ChildChanged | Trouble | Failed


class Tracer:
    """Traces processes from :meth:`seize` on, with all that they start.

    ``children`` is a signalfd for SIGCHLD, which must be blocked in every thread; from now on
    this thread alone may wait for children of this process. ``figures`` reads a thread's;
    ``report`` is told what happens. Both are called in the tracer's thread. ``command`` is the
    child whose changes are reported, too.
    """

    def __init__(
        self,
        children: int,
        command: int,
        figures: Callable[[int], Task | None],
        report: Callable[[News], None],
    ) -> None:
        self._children = children
        self._command = command
        self._figures = figures
        self._report = report
        self._errands = Errands()
        self._seized: set[int] = set()
        self._told: set[int] = set()
        self._letting_go: dict[int, Callable[[], object]] = {}
        self._stops = Stops()
        self._over = False
        self._thread = threading.Thread(target=self._run, name="netlink-emu tracer", daemon=True)

    # --- for other threads

    def start(self) -> None:
        start_thread(self._thread)

    def close(self) -> None:
        """Stop tracing. What is stopped goes on: the kernel detaches a dead tracer's tracees."""
        self._errands.put(self._end)
        self._thread.join()
        self._errands.close()

    def seize(self, threads: Callable[[], Iterable[int]]) -> dict[int, int]:
        """Trace all of ``threads()``, asked again until nobody new is there.

        Returns those that cannot be traced, with the reasons' errno.
        """
        return self._call(lambda: self._seize_all(threads))

    def traces(self, tid: int) -> bool:
        """Whether a thread is traced: the news of its end, if it has ended, are yet to come."""
        return tid in self._seized

    def signalled(self, tgid: int | None, number: int) -> None:
        """A signal that stops or continues is about to be sent: see :class:`Stops`."""
        if tgid is None or tgid in self._seized:
            self._stops.sent(tgid, number)

    def release(self, tid: int) -> None:
        """Let a thread end that is held."""
        self._errands.put(lambda: self._let_end(tid))

    def let_go(self, tid: int, gone: Callable[[], object]) -> bool:
        """Trace a thread no more, but still what it started; False if it is not traced.

        It must stop for that, which it does as if for a signal. ``gone`` is called when it is
        done, or not needed any more, in the tracer's thread.
        """
        return self._call(lambda: self._begin_to_let_go(tid, gone))

    def _call(self, what: Callable[[], T]) -> T:
        result: Future[T] = Future()

        def run() -> None:
            try:
                result.set_result(what())
            except BaseException as exc:
                result.set_exception(exc)

        self._errands.put(run)
        return result.result()

    # --- the thread

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._errands, select.POLLIN)
        try:
            self._trace(poll)
        except BaseException as exc:
            poll.unregister(self._children)
            self._report(Failed(exc))
            while not self._over:  # nobody who calls shall wait for ever
                poll.poll()
                self._errands.run()

    def _trace(self, poll: select.poll) -> None:
        poll.register(self._children, select.POLLIN)
        while not self._over:
            more = self._serve()
            for fd, _ in self._poll(poll, 0 if more else None):
                if fd == self._children:
                    self._forget_signals()
                else:
                    self._errands.run()

    def _poll(self, poll: select.poll, timeout: int | None) -> list[tuple[int, int]]:
        try:
            return poll.poll(timeout)
        except OSError as exc:
            self._report(Trouble(exc, lost=False))
            return []

    def _forget_signals(self) -> None:
        """One SIGCHLD may stand for several changes: waiting tells, not the signal."""
        try:
            os.read(self._children, _SIGINFO_SIZE)
        except BlockingIOError:
            pass
        except OSError as exc:
            self._report(Trouble(exc, lost=False))

    def _end(self) -> None:
        self._over = True

    def _seize_all(self, threads: Callable[[], Iterable[int]]) -> dict[int, int]:
        refused: dict[int, int] = {}
        news = True
        while news:
            news = False
            for tid in threads():
                if tid in self._seized or tid in refused:
                    continue
                news = True
                try:
                    ptrace.seize(tid)
                except ProcessLookupError:
                    continue
                except OSError as exc:
                    refused[tid] = exc.errno or 0
                else:
                    self._seized.add(tid)
            self._serve()
        return refused

    def _serve(self) -> bool:
        """Take note of what has changed; True if there may be more.

        Bounded, for who waits to be released shall not wait for the end of a storm of signals.
        """
        for _ in range(_BATCH):
            try:
                stop = ptrace.next_stop()
                if stop is None:
                    ended = ptrace.next_end()
                    if ended is None:
                        return False  # and for what changes from now on there is a SIGCHLD
                    self._ended(ended)
                    continue
            except OSError as exc:  # what is there to be found stays there
                self._report(Trouble(exc, lost=False))
                continue
            tid, why, traced = stop
            if traced:
                with self._or_detached(tid):
                    self._stopped(tid, why >> 8, why & 0xFF)
            elif tid == self._command:
                self._report(ChildChanged(_stop_status(why)))
        return True

    @contextlib.contextmanager
    def _or_detached(self, tid: int) -> Iterator[None]:
        """A tracee with which something fails shall not stay stopped: it is traced no more."""
        try:
            yield
        except OSError as exc:
            self._report(Trouble(exc, lost=tid not in self._told))
            with contextlib.suppress(OSError):
                ptrace.detach(tid)
            self._seized.discard(tid)
            gone = self._letting_go.pop(tid, None)
            if gone is not None:
                gone()

    def _stopped(self, tid: int, event: int, number: int) -> None:
        if event == ptrace.PTRACE_EVENT_EXIT:
            self._exits(tid)
            return
        if event == ptrace.PTRACE_EVENT_EXEC:
            self._executed(tid)
        self._seized.add(tid)  # a new one begins with a stop
        gone = self._letting_go.pop(tid, None)
        if gone is not None:
            ptrace.detach(tid, 0 if event else number)
            self._seized.discard(tid)
            gone()
        elif not event:
            ptrace.go_on(tid, 0 if self._stops.is_stale(tid, number) else number)
        elif event == ptrace.PTRACE_EVENT_STOP and number in ptrace.STOP_SIGNALS:
            if tid == self._command:
                self._report(ChildChanged(_stop_status(number)))
            ptrace.listen(tid)
        else:
            ptrace.go_on(tid)

    def _exits(self, tid: int) -> None:
        code = ptrace.event_message(tid)
        if code is None:
            return  # killed in between: it is told of as a zombie
        self._seized.add(tid)
        self._told.add(tid)
        self._report(Ended(tid, code, self._figures_of(tid)))

    def _figures_of(self, tid: int) -> Task | None:
        try:
            return self._figures(tid)
        except OSError as exc:  # no descriptor is left
            self._report(Trouble(exc, lost=True))
            return None

    def _let_end(self, tid: int) -> None:
        with self._or_detached(tid):
            ptrace.go_on(tid)
        gone = self._letting_go.pop(tid, None)
        if gone is not None:
            gone()

    def _executed(self, tid: int) -> None:
        """The thread has the number of its process from now on; the leader is gone for good."""
        former = ptrace.event_message(tid)
        if former is not None and former != tid:
            self._seized.discard(former)
        self._told.discard(tid)
        self._stops.executed(tid)
        self._report(Executed(tid))

    def _ended(self, tid: int) -> None:
        if tid not in self._told:
            self._tell_late(tid)
            self._told.add(tid)
        status = ptrace.reap(tid)
        self._seized.discard(tid)
        self._told.discard(tid)
        self._stops.forget(tid)
        gone = self._letting_go.pop(tid, None)
        if gone is not None:
            gone()
        if tid == self._command and status is not None:
            self._report(ChildChanged(status))

    def _tell_late(self, tid: int) -> None:
        """It was killed before it could stop, or is a child of ours that we could not trace.

        Nobody can reap it, nor the rest of its process, before we have.
        """
        task = self._figures_of(tid)
        code = task.exit_code if task is not None else 0
        told = threading.Event()
        self._report(Ended(tid, code, task, told))
        told.wait(_PATIENCE)  # who shall tell may just be waiting for us

    def _begin_to_let_go(self, tid: int, gone: Callable[[], object]) -> bool:
        if not ptrace.interrupt(tid):
            return False
        self._letting_go[tid] = gone
        return True


def _stop_status(number: int) -> int:
    """The wait status of a child that a signal stopped."""
    return number << 8 | 0x7F
