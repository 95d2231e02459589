"""Tasks of the emulated machine, as a test handles them."""

from __future__ import annotations

import signal as _signal
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeVar

from netlink_emu.machine.accounting import DELAYS
from netlink_emu.machine.credentials import Cred
from netlink_emu.machine.task import PF_EXITING, ExitState, Task, TaskState

if TYPE_CHECKING:
    from netlink_emu.families import BootedKernel

T = TypeVar("T")
Call = Callable[[Callable[[], T]], T]

SECONDS: Final = ("utime", "stime", "cpu_delay", *(f"{name}_delay" for name in DELAYS))
COUNTERS: Final = ("min_flt", "maj_flt", "nvcsw", "nivcsw")
IO: Final = (
    "rchar", "wchar", "syscr", "syscw", "read_bytes", "write_bytes", "cancelled_write_bytes",
)  # fmt: skip
MEMORY: Final = ("rss_kib", "vm_kib")
_CHARGES: Final = frozenset((*SECONDS, *COUNTERS, *IO, *MEMORY))
_POLICIES: Final = {"other": 0, "fifo": 1, "rr": 2, "batch": 3, "idle": 5, "deadline": 6}


class TaskHandle:
    """A process or a thread of the emulated machine.

    Methods return when the thing is done, and the messages that it causes are queued.
    """

    def __init__(self, tasks: TaskTableHandle, task: Task) -> None:
        self._tasks: Final = tasks
        self.task: Final = task

    def __repr__(self) -> str:
        return repr(self.task)

    @property
    def pid(self) -> int:
        """Its number; a thread's own, not that of its process."""
        return self.task.pid

    @property
    def tgid(self) -> int:
        """The number of its process."""
        return self.task.tgid

    @property
    def comm(self) -> str:
        """Its name, 15 bytes at most."""
        return self.task.comm.decode(errors="replace")

    @property
    def cpu(self) -> int:
        """The CPU that it is on, whose listeners hear of its end."""
        return self.task.cpu

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return not self.task.flags & PF_EXITING

    @property
    def exit_status(self) -> int:
        """Its wait status: the exit code times 256, or the signal; 128 more with a core."""
        return self.task.exit_code

    def charge(self, **amounts: float) -> TaskHandle:
        """Account what the task has used or waited for; the amounts add up.

        In seconds: ``utime``, ``stime``, and one wait each of ``cpu_delay``, ``blkio_delay``,
        ``swapin_delay``, ``freepages_delay``, ``thrashing_delay``, ``compact_delay``,
        ``wpcopy_delay``, ``irq_delay``. Numbers: ``min_flt``, ``maj_flt``, ``nvcsw``, ``nivcsw``,
        ``syscr``, ``syscw``. Bytes: ``rchar``, ``wchar``, ``read_bytes``, ``write_bytes``,
        ``cancelled_write_bytes``. Memory in use during the CPU time of this charge, and a new
        high-water mark if that is higher: ``rss_kib``, ``vm_kib``.
        """
        self._tasks.call(lambda: _charge(self.task, amounts))
        return self

    def move(self, cpu: int) -> TaskHandle:
        """Let it go on on another CPU."""

        def move() -> None:
            self._tasks.kernel.machine.cpus.check(cpu)
            self.task.cpu = cpu

        self._tasks.call(move)
        return self

    def renice(self, nice: int) -> TaskHandle:
        """Set its nice value, -20 to 19."""
        self._tasks.call(lambda: setattr(self.task, "nice", nice))
        return self

    def set_state(self, state: TaskState | str, *, in_iowait: bool = False) -> TaskHandle:
        """Set what CGROUPSTATS counts: running, sleeping, uninterruptible, stopped, other."""
        found = TaskState(state)

        def change() -> None:
            self.task.state, self.task.in_iowait = found, in_iowait

        self._tasks.call(change)
        return self

    def thread(
        self, comm: str | None = None, *, pid: int | None = None, cpu: int | None = None
    ) -> TaskHandle:
        """One more thread of this process."""

        def clone() -> Task:
            machine = self._tasks.kernel.machine
            if cpu is not None:
                machine.cpus.check(cpu)
            return machine.tasks.clone_thread(self.task, pid=pid, comm=comm, cpu=cpu)

        return TaskHandle(self._tasks, self._tasks.call(clone))

    def fork(self, comm: str | None = None, **options: Any) -> TaskHandle:
        """A child process; the options are those of :meth:`TaskTableHandle.spawn`.

        Without ``comm`` it is a copy that has not called exec, which AFORK shows.
        """
        return self._tasks.spawn(comm, parent=self, **options)

    def exec(self, comm: str, *, exe_dev: int = 0, exe_inode: int = 0) -> TaskHandle:
        """Run another program; the other threads of the process end."""
        tasks = self._tasks.kernel.machine.tasks
        self._tasks.call(
            lambda: tasks.execve(self.task, comm=comm, exe_dev=exe_dev, exe_inode=exe_inode)
        )
        return self

    def exit(self, code: int = 0, *, reap: bool = True) -> None:
        """The whole process ends with ``code`` (0 to 255); its parent takes note, unless told not.

        Listeners of the CPU of each of its threads get an event.
        """
        status = _exit_status(code)
        tasks = self._tasks.kernel.machine.tasks
        self._end(lambda: tasks.do_group_exit(self.task, status), reap=reap)

    def exit_thread(self, code: int = 0, *, reap: bool = True) -> None:
        """Only this thread ends; a leader stays as a zombie until its last thread has ended."""
        status = _exit_status(code)
        tasks = self._tasks.kernel.machine.tasks
        self._end(lambda: tasks.do_exit(self.task, status), reap=reap)

    def kill(
        self, signal: int | str = "SIGKILL", *, core_dumped: bool = False, reap: bool = True
    ) -> None:
        """A signal ends the process."""
        number = _signal_number(signal)
        tasks = self._tasks.kernel.machine.tasks
        self._end(lambda: tasks.kill(self.task, number, core_dumped=core_dumped), reap=reap)

    def reap(self) -> int:
        """Its parent waits for it: the number is free; returns the wait status.

        Raises ValueError unless the whole process has ended.
        """
        reap = self._tasks.kernel.machine.tasks.reap
        return int(self._tasks.call(lambda: reap(self.task)))

    def stats(self, *, tgid: bool = False) -> dict[str, Any]:
        """Its struct taskstats by member, as TASKSTATS_CMD_GET would give it to root now."""
        return self._tasks.stats(self.pid, tgid=tgid)

    def _end(self, end: Callable[[], None], *, reap: bool) -> None:
        def do() -> None:
            end()
            leader = self.task.group.leader
            dead = leader.exit_state is ExitState.ZOMBIE and leader.group.thread_group_empty
            if reap and dead:
                self._tasks.kernel.machine.tasks.reap(leader)

        self._tasks.call(do)


