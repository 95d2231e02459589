"""NETLINK_EMU's operations on the machine: CPUs, cgroups, clock; and its reset."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Protocol

from netlink_emu.families.control.ops import Handler, Handlers, Row
from netlink_emu.families.control.values import Values
from netlink_emu.kernel.genetlink import GenlInfo
from netlink_emu.machine import acts
from netlink_emu.machine.cgroups import Cgroup
from netlink_emu.machine.clock import VirtualClock
from netlink_emu.machine.task import PF_EXITING
from netlink_emu.protocol.ours.control import NlemuCmd, NlemuMachine

if TYPE_CHECKING:
    from netlink_emu.families import BootedKernel
    from netlink_emu.faults import Faults
    from netlink_emu.journal import Journal

_M = NlemuMachine


class Ahead(Protocol):
    """Something that happens at times: faults, scenarios."""

    @property
    def next_ns(self) -> int | None: ...

    def run_due(self) -> int: ...


class MachineOps:
    """What is not about single tasks."""

    def __init__(
        self, kernel: BootedKernel, journal: Journal, faults: Faults, agenda: list[Ahead]
    ) -> None:
        self._kernel: Final = kernel
        self._journal: Final = journal
        self._faults: Final = faults
        self._agenda: Final = agenda
        self._machine: Final = kernel.machine

    def ops(self) -> Handlers:
        return {
            NlemuCmd.NLEMU_CMD_CPU_GET: Handler(dump=self.cpus),
            NlemuCmd.NLEMU_CMD_CPU_SET: Handler(self.set_cpu),
            NlemuCmd.NLEMU_CMD_CGROUP_NEW: Handler(self.new_cgroup),
            NlemuCmd.NLEMU_CMD_CGROUP_DEL: Handler(self.delete_cgroup),
            NlemuCmd.NLEMU_CMD_CGROUP_ATTACH: Handler(self.attach),
            NlemuCmd.NLEMU_CMD_MACHINE_GET: Handler(self.get),
            NlemuCmd.NLEMU_CMD_MACHINE_SET: Handler(self.set),
            NlemuCmd.NLEMU_CMD_RESET: Handler(self.reset),
        }

    def cpus(self, _info: GenlInfo, _values: Values) -> Iterator[Row]:
        online = self._machine.cpus.online
        for cpu in self._machine.cpus.possible:
            yield {_M.NLEMU_A_MACHINE_CPU: cpu, _M.NLEMU_A_MACHINE_ONLINE: cpu in online}

    def set_cpu(self, _info: GenlInfo, values: Values) -> None:
        cpu = values.number(_M.NLEMU_A_MACHINE_CPU)
        if values.number(_M.NLEMU_A_MACHINE_ONLINE):
            self._machine.cpus.set_online(cpu, online=True)
        else:
            acts.take_cpu_down(self._machine, cpu)

    # --- cgroups

    def _cgroup(self, path: str, *, make: bool = False) -> Cgroup:
        cgroup = self._machine.cgroups
        for name in filter(None, path.split("/")):
            child = cgroup.children.get(name)
            if child is None and not make:
                raise LookupError(f"cgroup {path}")
            cgroup = child or cgroup.mkdir(name)
        return cgroup

    def new_cgroup(self, _info: GenlInfo, values: Values) -> None:
        cgroup = self._cgroup(values.text(_M.NLEMU_A_MACHINE_CGROUP), make=True)
        if _M.NLEMU_A_MACHINE_INO in values:
            identity = (
                values.number(_M.NLEMU_A_MACHINE_DEV),
                values.number(_M.NLEMU_A_MACHINE_INO),
            )
            self._machine.stand_ins[identity] = cgroup

    def delete_cgroup(self, _info: GenlInfo, values: Values) -> None:
        self._cgroup(values.text(_M.NLEMU_A_MACHINE_CGROUP)).rmdir()

    def attach(self, _info: GenlInfo, values: Values) -> None:
        pid = values.number(_M.NLEMU_A_MACHINE_PID)
        task = self._machine.tasks.find_task_by_pid_ns(pid, self._machine.init_pid_ns)
        if task is None:
            raise LookupError(f"task {pid}")
        self._cgroup(values.text(_M.NLEMU_A_MACHINE_CGROUP)).attach(task)

    # --- the whole

    def get(self, _info: GenlInfo, _values: Values) -> Row:
        clock = self._machine.clock
        return {
            _M.NLEMU_A_MACHINE_RELEASE: self._kernel.profile.release,
            _M.NLEMU_A_MACHINE_MONOTONIC: clock.monotonic_ns(),
            _M.NLEMU_A_MACHINE_REALTIME: clock.realtime_ns(),
            _M.NLEMU_A_MACHINE_DELAYACCT: int(self._kernel.task_delayacct),
        }

    def set(self, _info: GenlInfo, values: Values) -> None:
        if _M.NLEMU_A_MACHINE_DELAYACCT in values:
            on = bool(values.number(_M.NLEMU_A_MACHINE_DELAYACCT))
            self._kernel.sysctl_task_delayacct(on=on)
        if _M.NLEMU_A_MACHINE_ADVANCE in values:
            self._advance(values.number(_M.NLEMU_A_MACHINE_ADVANCE))

    def _advance(self, nanoseconds: int) -> None:
        """Let time pass, and happen what is due on the way."""
        clock, agenda = self._machine.clock, self._agenda
        if not isinstance(clock, VirtualClock):
            raise ValueError("the machine's clock does not stand still: --virtual-time")
        end = clock.monotonic_ns() + nanoseconds
        while True:
            times = [ahead.next_ns for ahead in agenda]
            due = min((time for time in times if time is not None), default=end + 1)
            if due > end:
                break
            clock.advance_ns(max(0, due - clock.monotonic_ns()))
            for ahead in agenda:
                ahead.run_due()
        clock.advance_ns(end - clock.monotonic_ns())

    def reset(self, _info: GenlInfo, _values: Values) -> None:
        machine = self._machine
        self._faults.clear()
        if self._kernel.taskstats is not None:
            self._kernel.taskstats.listeners.clear()
            self._kernel.taskstats.seqnum.clear()
        self._end_tasks()
        for cpu in machine.cpus.possible:
            machine.cpus.set_online(cpu, online=True)
        for child in list(machine.cgroups.children.values()):
            child.removed = True
        machine.cgroups.children.clear()
        machine.stand_ins.clear()
        self._journal.clear()

    def _end_tasks(self) -> None:
        """Nobody hears of it: as if they had never been."""
        tasks = self._machine.tasks
        hooks, tasks.exit_hooks = tasks.exit_hooks, []
        try:
            leaders = {task.group.leader for task in tasks} - {tasks.init_task}
            for leader in leaders:
                for thread in list(leader.group.threads):
                    if not thread.flags & PF_EXITING:
                        tasks.do_exit(thread, 0)
                tasks.reap(leader)
        finally:
            tasks.exit_hooks = hooks
