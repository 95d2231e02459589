"""The host's own tasks, read from /proc when a client asks for one: ``--tasks host``.

A client that walks /proc and asks for each thread's statistics (iotop does) finds every one of
them. What /proc does not tell stays 0: the memory integrals (coremem, virtmem), swapin,
freepages, thrashing, compact, wpcopy and irq delays, and of a group's dead threads all but CPU
time. I/O counters need the right to read /proc/PID/io; without it they are 0, too.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from netlink_emu.families.tsacct import Sums
from netlink_emu.host import namespaces
from netlink_emu.host import proc as host_proc
from netlink_emu.host.dead_threads import process_runtime_ns, sums_of_dead
from netlink_emu.host.thread_group import HostThreadGroup, WatchedGroup
from netlink_emu.kernel.profile import Profile
from netlink_emu.machine.accounting import Delay, IoAccounting, Mm
from netlink_emu.machine.clock import NSEC_PER_SEC
from netlink_emu.machine.credentials import Cred
from netlink_emu.machine.machine import Machine
from netlink_emu.machine.namespaces import PidNamespace
from netlink_emu.machine.task import (
    PF_DUMPCORE,
    PF_EXITING,
    PF_FORKNOEXEC,
    PF_SIGNALED,
    PF_SUPERPRIV,
    ExitState,
    PidNumbers,
    Task,
    TaskState,
)

_FLAGS: Final = PF_EXITING | PF_FORKNOEXEC | PF_SUPERPRIV | PF_DUMPCORE | PF_SIGNALED
_STATES: Final = {
    b"R": TaskState.RUNNING,
    b"S": TaskState.INTERRUPTIBLE,
    b"I": TaskState.OTHER,  # TASK_IDLE: uninterruptible, but without load
    b"D": TaskState.UNINTERRUPTIBLE,
    b"T": TaskState.STOPPED,
    b"t": TaskState.OTHER,  # TASK_TRACED
}


@dataclass(frozen=True, slots=True)
class Stat:
    """The fields of /proc/PID/stat that are used here, by their names in proc(5)."""

    comm: bytes
    state: bytes
    ppid: int
    flags: int
    minflt: int
    majflt: int
    utime: int
    stime: int
    nice: int
    starttime: int
    processor: int
    policy: int
    delayacct_blkio_ticks: int
    exit_code: int


def parse_stat(data: bytes) -> Stat:
    """Read one line of /proc/PID/stat; the name may hold blanks and parentheses."""
    end = data.rindex(b")")
    comm = data[data.index(b"(") + 1 : end]
    f = data[end + 2 :].split()  # f[0] is field 3 of proc(5)
    return Stat(
        comm=comm,
        state=f[0],
        ppid=int(f[1]),
        flags=int(f[6]),
        minflt=int(f[7]),
        majflt=int(f[9]),
        utime=int(f[11]),
        stime=int(f[12]),
        nice=int(f[16]),
        starttime=int(f[19]),
        processor=int(f[36]),
        policy=int(f[38]),
        delayacct_blkio_ticks=int(f[39]),
        exit_code=int(f[49]),
    )


def read_stat(nr: int) -> Stat | None:
    """What /proc tells of a thread now, None if it is gone or hidden."""
    try:
        return parse_stat(Path(f"/proc/{nr}/stat").read_bytes())
    except (OSError, ValueError, IndexError):
        return None


def encode_dev(major: int, minor: int) -> int:
    """A device's number as kernels tell it: new_encode_dev() of include/linux/kdev_t.h."""
    return minor & 0xFF | major << 8 | (minor & ~0xFF) << 12


def parse_fields(data: bytes) -> dict[bytes, bytes]:
    """Read "name: value" lines, as in /proc/PID/status and /proc/PID/io."""
    lines = (line.partition(b":") for line in data.splitlines())
    return {name: value.strip() for name, colon, value in lines if colon}


