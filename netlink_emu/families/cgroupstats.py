"""CGROUPSTATS, TASKSTATS' second operation: kernel/taskstats.c, kernel/cgroup/cgroup-v1.c."""

from __future__ import annotations

from errno import EBADF, EINVAL, ENOENT
from typing import TYPE_CHECKING, Final

from netlink_emu.kernel.genetlink import (
    GENL_DONT_VALIDATE_DUMP,
    GENL_DONT_VALIDATE_STRICT,
    GenlInfo,
    GenlOp,
)
from netlink_emu.machine.cgroups import Cgroup, CgroupCounts, File
from netlink_emu.machine.task import TaskState
from netlink_emu.protocol import cgroupstats
from netlink_emu.protocol.attributes import AttrWriter, nla_total_size
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.policy import NlaPolicy, NlaType, Policy

if TYPE_CHECKING:
    from netlink_emu.kernel.kernel import Kernel
    from netlink_emu.kernel.profile import Profile

CGROUPSTATS_CMD_NEW: Final = cgroupstats.CGROUPSTATS_CMD_NEW
_ATTR_FD: Final = cgroupstats.CGROUPSTATS_CMD_ATTR_FD
_POLICY: Final[Policy] = {_ATTR_FD: NlaPolicy(NlaType.NLA_U32)}


def operation(kernel: Kernel) -> GenlOp:
    """The operation as TASKSTATS declares it. Anyone may ask."""
    return GenlOp(
        cgroupstats.CGROUPSTATS_CMD_GET,
        policy=_POLICY,
        maxattr=_ATTR_FD,
        doit=lambda info: cgroupstats_user_cmd(kernel, info),
        validate=GENL_DONT_VALIDATE_STRICT | GENL_DONT_VALIDATE_DUMP,
    )


def cgroupstats_user_cmd(kernel: Kernel, info: GenlInfo) -> None:
    """cgroupstats_user_cmd(): a descriptor that is not open is a success without an answer."""
    if _ATTR_FD not in info.attrs:
        raise NetlinkError(EINVAL)
    if kernel.trace is not None:
        kernel.trace.stats_wanted(info.current)
    file = info.current.fget(info.get_u32(_ATTR_FD))
    if file is None or file.o_path:
        if kernel.profile.cgroup_bad_fd_ebadf:
            raise NetlinkError(EBADF)
        return
    if file.identity in kernel.machine.stand_ins:
        file = File(cgroup=kernel.machine.stand_ins[file.identity])
    counts = cgroupstats_build(file, kernel.profile)
    order = kernel.profile.arch.order
    record = cgroupstats.CGROUPSTATS[order].pack(
        counts.nr_sleeping,
        counts.nr_running,
        counts.nr_stopped,
        counts.nr_uninterruptible,
        counts.nr_io_wait,
    )
    attrs = AttrWriter(order)
    attrs.put(cgroupstats.CGROUPSTATS_TYPE_CGROUP_STATS, record)
    info.reply(CGROUPSTATS_CMD_NEW, attrs.data, nla_total_size(len(record)))


def cgroupstats_build(file: File, profile: Profile) -> CgroupCounts:
    """cgroupstats_build(): EINVAL for anything but a cgroup v1 directory, ENOENT if removed."""
    counts = file.counts
    if counts is None:
        if file.cgroup is None:
            raise NetlinkError(EINVAL)
        counts = count_tasks(file.cgroup, freezable=profile.task_freezable)
    elif not profile.task_freezable:
        counts.nr_sleeping += counts.nr_freezable
    if counts.removed and profile.cgroup_removed_enoent:
        raise NetlinkError(ENOENT)
    return counts


def count_tasks(cgroup: Cgroup, *, freezable: bool) -> CgroupCounts:
    """The tasks of a cgroup by state; ``freezable``: a freezable sleep is a state of its own."""
    counts = CgroupCounts(removed=cgroup.removed)
    for task in cgroup.tasks:
        state = task.state
        if state is TaskState.FREEZABLE:
            state = TaskState.OTHER if freezable else TaskState.INTERRUPTIBLE
        match state:
            case TaskState.RUNNING:
                counts.nr_running += 1
            case TaskState.INTERRUPTIBLE:
                counts.nr_sleeping += 1
            case TaskState.UNINTERRUPTIBLE:
                counts.nr_uninterruptible += 1
            case TaskState.STOPPED:
                counts.nr_stopped += 1
            case TaskState.OTHER:
                counts.nr_io_wait += task.in_iowait
    return counts
