"""TASKSTATS messages and struct taskstats: include/uapi/linux/taskstats.h, versions 1 to 17.

The struct is declared once, each member with the version that brought it; a layout for one
version, alignment and byte order is derived from that.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Callable, Mapping
from functools import cache
from operator import itemgetter
from typing import Any, Final, NamedTuple

from construct import Bytes, Construct, Padding, Struct

from .format import BIG, LITTLE, ByteOrder, DecodeError, EncodeError, derive

TASKSTATS_GENL_NAME: Final = "TASKSTATS"
TASKSTATS_GENL_VERSION: Final = 1
TS_COMM_LEN: Final = 32

OLDEST_VERSION: Final = 1
NEWEST_VERSION: Final = 17


class TaskstatsCmd(enum.IntEnum):
    """Commands; 4 and 5 are cgroupstats'."""

    TASKSTATS_CMD_UNSPEC = 0
    TASKSTATS_CMD_GET = 1
    TASKSTATS_CMD_NEW = 2


class TaskstatsCmdAttr(enum.IntEnum):
    """Attributes of TASKSTATS_CMD_GET."""

    TASKSTATS_CMD_ATTR_UNSPEC = 0
    TASKSTATS_CMD_ATTR_PID = 1
    TASKSTATS_CMD_ATTR_TGID = 2
    TASKSTATS_CMD_ATTR_REGISTER_CPUMASK = 3
    TASKSTATS_CMD_ATTR_DEREGISTER_CPUMASK = 4


class TaskstatsType(enum.IntEnum):
    """Attributes of TASKSTATS_CMD_NEW. NULL (2.6.37) only pads."""

    TASKSTATS_TYPE_UNSPEC = 0
    TASKSTATS_TYPE_PID = 1
    TASKSTATS_TYPE_TGID = 2
    TASKSTATS_TYPE_STATS = 3
    TASKSTATS_TYPE_AGGR_PID = 4
    TASKSTATS_TYPE_AGGR_TGID = 5
    TASKSTATS_TYPE_NULL = 6


class AcFlag(enum.IntFlag):
    """ac_flag: include/uapi/linux/acct.h. AGROUP came with version 12."""

    AFORK = 0x01
    ASU = 0x02
    ACOMPAT = 0x04
    ACORE = 0x08
    AXSIG = 0x10
    AGROUP = 0x20


TASKSTATS_CMD_GET: Final = TaskstatsCmd.TASKSTATS_CMD_GET
TASKSTATS_CMD_NEW: Final = TaskstatsCmd.TASKSTATS_CMD_NEW
TASKSTATS_CMD_ATTR_PID: Final = TaskstatsCmdAttr.TASKSTATS_CMD_ATTR_PID
TASKSTATS_CMD_ATTR_TGID: Final = TaskstatsCmdAttr.TASKSTATS_CMD_ATTR_TGID
TASKSTATS_CMD_ATTR_REGISTER_CPUMASK: Final = TaskstatsCmdAttr.TASKSTATS_CMD_ATTR_REGISTER_CPUMASK
TASKSTATS_CMD_ATTR_DEREGISTER_CPUMASK: Final = (
    TaskstatsCmdAttr.TASKSTATS_CMD_ATTR_DEREGISTER_CPUMASK
)
TASKSTATS_TYPE_PID: Final = TaskstatsType.TASKSTATS_TYPE_PID
TASKSTATS_TYPE_TGID: Final = TaskstatsType.TASKSTATS_TYPE_TGID
TASKSTATS_TYPE_STATS: Final = TaskstatsType.TASKSTATS_TYPE_STATS
TASKSTATS_TYPE_AGGR_PID: Final = TaskstatsType.TASKSTATS_TYPE_AGGR_PID
TASKSTATS_TYPE_AGGR_TGID: Final = TaskstatsType.TASKSTATS_TYPE_AGGR_TGID
TASKSTATS_TYPE_NULL: Final = TaskstatsType.TASKSTATS_TYPE_NULL
AFORK: Final = AcFlag.AFORK
ASU: Final = AcFlag.ASU
ACOMPAT: Final = AcFlag.ACOMPAT
ACORE: Final = AcFlag.ACORE
AXSIG: Final = AcFlag.AXSIG
AGROUP: Final = AcFlag.AGROUP


