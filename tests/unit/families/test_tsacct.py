"""What of a task's accounting shows, by era. Facts: kernel/tsacct.c, kernel/delayacct.c."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from helpers.kernel import Bench, make_bench

from netlink_emu.families.tsacct import (
    add_ctxsw,
    add_times,
    delayacct_add_tsk,
    fill_stats,
    thread_group_times,
)
from netlink_emu.kernel.profile import KernelConfig, MemIntegral, Profile
from netlink_emu.machine.accounting import TICK_NSEC
from netlink_emu.machine.clock import VirtualClock
from netlink_emu.machine.credentials import Cred
from netlink_emu.machine.namespaces import PidNamespace, UserNamespace
from netlink_emu.machine.task import (
    PF_DUMPCORE,
    PF_EXITING,
    PF_FORKNOEXEC,
    PF_SIGNALED,
    PF_SUPERPRIV,
    Task,
)
from netlink_emu.protocol.taskstats import BLANK

SIGNED_MAX = (1 << 63) - 1


@pytest.fixture
def task(bench: Bench) -> Task:
    task = bench.machine.tasks.fork(comm="worker")
    task.delayacct = True
    return task


def stats(bench: Bench, task: Task, **capabilities: Any) -> dict[str, int | bytes]:
    machine = bench.machine
    profile = replace(bench.kernel.profile, **capabilities)
    return fill_stats(profile, bench.clock, machine.init_user_ns, machine.init_pid_ns, task)


def delays(task: Task, **capabilities: Any) -> dict[str, int]:
    sums: dict[str, int] = {}
    delayacct_add_tsk(Profile(**capabilities), sums, task)
    return sums


class TestDelays:
    def test_off_in_the_configuration(self, task: Task) -> None:
        assert delays(task, config=KernelConfig(task_delay_acct=False)) == {}

    def test_a_task_that_was_forked_while_it_was_off(self, task: Task) -> None:
        task.delayacct = False
        task.charge(utime=1, cpu_delay=0.5, blkio_delay=0.5)
        assert delays(task, cpu_delay_always=False) == {}
        found = delays(task)
        assert found["cpu_run_real_total"] == 10**9
        assert found["cpu_delay_total"] == 5 * 10**8
        assert "blkio_count" not in found

    @pytest.mark.parametrize(("ignored", "count"), [(True, 2), (False, 3)])
    def test_waits_of_no_time(self, task: Task, ignored: bool, count: int) -> None:
        for duration in (1000, 0, 500):
            task.delays["swapin"].add(duration, 7_000_000_009)
        found = delays(task, zero_delay_ignored=ignored)
        assert (found["swapin_count"], found["swapin_delay_total"]) == (count, 1500)
        assert (found["swapin_delay_max"], found["swapin_delay_min"]) == (1000, 500)
        assert (found["swapin_delay_max_ts_sec"], found["swapin_delay_max_ts_nsec"]) == (7, 9)

    def test_a_total_that_overflows_starts_anew(self, task: Task) -> None:
        task.delays["irq"].add(SIGNED_MAX, 0)
        sums = delays(task)
        assert sums["irq_delay_total"] == SIGNED_MAX
        delayacct_add_tsk(Profile(), sums, task)
        assert (sums["irq_delay_total"], sums["irq_count"]) == (0, 2)

    def test_the_last_one_s_extremes_stand(self, bench: Bench, task: Task) -> None:
        other = bench.machine.tasks.fork()
        other.delayacct = True
        task.delays["blkio"].add(1000, 0)
        sums = delays(task)
        delayacct_add_tsk(Profile(), sums, other)  # it never waited
        assert (sums["blkio_count"], sums["blkio_delay_total"]) == (1, 1000)
        assert (sums["blkio_delay_max"], sums["blkio_delay_min"]) == (0, 0)
        other.delays["blkio"].add(10, 0)
        delayacct_add_tsk(Profile(), sums, other)
        assert (sums["blkio_delay_max"], sums["blkio_delay_min"]) == (10, 10)


class TestGroups:
    def test_what_threads_add(self, bench: Bench, task: Task) -> None:
        bench.clock.advance(2)
        task.charge(utime=0.5, stime=0.25)
        task.nvcsw, task.nivcsw = 3, 4
        now = bench.clock.monotonic_ns()
        for times, ctxsw in ((True, True), (False, True), (True, False), (False, False)):
            sums: dict[str, int] = {}
            thread_group_times(Profile(tgid_times=times, tgid_ctxsw=ctxsw), sums, task, now)
            expected = {"ac_etime": 2_000_000, "ac_utime": 500_000, "ac_stime": 250_000}
            assert sums == (expected if times else {}) | (
                {"nvcsw": 3, "nivcsw": 4} if ctxsw else {}
            )

    def test_sums(self, bench: Bench, task: Task) -> None:
        task.nvcsw, task.utime_ns = (1 << 64) - 1, 5000
        sums = {"nvcsw": 2, "ac_utime": 1}
        add_ctxsw(sums, task)
        add_times(sums, task, bench.clock.monotonic_ns())
        assert (sums["nvcsw"], sums["ac_utime"]) == (1, 6)


class TestBasic:
    def test_a_blank_has_all_members(self, bench: Bench, task: Task) -> None:
        assert stats(bench, task).keys() == BLANK.keys()

    @pytest.mark.parametrize(("finer", "utime"), [(True, 1_234_567), (False, 1_234_000)])
    def test_milliseconds_before_2_6_37(
        self, bench: Bench, task: Task, finer: bool, utime: int
    ) -> None:
        task.utime_ns = task.stime_ns = 1_234_567_890
        found = stats(bench, task, times_in_usec=finer)
        assert [found[f"ac_{name}"] for name in ("utime", "stime", "utimescaled")] == [utime] * 3

    def test_the_exit_code_and_whose(self, bench: Bench, task: Task) -> None:
        thread = bench.machine.tasks.clone_thread(task)
        for one in (task, thread):
            one.exit_code = 768
            assert stats(bench, one)["ac_exitcode"] == 0  # it lives
            one.flags |= PF_EXITING
        for every, expected in ((True, (768, 768)), (False, (768, 0))):
            found = [
                stats(bench, one, exitcode_every_thread=every)["ac_exitcode"]
                for one in (task, thread)
            ]
            assert tuple(found) == expected

    def test_flags(self, bench: Bench, task: Task) -> None:
        task.flags = PF_FORKNOEXEC | PF_SUPERPRIV | PF_DUMPCORE | PF_SIGNALED
        assert stats(bench, task)["ac_flag"] == 0x1 | 0x2 | 0x8 | 0x10
        thread = bench.machine.tasks.clone_thread(task)
        thread.flags = PF_FORKNOEXEC
        assert stats(bench, thread)["ac_flag"] == 0  # of leaders alone
        thread.flags = 0
        assert stats(bench, thread)["ac_flag"] == 0

    def test_a_thread_and_its_leader(self, bench: Bench, task: Task) -> None:
        bench.clock.advance(3)
        thread = bench.machine.tasks.clone_thread(task)
        bench.clock.advance(1)
        found = stats(bench, thread)
        assert (found["ac_pid"], found["ac_tgid"]) == (thread.pid, task.pid)
        assert (found["ac_etime"], found["ac_tgetime"]) == (1_000_000, 4_000_000)

    def test_the_parent_of_the_dead(self, bench: Bench, task: Task) -> None:
        assert stats(bench, task)["ac_ppid"] == 1
        bench.machine.tasks.do_exit(task, 0)
        assert stats(bench, task)["ac_ppid"] == 1  # a zombie's is known
        bench.machine.tasks.reap(task)
        assert stats(bench, task)["ac_ppid"] == 0
        assert stats(bench, bench.machine.tasks.init_task)["ac_ppid"] == 0

    def test_in_namespaces(self, bench: Bench) -> None:
        machine = bench.machine
        user_ns = UserNamespace(machine.init_user_ns, uids={1000: 0}, gids={1000: 7})
        pid_ns = PidNamespace(machine.init_pid_ns)
        parent = machine.tasks.fork(pid_ns=pid_ns)
        task = machine.tasks.fork(parent, cred=Cred.for_ids(machine.init_user_ns, 1000, 1000))
        found = fill_stats(Profile(), bench.clock, user_ns, pid_ns, task)
        names = ("ac_uid", "ac_gid", "ac_pid", "ac_ppid", "ac_tgid")
        assert [found[name] for name in names] == [0, 7, 2, 1, 2]
        found = fill_stats(Profile(), bench.clock, user_ns, pid_ns, machine.tasks.init_task)
        assert [found[name] for name in names] == [65534, 65534, 0, 0, 0]

    def test_times_that_do_not_fit(self) -> None:
        for realtime, btime in ((0, 0), (1 << 33, 0xFFFFFFFF)):
            clock = VirtualClock(realtime_ns=realtime * 10**9)
            bench = make_bench()
            task = bench.machine.tasks.fork()
            machine = bench.machine
            found = fill_stats(Profile(), clock, machine.init_user_ns, machine.init_pid_ns, task)
            assert (found["ac_btime"], found["ac_btime64"]) == (btime, realtime)

    def test_a_clock_that_jumps_back(self, bench: Bench, task: Task) -> None:
        """CLOCK_MONOTONIC does not, but a host's task may seem to start after now."""
        task.start_time_ns = bench.clock.monotonic_ns() + 10**9
        found = stats(bench, task)
        assert (found["ac_etime"], found["ac_tgetime"]) == (0, 0)


