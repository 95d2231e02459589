"""The host's tasks as the emulated kernel sees them: a made-up /proc, and the real one."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from netlink_emu.host.tasks import HostTasks, encode_dev, parse_stat
from netlink_emu.machine.clock import VirtualClock
from netlink_emu.machine.machine import Machine
from netlink_emu.machine.task import (
    Task,
    TaskState,
)

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
STAT = (
    b"4711 (a b) c) S 42 4711 4711 0 -1 4194624 11 0 13 0 250 50 0 0 39 19 2 0 900 1000 10 "
    b"18446744073709551615 1 1 0 0 0 0 0 0 0 1 0 0 17 3 0 5 7 0 0 0 0 0 0 0 0 0 0\n"
)
STATUS = b"""Name:\ta b) c
Tgid:\t4711
Pid:\t%d
PPid:\t42
Uid:\t1000\t0\t1000\t1000
Gid:\t100\t100\t100\t100
Threads:\t2
VmPeak:\t    3060 kB
VmHWM:\t    1752 kB
voluntary_ctxt_switches:\t21
nonvoluntary_ctxt_switches:\t22
"""
IO = b"""rchar: 1
wchar: 2
syscr: 3
syscw: 4
read_bytes: 5
write_bytes: 6
cancelled_write_bytes: 7
"""


def test_the_name_in_stat_may_hold_parentheses() -> None:
    stat = parse_stat(STAT)
    assert stat.comm == b"a b) c"
    assert (stat.state, stat.ppid, stat.starttime) == (b"S", 42, 900)
    assert (stat.processor, stat.policy, stat.delayacct_blkio_ticks) == (3, 5, 7)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A /proc with the process 4711, which has the threads 4711 and 4712."""
    for nr in (4711, 4712):
        for where in (tmp_path / str(nr), tmp_path / "4711" / "task" / str(nr)):
            where.mkdir(parents=True, exist_ok=True)
            (where / "status").write_bytes(STATUS % nr)
            (where / "stat").write_bytes(STAT)
            (where / "io").write_bytes(IO)
            (where / "schedstat").write_bytes(b"3000000001 4000000002 6\n")
    return tmp_path


def _machine() -> Machine:
    return Machine(cpus=4, clock=VirtualClock())


def _find(proc: Path, nr: int) -> Task:
    task = HostTasks(_machine(), proc).find(nr)
    assert task is not None
    return task


def test_numbers_of_a_pid_namespace_below(proc: Path) -> None:
    """4711 and 4712 are 7 and 8 there, their parent 42 is not there."""
    namespace = proc / "namespace"
    namespace.touch()
    for nr, inner in ((4711, 7), (4712, 8)):
        for where in (proc / str(nr), proc / "4711" / "task" / str(nr)):
            (where / "status").write_bytes(STATUS % nr + b"NSpid:\t%d\t%d\n" % (nr, inner))
            (where / "ns").mkdir()
            (where / "ns" / "pid").hardlink_to(namespace)
    machine = _machine()
    source = HostTasks(machine, proc)
    view = source.namespace_of(4711)
    assert source.namespace_of(4712) is view
    assert view.view_of is machine.init_pid_ns
    task = source.find(8, view)
    assert task is not None
    assert (task.pid, task.pid_nr_ns(machine.init_pid_ns), task.pid_nr_ns(view)) == (4712, 4712, 8)
    assert task.tgid_nr_ns(view) == 7
    assert task.real_parent is not None
    assert task.real_parent.tgid_nr_ns(view) == 0
    assert source.find(4711, view) is None
    assert source.find(4711) is not None


def test_figures_come_from_the_files_of_the_thread(proc: Path) -> None:
    task = _find(proc, 4711)
    assert (task.pid, task.tgid, task.comm, task.cpu) == (4711, 4711, b"a b) c", 3)
    assert (task.cred.uid, task.cred.gid, task.nice, task.policy) == (1000, 100, 19, 5)
    assert (task.utime_ns, task.stime_ns) == (250 * TICK_NS, 50 * TICK_NS)
    assert (task.min_flt, task.maj_flt, task.nvcsw, task.nivcsw) == (11, 13, 21, 22)
    assert task.sum_exec_runtime_ns == 3_000_000_001
    assert (task.run_count, task.run_delay.total) == (6, 4_000_000_002)
    assert (task.delays["blkio"].count, task.delays["blkio"].total) == (1, 7 * TICK_NS)
    assert task.flags == 0x140  # PF_SUPERPRIV | PF_FORKNOEXEC of 4194624 = 0x400140
    assert task.state is TaskState.INTERRUPTIBLE
    io = task.io
    assert (io.rchar, io.wchar, io.syscr, io.syscw) == (1, 2, 3, 4)
    assert (io.read_bytes, io.write_bytes, io.cancelled_write_bytes) == (5, 6, 7)
    assert task.mm is not None
    assert (task.mm.hiwater_rss_kb, task.mm.hiwater_vm_kb) == (1752, 3060)
    assert task.real_parent is not None
    assert task.real_parent.pid == 42


