"""NETLINK_EMU's operations on the machine: CPUs, cgroups, clock; and its reset."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Protocol

from netlink_emu.families.control.ops import Asked, Handler, Handlers
from netlink_emu.families.own.registered import Families
from netlink_emu.machine import acts
from netlink_emu.machine.cgroups import Cgroup
from netlink_emu.machine.clock import VirtualClock
from netlink_emu.machine.task import PF_EXITING
from netlink_emu.protocol.ours.control_values import Row

if TYPE_CHECKING:
    from netlink_emu.families import BootedKernel
    from netlink_emu.faults import Faults
    from netlink_emu.journal import Journal


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
            "cpu-get": Handler(dump=self.cpus),
            "cpu-set": Handler(self.set_cpu),
            "cgroup-new": Handler(self.new_cgroup),
            "cgroup-del": Handler(self.delete_cgroup),
            "cgroup-attach": Handler(self.attach),
            "machine-get": Handler(self.get),
            "machine-set": Handler(self.set),
            "reset": Handler(self.reset),
        }

    def cpus(self, _asked: Asked) -> Iterator[Row]:
        online = self._machine.cpus.online
        for cpu in self._machine.cpus.possible:
            yield {"cpu": cpu, "online": cpu in online}

    def set_cpu(self, asked: Asked) -> None:
        cpu = asked.number("cpu")
        if asked.number("online"):
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

    def new_cgroup(self, asked: Asked) -> None:
        cgroup = self._cgroup(asked.text("cgroup"), make=True)
        if "ino" in asked:
            self._machine.stand_ins[asked.number("dev"), asked.number("ino")] = cgroup

    def delete_cgroup(self, asked: Asked) -> None:
        self._cgroup(asked.text("cgroup")).rmdir()

    def attach(self, asked: Asked) -> None:
        pid = asked.number("pid")
        task = self._machine.tasks.find_task_by_pid_ns(pid, self._machine.init_pid_ns)
        if task is None:
            raise LookupError(f"task {pid}")
        self._cgroup(asked.text("cgroup")).attach(task)

    # --- the whole

    def get(self, _asked: Asked) -> Row:
        clock = self._machine.clock
        return {
            "release": self._kernel.profile.release,
            "monotonic": clock.monotonic_ns(),
            "realtime": clock.realtime_ns(),
            "delayacct": int(self._kernel.task_delayacct),
        }

    def set(self, asked: Asked) -> None:
        if "delayacct" in asked:
            on = bool(asked.number("delayacct"))
            self._kernel.sysctl_task_delayacct(on=on)
        if "advance" in asked:
            self._advance(asked.number("advance"))

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

    def reset(self, _asked: Asked) -> None:
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
        for family in Families(self._kernel).values():
            family.restart()
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