class TaskTableHandle:
    """``kernel.tasks``: makes tasks and finds them."""

    def __init__(self, kernel: BootedKernel, call: Callable[[Callable[[], Any]], Any]) -> None:
        self.kernel: Final = kernel
        self.call: Final = call

    def spawn(
        self,
        comm: str | None = "worker",
        *,
        pid: int | None = None,
        cpu: int | None = None,
        uid: int | None = None,
        gid: int | None = None,
        parent: TaskHandle | None = None,
        nice: int | None = None,
        policy: str | None = None,
        exe_dev: int = 0,
        exe_inode: int = 0,
        **charged: float,
    ) -> TaskHandle:
        """A new process, which runs ``comm``; what is not given is its parent's (init's).

        ``policy`` is other, fifo, rr, batch, idle or deadline; ``charged`` goes to
        :meth:`TaskHandle.charge`. Raises ValueError for a pid that is taken, or a CPU that there
        is not.
        """
        machine = self.kernel.machine
        cred = None
        if uid is not None or gid is not None:
            cred = Cred.for_ids(machine.init_user_ns, uid or 0, gid or 0)
        unknown = charged.keys() - _CHARGES
        if unknown:
            raise TypeError(f"spawn() has no {', '.join(sorted(unknown))}")

        def fork() -> Task:
            if cpu is not None:
                machine.cpus.check(cpu)
            task = machine.tasks.fork(
                parent.task if parent is not None else None,
                pid=pid,
                comm=comm,
                cpu=cpu,
                cred=cred,
            )
            if comm is not None:
                machine.tasks.execve(task, comm=comm, exe_dev=exe_dev, exe_inode=exe_inode)
            if nice is not None:
                task.nice = nice
            if policy is not None:
                task.policy = _POLICIES[policy]
            _charge(task, charged)
            return task

        return TaskHandle(self, self.call(fork))

    def storm(
        self,
        count: int,
        comm: str = "worker",
        *,
        cpu: int | None = None,
        code: int = 0,
        lifetime: float = 0.0,
        **charged: float,
    ) -> list[int]:
        """``count`` processes start and end one after the other; returns their pids.

        Each lives ``lifetime`` seconds of the machine's time; without ``cpu`` they take the CPUs
        that are online in turn.
        """
        status = _exit_status(code)

        def storm() -> list[int]:
            machine = self.kernel.machine
            tasks, pids = machine.tasks, []
            for number in range(count):
                online = machine.cpus.online
                where = online[number % len(online)] if cpu is None else cpu
                machine.cpus.check(where)
                task = tasks.fork(comm=comm, cpu=where)
                tasks.execve(task, comm=comm)
                _charge(task, charged)
                if lifetime:
                    machine.clock.advance(lifetime)  # type: ignore[attr-defined]
                tasks.do_group_exit(task, status)
                tasks.reap(task)
                pids.append(task.pid)
            return pids

        return list(self.call(storm))

    def find(self, pid: int) -> TaskHandle | None:
        """The task with this number, also a zombie; None where there is none."""
        tasks = self.kernel.machine.tasks
        task = self.call(lambda: tasks.find_task_by_pid_ns(pid, tasks.init_pid_ns))
        return None if task is None else TaskHandle(self, task)

    def __getitem__(self, pid: int) -> TaskHandle:
        task = self.find(pid)
        if task is None:
            raise KeyError(pid)
        return task

    def __iter__(self) -> Iterator[TaskHandle]:
        found = self.call(lambda: list(self.kernel.machine.tasks))
        return iter([TaskHandle(self, task) for task in found])

    def __len__(self) -> int:
        return len(self.kernel.machine.tasks)

    def stats(self, pid: int, *, tgid: bool = False) -> dict[str, Any]:
        """struct taskstats of a task, or of its thread group, as the kernel gives it to root.

        Raises KeyError where there is no such task.
        """
        taskstats = self.kernel.taskstats
        if taskstats is None:
            raise ValueError("this kernel is configured without TASKSTATS")
        from netlink_emu.testing.ask import ask_stats

        return dict(self.call(lambda: ask_stats(self.kernel, pid, tgid=tgid)))


