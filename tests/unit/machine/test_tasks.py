"""Tasks and thread groups, from fork to wait. Facts: kernel/fork.c, exit.c, fs/exec.c."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from netlink_emu.machine.cgroups import Cgroup
from netlink_emu.machine.clock import VirtualClock
from netlink_emu.machine.credentials import Cred
from netlink_emu.machine.machine import Machine
from netlink_emu.machine.namespaces import PidNamespace
from netlink_emu.machine.task import (
    PF_DUMPCORE,
    PF_FORKNOEXEC,
    PF_SIGNALED,
    ExitState,
    Task,
)
from netlink_emu.machine.tasks import TaskTable


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def machine(clock: VirtualClock) -> Machine:
    return Machine(cpus=2, clock=clock)


@pytest.fixture
def tasks(machine: Machine) -> TaskTable:
    return machine.tasks


def exits(tasks: TaskTable) -> list[tuple[int, int, bool]]:
    """(pid, code, whether the group is dead) of each exit from now on."""
    seen: list[tuple[int, int, bool]] = []

    def note(task: Task, *, group_dead: bool) -> None:
        seen.append((task.pid, task.exit_code, group_dead))

    tasks.exit_hooks.append(note)
    return seen


class TestNumbers:
    def test_counting_up_and_round_from_300(self, clock: VirtualClock) -> None:
        tasks = Machine(clock=clock, pid_max=303).tasks
        for expected in range(2, 303):
            assert tasks.fork().pid == expected
        for pid in (5, 301):
            task = tasks.find_task_by_pid_ns(pid, tasks.init_pid_ns)
            assert task is not None
            tasks.do_exit(task, 0)
            tasks.reap(task)
        assert tasks.fork().pid == 301
        # The low ones are daemons', which start at boot: not given again.
        with pytest.raises(ValueError, match="no number is free"):
            tasks.fork()

    def test_none_is_free(self, clock: VirtualClock) -> None:
        tasks = Machine(clock=clock, pid_max=4).tasks
        assert [tasks.fork().pid, tasks.fork().pid] == [2, 3]
        with pytest.raises(ValueError, match="no number is free: pid_max is 4"):
            tasks.fork()
        with pytest.raises(ValueError, match="no number is free"):
            tasks.clone_thread(tasks.init_task)
        assert len(tasks) == 3

    def test_chosen_numbers(self, tasks: TaskTable) -> None:
        tasks.fork(pid=700, comm="a")
        with pytest.raises(ValueError, match="pid 700 is taken by <Task 700 'a' ALIVE>"):
            tasks.fork(pid=700)
        for pid in (0, -1, 32768):
            with pytest.raises(ValueError, match="is not between 1 and pid_max 32768 - 1"):
                tasks.fork(pid=pid)

    def test_one_in_each_namespace(self, machine: Machine, tasks: TaskTable) -> None:
        outer = PidNamespace(machine.init_pid_ns)
        inner = PidNamespace(outer)
        task = tasks.fork(pid=500, pid_ns=inner)
        assert [task.pid_nr_ns(ns) for ns in (machine.init_pid_ns, outer, inner)] == [500, 1, 1]
        assert (inner.level, task.pid_nr_ns(PidNamespace())) == (2, 0)
        assert tasks.find_task_by_pid_ns(1, inner) is task
        assert tasks.find_task_by_pid_ns(500, inner) is None
        child = tasks.fork(task)
        assert (child.pid_ns, child.pid_nr_ns(inner)) == (inner, 2)
        tasks.do_exit(child, 0)
        tasks.reap(child)
        assert tasks.find_task_by_pid_ns(2, inner) is None


class TestFork:
    def test_what_a_child_inherits(self, machine: Machine, tasks: TaskTable) -> None:
        parent = tasks.fork(
            comm="p" * 20, cpu=1, cred=Cred.for_ids(machine.init_user_ns, 1000, 100)
        )
        parent.nice, parent.policy = -5, 3
        tasks.execve(parent, comm=b"shell", exe_dev=8, exe_inode=9)
        child = tasks.fork(parent)
        assert (child.comm, child.cpu, child.cred.uid) == (b"shell", 1, 1000)
        assert (child.nice, child.policy, child.real_parent) == (-5, 3, parent)
        assert child.mm is not None
        assert (child.mm.exe_dev, child.mm.exe_inode, child.mm is parent.mm) == (8, 9, False)
        assert (child.flags, parent.flags) == (PF_FORKNOEXEC, 0)
        assert list(parent.children) == [child]

    def test_a_name_has_15_bytes(self, tasks: TaskTable) -> None:
        assert tasks.fork(comm="p" * 20).comm == b"p" * 15
        assert tasks.fork(comm=b"q" * 20).comm == b"q" * 15

    def test_threads_share(self, clock: VirtualClock, tasks: TaskTable) -> None:
        leader = tasks.fork(comm="leader", cpu=1)
        clock.advance(1)
        thread = tasks.clone_thread(leader, comm="worker", cpu=0)
        named = tasks.clone_thread(thread, comm=b"third", pid=900)
        plain = tasks.clone_thread(thread)
        assert (thread.tgid, thread.is_leader, thread.cpu) == (leader.pid, False, 0)
        assert (named.comm, named.pid, plain.comm) == (b"third", 900, b"worker")
        assert thread.mm is leader.mm
        assert thread.start_time_ns == leader.start_time_ns + 10**9
        assert leader.group.live == 4

    def test_hooks(self, tasks: TaskTable) -> None:
        seen: list[Task] = []
        tasks.fork_hooks.append(seen.append)
        task = tasks.fork()
        assert seen == [task, tasks.clone_thread(task)]
        assert list(tasks)[-2:] == seen


class TestExec:
    def test_by_the_leader(self, tasks: TaskTable) -> None:
        leader = tasks.fork()
        thread = tasks.clone_thread(leader)
        seen = exits(tasks)
        tasks.execve(leader, comm="new")
        assert seen == [(thread.pid, 0, False)]
        assert (leader.group.threads, leader.comm) == ([leader], b"new")

    def test_by_another_thread(self, clock: VirtualClock, tasks: TaskTable) -> None:
        leader = tasks.fork(pid=800)
        child = tasks.fork(leader)
        clock.advance(1)
        thread = tasks.clone_thread(leader, pid=801)
        tasks.execve(thread, comm="new")
        assert (thread.pid, thread.is_leader, thread.start_time_ns) == (
            800, True, leader.start_time_ns,
        )  # fmt: skip
        find = tasks.find_task_by_pid_ns
        assert find(800, tasks.init_pid_ns) is thread
        assert find(801, tasks.init_pid_ns) is None
        assert (leader.exit_state, thread.group.threads) == (ExitState.DEAD, [thread])
        assert child.real_parent is thread
        assert thread in tasks.init_task.children
        assert leader not in tasks.init_task.children
        tasks.do_exit(thread, 0)
        assert tasks.reap(thread) == 0

    def test_when_the_leader_has_ended_before(self, tasks: TaskTable) -> None:
        leader = tasks.fork(pid=800)
        thread = tasks.clone_thread(leader)
        tasks.do_exit(leader, 0)
        tasks.execve(thread, comm="new")
        assert (thread.pid, thread.group.threads) == (800, [thread])


class TestExit:
    def test_a_zombie_until_it_is_reaped(self, tasks: TaskTable) -> None:
        task = tasks.fork()
        seen = exits(tasks)
        with pytest.raises(ValueError, match="is not a zombie"):
            tasks.reap(task)
        tasks.do_exit(task, 3 << 8)
        with pytest.raises(ValueError, match="has ended already"):
            tasks.do_exit(task, 0)
        assert tasks.find_task_by_pid_ns(task.pid, tasks.init_pid_ns) is task
        assert tasks.reap(task) == 3 << 8
        assert tasks.find_task_by_pid_ns(task.pid, tasks.init_pid_ns) is None
        with pytest.raises(ValueError, match="is not a zombie"):
            tasks.reap(task)
        assert seen == [(task.pid, 3 << 8, True)]

    def test_the_status_is_the_last_thread_s(self, tasks: TaskTable) -> None:
        leader = tasks.fork()
        thread = tasks.clone_thread(leader)
        tasks.do_exit(leader, 1 << 8)
        with pytest.raises(ValueError, match="is not a zombie"):
            tasks.reap(leader)  # a thread lives
        tasks.do_exit(thread, 2 << 8)
        assert thread.exit_state is ExitState.DEAD
        assert tasks.reap(leader) == 2 << 8

    def test_all_at_once(self, tasks: TaskTable) -> None:
        leader = tasks.fork()
        threads = [tasks.clone_thread(leader) for _ in range(2)]
        seen = exits(tasks)
        tasks.do_group_exit(threads[0], 7 << 8)
        assert seen == [
            (threads[0].pid, 7 << 8, False),
            (leader.pid, 7 << 8, False),
            (threads[1].pid, 7 << 8, True),
        ]
        assert [task.flags & PF_SIGNALED for task in (leader, *threads)] == [0x400, 0, 0x400]
        assert tasks.reap(leader) == 7 << 8

    @pytest.mark.parametrize(
        ("signal", "core", "status", "flag"),
        [(15, False, 15, 0), (11, False, 11, PF_DUMPCORE), (11, True, 139, PF_DUMPCORE)],
    )
    def test_by_a_signal(
        self, tasks: TaskTable, signal: int, core: bool, status: int, flag: int
    ) -> None:
        task = tasks.fork()
        tasks.kill(task, signal, core_dumped=core)
        assert task.flags & (PF_SIGNALED | PF_DUMPCORE) == PF_SIGNALED | flag
        assert tasks.reap(task) == status

    def test_orphans(self, tasks: TaskTable) -> None:
        leader = tasks.fork()
        thread = tasks.clone_thread(leader)
        child = tasks.fork(leader)
        tasks.do_exit(leader, 0)
        assert child.real_parent is thread
        tasks.do_exit(thread, 0)
        assert child.real_parent is tasks.init_task
        assert child in tasks.init_task.children

    def test_a_cgroup_forgets(self, machine: Machine, tasks: TaskTable) -> None:
        task = tasks.fork()
        machine.cgroups.mkdir("a").attach(task)
        tasks.do_exit(task, 0)
        tasks.reap(task)
        assert (machine.cgroups.children["a"].tasks, task.cgroups) == ({}, ())


class TestCharge:
    def test_time_does_not_run_backwards(self, tasks: TaskTable) -> None:
        task = tasks.fork()
        for charge in ({"utime": -1.0}, {"stime": -0.1}):
            with pytest.raises(ValueError, match="does not shrink"):
                task.charge(**charge)

    def test_waits(self, clock: VirtualClock, tasks: TaskTable) -> None:
        task = tasks.fork()
        now = clock.realtime_ns()
        for name in ("blkio", "swapin", "freepages", "thrashing", "compact", "wpcopy", "irq"):
            task.charge(**{f"{name}_delay": 0.5})
            delay = task.delays[name]
            assert (delay.count, delay.total, delay.max_at_ns) == (1, 5 * 10**8, now)
        task.delays["blkio"].add(0, now)
        task.delays["blkio"].add(-1, now)
        assert (task.delays["blkio"].count, task.delays["blkio"].zeros) == (1, 1)
        with pytest.raises(KeyError):
            task.delays["nothing"]

    def test_memory_over_time(self, tasks: TaskTable) -> None:
        task = tasks.fork()
        task.integrate_memory(100, 200, utime=0.003, stime=0.0)
        assert task.rss_use is not None
        assert (task.rss_use.whole, task.rss_use.ticked) == (3 * 10**8, 0)  # less than a tick
        task.integrate_memory(100, 200, utime=0.0, stime=0.001)
        assert (task.rss_use.whole, task.rss_use.system, task.rss_use.ticked) == (
            4 * 10**8, 10**8, 4 * 10**8,
        )  # fmt: skip


class TestSources:
    class Ten:
        """A source that knows one number."""

        def __init__(self, task: Task) -> None:
            self.task = task

        def find(self, nr: int, ns: PidNamespace | None = None) -> Task | None:
            return self.task if nr == 10 else None

        def occupies(self, nr: int) -> bool:
            return nr == 10

    def test_asked_for_what_nobody_has(self, machine: Machine, tasks: TaskTable) -> None:
        elsewhere = Machine().tasks.fork(pid=10)
        tasks.sources.append(self.Ten(elsewhere))
        assert tasks.find_task_by_pid_ns(10, machine.init_pid_ns) is elsewhere
        assert tasks.find_task_by_pid_ns(11, machine.init_pid_ns) is None
        assert tasks.find_task_by_pid_ns(10, PidNamespace(machine.init_pid_ns)) is None
        assert 10 not in [tasks.fork().pid for _ in range(20)]

    def test_all_numbers_taken_elsewhere(self, tasks: TaskTable) -> None:
        class All(self.Ten):  # type: ignore[misc, name-defined]
            def occupies(self, nr: int) -> bool:
                return True

        tasks.sources.append(All(tasks.init_task))
        with pytest.raises(ValueError, match="no number is free: pid_max is 32768"):
            tasks.fork()
        assert tasks.fork(pid=500).pid == 500


class TestCgroups:
    def test_making_and_removing(self, tasks: TaskTable) -> None:
        root = Cgroup()
        child = root.mkdir("a")
        with pytest.raises(ValueError, match="'a' exists"):
            root.mkdir("a")
        with pytest.raises(ValueError, match="is not empty"):
            root.rmdir()
        task = tasks.fork()
        child.attach(task)
        with pytest.raises(ValueError, match="is not empty"):
            child.rmdir()
        root.attach(task)
        child.rmdir()
        assert (child.removed, root.children, list(root.tasks)) == (True, {}, [task])
        del root.tasks[task]
        with pytest.raises(ValueError, match="cannot be removed"):
            root.rmdir()

    def test_one_of_each_hierarchy(self, tasks: TaskTable) -> None:
        task, cpu, memory = tasks.fork(), Cgroup(), Cgroup()
        for cgroup in (cpu, memory, cpu.mkdir("a")):
            cgroup.attach(task)
        assert task.cgroups == (memory, cpu.children["a"])
        assert not cpu.tasks

    def test_deep_hierarchies(self, tasks: TaskTable) -> None:
        root = cgroup = Cgroup()
        for _ in range(5000):
            cgroup = cgroup.mkdir("x")
        cgroup.attach(tasks.fork())
        assert cgroup.root() is root


def test_threads_are_made_and_end_in_any_number(tasks: TaskTable) -> None:
    make: Callable[[], Task] = tasks.fork
    leader = make()
    for _ in range(1000):
        tasks.do_exit(tasks.clone_thread(leader), 0)
    assert (len(leader.group.threads), len(tasks)) == (1, 2)
