"""One task, and the thread group it belongs to: struct task_struct, struct signal_struct.

Times are nanoseconds.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from netlink_emu.machine.accounting import (
    DELAYS,
    TICK_NSEC,
    Delay,
    Delays,
    IoAccounting,
    MemUse,
    Mm,
)
from netlink_emu.machine.clock import NSEC_PER_SEC
from netlink_emu.machine.credentials import Cred
from netlink_emu.machine.namespaces import NetNamespace, PidNamespace

if TYPE_CHECKING:
    from netlink_emu.machine.cgroups import Cgroup, File

TASK_COMM_LEN: Final = 16

# task->flags, include/linux/sched.h
PF_EXITING: Final = 0x00000004
PF_FORKNOEXEC: Final = 0x00000040
PF_SUPERPRIV: Final = 0x00000100
PF_DUMPCORE: Final = 0x00000200
PF_SIGNALED: Final = 0x00000400

# Signals whose default action dumps core: signal(7).
CORE_SIGNALS: Final = frozenset({3, 4, 5, 6, 7, 8, 11, 24, 25, 31})
WCOREFLAG: Final = 0x80


class TaskState(enum.Enum):
    """task->__state as CGROUPSTATS tells them apart. OTHER counts nowhere.

    FREEZABLE is a sleep of which the freezer need not be told, in nanosleep(2), futex(2),
    sigtimedwait(2) or a read from a Unix stream: TASK_INTERRUPTIBLE | TASK_FREEZABLE since 6.1.
    """

    RUNNING = "running"
    INTERRUPTIBLE = "sleeping"
    UNINTERRUPTIBLE = "uninterruptible"
    STOPPED = "stopped"
    OTHER = "other"
    FREEZABLE = "freezable"


# A task's number in its own pid namespace, then in each one above, the initial one last.
PidNumbers = tuple[tuple[PidNamespace, int], ...]


class ExitState(enum.Enum):
    """task->exit_state: alive, waiting to be reaped, or gone."""

    ALIVE = 0
    ZOMBIE = 0x20
    DEAD = 0x10


class ThreadGroup:
    """struct signal_struct: what the threads of a process share.

    ``live`` counts those that have not begun to exit. ``stats`` is the thread group's taskstats
    block, the sums of its dead threads: kept here for the family, None until the group had a
    second thread at an exit.
    """

    __slots__ = ("group_exit_code", "leader", "live", "stats", "threads")

    def __init__(self, leader: Task) -> None:
        self.leader = leader
        self.threads: list[Task] = [leader]
        self.live = 1
        self.stats: dict[str, int] | None = None
        self.group_exit_code: int | None = None

    @property
    def thread_group_empty(self) -> bool:
        return len(self.threads) == 1


class Task:
    """struct task_struct, as far as it shows over netlink.

    There may be 100,000 of them: slots, and what few tasks have is made when it is asked for.
    """

    __slots__ = (
        "_children", "_files", "_io", "_realtime_ns", "cgroups", "comm", "cpu", "cred",
        "delayacct", "delays", "exit_code", "exit_state", "flags", "group", "in_iowait", "maj_flt",
        "min_flt", "mm", "net", "nice", "nivcsw", "numbers", "nvcsw", "pid", "pid_ns", "policy",
        "real_parent", "rss_use", "run_count", "run_delay", "start_time_ns", "state", "stime_ns",
        "sum_exec_runtime_ns", "tick_ns", "utime_ns", "vm_use",
    )  # fmt: skip

    def __init__(
        self,
        *,
        pid: int,
        comm: bytes,
        cpu: int,
        cred: Cred,
        net: NetNamespace,
        numbers: PidNumbers,
        pid_ns: PidNamespace,
        start_time_ns: int,
        real_parent: Task | None,
        realtime_ns: Callable[[], int],
    ) -> None:
        self.pid = pid
        self.comm = comm[: TASK_COMM_LEN - 1]
        self.cpu = cpu
        self.cred = cred
        self.net = net
        self.pid_ns = pid_ns
        self.numbers = numbers
        self.start_time_ns = start_time_ns
        self.real_parent = real_parent
        self._realtime_ns = realtime_ns

        self.group = ThreadGroup(self)
        self.flags = PF_FORKNOEXEC
        self.exit_code = 0
        self.exit_state = ExitState.ALIVE
        self.state = TaskState.INTERRUPTIBLE
        self.in_iowait = False
        self.nice = 0
        self.policy = 0  # SCHED_NORMAL

        self.utime_ns = 0
        self.stime_ns = 0
        self.sum_exec_runtime_ns = 0
        self.run_count = 1  # sched_info.pcount
        self.run_delay = Delay()
        self.nvcsw = 0
        self.nivcsw = 0
        self.min_flt = 0
        self.maj_flt = 0
        self.delays = Delays()
        self.delayacct = True  # task->delays: allocated at fork while accounting is on
        self.mm: Mm | None = None
        self.tick_ns = TICK_NSEC
        self.rss_use: MemUse | None = None
        self.vm_use: MemUse | None = None
        self.cgroups: tuple[Cgroup, ...] = ()
        self._children: dict[Task, None] | None = None
        self._files: dict[int, File] | None = None
        self._io: IoAccounting | None = None

    @property
    def children(self) -> dict[Task, None]:
        """Its child processes, in the order of their births."""
        if self._children is None:
            self._children = {}
        return self._children

    @property
    def files(self) -> dict[int, File]:
        """Its table of open descriptors, as far as CGROUPSTATS looks."""
        if self._files is None:
            self._files = {}
        return self._files

    def share_files(self, other: Task) -> None:
        """CLONE_FILES: one table for both."""
        self._files = other.files

    @property
    def charged_io(self) -> IoAccounting | None:
        """``io``; None where nothing was charged to it."""
        return self._io

    @property
    def io(self) -> IoAccounting:
        if self._io is None:
            self._io = IoAccounting()
        return self._io

    @io.setter
    def io(self, counted: IoAccounting) -> None:
        self._io = counted

    def __repr__(self) -> str:
        return f"<Task {self.pid} {self.comm.decode(errors='replace')!r} {self.exit_state.name}>"

    @property
    def tgid(self) -> int:
        return self.group.leader.pid

    @property
    def is_leader(self) -> bool:
        return self.group.leader is self

    def pid_nr_ns(self, ns: PidNamespace) -> int:
        """task_pid_nr_ns(): the number in ``ns``, 0 where it is not visible."""
        for own, nr in self.numbers:
            if own is ns:
                return nr
        return 0 if ns.view_of is None else self.pid_nr_ns(ns.view_of)

    def tgid_nr_ns(self, ns: PidNamespace) -> int:
        """task_tgid_nr_ns()."""
        return self.group.leader.pid_nr_ns(ns)

    def commit_creds(self, cred: Cred) -> None:
        """Change who the task is; a process that changes its effective ids leaves no core."""
        if self.mm is not None and (cred.euid, cred.egid) != (self.cred.euid, self.cred.egid):
            self.mm.dumpable = False
        self.cred = cred

    def charge(
        self,
        *,
        utime: float = 0.0,
        stime: float = 0.0,
        cpu_delay: float = 0.0,
        blkio_delay: float = 0.0,
        swapin_delay: float = 0.0,
        freepages_delay: float = 0.0,
        thrashing_delay: float = 0.0,
        compact_delay: float = 0.0,
        wpcopy_delay: float = 0.0,
        irq_delay: float = 0.0,
    ) -> None:
        """Account time in seconds: CPU time used, and one wait of each kind that is not 0."""
        user_ns, system_ns = round(utime * NSEC_PER_SEC), round(stime * NSEC_PER_SEC)
        if user_ns < 0 or system_ns < 0:
            raise ValueError("CPU time does not shrink")
        self.utime_ns += user_ns
        self.stime_ns += system_ns
        self.sum_exec_runtime_ns += user_ns + system_ns
        now = self._realtime_ns()
        if cpu_delay:
            self.run_delay.add(round(cpu_delay * NSEC_PER_SEC), now)
            self.run_count += 1
        waits = (
            blkio_delay, swapin_delay, freepages_delay, thrashing_delay,
            compact_delay, wpcopy_delay, irq_delay,
        )  # fmt: skip
        for name, seconds in zip(DELAYS, waits, strict=True):
            if seconds:
                self.delays[name].add(round(seconds * NSEC_PER_SEC), now)

    def integrate_memory(self, rss_kib: int, vm_kib: int, *, utime: float, stime: float) -> None:
        """Account memory that was in use during CPU time (seconds), for coremem and virtmem."""
        if self.rss_use is None or self.vm_use is None:
            self.rss_use = MemUse(tick_ns=self.tick_ns)
            self.vm_use = MemUse(tick_ns=self.tick_ns)
        user_ns, system_ns = round(utime * NSEC_PER_SEC), round(stime * NSEC_PER_SEC)
        self.rss_use.add(rss_kib, user_ns, system_ns)
        self.vm_use.add(vm_kib, user_ns, system_ns)