def _charge(task: Task, amounts: dict[str, float]) -> None:
    unknown = amounts.keys() - _CHARGES
    if unknown:
        raise TypeError(f"charge() has no {', '.join(sorted(unknown))}")
    task.charge(**{name: amounts[name] for name in SECONDS if name in amounts})
    for name in COUNTERS:
        if name in amounts:
            setattr(task, name, getattr(task, name) + int(amounts[name]))
    for name in IO:
        if name in amounts:
            setattr(task.io, name, getattr(task.io, name) + int(amounts[name]))
    if amounts.keys() & set(MEMORY):
        _use_memory(task, amounts)


def _use_memory(task: Task, amounts: dict[str, float]) -> None:
    rss, vm = (int(amounts.get(name, 0)) for name in MEMORY)
    task.integrate_memory(
        rss, vm, utime=amounts.get("utime", 0.0), stime=amounts.get("stime", 0.0)
    )
    if task.mm is not None:
        task.mm.hiwater_rss_kb = max(task.mm.hiwater_rss_kb, rss)
        task.mm.hiwater_vm_kb = max(task.mm.hiwater_vm_kb, vm)


def _exit_status(code: int) -> int:
    if not 0 <= code <= 255:
        raise ValueError(f"an exit code is 0 to 255, not {code}; kill() ends a task by a signal")
    return code << 8


def _signal_number(signal: int | str) -> int:
    if isinstance(signal, str):
        return int(_signal.Signals[signal])
    return int(signal)
