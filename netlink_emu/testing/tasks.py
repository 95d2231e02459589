"""Tasks of the emulated machine, as a test handles them."""

from __future__ import annotations

import signal as _signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from netlink_emu.machine import acts
from netlink_emu.machine.task import PF_EXITING, Task, TaskState
from netlink_emu.testing import checks
from netlink_emu.testing.errors import NoSuchTask, WrongValue, hide

if TYPE_CHECKING:
    from netlink_emu.families import BootedKernel

__tracebackhide__ = hide


class TaskHandle:
    """A process or a thread of the emulated machine.

    When a method returns, its effect is complete and the messages that it causes are queued.
    """

    def __init__(self, tasks: TaskTableHandle, task: Task) -> None:
        self._tasks: Final = tasks
        self.task: Final = task

    def __repr__(self) -> str:
        return repr(self.task)

    @property
    def pid(self) -> int:
        """Its pid; of a thread its own (its tid), not that of its process."""
        return self.task.pid

    @property
    def tgid(self) -> int:
        """The pid of its process (the thread group)."""
        return self.task.tgid

    @property
    def comm(self) -> str:
        """Its name, 15 bytes at most."""
        return self.task.comm.decode(errors="replace")

    @property
    def cpu(self) -> int:
        """The CPU that it runs on; when it ends, listeners of this CPU get an event."""
        return self.task.cpu

    @property
    def alive(self) -> bool:
        """True until it has ended."""
        return not self.task.flags & PF_EXITING

    @property
    def exit_status(self) -> int:
        """Its wait status: the exit code times 256, or the signal, plus 128 if it dumped core."""
        return self.task.exit_code

    def charge(self, **amounts: float) -> TaskHandle:
        """Add to what the task has used or waited for.

        In seconds: ``utime``, ``stime``, and one wait each of ``cpu_delay``, ``blkio_delay``,
        ``swapin_delay``, ``freepages_delay``, ``thrashing_delay``, ``compact_delay``,
        ``wpcopy_delay``, ``irq_delay``. Counts: ``min_flt``, ``maj_flt``, ``nvcsw``, ``nivcsw``,
        ``syscr``, ``syscw``. Bytes: ``rchar``, ``wchar``, ``read_bytes``, ``write_bytes``,
        ``cancelled_write_bytes``. In KiB, the memory in use during the CPU time of this charge:
        ``rss_kib``, ``vm_kib``; they also raise the high-water marks.
        """
        _check_amounts("charge()", amounts)
        self._tasks.call(lambda: acts.charge(self.task, amounts))
        return self

    def move(self, cpu: int) -> TaskHandle:
        """Move it to another CPU."""
        checks.whole("cpu", cpu)
        self._tasks.call(lambda: acts.move(self._tasks.kernel.machine, self.task, cpu))
        return self

    def renice(self, nice: int) -> TaskHandle:
        """Set its nice value, -20 to 19."""
        checks.whole("nice", nice)
        if not -20 <= nice <= 19:
            raise WrongValue(f"a nice value is -20 to 19, not {nice}")
        self._tasks.call(lambda: setattr(self.task, "nice", nice))
        return self

    def set_state(self, state: TaskState | str, *, in_iowait: bool = False) -> TaskHandle:
        """Set what CGROUPSTATS counts: running, sleeping, uninterruptible, stopped, other.

        "freezable" is a task in nanosleep(2), futex(2), wait(2) or a read from a Unix socket: it
        counts as sleeping before 6.1, and not at all since.
        """
        if not isinstance(state, TaskState):
            checks.name("state of a task", state, [known.value for known in TaskState])
        found = TaskState(state)

        def change() -> None:
            self.task.state, self.task.in_iowait = found, in_iowait

        self._tasks.call(change)
        return self

    def thread(
        self, comm: str | None = None, *, pid: int | None = None, cpu: int | None = None
    ) -> TaskHandle:
        """Start another thread of this process."""
        machine = self._tasks.kernel.machine
        thread = self._tasks.call(
            lambda: acts.spawn_thread(machine, self.task, comm, pid=pid, cpu=cpu)
        )
        return TaskHandle(self._tasks, thread)

    def fork(self, comm: str | None = None, **options: Any) -> TaskHandle:
        """Fork a child process; the options are those of :meth:`TaskTableHandle.spawn`.

        Without ``comm`` the child has not called exec, which its statistics show as AFORK.
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
        """End the whole process with ``code`` (0 to 255); by default its parent reaps it.

        For each of its threads, the listeners of the thread's CPU get an event.
        """
        checks.whole("an exit code", code)
        status = acts.wait_status(code)
        tasks = self._tasks.kernel.machine.tasks
        self._end(lambda: tasks.do_group_exit(self.task, status), reap=reap)

    def exit_thread(self, code: int = 0, *, reap: bool = True) -> None:
        """End only this thread; a leader stays as a zombie until its last thread has ended."""
        checks.whole("an exit code", code)
        status = acts.wait_status(code)
        tasks = self._tasks.kernel.machine.tasks
        self._end(lambda: tasks.do_exit(self.task, status), reap=reap)

    def kill(
        self, signal: int | str = "SIGKILL", *, core_dumped: bool = False, reap: bool = True
    ) -> None:
        """End the process with a signal."""
        number = _signal_number(signal)
        tasks = self._tasks.kernel.machine.tasks
        self._end(lambda: tasks.kill(self.task, number, core_dumped=core_dumped), reap=reap)

    def reap(self) -> int:
        """Let its parent wait for it, which frees the pid; returns the wait status.

        Raises ValueError unless the whole process has ended.
        """
        reap = self._tasks.kernel.machine.tasks.reap
        return int(self._tasks.call(lambda: reap(self.task)))

    def stats(self, *, tgid: bool = False) -> dict[str, Any]:
        """Its struct taskstats by member, as TASKSTATS_CMD_GET would give it to root now."""
        return self._tasks.stats(self.pid, tgid=tgid)

    def _end(self, end: Callable[[], None], *, reap: bool) -> None:
        machine = self._tasks.kernel.machine
        self._tasks.call(lambda: acts.end(machine, self.task, end, reap=reap))


class TaskTableHandle:
    """``kernel.tasks``: spawns and finds tasks."""

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
        """Spawn a process that runs ``comm``; it inherits other properties from its parent (init).

        ``policy`` is other, fifo, rr, batch, idle or deadline; ``charged`` goes to
        :meth:`TaskHandle.charge`. Raises ValueError if the pid is taken, or if the CPU or an
        amount does not exist.
        """
        _check_amounts("spawn()", charged, checks.called(TaskTableHandle.spawn))
        for what, value in (
            ("pid", pid),
            ("cpu", cpu),
            ("uid", uid),
            ("gid", gid),
            ("nice", nice),
        ):
            if value is not None:
                checks.whole(what, value)
        if comm is not None:
            checks.text("comm", comm, "postgres")
        if parent is not None:
            checks.instance("parent", parent, TaskHandle, "kernel.tasks.spawn()")
        machine = self.kernel.machine
        task = self.call(
            lambda: acts.spawn(
                machine,
                comm,
                parent=parent.task if parent is not None else None,
                pid=pid,
                cpu=cpu,
                uid=uid,
                gid=gid,
                nice=nice,
                policy=None if policy is None else checks.mapped("policy", policy, acts.POLICIES),
                exe_dev=exe_dev,
                exe_inode=exe_inode,
                amounts=charged,
            )
        )
        return TaskHandle(self, task)

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
        """Start and end ``count`` processes, one after the other; returns their pids.

        Each lives ``lifetime`` seconds of the machine's time. Without ``cpu`` they use the online
        CPUs in turn.
        """
        checks.whole("count", count)
        checks.number("lifetime", lifetime, least=0)
        _check_amounts("storm()", charged, checks.called(TaskTableHandle.storm))
        status = acts.wait_status(code)

        machine = self.kernel.machine
        found: list[int] = self.call(
            lambda: acts.storm(
                machine,
                count,
                comm,
                status=status,
                cpu=cpu,
                pass_time=lambda: machine.clock.advance(lifetime),  # type: ignore[attr-defined]
                amounts=charged,
            )
        )
        return found

    def find(self, pid: int) -> TaskHandle | None:
        """Return the task with this pid, also a zombie, or None."""
        checks.whole("a pid", pid)
        tasks = self.kernel.machine.tasks
        task = self.call(lambda: tasks.find_task_by_pid_ns(pid, tasks.init_pid_ns))
        return None if task is None else TaskHandle(self, task)

    def __getitem__(self, pid: int) -> TaskHandle:
        task = self.find(pid)
        if task is None:
            raise NoSuchTask(self._missing(pid))
        return task

    def _missing(self, pid: int) -> str:
        pids = sorted(task.pid for task in self)
        more = f" and {len(pids) - 10} more" if len(pids) > 10 else ""
        return f"no task has the pid {pid}; there are {', '.join(map(str, pids[:10]))}{more}"

    def __iter__(self) -> Iterator[TaskHandle]:
        found = self.call(lambda: list(self.kernel.machine.tasks))
        return iter([TaskHandle(self, task) for task in found])

    def __len__(self) -> int:
        return int(self.call(lambda: len(self.kernel.machine.tasks)))

    def stats(self, pid: int, *, tgid: bool = False) -> dict[str, Any]:
        """struct taskstats of a task, or of its thread group, as the kernel gives it to root.

        Raises KeyError if there is no such task.
        """
        taskstats = self.kernel.taskstats
        if taskstats is None:
            raise ValueError("this kernel is configured without TASKSTATS")
        from netlink_emu.testing.ask import ask_stats

        try:
            return dict(self.call(lambda: ask_stats(self.kernel, pid, tgid=tgid)))
        except NoSuchTask:
            raise
        except KeyError:
            raise NoSuchTask(self._missing(pid)) from None


def _signal_number(signal: int | str) -> int:
    if isinstance(signal, str):
        checks.name("signal", signal, [known.name for known in _signal.Signals])
        return int(_signal.Signals[signal])
    checks.whole("a signal", signal)
    return int(signal)


_ELSEWHERE: Final = {
    "cgroup": "kernel.cgroups.mkdir(name).attach(task) puts it into a cgroup",
    "exit_code": "task.exit(code) ends it",
    "ppid": "parent=task says whose child it is",
}


def _check_amounts(what: str, amounts: Mapping[str, object], others: Iterable[str] = ()) -> None:
    """They are names that something is accounted as, or ``others``, and numbers."""
    for name, value in amounts.items():
        if name not in acts.AMOUNTS:
            hint = _ELSEWHERE.get(name) or checks.nearest(name, [*acts.AMOUNTS, *others])
            raise WrongValue(f"{what}: nothing is accounted as {name}; {hint}")
        checks.number(name, value, least=0)
