"""NETLINK_EMU's operations on tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

from netlink_emu.families.control.ops import Asked, Handler, Handlers
from netlink_emu.machine import acts
from netlink_emu.machine.clock import NSEC_PER_SEC, VirtualClock
from netlink_emu.machine.task import PF_EXITING, Task, TaskState
from netlink_emu.protocol.ours.control_values import Row

if TYPE_CHECKING:
    from netlink_emu.machine.machine import Machine

_STATES: Final = {
    "running": TaskState.RUNNING,
    "sleeping": TaskState.INTERRUPTIBLE,
    "uninterruptible": TaskState.UNINTERRUPTIBLE,
    "stopped": TaskState.STOPPED,
    "other": TaskState.OTHER,
    "freezable": TaskState.FREEZABLE,
}
_NAMES: Final = {state: name for name, state in _STATES.items()}


class TaskOps:
    """Spawn, change, end, reap; storms."""

    def __init__(self, machine: Machine) -> None:
        self._machine: Final = machine

    def ops(self) -> Handlers:
        return {
            "task-get": Handler(self.get, self.dump),
            "task-new": Handler(self.new),
            "task-set": Handler(self.set),
            "task-end": Handler(self.end),
            "task-reap": Handler(self.reap),
            "task-storm": Handler(self.storm),
        }

    def find(self, pid: int) -> Task:
        """The task with this number; LookupError where there is none."""
        task = self._machine.tasks.find_task_by_pid_ns(pid, self._machine.init_pid_ns)
        if task is None:
            raise LookupError(f"task {pid}")
        return task

    def get(self, asked: Asked) -> Row:
        return self._row(self.find(asked.number("pid")))

    def dump(self, asked: Asked) -> Iterator[Row]:
        words = asked.text("words", "").lower().split()
        found: Iterable[Task] = self._machine.tasks
        if words or "skip" in asked or "count" in asked:
            found = sorted(found, key=lambda task: task.pid)
        if words:
            found = (task for task in found if _has(task, words))
        return map(self._row, islice(found, *asked.window()))

    def _row(self, task: Task) -> Row:
        parent = task.real_parent
        return {
            "pid": task.pid,
            "tgid": task.tgid,
            "ppid": parent.tgid if parent is not None else 0,
            "comm": task.comm.decode(errors="replace"),
            "cpu": task.cpu,
            "uid": task.cred.uid,
            "gid": task.cred.gid,
            "nice": task.nice,
            "policy": task.policy,
            "state": _NAMES[task.state],
            "exit-status": task.exit_code if task.flags & PF_EXITING else None,
        }

    def new(self, asked: Asked) -> Row:
        comm = asked.text("comm") if "comm" in asked else None
        pid, cpu = asked.get("pid"), asked.get("cpu")
        amounts = _amounts(asked)
        if "tgid" in asked:
            sibling = self.find(asked.number("tgid"))
            if sibling.flags & PF_EXITING:
                raise ValueError(f"task {sibling.pid} has ended")
            task = acts.spawn_thread(
                self._machine, sibling, comm, pid=pid, cpu=cpu, amounts=amounts
            )
        else:
            parent = None
            if "ppid" in asked:
                parent = self.find(asked.number("ppid"))
            task = acts.spawn(
                self._machine,
                comm,
                parent=parent,
                pid=pid,
                cpu=cpu,
                uid=asked.get("uid"),
                gid=asked.get("gid"),
                amounts=amounts,
            )
        self._change(task, asked)
        return self._row(task)

    def set(self, asked: Asked) -> None:
        task = self.find(asked.number("pid"))
        amounts = _amounts(asked)
        if "cpu" in asked:
            acts.move(self._machine, task, asked.number("cpu"))
        if "comm" in asked:
            self._machine.tasks.execve(task, comm=asked.text("comm"))
        self._change(task, asked)
        acts.charge(task, amounts)

    @staticmethod
    def _change(task: Task, asked: Asked) -> None:
        state = asked.get("state")
        if state is not None:
            task.state = _STATES[state]
        nice = asked.get("nice")
        if nice is not None:
            task.nice = nice - (nice >> 31 << 32)
        task.policy = asked.number("policy", task.policy)

    def end(self, asked: Asked) -> None:
        task = self.find(asked.number("pid"))
        reap = "zombie" not in asked
        acts.end(self._machine, task, self._how(task, asked), reap=reap)

    def _how(self, task: Task, asked: Asked) -> Callable[[], None]:
        tasks = self._machine.tasks
        status = acts.wait_status(asked.number("code", 0))
        if "signal" in asked:
            number = asked.number("signal")
            if not 1 <= number <= 64:
                raise ValueError(f"there is no signal {number}")
            core = "core" in asked
            return lambda: tasks.kill(task, number, core_dumped=core)
        if "one-thread" in asked:
            return lambda: tasks.do_exit(task, status)
        return lambda: tasks.do_group_exit(task, status)

    def reap(self, asked: Asked) -> Row:
        task = self.find(asked.number("pid"))
        return {"exit-status": self._machine.tasks.reap(task)}

    def storm(self, asked: Asked) -> Row:
        lifetime = asked.number("lifetime", 0)
        clock = self._machine.clock

        def live() -> None:
            if lifetime:
                if not isinstance(clock, VirtualClock):
                    raise ValueError("the machine's clock does not stand still: --virtual-time")
                clock.advance_ns(lifetime)

        pids = acts.storm(
            self._machine,
            asked.number("count", 1),
            asked.text("comm", "worker"),
            status=acts.wait_status(asked.number("code", 0)),
            cpu=asked.get("cpu"),
            pass_time=live,
            amounts=_amounts(asked),
        )
        return {"count": len(pids)}


def _has(task: Task, words: Sequence[str]) -> bool:
    text = f"{task.pid} {task.comm.decode(errors='replace')}".lower()
    return all(word in text for word in words)


def _amounts(asked: Asked) -> dict[str, float]:
    """Amounts as the machine takes them: times in seconds."""
    found = {}
    for name, number in asked.get("amounts", {}).items():
        amount = name.replace("-", "_")
        found[amount] = number / NSEC_PER_SEC if amount in acts.SECONDS else number
    return found
