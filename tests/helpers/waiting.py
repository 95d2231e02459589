"""An emulated kernel in which every number is a task that waits for its disk half of the time.

Nothing else is charged: no swapping, no waiting for a CPU, and a megabyte read each second.
"""

from __future__ import annotations

from netlink_emu.families import BootedKernel, boot
from netlink_emu.host.clock import RealClock
from netlink_emu.kernel.profile import KernelConfig
from netlink_emu.kernel.releases import profile_for
from netlink_emu.machine.any_tasks import AnyTasks
from netlink_emu.machine.clock import NSEC_PER_SEC
from netlink_emu.machine.machine import Machine
from netlink_emu.machine.namespaces import PidNamespace
from netlink_emu.machine.task import Task


class WaitingTasks(AnyTasks):
    """Every number is a task that waits."""

    def find(self, nr: int, ns: PidNamespace | None = None) -> Task | None:
        task = super().find(nr)
        if task is None:
            return None
        now = self._machine.clock.monotonic_ns()
        seconds = (now - self._start_ns) / NSEC_PER_SEC
        if seconds:
            task.charge(blkio_delay=seconds / 2)
        task.io.read_bytes = int(seconds * 1_048_576)
        return task


def waiting_kernel(release: str) -> BootedKernel:
    """A kernel of RELEASE or RELEASE/ARCH whose delay accounting is on, in real time."""
    machine = Machine(cpus=2, clock=RealClock(), pid_max=4_194_304)
    machine.tasks.sources.append(WaitingTasks(machine))
    config = KernelConfig(task_delayacct=True)
    release, _, arch = release.partition("/")
    return boot(machine, profile_for(release, arch=arch or "x86_64", config=config))
