"""TASKSTATS on the emulated kernel: who gets which statistics. Facts: kernel/taskstats.c."""

from __future__ import annotations

from errno import E2BIG, EINVAL, ESRCH

import pytest
from helpers.kernel import Bench

from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.kernel.current import Current
from netlink_emu.machine.credentials import Cred
from netlink_emu.machine.namespaces import PidNamespace, UserNamespace
from netlink_emu.machine.task import Task
from netlink_emu.protocol.taskstats import taskstats_layout

CODEC = taskstats_layout(16).codec()
AGGR_STATS = 36  # the struct behind nlmsghdr, genlmsghdr, AGGR, PID and STATS


def stats_of(datagram: bytes, offset: int = AGGR_STATS) -> dict[str, int | bytes]:
    return CODEC.decode(datagram, offset)


def error_of(datagrams: list[bytes]) -> int:
    (datagram,) = datagrams
    assert datagram[4:6] == b"\x02\0"
    return -int.from_bytes(datagram[16:20], "little", signed=True)


def listener(bench: Bench, cpulist: str, portid: int) -> NetlinkSock:
    sock = bench.sock(portid)
    assert error_of(bench.register(sock, cpulist)) == 0
    return sock


@pytest.fixture
def task(bench: Bench) -> Task:
    return bench.machine.tasks.fork(pid=100, comm="worker", cpu=1)


class TestGet:
    def test_a_task_as_charged(self, bench: Bench, task: Task) -> None:
        bench.clock.advance(2.5)
        task.charge(utime=0.75, stime=0.25, cpu_delay=0.1, blkio_delay=0.3)
        task.charge(blkio_delay=0.1)
        task.nice, task.policy, task.nvcsw, task.nivcsw = -10, 3, 7, 8
        task.min_flt, task.maj_flt = 11, 12
        task.io.rchar, task.io.syscw = 5000, 3001
        (reply,) = bench.ask(bench.sock(1), bench.get(1, 100, seq=9))
        assert (len(reply), reply[8:16]) == (596, b"\x09\0\0\0\x01\0\0\0")
        stats = stats_of(reply)
        expected = {
            "version": 16, "ac_pid": 100, "ac_tgid": 100, "ac_ppid": 1, "ac_nice": 246,
            "ac_sched": 3, "ac_flag": 1, "ac_exitcode": 0,
            "ac_etime": 2_500_000, "ac_tgetime": 2_500_000, "ac_utime": 750_000,
            "ac_stime": 250_000, "cpu_run_real_total": 10**9, "cpu_run_virtual_total": 10**9,
            "cpu_count": 2, "cpu_delay_total": 10**8, "cpu_delay_max": 10**8,
            # kernel.task_delayacct is off in 6.18
            "blkio_count": 0, "blkio_delay_total": 0,
            "nvcsw": 7, "nivcsw": 8, "ac_minflt": 11, "ac_majflt": 12,
            # I/O counters, even of calls, are multiples of 1024
            "read_char": 4096, "write_syscalls": 2048,
        }  # fmt: skip
        assert {name: stats[name] for name in expected} == expected
        assert bytes(stats["ac_comm"]).rstrip(b"\0") == b"worker"
        assert stats["ac_btime"] == stats["ac_btime64"] == 1_767_225_600

    def test_delays_while_accounting_is_on(self, bench: Bench) -> None:
        bench.kernel.sysctl_task_delayacct(on=True)
        task = bench.machine.tasks.fork(pid=101)
        for seconds in (0.3, 0.1, 0.2, 0.0, -1.0):
            task.charge(blkio_delay=seconds)
        stats = stats_of(bench.ask(bench.sock(1), bench.get(1, 101))[0])
        names = ("blkio_count", "blkio_delay_total", "blkio_delay_max", "blkio_delay_min")
        assert [stats[name] for name in names] == [3, 6 * 10**8, 3 * 10**8, 10**8]

    @pytest.mark.parametrize("nr", [0, 99999, 0xFFFFFFFF])
    @pytest.mark.parametrize("kind", [1, 2])
    def test_nobody(self, bench: Bench, kind: int, nr: int) -> None:
        assert error_of(bench.ask(bench.sock(1), bench.get(kind, nr))) == ESRCH

    def test_the_asker_is_marked(self, bench: Bench) -> None:
        (reply,) = bench.ask(bench.sock(1), bench.get(1, 4242))
        assert stats_of(reply)["ac_flag"] == 3  # AFORK, and ASU for the capability just used

    def test_a_zombie_has_no_memory(self, bench: Bench, task: Task) -> None:
        assert task.mm is not None
        task.mm.hiwater_rss_kb = 100
        bench.machine.tasks.do_exit(task, 3 << 8)
        stats = stats_of(bench.ask(bench.sock(0), bench.get(1, 100))[0])
        assert (stats["hiwater_rss"], stats["ac_exitcode"]) == (0, 768)
        stats = stats_of(bench.ask(bench.sock(0), bench.get(2, 100))[0])
        assert {name for name, value in stats.items() if value and name != "ac_comm"} == {
            "version"
        }
        bench.machine.tasks.reap(task)
        assert error_of(bench.ask(bench.sock(0), bench.get(1, 100))) == ESRCH

    def test_a_group_sums_its_threads(self, bench: Bench, task: Task) -> None:
        thread = bench.machine.tasks.clone_thread(task, pid=101)
        task.charge(utime=1.0)
        thread.charge(utime=2.0)
        task.nvcsw, thread.nvcsw = 3, 4
        bench.clock.advance(1.0)
        # Any thread's number will do; the reply names what was asked for.
        (reply,) = bench.ask(bench.sock(0), bench.get(2, 101))
        stats = stats_of(reply)
        assert reply[28:32] == b"\x65\0\0\0"
        assert (stats["ac_utime"], stats["ac_etime"], stats["nvcsw"]) == (3_000_000, 2_000_000, 7)
        assert (stats["ac_pid"], stats["ac_minflt"]) == (0, 0)
        bench.machine.tasks.do_exit(thread, 0)
        after = stats_of(bench.ask(bench.sock(0), bench.get(2, 100))[0])
        assert after["ac_utime"] == 3_000_000

    def test_in_a_pid_namespace(self, bench: Bench) -> None:
        inner = PidNamespace(bench.machine.init_pid_ns)
        init = bench.machine.tasks.fork(pid=300, pid_ns=inner)
        child = bench.machine.tasks.fork(init, pid=301)
        current = Current.of(child)
        stats = stats_of(bench.ask(bench.sock(1, current), bench.get(1, 2), current)[0])
        assert (stats["ac_pid"], stats["ac_ppid"]) == (2, 1)
        assert error_of(bench.ask(bench.sock(2, current), bench.get(1, 301), current)) == ESRCH


