"""The kernel that a handle has in its hands: its boot, and calls into it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from netlink_emu.families import BootedKernel, boot
from netlink_emu.faults import Faults
from netlink_emu.journal.journal import Journal
from netlink_emu.kernel.genetlink import GenlFamily
from netlink_emu.kernel.profile import Profile
from netlink_emu.machine.any_tasks import AnyTasks
from netlink_emu.machine.clock import VirtualClock
from netlink_emu.machine.cpus import Cpus
from netlink_emu.machine.machine import Machine
from netlink_emu.protocol.ours.control import NETLINK_EMU
from netlink_emu.testing.errors import EmulatorError
from netlink_emu.testing.guarded import guarded
from netlink_emu.testing.machine import CgroupsHandle, CpusHandle
from netlink_emu.testing.tasks import TaskTableHandle
from netlink_emu.testing.waiting import Waiting

if TYPE_CHECKING:
    from netlink_emu.families.control.watch import PendingWait
    from netlink_emu.machine.timeline import Timeline
    from netlink_emu.testing.loop import Loop, Running

T = TypeVar("T")
Tasks = Iterable[str | Mapping[str, Any]] | str


@dataclass(frozen=True, slots=True)
class BootOptions:
    """What a kernel is booted with, at first and after each reset: see EmulatedKernel."""

    profile: Profile
    cpus: int | tuple[int, ...]
    tasks: Tasks
    families: tuple[GenlFamily, ...]
    control: bool
    seed: int


class KernelCore:
    """An emulated kernel that belongs to one thread; all others call into that."""

    def __init__(self, options: BootOptions) -> None:
        self.profile: Final = options.profile
        self._options: Final = options
        self._lock: Final = threading.RLock()
        self._loop: Loop | None = None
        self._waiting: Final = Waiting()
        self._failures: list[BaseException] = []
        self._running: list[Running] = []
        self._boot()

    def _boot(self) -> None:
        clock = VirtualClock()
        machine = Machine(
            cpus=Cpus(self._options.cpus), clock=clock, pid_max=self.profile.config.pid_max
        )
        self.clock = clock
        self.kernel: BootedKernel = boot(machine, self.profile)
        for family in self._options.families:
            self.kernel.genl.register_family(family)
        self.tasks = TaskTableHandle(self.kernel, self.call)
        self.cpus = CpusHandle(self.kernel, self.call)
        self.cgroups = CgroupsHandle(self.kernel, self.call)
        self._timelines: list[Timeline] = []
        self._populate(machine)
        self._journal = Journal(self.kernel, families=[NETLINK_EMU])
        self._journal.sinks.append(self._waiting.entry)
        self._faults = Faults(self.kernel, self._journal, self._options.seed)
        self.journal: Journal = guarded(self._journal, self.call)
        self.faults: Faults = guarded(self._faults, self.call)
        if self._options.control:
            self._enable_control()

    def _populate(self, machine: Machine) -> None:
        tasks = self._options.tasks
        if isinstance(tasks, str):
            if tasks == "any":
                machine.tasks.sources.append(AnyTasks(machine))
            elif tasks == "host":
                from netlink_emu.host.tasks import HostTasks

                machine.tasks.sources.append(HostTasks(machine))
            else:
                raise ValueError(f'tasks is a list, "any" or "host", not {tasks!r}')
            return
        for wanted in tasks:
            if isinstance(wanted, str):
                self.tasks.spawn(wanted)
            else:
                self.tasks.spawn(**wanted)

    def _enable_control(self) -> None:
        from netlink_emu.families.control import Control

        control = Control(self.kernel, self._journal, self._faults, owner=os.geteuid())

        def began(pending: PendingWait) -> None:
            # Clients are served in the loop's thread, and nowhere else.
            assert self._loop is not None
            self._loop.later(pending.timeout_ms / 1000, pending.expire)

        control.began_wait = began

    # --- calls into the kernel

    def call(self, function: Callable[[], T]) -> T:
        """Call ``function`` where it may touch :attr:`kernel`, which belongs to one thread.

        What it queues for clients has been sent to them when this returns.
        """
        if self._failures:
            self._raise_failures()
        loop = self._loop
        if loop is None:
            with self._lock:
                return function()

        def run() -> T:
            try:
                return function()
            finally:
                self._flush()

        return loop.call(run)

    def _flush(self) -> None:
        """Send what is queued for clients; in the loop's thread."""
        raise NotImplementedError

    def _get_loop(self) -> Loop:
        if self._loop is None:
            from netlink_emu.testing.loop import Loop

            with self._lock:
                self._loop = Loop.get()
        return self._loop

    def _start(self, task: Callable[..., Any]) -> Any:
        """Run a task in the loop until the kernel is closed; returns what it says at its start."""
        loop = self._get_loop()
        running = loop.spawn(task, failed=self._failed, over=self._waiting.notify)
        started = running.started.result()
        self._running.append(running)
        return started

    # --- failures of ours

    def _failed(self, exc: BaseException) -> None:
        self._failures.append(exc)
        self._waiting.notify()

    def _raise_failures(self) -> None:
        if self._failures:
            failures, self._failures = self._failures, []
            first = failures[0]
            while isinstance(first, BaseExceptionGroup) and len(first.exceptions) == 1:
                first = first.exceptions[0]
            raise EmulatorError(f"netlink-emu itself failed: {first!r}") from first
