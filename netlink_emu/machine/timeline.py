"""Carries out a scenario on a machine, step by step, as its clock passes. Pure: nobody waits here.

Whoever drives it asks :attr:`Timeline.next_ns` how long to wait, waits, and calls
:meth:`Timeline.run_due`; :meth:`Timeline.play` does that on a virtual clock.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from netlink_emu.machine.cgroups import Cgroup
from netlink_emu.machine.clock import NSEC_PER_SEC, PlannedClock, VirtualClock
from netlink_emu.machine.credentials import Cred
from netlink_emu.machine.machine import Machine
from netlink_emu.machine.scenario import (
    Action,
    Charge,
    Exec,
    Exit,
    Move,
    Renice,
    Run,
    Scenario,
    Signal,
    Step,
    TaskPlan,
    ThreadPlan,
    Wait,
)
from netlink_emu.machine.scenario_families import FamilyStep
from netlink_emu.machine.task import (
    PF_EXITING,
    ExitState,
    Task,
    TaskState,
)

# A running task's CPU time is charged this often, so that a monitor sees it grow.
SLICE_NS: Final = 100_000_000
Prepare = Callable[[str, FamilyStep], Callable[[], object]]


class Timeline:
    """A scenario under way. Time 0 is the machine's clock when it was made, or at :meth:`begin`.

    What is done late is done as of its time: on a PlannedClock, which this sets the horizon of.
    ``prepare`` checks a step of the family of that name, and returns what carries it out.
    Raises ScenarioError for what this machine can never do.
    """

    def __init__(
        self,
        scenario: Scenario,
        machine: Machine,
        *,
        begin: bool = True,
        prepare: Prepare | None = None,
    ) -> None:
        self._machine: Final = machine
        self._scenario: Final = scenario
        self.begun = False
        self._when_begun: list[Callable[[], object]] = []
        self._doing_ns: int | None = None
        self._named: dict[str, Task] = {}
        # (when, what comes first at one time, order, path, do): what ends at a time comes
        # before what begins then, so that the last slice of a run is charged before an exit.
        self._queue: list[tuple[int, int, int, str, Callable[[int], None]]] = []
        self._order = itertools.count()
        self._came: set[str] = set()
        self._check()
        self._changes: Final = [*self._prepared(prepare)]
        if isinstance(machine.clock, PlannedClock):
            machine.clock.horizon = lambda: self.horizon_ns
        if begin:
            self.begin()

    def _check(self) -> None:
        cpus, tasks = self._machine.cpus, self._machine.tasks
        for thread in self._scenario.threads():
            path = thread.path
            try:
                cpus.check(thread.cpu)
                if thread.pid is not None:
                    tasks.check_pid(thread.pid)
                for step in thread.steps:
                    path = step.path
                    if isinstance(step.action, Move):
                        cpus.check(step.action.cpu)
            except ValueError as exc:
                raise self._scenario.error(str(exc), path) from exc

    def _prepared(
        self, prepare: Prepare | None
    ) -> Iterator[tuple[FamilyStep, Callable[[], object]]]:
        for plan in self._scenario.changes:
            if prepare is None:
                raise self._scenario.error("there are no families here", plan.path)
            for step in plan.steps:
                try:
                    yield step, prepare(plan.name, step)
                except ValueError as exc:
                    raise self._scenario.error(str(exc), step.path) from exc

    @property
    def families(self) -> tuple[str, ...]:
        """The names of the families that it changes."""
        return tuple(plan.name for plan in self._scenario.changes)

    def begin(self) -> None:
        """Time 0 is now, unless it has begun; what happens at time 0 is due."""
        if self.begun:
            return
        self.begun = True
        zero = self._machine.clock.monotonic_ns()
        for plan in self._scenario.tasks:
            self._schedule_start(plan, zero + plan.leader.start_ns, plan.times)
        for step, change in self._changes:
            self._at(zero + step.at_ns, step.path, partial(_change, change))
        for tell in self._when_begun:
            tell()

    def when_begun(self, tell: Callable[[], object]) -> None:
        """Have ``tell`` called when it begins; at once if it has."""
        if self.begun:
            tell()
        else:
            self._when_begun.append(tell)

    @property
    def next_ns(self) -> int | None:
        """The machine's monotonic time at which something happens next.

        None when nothing does: all is over, or it has not begun.
        """
        return self._queue[0][0] if self._queue else None

    @property
    def over(self) -> bool:
        """Whether all that is planned has happened."""
        return self.begun and not self._queue

    @property
    def horizon_ns(self) -> int | None:
        """The time of what is being done now, or else of what is to be done next."""
        return self.next_ns if self._doing_ns is None else self._doing_ns

    @property
    def never_due(self) -> list[str]:
        """The paths in the scenario's file of what has not come due, not even once."""
        paths = []
        for thread in self._scenario.threads():
            paths += [thread.path, *(step.path for step in thread.steps)]
        paths += [step.path for step, _ in self._changes]
        return [path for path in paths if path not in self._came]

    def run_due(self, most: int | None = None) -> int:
        """Do what is due by the machine's clock; returns how many things that were.

        Not more than ``most``: a scenario may ask for more than can be done in its time. Raises
        ScenarioError when a step cannot be done, with its path in the file.
        """
        count = 0
        clock = self._machine.clock
        while self._queue and self._queue[0][0] <= clock.monotonic_ns() and count != most:
            when_ns, _rank, _order, path, do = heapq.heappop(self._queue)
            self._doing_ns = when_ns
            self._came.add(path)
            try:
                do(when_ns)
            except ValueError as exc:
                raise self._scenario.error(str(exc), path) from exc
            finally:
                self._doing_ns = None
            count += 1
        return count

    def play(self, clock: VirtualClock, seconds: float) -> int:
        """Let ``seconds`` pass on the machine's virtual clock, doing each thing at its time."""
        end = clock.monotonic_ns() + round(seconds * NSEC_PER_SEC)
        count = self.run_due()
        while self.next_ns is not None and self.next_ns <= end:
            clock.advance_ns(self.next_ns - clock.monotonic_ns())
            count += self.run_due()
        clock.advance_ns(end - clock.monotonic_ns())
        return count

    def _at(self, when_ns: int, path: str, do: Callable[[int], None], rank: int = 1) -> None:
        """Have ``do`` called with ``when_ns``, also if it is later by then."""
        heapq.heappush(self._queue, (when_ns, rank, next(self._order), path, do))

    # --- starting

    def _schedule_start(self, plan: TaskPlan, when_ns: int, times: int | None) -> None:
        def start(now_ns: int) -> None:
            self._start(plan, now_ns)
            left = None if times is None else times - 1
            if plan.every_ns is not None and left != 0:
                self._schedule_start(plan, now_ns + plan.every_ns, left)

        self._at(when_ns, plan.leader.path, start)

    def _start(self, plan: TaskPlan, now_ns: int) -> None:
        tasks, leader = self._machine.tasks, plan.leader
        parent = self._named.get(plan.parent) if plan.parent else None
        if parent is not None and parent.flags & PF_EXITING:
            raise ValueError(f"the parent {plan.parent!r} has ended before")
        task = tasks.fork(
            parent,
            pid=leader.pid,
            comm=leader.comm,
            cpu=leader.cpu,
            cred=Cred.for_ids(self._machine.init_user_ns, plan.uid, plan.gid),
        )
        if not plan.forked:
            tasks.execve(task, comm=leader.comm)
        _set_memory(task, plan)
        self._named[plan.name] = task
        self._begin(task, leader, plan, now_ns)
        for thread in plan.threads:
            start = partial(self._start_thread, task, thread, plan)
            self._at(now_ns + thread.start_ns, thread.path, start)

    def _start_thread(self, leader: Task, thread: ThreadPlan, plan: TaskPlan, now_ns: int) -> None:
        if leader.group.live == 0:
            return
        task = self._machine.tasks.clone_thread(
            leader, pid=thread.pid, comm=thread.comm, cpu=thread.cpu
        )
        self._begin(task, thread, plan, now_ns)

    def _begin(self, task: Task, thread: ThreadPlan, plan: TaskPlan, now_ns: int) -> None:
        task.nice, task.policy = thread.nice, thread.policy
        if plan.cgroup is not None:
            self._cgroup(plan.cgroup).attach(task)
        for step in thread.steps:
            self._at(now_ns + step.at_ns, step.path, partial(self._do, task, step, plan))

    def _cgroup(self, path: str) -> Cgroup:
        cgroup = self._machine.cgroups
        for name in filter(None, path.split("/")):
            cgroup = cgroup.children.get(name) or cgroup.mkdir(name)
        return cgroup

    # --- doing

    def _do(self, task: Task, step: Step, plan: TaskPlan, now_ns: int) -> None:
        if task.flags & PF_EXITING:  # ended by another thread's exit or signal
            return
        action: Action = step.action
        tasks = self._machine.tasks
        match action:
            case Run():
                task.state = TaskState.RUNNING
                self._schedule_slice(_Spell(task, action, plan, step.path, now_ns), 0)
            case Wait():
                self._begin_wait(task, step, action, now_ns)
            case Charge():
                _charge(task, action)
            case Exec():
                tasks.execve(task, comm=action.comm)
                _set_memory(task, plan)
            case Move():
                task.cpu = action.cpu
            case Renice():
                task.nice = action.nice
            case Signal():
                tasks.kill(task, action.signal, core_dumped=action.core_dumped)
                self._reap(task)
            case Exit():
                end = tasks.do_group_exit if action.whole_process else tasks.do_exit
                end(task, action.code << 8)
                self._reap(task)

    def _reap(self, task: Task) -> None:
        """The parent waits for it: a scenario leaves no zombies, but a leader with threads."""
        leader = task.group.leader
        if leader.exit_state is ExitState.ZOMBIE and leader.group.thread_group_empty:
            self._machine.tasks.reap(leader)

    def _schedule_slice(self, spell: _Spell, done_ns: int) -> None:
        until = min(done_ns + SLICE_NS, spell.run.duration_ns)

        def charge(_now_ns: int) -> None:
            if spell.task.flags & PF_EXITING:
                return
            spell.charge(done_ns, until)
            if until < spell.run.duration_ns:
                self._schedule_slice(spell, until)
            else:
                spell.task.state = TaskState.INTERRUPTIBLE
                spell.task.nvcsw += 1

        self._at(spell.begun_ns + until, spell.path, charge, rank=0)

    def _begin_wait(self, task: Task, step: Step, wait: Wait, now_ns: int) -> None:
        runnable = wait.delay in ("cpu", "irq")
        task.state = TaskState.RUNNING if runnable else TaskState.UNINTERRUPTIBLE
        task.in_iowait = wait.delay in ("blkio", "swapin")

        def end(_now_ns: int) -> None:
            if task.flags & PF_EXITING:
                return
            task.state, task.in_iowait = TaskState.INTERRUPTIBLE, False
            _charge(task, Charge({f"{wait.delay}_delay": wait.duration_ns / NSEC_PER_SEC}, {}))
            if runnable:
                task.nivcsw += 1
            else:
                task.nvcsw += 1

        self._at(now_ns + wait.duration_ns, step.path, end, rank=0)


