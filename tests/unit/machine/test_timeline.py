"""A scenario carried out on a virtual clock."""

from __future__ import annotations

import pytest

from netlink_emu.machine.accounting import mb_usec
from netlink_emu.machine.clock import PlannedClock, VirtualClock
from netlink_emu.machine.machine import Machine
from netlink_emu.machine.scenario import ScenarioError, parse_scenario
from netlink_emu.machine.task import (
    Task,
    TaskState,
)
from netlink_emu.machine.timeline import Timeline

Event = tuple[float, int, int]  # seconds since the start, pid, wait status


class Stage:
    """A machine with four CPUs that plays a scenario and notes the exits."""

    def __init__(self, text: str) -> None:
        self.clock = VirtualClock()
        self.machine = Machine(cpus=4, clock=self.clock)
        self.zero = self.clock.monotonic_ns()
        self.exits: list[Event] = []
        self.machine.tasks.exit_hooks.append(self._note)
        self.timeline = Timeline(parse_scenario(text), self.machine)

    def _note(self, task: Task, *, group_dead: bool) -> None:
        now = (self.clock.monotonic_ns() - self.zero) / 1e9
        self.exits.append((now, task.pid, task.exit_code))

    def play(self, seconds: float) -> int:
        return self.timeline.play(self.clock, seconds)

    def task(self, pid: int) -> Task:
        task = self.machine.tasks.find_task_by_pid_ns(pid, self.machine.init_pid_ns)
        assert task is not None
        return task

    def state(self, pid: int) -> TaskState:
        return self.task(pid).state

    def gone(self, pid: int) -> bool:
        return self.machine.tasks.find_task_by_pid_ns(pid, self.machine.init_pid_ns) is None


def test_a_task_runs_waits_and_exits_at_its_times() -> None:
    stage = Stage(
        """
        [[task]]
        comm = "batch"
        pid = 700
        cpu = 3
        uid = 1000
        rss_kib = 10240
        start = 1
        timeline = [
            { at = 0.5, run = 1.0, system = 0.25 },
            { at = 1.5, wait = { blkio = 0.3 } },
            { at = 2.0, exit = 3 },
        ]
        """
    )
    stage.play(0.9)
    assert stage.gone(700)
    stage.play(0.1)
    task = stage.task(700)
    assert (task.comm, task.cpu, task.cred.uid, task.utime_ns) == (b"batch", 3, 1000, 0)
    assert stage.state(700) is TaskState.INTERRUPTIBLE
    stage.play(1.0)  # half of the run
    assert stage.state(700) is TaskState.RUNNING
    assert (task.utime_ns, task.stime_ns) == (375_000_000, 125_000_000)
    stage.play(0.6)  # in the wait: it counts when it is over
    assert stage.state(700) is TaskState.UNINTERRUPTIBLE
    assert task.in_iowait
    assert (task.utime_ns, task.stime_ns) == (750_000_000, 250_000_000)
    assert task.delays["blkio"].count == 0
    assert task.rss_use is not None
    assert mb_usec(task.rss_use.whole) == 10 * 1_000_000  # 10 MB for 1 s
    stage.play(0.3)
    assert (task.delays["blkio"].count, task.delays["blkio"].total) == (1, 300_000_000)
    assert not task.in_iowait
    assert stage.exits == []
    stage.play(1.0)
    assert stage.exits == [(3.0, 700, 3 << 8)]
    assert stage.gone(700)
    assert stage.timeline.next_ns is None


def test_a_run_that_ends_with_the_exit_is_charged_whole() -> None:
    stage = Stage(
        '[[task]]\ncomm = "t"\npid = 9\n'
        "timeline = [{ at = 0, run = 0.25 }, { at = 0.25, exit = 0 }]"
    )
    stage.play(0.0)
    task = stage.task(9)
    stage.play(1.0)
    assert task.utime_ns == 250_000_000
    assert stage.exits == [(0.25, 9, 0)]


def test_a_late_driver_does_everything_in_order() -> None:
    stage = Stage(
        '[[task]]\ncomm = "t"\npid = 9\n'
        "timeline = [{ at = 0, run = 0.25 }, { at = 0.25, exit = 0 }]"
    )
    stage.timeline.run_due()
    task = stage.task(9)
    stage.clock.advance(60)
    stage.timeline.run_due()
    assert task.utime_ns == 250_000_000
    assert stage.exits == [(60.0, 9, 0)]


def test_a_task_that_repeats_gets_a_new_life_each_time() -> None:
    stage = Stage(
        '[[task]]\ncomm = "cron"\npid = 50\nevery = 2\ntimes = 3\n'
        "timeline = [{ at = 0.5, exit = 1 }]"
    )
    stage.play(100)
    assert stage.exits == [(0.5, 50, 256), (2.5, 50, 256), (4.5, 50, 256)]
    assert stage.timeline.next_ns is None


