"""The families of the emulated kernel, and its start: ``boot(machine, profile)``."""

from __future__ import annotations

from netlink_emu.families.nlctrl import Nlctrl
from netlink_emu.families.taskstats import Taskstats
from netlink_emu.kernel.kernel import Kernel
from netlink_emu.kernel.profile import Profile
from netlink_emu.machine.machine import Machine


class BootedKernel(Kernel):
    """A kernel with its families; ``taskstats`` is None where the configuration leaves it out."""

    def __init__(self, machine: Machine, profile: Profile | None = None) -> None:
        super().__init__(machine, profile)
        self.nlctrl = Nlctrl(self)
        self.taskstats = Taskstats(self) if self.profile.config.taskstats else None


def boot(machine: Machine, profile: Profile | None = None) -> BootedKernel:
    """A kernel on ``machine`` with nlctrl and, unless configured without, TASKSTATS."""
    return BootedKernel(machine, profile)
