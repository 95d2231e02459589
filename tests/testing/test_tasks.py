"""``kernel.tasks``: what a test says of tasks is what clients are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers.messages import decode, get, receive, register, stats_of, waiting

from netlink_emu.machine.acts import AMOUNTS
from netlink_emu.testing import EmulatedKernel


class TestSpawn:
    def test_what_is_given_is_what_a_client_is_told(self, kernel: EmulatedKernel) -> None:
        task = kernel.tasks.spawn(
            "postgres", pid=4242, cpu=2, uid=26, gid=27, nice=-5, policy="batch", utime=1.5
        )
        sock = kernel.connect()
        sock.send(get(4242))
        stats = stats_of(receive(sock))
        expected = {
            "ac_comm": "postgres", "ac_pid": 4242, "ac_ppid": 1, "ac_uid": 26, "ac_gid": 27,
            "ac_nice": 251, "ac_sched": 3, "ac_utime": 1_500_000, "ac_flag": 0,
        }  # fmt: skip
        assert {name: stats[name] for name in expected} == expected
        assert (task.cpu, task.comm, task.tgid, task.alive) == (2, "postgres", 4242, True)

    def test_children_and_threads(self, kernel: EmulatedKernel) -> None:
        parent = kernel.tasks.spawn("sh", pid=10)
        child = parent.fork(pid=11)
        thread = child.thread("io", pid=12, cpu=3)
        assert child.stats()["ac_ppid"] == 10
        assert child.stats()["ac_flag"] & 1  # AFORK
        assert (thread.tgid, thread.cpu, thread.stats()["ac_comm"]) == (11, 3, "io")
        child.exec("ls")
        assert (child.comm, thread.alive) == ("ls", False)

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"pid": 1}, "pid 1 is taken"),
            ({"pid": 99999}, "is not between 1 and pid_max"),
            ({"cpu": 4}, "CPU 4 is not possible"),
        ],
    )
    def test_what_cannot_be(
        self, kernel: EmulatedKernel, options: dict[str, Any], said: str
    ) -> None:
        with pytest.raises(ValueError, match=said):
            kernel.tasks.spawn("x", **options)

    def test_an_unknown_amount_spawns_nothing(self, kernel: EmulatedKernel) -> None:
        before = len(kernel.tasks)
        with pytest.raises(ValueError, match="accounted as user_time; did you mean utime"):
            kernel.tasks.spawn("x", user_time=1)
        assert len(kernel.tasks) == before

    def test_found_by_pid(self, kernel: EmulatedKernel) -> None:
        kernel.tasks.spawn("x", pid=77)
        assert kernel.tasks[77].comm == "x"
        assert kernel.tasks.find(78) is None
        with pytest.raises(KeyError):
            kernel.tasks[78]
        assert {task.pid for task in kernel.tasks} == {1, 77}


class TestCharge:
    def test_amounts_add_up_in_their_members(self, kernel: EmulatedKernel) -> None:
        task = kernel.tasks.spawn("x")
        for _ in range(2):
            task.charge(
                utime=0.5, stime=0.25, cpu_delay=0.1, blkio_delay=0.2, swapin_delay=0.3,
                freepages_delay=0.4, thrashing_delay=0.5, compact_delay=0.6, wpcopy_delay=0.7,
                irq_delay=0.8, min_flt=3, maj_flt=2, nvcsw=5, nivcsw=7, rchar=1024, wchar=2048,
                syscr=1024, syscw=2048, read_bytes=4096, write_bytes=8192,
                cancelled_write_bytes=1024, rss_kib=2048, vm_kib=4096,
            )  # fmt: skip
        stats = task.stats()
        delays = {
            name: (stats[f"{name}_count"], round(stats[f"{name}_delay_total"] / 1e9, 3))
            for name in ("blkio", "swapin", "freepages", "thrashing", "compact", "wpcopy", "irq")
        }
        assert delays == {
            "blkio": (2, 0.4), "swapin": (2, 0.6), "freepages": (2, 0.8), "thrashing": (2, 1.0),
            "compact": (2, 1.2), "wpcopy": (2, 1.4), "irq": (2, 1.6),
        }  # fmt: skip
        members = {
            "ac_utime": 1_000_000, "ac_stime": 500_000, "ac_minflt": 6, "ac_majflt": 4,
            "nvcsw": 10, "nivcsw": 14, "read_char": 2048, "write_char": 4096,
            "read_syscalls": 2048, "write_syscalls": 4096, "read_bytes": 8192,
            "write_bytes": 16384, "cancelled_write_bytes": 2048,
            "hiwater_rss": 2048, "hiwater_vm": 4096,
            "coremem": 2 * 1_500_000, "virtmem": 4 * 1_500_000,
        }  # fmt: skip
        assert {name: stats[name] for name in members} == members

    def test_without_accounting_a_task_has_no_delays(self) -> None:
        with EmulatedKernel("6.18", arch="x86_64", delayacct=None) as kernel:
            task = kernel.tasks.spawn("x").charge(blkio_delay=1)
            assert task.stats()["blkio_count"] == 0
            kernel.set_delayacct(on=True)
            assert kernel.tasks.spawn("x", blkio_delay=1).stats()["blkio_count"] == 1

    def test_every_amount_is_documented(self) -> None:
        documented = EmulatedKernel().tasks.spawn("x").charge.__doc__ or ""
        missing = [n for n in AMOUNTS if f"``{n}``" not in documented]
        assert not missing

    def test_a_slip_of_the_pen(self, kernel: EmulatedKernel) -> None:
        with pytest.raises(ValueError, match="nothing is accounted as blkio;"):
            kernel.tasks.spawn("x").charge(blkio=1)


class TestEnd:
    def test_by_code(self, kernel: EmulatedKernel) -> None:
        sock = kernel.connect()
        sock.send(register("2"))
        assert receive(sock).error == 0
        task = kernel.tasks.spawn("x", cpu=2)
        task.exit(3)
        (event,) = waiting(sock)
        assert stats_of(decode(event))["ac_exitcode"] == 3 << 8
        assert (task.alive, task.exit_status, kernel.tasks.find(task.pid)) == (False, 768, None)

    def test_by_signal_with_a_core(self, kernel: EmulatedKernel) -> None:
        sock = kernel.connect()
        sock.send(register("0"))
        assert receive(sock).error == 0
        kernel.tasks.spawn("x", cpu=0).kill("SIGSEGV", core_dumped=True)
        stats = stats_of(decode(waiting(sock)[0]))
        assert (stats["ac_exitcode"], stats["ac_flag"] & 0x18) == (11 | 0x80, 0x18)

    def test_elsewhere_nobody_hears(self, kernel: EmulatedKernel) -> None:
        sock = kernel.connect()
        sock.send(register("0"))
        assert receive(sock).error == 0
        task = kernel.tasks.spawn("x", cpu=0)
        task.move(1)
        task.exit()
        assert waiting(sock) == []

    def test_a_process_with_threads_sums_up(self, kernel: EmulatedKernel) -> None:
        sock = kernel.connect()
        sock.send(register("0"))
        assert receive(sock).error == 0
        leader = kernel.tasks.spawn("x", cpu=0, blkio_delay=1)
        thread = leader.thread(cpu=0).charge(blkio_delay=2)
        thread.exit_thread()
        leader.exit_thread(code=1)
        first, last = map(decode, waiting(sock))
        assert first.find("TASKSTATS_TYPE_AGGR_TGID") is None
        group = last.find("TASKSTATS_TYPE_AGGR_TGID")
        assert group is not None
        sums = next(attr.value for attr in group.value if attr.name == "TASKSTATS_TYPE_STATS")
        assert (sums["blkio_count"], sums["blkio_delay_total"]) == (2, 3_000_000_000)

    def test_a_zombie_is_found_until_it_is_reaped(self, kernel: EmulatedKernel) -> None:
        task = kernel.tasks.spawn("x")
        task.exit(7, reap=False)
        assert task.stats()["ac_exitcode"] == 7 << 8
        assert task.reap() == 7 << 8
        assert kernel.tasks.find(task.pid) is None

    def test_a_code_that_is_none(self, kernel: EmulatedKernel) -> None:
        with pytest.raises(ValueError, match="0 to 255, not 256"):
            kernel.tasks.spawn("x").exit(256)

    def test_a_storm(self, kernel: EmulatedKernel) -> None:
        sock = kernel.connect()
        sock.send(register("0-3"))
        assert receive(sock).error == 0
        pids = kernel.tasks.storm(20, "burst", code=1, lifetime=0.1, utime=0.01)
        events = [stats_of(decode(data)) for data in waiting(sock)]
        assert [stats["ac_pid"] for stats in events] == pids
        assert {stats["ac_etime"] for stats in events} == {100_000}
        assert kernel.now == pytest.approx(102.0)
        assert len(kernel.tasks) == 1


class TestMachine:
    def test_a_cpu_goes_down(self, kernel: EmulatedKernel) -> None:
        task = kernel.tasks.spawn("x", cpu=3)
        kernel.cpus.set_offline(3)
        assert (task.cpu, kernel.cpus.online) == (0, (0, 1, 2))
        kernel.cpus.set_online(3)
        assert kernel.cpus.online == (0, 1, 2, 3)

    def test_a_cgroup_is_a_directory_that_a_client_opens(self, kernel: EmulatedKernel) -> None:
        cgroup = kernel.cgroups.mkdir("jobs").mkdir("nightly")
        running = kernel.tasks.spawn("a").set_state("running")
        waits = kernel.tasks.spawn("b").set_state("uninterruptible")
        cgroup.attach(running, waits, kernel.tasks.spawn("c"))
        assert cgroup.path.is_dir()
        assert len(cgroup.cgroup.tasks) == 3
        with pytest.raises(ValueError, match="not empty"):
            cgroup.rmdir()
        kernel.close()
        assert not Path(cgroup.path).exists()
