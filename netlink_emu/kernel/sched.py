"""What a task changes about its own scheduling, as far as it shows: kernel/sched/core.c."""

from __future__ import annotations

from errno import EPERM
from typing import TYPE_CHECKING, Final

from netlink_emu.machine.credentials import CAP_SYS_NICE
from netlink_emu.protocol.errors import NetlinkError

if TYPE_CHECKING:
    from netlink_emu.kernel.current import Current
    from netlink_emu.kernel.kernel import Kernel
    from netlink_emu.machine.task import Task

SCHED_FIFO: Final = 1
SCHED_RR: Final = 2
SCHED_IDLE: Final = 5
SCHED_DEADLINE: Final = 6
_PRIVILEGED: Final = frozenset({SCHED_FIFO, SCHED_RR, SCHED_DEADLINE})


def sched_setscheduler(kernel: Kernel, current: Current, task: Task, policy: int) -> None:
    """sched_setscheduler(2) of a task for itself, its limits being 0 as they are at boot.

    A task that has CAP_SYS_NICE is marked to have used it (ASU): before 6.1 whatever the policy,
    for the capability was looked at first. Raises EPERM where it is needed and missing.
    """
    needed = policy in _PRIVILEGED or (task.policy == SCHED_IDLE and policy != SCHED_IDLE)
    if needed or not kernel.profile.capable_when_needed:
        may = current.ns_capable(kernel.machine.init_user_ns, CAP_SYS_NICE)
        if needed and not may:
            raise NetlinkError(EPERM)
    task.policy = policy