class TestRegister:
    def test_events_go_to_the_listeners_of_the_cpu(self, bench: Bench, task: Task) -> None:
        first, second = listener(bench, "1", 11), listener(bench, "0-1", 12)
        other = listener(bench, "0", 13)
        order = []
        for sock in (first, second):
            sock.data_ready = lambda sk: order.append(sk.portid)
        bench.machine.tasks.do_exit(task, 9)
        (event,), (same,) = bench.drain(first), bench.drain(second)
        assert event == same
        assert event[:16] == bytes.fromhex("54020000 1f00 0000 00000000 00000000")
        assert order == [12, 11]  # who came last is served first
        assert bench.drain(other) == []
        stats = stats_of(event)
        assert (stats["ac_exitcode"], stats["ac_flag"]) == (9, 0x21)

    def test_a_sequence_number_per_cpu(self, bench: Bench) -> None:
        sock = listener(bench, "0-1", 11)
        for cpu in (0, 1, 0, 0):
            bench.machine.tasks.do_exit(bench.machine.tasks.fork(cpu=cpu), 0)
        assert [event[8] for event in bench.drain(sock)] == [0, 0, 1, 2]

    def test_nobody_listening_takes_no_number(self, bench: Bench) -> None:
        bench.machine.tasks.do_exit(bench.machine.tasks.fork(cpu=0), 0)
        sock = listener(bench, "0", 11)
        bench.machine.tasks.do_exit(bench.machine.tasks.fork(cpu=0), 0)
        assert [event[8] for event in bench.drain(sock)] == [0]

    def test_the_last_of_a_group(self, bench: Bench, task: Task) -> None:
        sock = listener(bench, "0-1", 11)
        thread = bench.machine.tasks.clone_thread(task, pid=101, cpu=0)
        task.charge(utime=1.0)
        thread.charge(utime=0.5)
        bench.machine.tasks.do_exit(task, 5 << 8)
        bench.machine.tasks.do_exit(thread, 6 << 8)
        first, last = bench.drain(sock)
        assert (len(first), len(last)) == (596, 1172)
        assert stats_of(first)["ac_flag"] == 1
        assert stats_of(last)["ac_flag"] == 0x20
        assert last[596:612].hex() == "40020500080002006400000034020300"
        group = stats_of(last, 612)
        assert (group["version"], group["ac_utime"], group["ac_pid"]) == (16, 1_500_000, 0)

    def test_once_is_enough_and_one_goodbye(self, bench: Bench) -> None:
        sock = listener(bench, "0", 11)
        bench.register(sock, "0")
        bench.machine.tasks.do_exit(bench.machine.tasks.fork(cpu=0), 0)
        assert len(bench.drain(sock)) == 1
        assert error_of(bench.register(sock, "0", kind=4)) == 0
        assert error_of(bench.register(sock, "0-1", kind=4)) == 0  # never was
        bench.machine.tasks.do_exit(bench.machine.tasks.fork(cpu=0), 0)
        assert bench.drain(sock) == []

    def test_the_gone_are_pruned_and_the_full_are_not(self, bench: Bench) -> None:
        assert bench.kernel.taskstats is not None
        listeners = bench.kernel.taskstats.listeners
        gone, full, fine = (listener(bench, "0-1", portid) for portid in (11, 12, 13))
        gone.release()
        full.rcvbuf = 2304
        for _ in range(5):
            bench.machine.tasks.do_exit(bench.machine.tasks.fork(cpu=0), 0)
        assert (listeners[0], listeners[1]) == ([12, 13], [11, 12, 13])
        assert len(bench.drain(fine)) == 5
        assert full.drops == 4

    def test_a_portid_is_inherited(self, bench: Bench) -> None:
        listener(bench, "0", 11).release()
        heir = bench.sock(11)
        bench.machine.tasks.do_exit(bench.machine.tasks.fork(cpu=0), 0)
        assert len(bench.drain(heir)) == 1

    @pytest.mark.parametrize("make", [UserNamespace, PidNamespace])
    def test_from_another_namespace(self, bench: Bench, make: type) -> None:
        tasks = bench.machine.tasks
        if make is UserNamespace:
            cred = Cred(bench.machine.init_user_ns).in_new_user_ns(
                UserNamespace(bench.machine.init_user_ns)
            )
            current = Current.of(tasks.fork(cred=cred))
            assert error_of(bench.ask(bench.sock(1, current), self.request(bench), current)) == 1
        else:
            current = Current.of(tasks.fork(pid_ns=PidNamespace(bench.machine.init_pid_ns)))
            errno = error_of(bench.ask(bench.sock(1, current), self.request(bench), current))
            assert errno == EINVAL

    def request(self, bench: Bench) -> bytes:
        return bench.request(0x1F, 1, [(3, b"0\0")])

    def test_lists_that_are_too_long_or_name_impossible_cpus(self, bench: Bench) -> None:
        sock = bench.sock(1)
        assert error_of(bench.register(sock, "," * 1636)) == E2BIG
        assert error_of(bench.register(sock, "," * 1635)) == 0
        assert error_of(bench.register(sock, "2")) == 34

    def test_an_unterminated_list_loses_its_last_character(self, bench: Bench) -> None:
        assert bench.kernel.taskstats is not None
        sock = bench.sock(1)
        bench.ask(sock, bench.request(0x1F, 1, [(3, b"0,1")]))
        assert dict(bench.kernel.taskstats.listeners) == {0: [1]}
