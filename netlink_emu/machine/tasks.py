"""Tasks and thread groups, and what happens to them: kernel/fork.c, kernel/exit.c, kernel/pid.c.

Times are nanoseconds. A task exits on the CPU that ``task.cpu`` names; the exit hooks (the
kernel's taskstats_exit) run before the parent can reap.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, Protocol

from netlink_emu.machine.accounting import DELAYS, Delay, Delays, IoAccounting, MemUse, Mm
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

SIGKILL: Final = 9
SIGTRAP: Final = 5
# Signals whose default action dumps core: signal(7).
CORE_SIGNALS: Final = frozenset({3, 4, 5, 6, 7, 8, 11, 24, 25, 31})
WCOREFLAG: Final = 0x80


class TaskState(enum.Enum):
    """task->__state as CGROUPSTATS tells them apart. OTHER counts nowhere."""

    RUNNING = "running"
    INTERRUPTIBLE = "sleeping"
    UNINTERRUPTIBLE = "uninterruptible"
    STOPPED = "stopped"
    OTHER = "other"


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
        "sum_exec_runtime_ns", "utime_ns", "vm_use",
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
    def has_io(self) -> bool:
        """Whether anything was charged to ``io``."""
        return self._io is not None

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
        return 0

    def tgid_nr_ns(self, ns: PidNamespace) -> int:
        """task_tgid_nr_ns()."""
        return self.group.leader.pid_nr_ns(ns)

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
            self.rss_use, self.vm_use = MemUse(), MemUse()
        user_ns, system_ns = round(utime * NSEC_PER_SEC), round(stime * NSEC_PER_SEC)
        self.rss_use.add(rss_kib, user_ns, system_ns)
        self.vm_use.add(vm_kib, user_ns, system_ns)


class TaskSource(Protocol):
    """Tasks from elsewhere (the host's /proc, a template), looked up when asked for."""

    def find(self, nr: int) -> Task | None:
        """The task with the global number ``nr``."""
        ...


class ExitHook(Protocol):
    """Told of a task that ends, before anybody can reap it."""

    def __call__(self, task: Task, *, group_dead: bool) -> None: ...


class TaskTable:
    """All tasks, by number in each pid namespace."""

    def __init__(
        self,
        *,
        init_cred: Cred,
        init_net: NetNamespace,
        init_pid_ns: PidNamespace,
        monotonic_ns: Callable[[], int],
        realtime_ns: Callable[[], int],
        pid_max: int,
    ) -> None:
        self._init_cred = init_cred
        self._init_net = init_net
        self.init_pid_ns: Final = init_pid_ns
        self._monotonic_ns = monotonic_ns
        self._realtime_ns = realtime_ns
        self.pid_max = pid_max
        self.exit_hooks: list[ExitHook] = []
        self.fork_hooks: list[Callable[[Task], None]] = []
        self.sources: list[TaskSource] = []
        self.delayacct_on = True
        self._by_nr: dict[PidNamespace, dict[int, Task]] = {init_pid_ns: {}}
        self.init_task: Final = self.fork(comm=b"init")
        self.init_task.flags = 0

    def __iter__(self) -> Iterator[Task]:
        return iter(list(self._by_nr[self.init_pid_ns].values()))

    def __len__(self) -> int:
        return len(self._by_nr[self.init_pid_ns])

    # --- kernel/pid.c

    def find_task_by_pid_ns(self, nr: int, ns: PidNamespace) -> Task | None:
        """The task or thread numbered ``nr`` in ``ns``; zombies are found until reaped."""
        task = self._by_nr.get(ns, {}).get(nr)
        if task is None and ns is self.init_pid_ns:
            for source in self.sources:
                task = source.find(nr)
                if task is not None:
                    break
        return task

    def _alloc(self, pid_ns: PidNamespace, pid: int | None) -> PidNumbers:
        numbers: dict[PidNamespace, int] = {}
        ns: PidNamespace | None = pid_ns
        while ns is not None:
            taken = self._by_nr.setdefault(ns, {})
            if ns.is_init and pid is not None:
                if pid in taken:
                    raise ValueError(f"pid {pid} is taken by {taken[pid]}")
                if not 0 < pid < self.pid_max:
                    raise ValueError(f"pid {pid} is not between 1 and pid_max {self.pid_max} - 1")
                numbers[ns] = pid
            else:
                numbers[ns] = ns.next_nr(taken, self.pid_max)
            ns = ns.parent
        return tuple(numbers.items())

    def _register(self, task: Task) -> Task:
        for ns, nr in task.numbers:
            self._by_nr[ns][nr] = task
        for hook in self.fork_hooks:
            hook(task)
        return task

    # --- kernel/fork.c

    def fork(
        self,
        parent: Task | None = None,
        *,
        pid: int | None = None,
        comm: bytes | str | None = None,
        cpu: int | None = None,
        cred: Cred | None = None,
        net: NetNamespace | None = None,
        pid_ns: PidNamespace | None = None,
    ) -> Task:
        """A new process; what is not given is the parent's (by default init's).

        Raises ValueError for a pid that is taken or beyond pid_max.
        """
        if parent is None:
            parent = getattr(self, "init_task", None)
        own_ns = pid_ns or (parent.pid_ns if parent else self.init_pid_ns)
        numbers = self._alloc(own_ns, pid)
        if comm is None:
            comm = parent.comm if parent else b""
        task = Task(
            pid=numbers[-1][1],
            comm=comm.encode() if isinstance(comm, str) else comm,
            cpu=(parent.cpu if parent else 0) if cpu is None else cpu,
            cred=cred or (parent.cred if parent else self._init_cred),
            net=net or (parent.net if parent else self._init_net),
            numbers=numbers,
            pid_ns=own_ns,
            start_time_ns=self._monotonic_ns(),
            real_parent=parent,
            realtime_ns=self._realtime_ns,
        )
        task.delayacct = self.delayacct_on
        if parent:
            parent.children[task] = None
            task.nice, task.policy = parent.nice, parent.policy
            task.mm = Mm(
                exe_dev=parent.mm.exe_dev if parent.mm else 0,
                exe_inode=parent.mm.exe_inode if parent.mm else 0,
            )
        return self._register(task)

    def clone_thread(
        self,
        sibling: Task,
        *,
        pid: int | None = None,
        comm: bytes | str | None = None,
        cpu: int | None = None,
    ) -> Task:
        """One more thread in the group of ``sibling``."""
        group = sibling.group
        numbers = self._alloc(sibling.pid_ns, pid)
        if comm is None:
            comm = sibling.comm
        task = Task(
            pid=numbers[-1][1],
            comm=comm.encode() if isinstance(comm, str) else comm,
            cpu=sibling.cpu if cpu is None else cpu,
            cred=sibling.cred,
            net=sibling.net,
            numbers=numbers,
            pid_ns=sibling.pid_ns,
            start_time_ns=self._monotonic_ns(),
            real_parent=group.leader.real_parent,
            realtime_ns=self._realtime_ns,
        )
        task.flags = sibling.flags & (PF_FORKNOEXEC | PF_SUPERPRIV)
        task.delayacct = self.delayacct_on
        task.nice, task.policy, task.mm = sibling.nice, sibling.policy, sibling.mm
        task.share_files(sibling)
        task.group = group
        group.threads.append(task)
        group.live += 1
        return self._register(task)

    # --- fs/exec.c

    def execve(
        self, task: Task, *, comm: bytes | str, exe_dev: int = 0, exe_inode: int = 0
    ) -> None:
        """Run another program: the other threads die, and ``task`` becomes the leader."""
        group = task.group
        for other in list(group.threads):
            if other is not task:
                self._kill_sibling(other, 0)
        if not task.is_leader:
            self._take_over_leadership(task)
        task.comm = (comm.encode() if isinstance(comm, str) else comm)[: TASK_COMM_LEN - 1]
        task.flags &= ~PF_FORKNOEXEC
        task.mm = Mm(exe_dev=exe_dev, exe_inode=exe_inode)

    def _take_over_leadership(self, task: Task) -> None:
        """de_thread(): the thread gets the leader's number and start; its own is gone."""
        group, leader = task.group, task.group.leader
        for ns, nr in task.numbers:
            del self._by_nr[ns][nr]
        for ns, nr in leader.numbers:
            self._by_nr[ns][nr] = task
        task.pid, task.numbers = leader.pid, leader.numbers
        task.start_time_ns = leader.start_time_ns
        for child in list(leader.children):
            self._reparent(child, task)
        if leader.real_parent:
            leader.real_parent.children.pop(leader, None)
            leader.real_parent.children[task] = None
        leader.exit_state = ExitState.DEAD
        if leader in group.threads:
            group.threads.remove(leader)
        group.leader = task

    # --- kernel/exit.c

    def do_exit(self, task: Task, code: int) -> None:
        """One thread ends with the wait status ``code``: SYS_exit.

        Runs the exit hooks, then leaves a zombie (a leader, until its group is empty and it is
        reaped) or nothing (another thread). Raises ValueError if it is gone already.
        """
        if task.flags & PF_EXITING:
            raise ValueError(f"{task} has ended already")
        task.flags |= PF_EXITING
        task.group.live -= 1
        group_dead = task.group.live == 0
        if group_dead and task.group.group_exit_code is None:
            # synchronize_group_exit(): the status of the process is its last thread's.
            task.group.group_exit_code = code
        task.exit_code = code
        for hook in self.exit_hooks:
            hook(task, group_dead=group_dead)
        task.mm = None
        task._files = None
        task.state = TaskState.OTHER
        self._forget_children(task)
        if task.is_leader:
            task.exit_state = ExitState.ZOMBIE
        else:
            task.exit_state = ExitState.DEAD
            self._release(task)

    def do_group_exit(self, task: Task, code: int) -> None:
        """The whole process ends: exit_group(2). The other threads die of an internal SIGKILL."""
        task.group.group_exit_code = code
        others = [thread for thread in task.group.threads if thread is not task]
        self.do_exit(task, code)
        for other in others:
            self._kill_sibling(other, code)

    def kill(self, task: Task, signal: int, *, core_dumped: bool = False) -> None:
        """A fatal signal ends the process of ``task``; ``core_dumped`` if a core was written."""
        code = signal | (WCOREFLAG if core_dumped else 0)
        if signal in CORE_SIGNALS:
            task.flags |= PF_DUMPCORE
        task.flags |= PF_SIGNALED
        self.do_group_exit(task, code)

    def _kill_sibling(self, task: Task, code: int) -> None:
        if not task.flags & PF_EXITING:
            task.flags |= PF_SIGNALED
            self.do_exit(task, code)

    def _forget_children(self, task: Task) -> None:
        """forget_original_parent(): a living thread of the group adopts them, else init."""
        heir = next(
            (other for other in task.group.threads if not other.flags & PF_EXITING),
            self.init_task,
        )
        for child in list(task._children or ()):
            self._reparent(child, heir)

    @staticmethod
    def _reparent(child: Task, parent: Task) -> None:
        if child.real_parent:
            child.real_parent.children.pop(child, None)
        child.real_parent = parent
        parent.children[child] = None

    def reap(self, task: Task) -> int:
        """wait4(): release a dead process and return its wait status.

        Raises ValueError while a thread of it lives.
        """
        leader = task.group.leader
        if leader.exit_state is not ExitState.ZOMBIE or not leader.group.thread_group_empty:
            raise ValueError(f"{leader} is not a zombie that can be reaped")
        self._release(leader)
        code = leader.group.group_exit_code
        return leader.exit_code if code is None else code

    def _release(self, task: Task) -> None:
        """release_task(): the number is free from here on."""
        for ns, nr in task.numbers:
            if self._by_nr[ns].get(nr) is task:
                del self._by_nr[ns][nr]
        if task in task.group.threads:
            task.group.threads.remove(task)
        for cgroup in task.cgroups:
            cgroup.tasks.pop(task, None)
        task.cgroups = ()
        if task.is_leader:
            task.exit_state = ExitState.DEAD
            if task.real_parent:
                task.real_parent.children.pop(task, None)
