"""Tasks and thread groups, and what happens to them: kernel/fork.c, kernel/exit.c, kernel/pid.c.

Times are nanoseconds. A task exits on the CPU that ``task.cpu`` names; the exit hooks (the
kernel's taskstats_exit) run before the parent can reap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Protocol

from netlink_emu.machine.accounting import TICK_NSEC, Mm
from netlink_emu.machine.credentials import Cred
from netlink_emu.machine.namespaces import NetNamespace, PidNamespace
from netlink_emu.machine.task import (
    CORE_SIGNALS,
    PF_DUMPCORE,
    PF_EXITING,
    PF_FORKNOEXEC,
    PF_SIGNALED,
    TASK_COMM_LEN,
    WCOREFLAG,
    ExitState,
    PidNumbers,
    Task,
    TaskState,
)


class TaskSource(Protocol):
    """Tasks from elsewhere (the host's /proc, a template), looked up when asked for."""

    def find(self, nr: int, ns: PidNamespace | None = None) -> Task | None:
        """The task with the global number ``nr``, or that of a view of the initial namespace."""
        ...

    def occupies(self, nr: int) -> bool:
        """Whether a new task must not get the number ``nr``, because there is such a task."""
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
        self.tick_ns = TICK_NSEC
        self.last_thread_decides_status = True  # the kernel on it says whether
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
        whole = ns.view_of or ns
        task = self._by_nr.get(whole, {}).get(nr)
        # The init of a source's own tasks stands for ours.
        if self.sources and whole is self.init_pid_ns and (task is None or task is self.init_task):
            for source in self.sources:
                found = source.find(nr, ns)
                if found is not None:
                    return found
        return task

    def _alloc(self, pid_ns: PidNamespace, pid: int | None) -> PidNumbers:
        numbers: dict[PidNamespace, int] = {}
        ns: PidNamespace | None = pid_ns
        while ns is not None:
            taken = self._by_nr.setdefault(ns, {})
            if ns.is_init and pid is not None:
                if pid in taken:
                    raise ValueError(f"pid {pid} is taken by {taken[pid]}")
                self.check_pid(pid)
                numbers[ns] = pid
            else:
                numbers[ns] = self._next_nr(ns, taken)
            ns = ns.parent
        return tuple(numbers.items())

    def check_pid(self, pid: int) -> None:
        """Raise ValueError for a number that no task here can have."""
        if not 0 < pid < self.pid_max:
            raise ValueError(f"pid {pid} is not between 1 and pid_max {self.pid_max} - 1")

    def _next_nr(self, ns: PidNamespace, taken: dict[int, Task]) -> int:
        for _ in range(self.pid_max):
            nr = ns.next_nr(taken, self.pid_max)
            if not (ns.is_init and any(source.occupies(nr) for source in self.sources)):
                return nr
        raise ValueError(f"no number is free: pid_max is {self.pid_max}")

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
        task.delayacct, task.tick_ns = self.delayacct_on, self.tick_ns
        if parent:
            parent.children[task] = None
            task.nice, task.policy = parent.nice, parent.policy
            task.mm = Mm(
                exe_dev=parent.mm.exe_dev if parent.mm else 0,
                exe_inode=parent.mm.exe_inode if parent.mm else 0,
                dumpable=parent.mm.dumpable if parent.mm else True,
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
        # copy_process() clears PF_SUPERPRIV: a thread starts without having used a privilege.
        task.flags = sibling.flags & PF_FORKNOEXEC
        task.delayacct, task.tick_ns = self.delayacct_on, self.tick_ns
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
        if group_dead and task.group.group_exit_code is None and self.last_thread_decides_status:
            task.group.group_exit_code = code  # synchronize_group_exit()
        task.exit_code = code
        self.tell_exit(task, group_dead=group_dead)
        task.mm = None
        task._files = None
        task.state = TaskState.OTHER
        self._forget_children(task)
        if task.is_leader:
            task.exit_state = ExitState.ZOMBIE
        else:
            task.exit_state = ExitState.DEAD
            self._release(task)

    def tell_exit(self, task: Task, *, group_dead: bool) -> None:
        """Run the exit hooks. A task of a source ends elsewhere: its source calls this."""
        for hook in self.exit_hooks:
            hook(task, group_dead=group_dead)

    def do_group_exit(self, task: Task, code: int) -> None:
        """The whole process ends: exit_group(2). The other threads die of an internal SIGKILL."""
        task.group.group_exit_code = code
        others = [thread for thread in task.group.threads if thread is not task]
        self.do_exit(task, code)
        for other in others:
            self._kill_sibling(other, code)

    def kill(self, task: Task, signal: int, *, core_dumped: bool = False) -> None:
        """A fatal signal ends the process of ``task``; ``core_dumped`` if a core was written.

        A signal that dumps core sets ACORE whatever RLIMIT_CORE says, but not for a process that
        is not dumpable: do_coredump() turns back before it.
        """
        dumps = signal in CORE_SIGNALS and task.mm is not None and task.mm.dumpable
        code = signal | (WCOREFLAG if core_dumped and dumps else 0)
        if dumps:
            task.flags |= PF_DUMPCORE
        task.flags |= PF_SIGNALED
        self.do_group_exit(task, code)

    def _kill_sibling(self, task: Task, code: int) -> None:
        if not task.flags & PF_EXITING:
            task.flags |= PF_SIGNALED
            self.do_exit(task, code)

    def _forget_children(self, task: Task) -> None:
        """forget_original_parent(): a living thread of the group adopts them, else init."""
        if not task._children:
            return
        heir = next(
            (other for other in task.group.threads if not other.flags & PF_EXITING),
            self.init_task,
        )
        for child in list(task._children):
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