class HostTasks:
    """A TaskSource that reads ``proc`` anew at each question: figures live.

    With a ``profile``, thread groups have sums of their dead threads as that kernel has them;
    ``watched`` has the groups, by tgid, whose threads' ends somebody watches.
    """

    def __init__(
        self, machine: Machine, proc: Path = Path("/proc"), *, profile: Profile | None = None
    ) -> None:
        self.watched: Final[dict[int, WatchedGroup]] = {}
        self._machine: Final = machine
        self._proc: Final = proc
        self._profile: Final = profile
        self._tick_ns: Final = NSEC_PER_SEC // os.sysconf("SC_CLK_TCK")

    def namespace_of(self, nr: int) -> PidNamespace:
        """The view of the initial pid namespace that the host's task ``nr`` has."""
        try:
            return namespaces.pid_namespace(self._machine, nr, self._proc)
        except OSError:  # ended
            return self._machine.init_pid_ns

    def find(self, nr: int, ns: PidNamespace | None = None) -> Task | None:
        """The thread numbered ``nr``, None if there is none or it ended meanwhile."""
        if ns is not None and ns.view_of is not None:
            found = host_proc.thread_in(namespaces.inode_of(self._machine, ns), nr, self._proc)
            if found is None:
                return None
            nr = found
        # /proc/TID exists for every thread, though only leaders are listed.
        where = self._proc / str(nr)
        try:
            status = parse_fields((where / "status").read_bytes())
            tgid = int(status[b"Tgid"])
            runtime_ns = process_runtime_ns(tgid)  # before that of any thread
            task = self._read(nr, self._proc / str(tgid) / "task" / str(nr), status)
            count = int(status[b"Threads"])
            group = HostThreadGroup(task, self, tgid, count=count, runtime_ns=runtime_ns)
        except (OSError, KeyError, ValueError, IndexError):
            return None  # ended between two reads, or not a task's directory
        task.group = group
        return task

    def occupies(self, nr: int) -> bool:
        """Whether the host has a thread of that number now."""
        return (self._proc / str(nr)).exists()

    def read_thread(self, nr: int, tgid: int) -> Task | None:
        """One thread without its group, None if it has ended."""
        where = self._proc / str(tgid) / "task" / str(nr)
        try:
            return self._read(nr, where, parse_fields((where / "status").read_bytes()))
        except (OSError, KeyError, ValueError, IndexError):
            return None

    def thread_numbers(self, tgid: int) -> list[int]:
        try:
            return sorted(int(p.name) for p in (self._proc / str(tgid) / "task").iterdir())
        except OSError:
            return []

    def watched_group(self, group: HostThreadGroup) -> WatchedGroup | None:
        """What is known of a group from watching it, None if it is not watched."""
        watched = self.watched.get(group.tgid)
        return watched if watched is not None and watched.is_of(group.leader) else None

    def sums_of_dead(self, group: HostThreadGroup, runtime_ns: int) -> Sums | None:
        """What is kept of the group's dead threads, None if there were none."""
        watched = self.watched_group(group)
        if watched is not None:
            return watched.sums
        if self._profile is None or not self._profile.dead_threads_always_kept:
            return None
        threads = group.threads
        left_ns = runtime_ns - sum(thread.sum_exec_runtime_ns for thread in threads)
        if left_ns <= 0:
            return None
        try:
            whole = parse_stat((self._proc / str(group.tgid) / "stat").read_bytes())
        except (OSError, ValueError, IndexError):
            return None
        user_ns = whole.utime * self._tick_ns - sum(thread.utime_ns for thread in threads)
        system_ns = whole.stime * self._tick_ns - sum(thread.stime_ns for thread in threads)
        return sums_of_dead(
            self._profile,
            group.leader,
            left_ns,
            max(0, user_ns),
            max(0, system_ns),
            self._machine.clock.monotonic_ns(),
        )

    def _read(self, nr: int, where: Path, status: dict[bytes, bytes]) -> Task:
        stat = parse_stat((where / "stat").read_bytes())
        machine = self._machine
        uid, gid = int(status[b"Uid"].split()[0]), int(status[b"Gid"].split()[0])
        task = Task(
            pid=nr,
            comm=stat.comm,
            cpu=stat.processor,
            cred=Cred.for_ids(machine.init_user_ns, uid, gid),
            net=machine.init_net,
            numbers=self._numbers(nr, status),
            pid_ns=machine.init_pid_ns,
            start_time_ns=self._monotonic_of(stat.starttime),
            real_parent=self._parent(stat.ppid, status),
            realtime_ns=machine.clock.realtime_ns,
        )
        task.flags = stat.flags & _FLAGS
        task.state = _STATES.get(stat.state, TaskState.OTHER)
        if stat.state in (b"Z", b"X"):
            task.exit_state = ExitState.ZOMBIE
            task.exit_code = stat.exit_code  # 0 where we may not see it
        task.nice, task.policy = stat.nice, stat.policy
        task.min_flt, task.maj_flt = stat.minflt, stat.majflt
        task.utime_ns, task.stime_ns = stat.utime * self._tick_ns, stat.stime * self._tick_ns
        task.nvcsw = int(status.get(b"voluntary_ctxt_switches", 0))
        task.nivcsw = int(status.get(b"nonvoluntary_ctxt_switches", 0))
        self._read_schedstat(task, where)
        if stat.delayacct_blkio_ticks:
            # /proc has the sum alone; how often is not told, so it counts as one wait.
            total = stat.delayacct_blkio_ticks * self._tick_ns
            task.delays["blkio"] = Delay(1, total, total, total)
        task.io = self._read_io(where)
        task.mm = self._read_mm(where, status)
        return task

    def _numbers(self, nr: int, status: dict[bytes, bytes]) -> PidNumbers:
        """Ours, and where the task is in a pid namespace below, the one that it has there."""
        whole = ((self._machine.init_pid_ns, nr),)
        seen = status.get(b"NSpid", b"").split()
        if len(seen) < 2:
            return whole
        view = self.namespace_of(nr)
        return whole if view.view_of is None else (*whole, (view, int(seen[-1])))

    def _monotonic_of(self, starttime: int) -> int:
        """A start time in ticks since boot, on CLOCK_MONOTONIC, which misses suspended time."""
        suspended_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns()
        return max(0, starttime * self._tick_ns - suspended_ns)

    def _parent(self, ppid: int, status: dict[bytes, bytes]) -> Task | None:
        """A parent of which only the number shows, as ac_ppid; ``status`` is the child's."""
        if ppid == 0:
            return None
        machine = self._machine
        numbers: PidNumbers = ((machine.init_pid_ns, ppid),)
        if len(status.get(b"NSpid", b"").split()) > 1:
            view = self.namespace_of(int(status[b"Pid"]))
            if view.view_of is not None:
                numbers = (*numbers, (view, self._number_in(view, ppid)))
        return Task(
            pid=ppid,
            comm=b"",
            cpu=0,
            cred=machine.tasks.init_task.cred,
            net=machine.init_net,
            numbers=numbers,
            pid_ns=machine.init_pid_ns,
            start_time_ns=0,
            real_parent=None,
            realtime_ns=machine.clock.realtime_ns,
        )

    def _number_in(self, view: PidNamespace, nr: int) -> int:
        """The innermost number of the task ``nr`` if it is in that very namespace, else 0."""
        if self.namespace_of(nr) is not view:
            return 0
        try:
            status = parse_fields((self._proc / str(nr) / "status").read_bytes())
            return int(status[b"NSpid"].split()[-1])
        except (OSError, KeyError, ValueError, IndexError):
            return 0

    def _read_schedstat(self, task: Task, where: Path) -> None:
        try:
            run_ns, delay_ns, count = map(int, (where / "schedstat").read_bytes().split())
        except (OSError, ValueError):  # a kernel without CONFIG_SCHED_INFO
            task.sum_exec_runtime_ns = task.utime_ns + task.stime_ns
            return
        task.sum_exec_runtime_ns = run_ns
        task.run_count, task.run_delay = count, Delay(count, delay_ns)

    def _read_io(self, where: Path) -> IoAccounting:
        try:
            fields = parse_fields((where / "io").read_bytes())
        except OSError:  # not ours to read
            return IoAccounting()
        return IoAccounting(**{name.decode(): int(value) for name, value in fields.items()})

    def _read_mm(self, where: Path, status: dict[bytes, bytes]) -> Mm | None:
        if b"VmHWM" not in status:  # a kernel thread, or a zombie
            return None
        mm = Mm(int(status[b"VmHWM"].split()[0]), int(status[b"VmPeak"].split()[0]))
        try:
            exe = (where / "exe").stat()
        except OSError:
            return mm
        mm.exe_dev = encode_dev(os.major(exe.st_dev), os.minor(exe.st_dev))
        mm.exe_inode = exe.st_ino
        return mm