@pytest.mark.parametrize(
    ("letter", "state"),
    [
        (b"R", TaskState.RUNNING),
        (b"D", TaskState.UNINTERRUPTIBLE),
        (b"T", TaskState.STOPPED),
        (b"t", TaskState.OTHER),  # TASK_TRACED, which is not TASK_STOPPED
        (b"I", TaskState.OTHER),
    ],
)
def test_states(proc: Path, letter: bytes, state: TaskState) -> None:
    where = proc / "4711" / "task" / "4711"
    (where / "stat").write_bytes(STAT.replace(b") S ", b") " + letter + b" "))
    assert _find(proc, 4711).state is state


def test_a_thread_knows_its_group(proc: Path) -> None:
    task = _find(proc, 4712)
    assert (task.pid, task.tgid, task.is_leader) == (4712, 4711, False)
    assert [t.pid for t in task.group.threads] == [4711, 4712]
    assert task.group.threads[1] is task
    assert task.group.threads[0] is task.group.leader
    assert not task.group.thread_group_empty


def test_a_leader_is_read_without_its_threads(proc: Path) -> None:
    task = _find(proc, 4711)
    for name in ("stat", "status"):  # a thread that is never looked at need not be readable
        (proc / "4711" / "task" / "4712" / name).unlink()
    assert task.is_leader
    assert [t.pid for t in task.group.threads] == [4711]


@pytest.mark.parametrize("name", ["stat", "status"])
def test_a_task_that_ends_while_it_is_read_is_not_found(proc: Path, name: str) -> None:
    (proc / "4711" / "task" / "4711" / name).unlink()
    (proc / "4711" / name).unlink()
    assert HostTasks(_machine(), proc).find(4711) is None


@pytest.mark.parametrize("name", ["io", "schedstat"])
def test_what_may_not_be_read_is_zero(proc: Path, name: str) -> None:
    (proc / "4711" / "task" / "4711" / name).unlink()
    task = _find(proc, 4711)
    if name == "io":
        assert task.io.read_bytes == 0
    else:
        assert task.sum_exec_runtime_ns == 300 * TICK_NS


def test_a_zombie_has_no_memory(proc: Path) -> None:
    where = proc / "4711" / "task" / "4711"
    (where / "stat").write_bytes(STAT.replace(b") S ", b") Z "))
    lines = [line for line in (STATUS % 4711).splitlines(True) if not line.startswith(b"Vm")]
    (proc / "4711" / "status").write_bytes(b"".join(lines))
    task = _find(proc, 4711)
    assert task.mm is None
    assert task.exit_state.name == "ZOMBIE"


@pytest.fixture
def thread() -> Iterator[int]:
    """The number of another thread of this process."""
    numbers: list[int] = []
    ready, stop = threading.Event(), threading.Event()

    def run() -> None:
        numbers.append(threading.get_native_id())
        ready.set()
        stop.wait()

    other = threading.Thread(target=run)
    other.start()
    ready.wait()
    yield numbers[0]
    stop.set()
    other.join()


def test_the_real_proc_has_this_process_and_its_threads(thread: int) -> None:
    machine = _machine()
    machine.tasks.sources.append(HostTasks(machine))
    own = machine.tasks.find_task_by_pid_ns(os.getpid(), machine.init_pid_ns)
    assert own is not None
    assert own.cred.uid == os.getuid()
    assert own.real_parent is not None
    assert own.real_parent.pid == os.getppid()
    assert own.utime_ns + own.stime_ns > 0
    other = machine.tasks.find_task_by_pid_ns(thread, machine.init_pid_ns)
    assert other is not None
    assert other.tgid == os.getpid()
    assert {os.getpid(), thread} <= {t.pid for t in other.group.threads}


def test_the_executable_is_that_of_this_process() -> None:
    task = HostTasks(_machine()).find(os.getpid())
    assert task is not None
    assert task.mm is not None
    exe = Path("/proc/self/exe").stat()
    assert task.mm.exe_inode == exe.st_ino
    # As the C library keeps it, but for what does not fit into 32 bits.
    assert task.mm.exe_dev == exe.st_dev & 0xFFFFFFFF


@pytest.mark.parametrize(
    ("major", "minor", "encoded"), [(254, 0, 0xFE00), (8, 1, 0x801), (259, 300, 0x11032C)]
)
def test_device_numbers_are_encoded(major: int, minor: int, encoded: int) -> None:
    assert encode_dev(major, minor) == encoded == os.makedev(major, minor)


def test_a_number_that_nobody_has_is_not_found() -> None:
    assert HostTasks(_machine()).find(4194304 + 1) is None