# --- struct taskstats -------------------------------------------------------------------------

_SIZES: Final = {"__u8": 1, "__u16": 2, "__u32": 4, "__u64": 8, "__s64": 8, "char[32]": 32}
_LIMITS: Final = {
    "__u8": (0, 0xFF),
    "__u16": (0, 0xFFFF),
    "__u32": (0, 0xFFFF_FFFF),
    "__u64": (0, 0xFFFF_FFFF_FFFF_FFFF),
    "__s64": (-(1 << 63), (1 << 63) - 1),
}

# Version 12 was seen between two merges of 5.19-rc1 only. 8 announces TASKSTATS_TYPE_NULL and
# changes nothing here. All but 1, 15 and (without alignment) 2 and 3 are prefixes of 17.
_MEMBERS: Final = (
    ("version", "__u16", 1),  # 0 in AGGR_TGID of exit events up to 7.0
    ("ac_exitcode", "__u32", 2),  # as wait(2) reports it
    ("ac_flag", "__u8", 2),  # AcFlag
    ("ac_nice", "__u8", 2),  # signed: -20 is 236
    ("cpu_count", "__u64", 1),  # waits for a CPU
    ("cpu_delay_total", "__u64", 1),  # ns, as all delays
    ("blkio_count", "__u64", 1),
    ("blkio_delay_total", "__u64", 1),
    ("swapin_count", "__u64", 1),
    ("swapin_delay_total", "__u64", 1),
    ("cpu_run_real_total", "__u64", 1),  # ns
    ("cpu_run_virtual_total", "__u64", 1),  # ns
    ("ac_comm", "char[32]", 2),
    ("ac_sched", "__u8", 2),  # SCHED_*
    ("ac_pad", "pad[3]", 2),
    ("ac_uid", "__u32", 2),
    ("ac_gid", "__u32", 2),
    ("ac_pid", "__u32", 2),
    ("ac_ppid", "__u32", 2),
    ("ac_btime", "__u32", 2),  # s since 1970
    ("ac_etime", "__u64", 2),  # us
    ("ac_utime", "__u64", 2),  # us
    ("ac_stime", "__u64", 2),  # us
    ("ac_minflt", "__u64", 2),
    ("ac_majflt", "__u64", 2),
    ("coremem", "__u64", 2),  # MB * us
    ("virtmem", "__u64", 2),  # MB * us
    ("hiwater_rss", "__u64", 2),  # KB
    ("hiwater_vm", "__u64", 2),  # KB
    ("read_char", "__u64", 2),  # bytes; 3.1 rounds all down to KiB, even the counts of calls
    ("write_char", "__u64", 2),
    ("read_syscalls", "__u64", 2),
    ("write_syscalls", "__u64", 2),
    ("read_bytes", "__u64", 3),
    ("write_bytes", "__u64", 3),
    ("cancelled_write_bytes", "__u64", 3),
    ("nvcsw", "__u64", 5),
    ("nivcsw", "__u64", 5),
    ("ac_utimescaled", "__u64", 6),  # us
    ("ac_stimescaled", "__u64", 6),  # us
    ("cpu_scaled_run_real_total", "__u64", 6),  # ns
    ("freepages_count", "__u64", 7),
    ("freepages_delay_total", "__u64", 7),
    ("thrashing_count", "__u64", 9),
    ("thrashing_delay_total", "__u64", 9),
    ("ac_btime64", "__u64", 10),  # s since 1970
    ("compact_count", "__u64", 11),
    ("compact_delay_total", "__u64", 11),
    ("ac_tgid", "__u32", 12),
    ("ac_tgetime", "__u64", 12),  # us
    ("ac_exe_dev", "__u64", 12),
    ("ac_exe_inode", "__u64", 12),
    ("wpcopy_count", "__u64", 13),
    ("wpcopy_delay_total", "__u64", 13),
    ("irq_count", "__u64", 14),
    ("irq_delay_total", "__u64", 14),
)
# Version 15 (6.14.0 to 6.14.8) put X_delay_max and X_delay_min behind X_delay_total, which moved
# everything else; 16 has them at the end. 17 adds struct __kernel_timespec X_delay_max_ts, here
# two members each, ..._sec and ..._nsec: CLOCK_REALTIME at the longest delay.
DELAYS: Final = ("cpu", "blkio", "swapin", "freepages", "thrashing", "compact", "wpcopy", "irq")

