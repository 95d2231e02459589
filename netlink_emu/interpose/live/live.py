"""Live tasks: the ends of the clients, and of all that they start, as exit events.

Nobody sees an exit event before somebody has registered for them, so tracing begins with the
first listener. taskstats_exit() runs while the thread that ends is held: the event is queued
before its parent can reap it, as in the kernel.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from netlink_emu.host.tasks import HostTasks
from netlink_emu.host.thread_group import HostThreadGroup, WatchedGroup
from netlink_emu.host.tree import start_of, threads_below
from netlink_emu.interpose.errands import Errands
from netlink_emu.interpose.live.tracer import (
    ChildChanged,
    Ended,
    Executed,
    Failed,
    News,
    Tracer,
    Trouble,
)
from netlink_emu.interpose.summary import Summary
from netlink_emu.kernel.kernel import Kernel
from netlink_emu.kernel.trace import Observer
from netlink_emu.machine.task import PF_EXITING, ExitState, Task

# When so many groups are remembered, those that are gone are forgotten.
_MANY: Final = 256


class LiveExits(Observer):
    """Turns the ends of what descends from this process into exit events of ``kernel``.

    ``command`` is the child that all descends from. ``errands`` is what the thread does that
    runs the kernel; ``flush`` carries what was queued to the clients. ``taken_over`` is called
    as tracing begins, and returns a signalfd for SIGCHLD: from then on the tracer alone may wait
    for children, and ``child_changed`` is told the wait statuses of ``command``.
    """

    def __init__(
        self,
        kernel: Kernel,
        errands: Errands,
        summary: Summary,
        *,
        command: int,
        flush: Callable[[], None],
        take_over: Callable[[], int],
        child_changed: Callable[[int], None],
    ) -> None:
        self._kernel = kernel
        self._source = _host_tasks(kernel)
        self._errands = errands
        self._summary = summary
        self._command = command
        self._since = start_of(command)
        self._flush = flush
        self._take_over = take_over
        self._child_changed = child_changed
        self._tracer: Tracer | None = None
        self._waits = True  # for the first listener, to trace from then on
        kernel.observe(self)

    def close(self) -> None:
        """Watch no more. Once is enough."""
        if self._waits:
            self._waits = False
            self._kernel.unobserve(self)
        elif self._tracer is not None:
            self._tracer.close()

    def let_go(self, tid: int, gone: Callable[[], object]) -> bool:
        """Another program will trace a thread; ``gone`` is called when it can. False: already."""
        if self._tracer is None:
            return False
        if not self._tracer.let_go(tid, lambda: self._errands.put(gone)):
            return False
        self._summary.untraced += 1
        return True

    def signalled(self, tgid: int | None, number: int) -> None:
        """A client is about to send a signal that stops or continues; None: not to one process."""
        if self._tracer is not None:
            self._tracer.signalled(tgid, number)

    def listener_registered(self, portid: int, cpu: int) -> None:
        """The first: trace from before the call returns that registers it."""
        self._waits = False
        self._kernel.unobserve(self)
        tracer = Tracer(self._take_over(), self._command, self._figures, self._report)
        tracer.start()
        self._tracer = tracer
        refused = tracer.seize(lambda: threads_below(os.getpid(), self._since))
        self._summary.untraced += sum(self._lives(tid) for tid in refused)

    def _lives(self, tid: int) -> bool:
        """What has ended before anybody listened cannot be traced, and need not."""
        task = self._source.find(tid)
        return task is not None and task.exit_state is ExitState.ALIVE

    def _figures(self, tid: int) -> Task | None:
        """In the tracer's thread: what is read later may be gone by then."""
        task = self._source.find(tid)
        if task is not None and not task.is_leader:
            _ = task.group.stats
        return task

    def _report(self, news: News) -> None:
        """In the tracer's thread."""
        self._errands.put(lambda: self._take_note(news))

    def _take_note(self, news: News) -> None:
        match news:
            case Ended():
                self._ended(news)
            case Executed(tgid):
                if tgid in self._source.watched:
                    self._source.watched[tgid].ending.discard(tgid)
            case ChildChanged(status):
                self._child_changed(status)
            case Trouble(exc, lost):
                self._failed(exc, lost=lost)
            case Failed(failure):
                raise failure

    def _failed(self, exc: OSError, *, lost: bool) -> None:
        self._summary.failed(exc)
        self._summary.untraced += lost

    def _ended(self, news: Ended) -> None:
        assert self._tracer is not None
        if news.task is None:  # it is there, but could not be read
            self._summary.untraced += 1
        else:
            try:
                self._exit(news.task, news.code)
            except OSError as exc:
                self._failed(exc, lost=True)
            self._flush()
        if news.told is None:
            self._tracer.release(news.tid)
        else:
            news.told.set()

    def _exit(self, task: Task, code: int) -> None:
        """do_exit() of a thread that is about to, or has just done so."""
        task.flags |= PF_EXITING
        task.exit_code = code
        task.cpu = self._cpu(task.cpu)
        group = task.group
        assert isinstance(group, HostThreadGroup)
        watched = self._watched(group)
        if watched is None:
            self._kernel.machine.tasks.tell_exit(task, group_dead=True)
            return
        watched.ending.add(task.pid)
        group.stats = watched.sums
        group_dead = not watched.dead and not self._anyone_lives(group, watched)
        self._kernel.machine.tasks.tell_exit(task, group_dead=group_dead)
        watched.sums = group.stats
        watched.dead = watched.dead or group_dead

    def _watched(self, group: HostThreadGroup) -> WatchedGroup | None:
        """What is known of the group of a thread that ends; None if it is the only one."""
        source = self._source
        watched = source.watched_group(group)
        if watched is None and not group.thread_group_empty:
            if len(source.watched) >= _MANY:
                self._forget_the_gone()
            watched = source.watched[group.tgid] = WatchedGroup(group.leader, group.stats)
        return watched

    def _forget_the_gone(self) -> None:
        watched = self._source.watched
        for tgid in [tgid for tgid in watched if not self._source.thread_numbers(tgid)]:
            del watched[tgid]

    def _anyone_lives(self, group: HostThreadGroup, watched: WatchedGroup) -> bool:
        """Whether there is a thread whose end is yet to be told."""
        assert self._tracer is not None
        for nr in self._source.thread_numbers(group.tgid):
            if nr in watched.ending:
                continue
            if self._tracer.traces(nr):
                return True
            thread = self._source.read_thread(nr, group.tgid)
            if thread is not None and not thread.flags & PF_EXITING:
                return True
        return False

    def _cpu(self, number: int) -> int:
        """The emulated machine may have fewer CPUs than the host."""
        online = self._kernel.machine.cpus.online
        return number if number in online else online[number % len(online)]


def _host_tasks(kernel: Kernel) -> HostTasks:
    return next(s for s in kernel.machine.tasks.sources if isinstance(s, HostTasks))
