"""CGROUPSTATS messages: include/uapi/linux/cgroupstats.h. A part of the TASKSTATS family."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from .format import Format


class CgroupstatsCmd(enum.IntEnum):
    """Commands; they follow TASKSTATS' own, whose last value is 3."""

    CGROUPSTATS_CMD_UNSPEC = 3
    CGROUPSTATS_CMD_GET = 4
    CGROUPSTATS_CMD_NEW = 5


class CgroupstatsType(enum.IntEnum):
    """Attributes of CGROUPSTATS_CMD_NEW."""

    CGROUPSTATS_TYPE_UNSPEC = 0
    CGROUPSTATS_TYPE_CGROUP_STATS = 1


class CgroupstatsCmdAttr(enum.IntEnum):
    """Attributes of CGROUPSTATS_CMD_GET."""

    CGROUPSTATS_CMD_ATTR_UNSPEC = 0
    CGROUPSTATS_CMD_ATTR_FD = 1


CGROUPSTATS_CMD_GET: Final = CgroupstatsCmd.CGROUPSTATS_CMD_GET
CGROUPSTATS_CMD_NEW: Final = CgroupstatsCmd.CGROUPSTATS_CMD_NEW
CGROUPSTATS_TYPE_CGROUP_STATS: Final = CgroupstatsType.CGROUPSTATS_TYPE_CGROUP_STATS
CGROUPSTATS_CMD_ATTR_FD: Final = CgroupstatsCmdAttr.CGROUPSTATS_CMD_ATTR_FD


# struct cgroupstats {
#     __u64 nr_sleeping;           /*  0 */
#     __u64 nr_running;            /*  8 */
#     __u64 nr_stopped;            /* 16 */
#     __u64 nr_uninterruptible;    /* 24 */
#     __u64 nr_io_wait;            /* 32 */
# };                               /* 40, unchanged since 2.6.24 */
@dataclass(frozen=True, slots=True)
class Cgroupstats:
    """How many tasks of a cgroup are in each state."""

    nr_sleeping: int
    nr_running: int
    nr_stopped: int
    nr_uninterruptible: int
    nr_io_wait: int


CGROUPSTATS: Final = Format(
    Cgroupstats,
    lambda o: (
        "nr_sleeping" / o.u64,
        "nr_running" / o.u64,
        "nr_stopped" / o.u64,
        "nr_uninterruptible" / o.u64,
        "nr_io_wait" / o.u64,
    ),
)