def test_without_times_it_repeats_for_ever() -> None:
    stage = Stage('[[task]]\ncomm = "cron"\nevery = 2\ntimeline = [{ at = 0.5, exit = 1 }]')
    stage.play(1000.75)
    assert len(stage.exits) == 501
    assert stage.timeline.next_ns is not None


THREADS = """
[[task]]
comm = "web"
pid = 80
timeline = [{{ at = 2, {end} }}]
[[task.thread]]
comm = "worker"
pid = 81
cpu = 2
start = 0.5
timeline = [{{ at = 0.5, exit_thread = 0 }}]
[[task.thread]]
comm = "io"
pid = 82
"""


def test_a_thread_may_end_before_its_process() -> None:
    stage = Stage(THREADS.format(end="exit = 1"))
    stage.play(1)
    assert stage.exits == [(1.0, 81, 0)]
    assert stage.task(82).tgid == 80
    stage.play(2)
    assert [(at, pid) for at, pid, _code in stage.exits[1:]] == [(2.0, 80), (2.0, 82)]
    assert stage.gone(80)


def test_a_leader_that_ends_alone_stays_a_zombie() -> None:
    stage = Stage(THREADS.format(end="exit_thread = 0"))
    stage.play(3)
    assert [pid for _at, pid, _code in stage.exits] == [81, 80]
    assert stage.task(80).exit_state.name == "ZOMBIE"


def test_a_signal_ends_all_threads() -> None:
    stage = Stage(THREADS.format(end='signal = "SEGV", core = true'))
    stage.play(3)
    assert stage.exits[1] == (2.0, 80, 11 | 0x80)
    assert stage.gone(82)


def test_the_end_of_a_process_cuts_off_what_its_threads_do_and_plan() -> None:
    stage = Stage(
        """
        [[task]]
        comm = "server"
        pid = 80
        timeline = [{ at = 1, exit = 0 }]
        [[task.thread]]
        comm = "runs"
        pid = 81
        timeline = [{ at = 0, run = 2 }]
        [[task.thread]]
        comm = "waits"
        pid = 82
        timeline = [{ at = 0, wait = { blkio = 2 } }]
        [[task.thread]]
        comm = "plans"
        pid = 83
        timeline = [{ at = 2, nice = 5 }]
        [[task.thread]]
        comm = "late"
        pid = 84
        start = 3
        """
    )
    stage.play(0.9)
    runs, waits, plans = (stage.task(pid) for pid in (81, 82, 83))
    stage.play(3)
    assert [(at, pid) for at, pid, _code in stage.exits] == [
        (1.0, 80), (1.0, 81), (1.0, 82), (1.0, 83),
    ]  # fmt: skip
    assert 900_000_000 <= runs.utime_ns <= 1_000_000_000
    assert waits.delays["blkio"].count == 0
    assert plans.nice == 0
    assert all(stage.gone(pid) for pid in range(80, 85))
    assert stage.timeline.next_ns is None


def test_a_wait_for_a_cpu_is_no_choice_of_the_task() -> None:
    stage = Stage(
        """
        [[task]]
        comm = "pushed"
        pid = 10
        timeline = [{ at = 0, wait = { cpu = 1 } }, { at = 2, wait = { blkio = 1 } }]
        """
    )
    stage.play(0.5)
    assert stage.state(10) is TaskState.RUNNING
    stage.play(3)
    assert (stage.task(10).nivcsw, stage.task(10).nvcsw) == (1, 1)


def test_a_parent_that_has_ended_is_named() -> None:
    stage = Stage(
        """
        [[task]]
        comm = "master"
        pid = 10
        timeline = [{ at = 1, exit = 0 }]
        [[task]]
        comm = "worker"
        parent = "master"
        start = 2
        """
    )
    with pytest.raises(ScenarioError, match=r"^task\[1\]: the parent 'master' has ended before"):
        stage.play(3)


def test_parents_cgroups_and_forked_workers() -> None:
    stage = Stage(
        """
        [[task]]
        comm = "master"
        pid = 10
        cgroup = "/srv/web"
        [[task]]
        comm = "worker"
        pid = 11
        parent = "master"
        forked = true
        """
    )
    stage.play(0)
    assert stage.task(11).real_parent is stage.task(10)
    assert list(stage.machine.cgroups.children["srv"].children["web"].tasks) == [stage.task(10)]
    assert stage.task(10).flags & 0x40 == 0  # PF_FORKNOEXEC
    assert stage.task(11).flags & 0x40


def test_changes_on_the_way() -> None:
    stage = Stage(
        """
        [[task]]
        comm = "sh"
        pid = 10
        rss_kib = 100
        timeline = [
            { at = 1, exec = "ls" },
            { at = 1, cpu = 3 },
            { at = 1, nice = 5 },
            { at = 1, charge = { stime = 0.5, swapin_delay = 0.1 } },
            { at = 1, charge = { min_flt = 7, read_bytes = 512 } },
        ]
        """
    )
    stage.play(1)
    task = stage.task(10)
    assert (task.comm, task.cpu, task.nice, task.stime_ns) == (b"ls", 3, 5, 500_000_000)
    assert (task.delays["swapin"].total, task.min_flt, task.io.read_bytes) == (100_000_000, 7, 512)
    assert task.mm is not None
    assert task.mm.hiwater_rss_kb == 100