# Members with __attribute__((aligned(8))), since version 4.
_ALIGNED: Final = {"cpu_count", "ac_sched", "ac_uid", "ac_etime", "ac_tgetime"}


def _members(version: int) -> list[tuple[str, str]]:
    """The members of one version in order."""
    members: list[tuple[str, str]] = []
    for name, ctype, since in _MEMBERS:
        if since > version:
            continue
        members.append((name, ctype))
        if version == 1 and name == "version":
            members.append(("padding", "pad[6]"))
        if version == 15 and name.endswith("_delay_total"):
            delay = name.removesuffix("_total")
            members += [(f"{delay}_max", "__u64"), (f"{delay}_min", "__u64")]
    if version >= 16:
        for delay in DELAYS:
            members += [(f"{delay}_delay_max", "__u64"), (f"{delay}_delay_min", "__u64")]
    if version >= 17:
        for delay in DELAYS:
            members += [(f"{delay}_delay_max_ts_{unit}", "__s64") for unit in ("sec", "nsec")]
    return members


# Every member that any version has, with nothing in it: for who fills in statistics, to copy.
BLANK: Final[dict[str, int | bytes]] = {
    name: b"" if ctype == "char[32]" else 0
    for name, ctype in _members(NEWEST_VERSION)
    if not ctype.startswith("pad")
}


class TaskstatsField(NamedTuple):
    """Where a member lies, in bytes."""

    offset: int
    size: int
    ctype: str


class TaskstatsCodec:
    """The derived codec of a layout in one byte order.

    ``pack(*values)``, in the order of ``names``, and ``unpack_from(buffer, offset)`` are
    struct's own. ``row(values)`` takes them in that order out of a mapping that has all members,
    as a copy of BLANK has.
    """

    def __init__(
        self,
        fields: Mapping[str, TaskstatsField],
        construct: Struct,
        order: ByteOrder,
    ) -> None:
        self.construct: Final = construct
        self.names: Final = tuple(fields)
        self._fields = fields
        self._struct = derive(construct, order.char)
        self._zeros = tuple(BLANK[name] for name in self.names)
        self.row: Final[Callable[[Mapping[str, int | bytes]], tuple[int | bytes, ...]]] = (
            itemgetter(*self.names)
        )
        self.size: Final = self._struct.size
        self.pack: Final = self._struct.pack
        self.unpack_from: Final = self._struct.unpack_from

    def encode(self, values: Mapping[str, int | bytes]) -> bytes:
        """Encode ``values``; what is missing is zero, members of other versions are left out.

        Raises EncodeError for a value that does not fit its member, or a name that no version
        has.
        """
        if not values.keys() <= BLANK.keys():
            unknown = ", ".join(sorted(values.keys() - BLANK.keys()))
            raise EncodeError(f"struct taskstats has no {unknown}")
        comm = values.get("ac_comm", b"")
        if not isinstance(comm, bytes) or len(comm) > TS_COMM_LEN:
            raise EncodeError(f"ac_comm is {comm!r}, there is room for {TS_COMM_LEN} bytes")
        try:
            return self._struct.pack(*map(values.get, self.names, self._zeros))
        except struct.error as exc:
            raise EncodeError(self._misfits(values)) from exc

    def wrapped(self, values: Mapping[str, int | bytes]) -> dict[str, int | bytes]:
        """``values`` as C would assign them to the members: modulo what a member can hold."""
        wrapped = dict(values)
        for name, field in self._fields.items():
            value = wrapped.get(name)
            if isinstance(value, int):
                low, high = _LIMITS[field.ctype]
                wrapped[name] = (value - low) % (high - low + 1) + low
        return wrapped

    def _misfits(self, values: Mapping[str, int | bytes]) -> str:
        found = []
        for name, (_, _, ctype) in self._fields.items():
            low, high = _LIMITS.get(ctype, (0, 0))
            value = values.get(name, 0)
            if name != "ac_comm" and not (isinstance(value, int) and low <= value <= high):
                found.append(f"{name} is {value!r}, {ctype} takes {low} to {high}")
        return "; ".join(found)

    def decode(
        self, data: bytes | bytearray | memoryview, offset: int = 0
    ) -> dict[str, int | bytes]:
        """Decode the struct at ``offset``; ac_comm has its 32 bytes. Raises DecodeError."""
        if len(data) - offset < self.size:
            raise DecodeError(
                f"struct taskstats needs {self.size} bytes at {offset}, "
                f"found {max(0, len(data) - offset)}"
            )
        return dict(zip(self.names, self._struct.unpack_from(data, offset), strict=True))