class TestMemory:
    @pytest.mark.parametrize(
        ("integral", "coremem"),
        [
            (MemIntegral.SYSTEM_TIME, 1000),
            (MemIntegral.CPU_TIME, 4400),
            (MemIntegral.CPU_TICKS, 4000),
        ],
    )
    def test_over_which_time(
        self, bench: Bench, task: Task, integral: MemIntegral, coremem: int
    ) -> None:
        tick = TICK_NSEC / 1e9  # 256 KiB over a tick are 1000 MB * us
        task.integrate_memory(256, 512, utime=3 * tick, stime=tick)
        task.integrate_memory(256, 512, utime=0.4 * tick, stime=0)
        found = stats(bench, task, mem_integral=integral)
        assert (found["coremem"], found["virtmem"]) == (coremem, 2 * coremem)

    def test_none(self, bench: Bench, task: Task) -> None:
        task.mm = None
        found = stats(bench, task)
        names = ("coremem", "virtmem", "hiwater_rss", "hiwater_vm", "ac_exe_dev", "ac_exe_inode")
        assert [found[name] for name in names] == [0] * 6

    def test_marks_and_the_executable(self, bench: Bench, task: Task) -> None:
        bench.machine.tasks.execve(task, comm="x", exe_dev=0x800001, exe_inode=42)
        assert task.mm is not None
        task.mm.hiwater_rss_kb, task.mm.hiwater_vm_kb = 100, 200
        found = stats(bench, task)
        names = ("hiwater_rss", "hiwater_vm", "ac_exe_dev", "ac_exe_inode")
        assert [found[name] for name in names] == [100, 200, 0x800001, 42]


class TestIo:
    MEMBERS = (
        "read_char", "write_char", "read_syscalls", "write_syscalls",
        "read_bytes", "write_bytes", "cancelled_write_bytes",
    )  # fmt: skip

    @pytest.mark.parametrize(("rounded", "factor"), [(True, 1024), (False, 1025)])
    def test_multiples_of_1024(self, bench: Bench, task: Task, rounded: bool, factor: int) -> None:
        io = task.io
        io.rchar, io.wchar, io.syscr, io.syscw = 1025, 2050, 3075, 4100
        io.read_bytes, io.write_bytes, io.cancelled_write_bytes = 5125, 6150, 7175
        found = stats(bench, task, io_rounding=rounded)
        assert [found[name] for name in self.MEMBERS] == [n * factor for n in range(1, 8)]

    def test_never_charged(self, bench: Bench, task: Task) -> None:
        assert task.charged_io is None
        assert [stats(bench, task)[name] for name in self.MEMBERS] == [0] * 7