def test_a_pid_that_is_taken_is_named_with_its_path() -> None:
    stage = Stage('[[task]]\ncomm = "a"\npid = 9\n[[task]]\ncomm = "b"\npid = 9\nstart = 1')
    stage.play(0.5)
    with pytest.raises(ScenarioError, match=r"^task\[1\]: pid 9 is taken"):
        stage.play(1)


def test_a_cpu_that_the_machine_lacks_is_named_with_its_path() -> None:
    with pytest.raises(ScenarioError, match=r"^task\[0\]: CPU 4 is not possible"):
        Stage('[[task]]\ncomm = "a"\ncpu = 4\nstart = 60')
    with pytest.raises(ScenarioError, match=r"^task\[0\].timeline\[0\]: CPU 5 is not possible"):
        Stage('[[task]]\ncomm = "a"\ntimeline = [{ at = 60, cpu = 5 }]')


def test_a_pid_that_the_machine_lacks_is_named_with_its_path() -> None:
    text = '[[task]]\ncomm = "a"\n[[task.thread]]\ncomm = "b"\npid = 32768\n'
    with pytest.raises(ScenarioError, match=r"^task\[0\].thread\[0\]: pid 32768 is not between"):
        Stage(text)


class Late:
    """The same machine, on a clock that passes by itself: whoever drives it comes late."""

    TEXT = """
        [[task]]
        comm = "batch"
        pid = 700
        start = 0.5
        timeline = [{ at = 1, run = 0.25 }, { at = 3, exit = 3 }]
        """

    def __init__(self, *, begin: bool = True) -> None:
        self.real = VirtualClock()
        self.machine = Machine(clock=PlannedClock(self.real))
        self.zero = self.real.monotonic_ns()
        self.zero_realtime = self.real.realtime_ns()
        self.seen: list[tuple[float, float]] = []
        self.machine.tasks.exit_hooks.append(self._note)
        self.timeline = Timeline(parse_scenario(self.TEXT), self.machine, begin=begin)

    @property
    def now(self) -> float:
        return (self.machine.clock.monotonic_ns() - self.zero) / 1e9

    def _note(self, task: Task, *, group_dead: bool) -> None:
        lived = (self.machine.clock.monotonic_ns() - task.start_time_ns) / 1e9
        self.seen.append((self.now, lived))


def test_what_is_done_late_is_done_as_of_its_time() -> None:
    stage = Late()
    stage.real.advance(60)
    assert stage.timeline.run_due(1) == 1
    assert stage.now == 1.5  # when the run begins: it has not, yet
    stage.timeline.run_due()
    assert stage.seen == [(3.5, 3.0)]
    assert stage.timeline.over
    assert stage.now == 60


def test_time_does_not_pass_what_has_not_happened() -> None:
    stage = Late()
    stage.real.advance(0.25)
    assert stage.now == 0.25
    stage.real.advance(0.5)
    assert stage.now == 0.5
    assert stage.machine.clock.realtime_ns() == stage.zero_realtime + 500_000_000
    stage.timeline.run_due()
    assert stage.now == 0.75
    assert stage.machine.clock.realtime_ns() == stage.zero_realtime + 750_000_000


def test_it_begins_when_it_is_told_to() -> None:
    stage, told = Late(begin=False), []
    stage.timeline.when_begun(lambda: told.append("first"))
    stage.real.advance(60)
    assert stage.timeline.run_due() == 0
    assert (stage.now, stage.timeline.next_ns, stage.timeline.over) == (60, None, False)
    stage.timeline.begin()
    stage.timeline.when_begun(lambda: told.append("second"))
    assert told == ["first", "second"]
    stage.real.advance(1)
    assert stage.now == 60.5
    stage.timeline.begin()  # once is enough
    stage.real.advance(60)
    stage.timeline.run_due()
    assert stage.seen == [(63.5, 3.0)]


def test_not_more_at_a_time_than_asked_for() -> None:
    stage = Stage('[[task]]\ncomm = "x"\nevery = 1e-9\ntimeline = [{ at = 0, exit = 0 }]')
    stage.clock.advance_ns(1000)
    assert [stage.timeline.run_due(100) for _ in range(3)] == [100, 100, 100]
    assert len(stage.exits) == 150
    assert stage.timeline.run_due() == 2002 - 300  # a start and an exit at each of 1001 times


def test_more_tasks_than_there_are_numbers() -> None:
    stage = Stage(
        '[[task]]\ncomm = "x"\nevery = 1e-9\ntimeline = [{ at = 1, exit = 0 }]',
    )
    stage.clock.advance_ns(40_000)
    with pytest.raises(ScenarioError, match=r"task\[0\]: no number is free: pid_max is 32768"):
        stage.timeline.run_due()