class TaskstatsLayout:
    """struct taskstats of one version on one ABI; see :func:`taskstats_layout`."""

    def __init__(self, version: int, u64_align: int) -> None:
        self.version: Final = version
        self.u64_align: Final = u64_align
        self.fields: Final[dict[str, TaskstatsField]] = {}
        # What construct is told, names and paddings: (name or "", size, ctype).
        self._plan: list[tuple[str, int, str]] = []
        end = 0
        for name, ctype in _members(version):
            is_pad = ctype.startswith("pad")
            size = int(ctype[4:-1]) if is_pad else _SIZES[ctype]
            align = u64_align if size == 8 else 1 if size not in (2, 4) else size
            if version >= 4 and name in _ALIGNED:
                align = 8
            end = self._pad_to(align, end)
            if is_pad:
                self._plan.append(("", size, ctype))
            else:
                self._plan.append((name, size, ctype))
                self.fields[name] = TaskstatsField(end, size, ctype)
            end += size
        self.size: Final = self._pad_to(8 if version >= 4 else u64_align, end)
        self.names: Final = tuple(self.fields)
        self._codecs = {
            order.char: TaskstatsCodec(self.fields, self.construct(order), order)
            for order in (LITTLE, BIG)
        }

    def _pad_to(self, align: int, end: int) -> int:
        gap = -end % align
        if gap:
            self._plan.append(("", gap, "pad"))
        return end + gap

    def construct(self, order: ByteOrder) -> Struct:
        """Declare the layout in construct; padding has no name."""
        scalars: dict[str, Construct[int, int]] = {
            "__u8": order.u8,
            "__u16": order.u16,
            "__u32": order.u32,
            "__u64": order.u64,
            "__s64": order.s64,
        }
        members: list[Construct[Any, Any]] = []
        for name, size, ctype in self._plan:
            if not name:
                members.append(Padding(size))
            else:
                members.append(name / scalars.get(ctype, Bytes(size)))
        return Struct(*members)

    def codec(self, order: ByteOrder = LITTLE) -> TaskstatsCodec:
        """The derived codec."""
        return self._codecs[order.char]


@cache
def taskstats_layout(version: int, u64_align: int = 8) -> TaskstatsLayout:
    """struct taskstats of ``version``, 1 to 17.

    ``u64_align`` is the alignment of a u64 inside a struct: 4 on i386, which shows in versions
    2 and 3 only.
    """
    if not OLDEST_VERSION <= version <= NEWEST_VERSION:
        raise ValueError(f"there is no struct taskstats of version {version}")
    if u64_align not in (4, 8):
        raise ValueError(f"u64_align is {u64_align}, no ABI has other than 4 or 8")
    return TaskstatsLayout(version, u64_align)