@dataclass(frozen=True, slots=True)
class _Spell:
    """A task on its CPU since ``begun_ns``."""

    task: Task
    run: Run
    plan: TaskPlan
    path: str
    begun_ns: int

    def charge(self, from_ns: int, until_ns: int) -> None:
        """Account the part between two times, both since it began."""
        total_ns = until_ns - from_ns
        system_ns = self._system(until_ns) - self._system(from_ns)
        utime, stime = (total_ns - system_ns) / NSEC_PER_SEC, system_ns / NSEC_PER_SEC
        self.task.charge(utime=utime, stime=stime)
        self.task.integrate_memory(self.plan.rss_kib, self.plan.vm_kib, utime=utime, stime=stime)

    def _system(self, until_ns: int) -> int:
        """How much of the first ``until_ns`` was system time."""
        duration = self.run.duration_ns
        return self.run.system_ns * until_ns // duration if duration else 0


def _change(change: Callable[[], object], _now_ns: int) -> None:
    change()


def _set_memory(task: Task, plan: TaskPlan) -> None:
    if task.mm is not None:
        task.mm.hiwater_rss_kb, task.mm.hiwater_vm_kb = plan.rss_kib, plan.vm_kib


def _charge(task: Task, charge: Charge) -> None:
    task.charge(**charge.seconds)
    for name, amount in charge.counters.items():
        holder = task.io if hasattr(task.io, name) else task
        setattr(holder, name, getattr(holder, name) + amount)
