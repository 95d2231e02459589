"""NETLINK_EMU's operations on tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from netlink_emu.families.control.ops import Handler, Handlers, Row
from netlink_emu.families.control.values import Values
from netlink_emu.kernel.genetlink import GenlInfo
from netlink_emu.machine import acts
from netlink_emu.machine.clock import NSEC_PER_SEC, VirtualClock
from netlink_emu.machine.task import PF_EXITING, Task, TaskState
from netlink_emu.protocol.ours.control import NlemuAmount, NlemuCmd, NlemuState, NlemuTask

if TYPE_CHECKING:
    from netlink_emu.machine.machine import Machine

_T = NlemuTask
_STATES: Final = {
    NlemuState.NETLINK_EMU_STATE_RUNNING: TaskState.RUNNING,
    NlemuState.NETLINK_EMU_STATE_SLEEPING: TaskState.INTERRUPTIBLE,
    NlemuState.NETLINK_EMU_STATE_UNINTERRUPTIBLE: TaskState.UNINTERRUPTIBLE,
    NlemuState.NETLINK_EMU_STATE_STOPPED: TaskState.STOPPED,
    NlemuState.NETLINK_EMU_STATE_OTHER: TaskState.OTHER,
    NlemuState.NETLINK_EMU_STATE_FREEZABLE: TaskState.FREEZABLE,
}
_NUMBERS: Final = {state: number for number, state in _STATES.items()}
_AMOUNTS: Final = {
    member.name: member.name.removeprefix("NLEMU_A_AMOUNT_").lower() for member in NlemuAmount
}


class TaskOps:
    """Spawn, change, end, reap; storms."""

    def __init__(self, machine: Machine) -> None:
        self._machine: Final = machine

    def ops(self) -> Handlers:
        return {
            NlemuCmd.NLEMU_CMD_TASK_GET: Handler(self.get, self.dump),
            NlemuCmd.NLEMU_CMD_TASK_NEW: Handler(self.new),
            NlemuCmd.NLEMU_CMD_TASK_SET: Handler(self.set),
            NlemuCmd.NLEMU_CMD_TASK_END: Handler(self.end),
            NlemuCmd.NLEMU_CMD_TASK_REAP: Handler(self.reap),
            NlemuCmd.NLEMU_CMD_TASK_STORM: Handler(self.storm),
        }

    def find(self, pid: int) -> Task:
        """The task with this number; LookupError where there is none."""
        task = self._machine.tasks.find_task_by_pid_ns(pid, self._machine.init_pid_ns)
        if task is None:
            raise LookupError(f"task {pid}")
        return task

    def get(self, _info: GenlInfo, values: Values) -> Row:
        return self._row(self.find(values.number(_T.NLEMU_A_TASK_PID)))

    def dump(self, _info: GenlInfo, _values: Values) -> Iterator[Row]:
        return (self._row(task) for task in self._machine.tasks)

    def _row(self, task: Task) -> Row:
        parent = task.real_parent
        return {
            _T.NLEMU_A_TASK_PID: task.pid,
            _T.NLEMU_A_TASK_TGID: task.tgid,
            _T.NLEMU_A_TASK_PPID: parent.tgid if parent is not None else 0,
            _T.NLEMU_A_TASK_COMM: task.comm.decode(errors="replace"),
            _T.NLEMU_A_TASK_CPU: task.cpu,
            _T.NLEMU_A_TASK_UID: task.cred.uid,
            _T.NLEMU_A_TASK_GID: task.cred.gid,
            _T.NLEMU_A_TASK_NICE: task.nice,
            _T.NLEMU_A_TASK_POLICY: task.policy,
            _T.NLEMU_A_TASK_STATE: int(_NUMBERS[task.state]),
            _T.NLEMU_A_TASK_EXIT_STATUS: task.exit_code if task.flags & PF_EXITING else None,
        }

    def new(self, _info: GenlInfo, values: Values) -> Row:
        comm = values.text(_T.NLEMU_A_TASK_COMM) if _T.NLEMU_A_TASK_COMM in values else None
        pid, cpu = values.maybe(_T.NLEMU_A_TASK_PID), values.maybe(_T.NLEMU_A_TASK_CPU)
        amounts = _amounts(values)
        if _T.NLEMU_A_TASK_TGID in values:
            sibling = self.find(values.number(_T.NLEMU_A_TASK_TGID))
            if sibling.flags & PF_EXITING:
                raise ValueError(f"task {sibling.pid} has ended")
            task = acts.spawn_thread(
                self._machine, sibling, comm, pid=pid, cpu=cpu, amounts=amounts
            )
        else:
            parent = None
            if _T.NLEMU_A_TASK_PPID in values:
                parent = self.find(values.number(_T.NLEMU_A_TASK_PPID))
            task = acts.spawn(
                self._machine,
                comm,
                parent=parent,
                pid=pid,
                cpu=cpu,
                uid=values.maybe(_T.NLEMU_A_TASK_UID),
                gid=values.maybe(_T.NLEMU_A_TASK_GID),
                amounts=amounts,
            )
        self._change(task, values)
        return self._row(task)

    def set(self, _info: GenlInfo, values: Values) -> None:
        task = self.find(values.number(_T.NLEMU_A_TASK_PID))
        amounts = _amounts(values)
        if _T.NLEMU_A_TASK_CPU in values:
            acts.move(self._machine, task, values.number(_T.NLEMU_A_TASK_CPU))
        if _T.NLEMU_A_TASK_COMM in values:
            self._machine.tasks.execve(task, comm=values.text(_T.NLEMU_A_TASK_COMM))
        self._change(task, values)
        acts.charge(task, amounts)

    @staticmethod
    def _change(task: Task, values: Values) -> None:
        state = values.maybe(_T.NLEMU_A_TASK_STATE)
        if state is not None:
            task.state = _STATES[NlemuState(state)]
        nice = values.maybe(_T.NLEMU_A_TASK_NICE)
        if nice is not None:
            task.nice = nice - (nice >> 31 << 32)
        task.policy = values.number(_T.NLEMU_A_TASK_POLICY, task.policy)

    def end(self, _info: GenlInfo, values: Values) -> None:
        task = self.find(values.number(_T.NLEMU_A_TASK_PID))
        reap = _T.NLEMU_A_TASK_ZOMBIE not in values
        acts.end(self._machine, task, self._how(task, values), reap=reap)

    def _how(self, task: Task, values: Values) -> Callable[[], None]:
        tasks = self._machine.tasks
        status = acts.wait_status(values.number(_T.NLEMU_A_TASK_CODE, 0))
        if _T.NLEMU_A_TASK_SIGNAL in values:
            number = values.number(_T.NLEMU_A_TASK_SIGNAL)
            if not 1 <= number <= 64:
                raise ValueError(f"there is no signal {number}")
            core = _T.NLEMU_A_TASK_CORE in values
            return lambda: tasks.kill(task, number, core_dumped=core)
        if _T.NLEMU_A_TASK_ONE_THREAD in values:
            return lambda: tasks.do_exit(task, status)
        return lambda: tasks.do_group_exit(task, status)

    def reap(self, _info: GenlInfo, values: Values) -> Row:
        task = self.find(values.number(_T.NLEMU_A_TASK_PID))
        return {_T.NLEMU_A_TASK_EXIT_STATUS: self._machine.tasks.reap(task)}

    def storm(self, _info: GenlInfo, values: Values) -> Row:
        lifetime = values.number(_T.NLEMU_A_TASK_LIFETIME, 0)
        clock = self._machine.clock

        def live() -> None:
            if lifetime:
                if not isinstance(clock, VirtualClock):
                    raise ValueError("the machine's clock does not stand still: --virtual-time")
                clock.advance_ns(lifetime)

        pids = acts.storm(
            self._machine,
            values.number(_T.NLEMU_A_TASK_COUNT, 1),
            values.text(_T.NLEMU_A_TASK_COMM, "worker"),
            status=acts.wait_status(values.number(_T.NLEMU_A_TASK_CODE, 0)),
            cpu=values.maybe(_T.NLEMU_A_TASK_CPU),
            pass_time=live,
            amounts=_amounts(values),
        )
        return {_T.NLEMU_A_TASK_COUNT: len(pids)}


def _amounts(values: Values) -> dict[str, float]:
    """Amounts as the machine takes them: times in seconds."""
    found = {}
    for name, number in values.nest(_T.NLEMU_A_TASK_AMOUNTS).items():
        amount = _AMOUNTS[name]
        found[amount] = number / NSEC_PER_SEC if amount in acts.SECONDS else number
    return found
