"""What families' messages are made of, for those who read them: names, kinds, nests.

A family is described once; all that read messages do so by that.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Final

from ..cgroupstats import CgroupstatsCmd, CgroupstatsCmdAttr, CgroupstatsType
from ..family import Attribute, Struct
from ..genetlink import (
    CtrlAttr,
    CtrlAttrMcastGrp,
    CtrlAttrOp,
    CtrlAttrPolicy,
    CtrlCmd,
    GenlOpFlags,
)
from ..netlink import NlMsgErrAttr
from ..policy import NlAttrType, NlPolicyTypeAttr
from ..taskstats import TASKSTATS_GENL_NAME, TaskstatsCmd, TaskstatsCmdAttr, TaskstatsType


class Kind(enum.Enum):
    """How an attribute's payload reads."""

    U8 = "u8"
    U16 = "u16"
    U32 = "u32"
    U64 = "u64"
    S32 = "s32"
    S64 = "s64"
    FLAG = "flag"
    STRING = "string"
    BINARY = "binary"
    PAD = "pad"
    NEST = "nest"  # attributes of ``attrs``
    TASKSTATS = "struct taskstats"
    CGROUPSTATS = "struct cgroupstats"
    DECLARED = "as its declaration says"
    UNKNOWN = "of a family whose attributes are known, but this one is not"


INTEGER_SIZES: Final = {
    Kind.U8: 1, Kind.U16: 2, Kind.U32: 4, Kind.U64: 8, Kind.S32: 4, Kind.S64: 8,
}  # fmt: skip
SIGNED: Final = frozenset({Kind.S32, Kind.S64})


@dataclass(frozen=True, slots=True)
class AttrDesc:
    """One attribute. ``values`` names what an integer stands for.

    ``short`` is the name without what all names of its enum begin with. ``declared`` is what an
    attribute of a family of somebody's own is read by.
    """

    name: str
    kind: Kind
    attrs: Mapping[int, AttrDesc] = field(default_factory=dict)
    values: type[enum.IntEnum] | type[enum.IntFlag] | None = None
    short: str = ""
    declared: Attribute | None = None

    @property
    def label(self) -> str:
        """The short name, where there is one."""
        return self.short or self.name


AttrSet = Mapping[int, AttrDesc]
# In a set: what describes each attribute whose type is but a number.
ANY: Final = -1


@dataclass(frozen=True, slots=True)
class FamilyDesc:
    """A family: its commands by number, and the attributes of each command's messages.

    ``replies`` and ``reply_attrs`` are those of what the kernel sends, where that is numbered
    apart. ``headers`` are structs before the attributes, by command.
    """

    name: str
    commands: Mapping[int, str]
    attrs: Mapping[int, AttrSet]
    replies: Mapping[int, str] | None = None
    reply_attrs: Mapping[int, AttrSet] | None = None
    headers: Mapping[int, Struct] = field(default_factory=dict)

    def attrs_of(self, cmd: int, *, reply: bool = False) -> AttrSet:
        """The attributes of a command's messages; none for an unknown one."""
        if reply and self.reply_attrs is not None:
            return self.reply_attrs.get(cmd, {})
        return self.attrs.get(cmd, {})

    def name_of(self, cmd: int, *, reply: bool = False) -> str:
        """The name of a command; empty for an unknown one."""
        if reply and self.replies is not None:
            return self.replies.get(cmd, "")
        return self.commands.get(cmd, "")

    @property
    def command_names(self) -> frozenset[str]:
        """The names of all commands."""
        return frozenset(self.commands.values()) | frozenset((self.replies or {}).values())

    @property
    def attr_sets(self) -> Iterator[AttrSet]:
        """The attributes of all commands."""
        yield from self.attrs.values()
        yield from (self.reply_attrs or {}).values()


def _set(described: Mapping[enum.IntEnum, Kind | AttrDesc]) -> AttrSet:
    """Attributes by number, named as their enum names them."""
    return {
        int(member): replace(
            what if isinstance(what, AttrDesc) else AttrDesc(member.name, what),
            short=_short(member),
        )
        for member, what in described.items()
    }


def _short(member: enum.IntEnum) -> str:
    columns = zip(*type(member).__members__, strict=False)
    common = sum(1 for _ in takewhile(lambda letters: len(set(letters)) == 1, columns))
    return member.name[member.name.rfind("_", 0, common) + 1 :]


def _nest(member: enum.IntEnum, attrs: AttrSet) -> dict[enum.IntEnum, AttrDesc]:
    return {member: AttrDesc(member.name, Kind.NEST, attrs)}


def _each(attrs: AttrSet) -> AttrSet:
    """Numbered nests that hold ``attrs``."""
    return {ANY: AttrDesc("", Kind.NEST, attrs)}


# --- net/netlink/genetlink.c, net/netlink/policy.c

POLICY_TYPE: Final = _set(
    {
        NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_TYPE: AttrDesc(
            "NL_POLICY_TYPE_ATTR_TYPE", Kind.U32, values=NlAttrType
        ),
        NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_MIN_VALUE_S: Kind.S64,
        NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_MAX_VALUE_S: Kind.S64,
        NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_MIN_VALUE_U: Kind.U64,
        NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_MAX_VALUE_U: Kind.U64,
        NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_MIN_LENGTH: Kind.U32,
        NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_MAX_LENGTH: Kind.U32,
        NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_POLICY_IDX: Kind.U32,
        NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_POLICY_MAXTYPE: Kind.U32,
        NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_BITFIELD32_MASK: Kind.U32,
        NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_PAD: Kind.PAD,
        NlPolicyTypeAttr.NL_POLICY_TYPE_ATTR_MASK: Kind.U64,
    }
)
_OP: Final = _set(
    {
        CtrlAttrOp.CTRL_ATTR_OP_ID: Kind.U32,
        CtrlAttrOp.CTRL_ATTR_OP_FLAGS: AttrDesc(
            "CTRL_ATTR_OP_FLAGS", Kind.U32, values=GenlOpFlags
        ),
        CtrlAttrOp.CTRL_ATTR_OP_POLICY: Kind.FLAG,
        CtrlAttrOp.CTRL_ATTR_OP_DOIT: Kind.FLAG,
        CtrlAttrOp.CTRL_ATTR_OP_DUMPIT: Kind.FLAG,
    }
)
_GROUP: Final = _set(
    {
        CtrlAttrMcastGrp.CTRL_ATTR_MCAST_GRP_NAME: Kind.STRING,
        CtrlAttrMcastGrp.CTRL_ATTR_MCAST_GRP_ID: Kind.U32,
    }
)
_OP_POLICY: Final = _set(
    {
        CtrlAttrPolicy.CTRL_ATTR_POLICY_DO: Kind.U32,
        CtrlAttrPolicy.CTRL_ATTR_POLICY_DUMP: Kind.U32,
    }
)
_CTRL: Final = _set(
    {
        CtrlAttr.CTRL_ATTR_FAMILY_ID: Kind.U16,
        CtrlAttr.CTRL_ATTR_FAMILY_NAME: Kind.STRING,
        CtrlAttr.CTRL_ATTR_VERSION: Kind.U32,
        CtrlAttr.CTRL_ATTR_HDRSIZE: Kind.U32,
        CtrlAttr.CTRL_ATTR_MAXATTR: Kind.U32,
        **_nest(CtrlAttr.CTRL_ATTR_OPS, _each(_OP)),
        **_nest(CtrlAttr.CTRL_ATTR_MCAST_GROUPS, _each(_GROUP)),
        # By a policy's number, then by the number of the attribute that it is about.
        **_nest(CtrlAttr.CTRL_ATTR_POLICY, _each(_each(POLICY_TYPE))),
        **_nest(CtrlAttr.CTRL_ATTR_OP_POLICY, _each(_OP_POLICY)),
        CtrlAttr.CTRL_ATTR_OP: Kind.U32,
    }
)
NLCTRL: Final = FamilyDesc(
    "nlctrl",
    {cmd.value: cmd.name for cmd in CtrlCmd},
    {cmd.value: _CTRL for cmd in CtrlCmd},
)

# --- kernel/taskstats.c

_TASKSTATS_CMD: Final = _set(
    {
        TaskstatsCmdAttr.TASKSTATS_CMD_ATTR_PID: Kind.U32,
        TaskstatsCmdAttr.TASKSTATS_CMD_ATTR_TGID: Kind.U32,
        TaskstatsCmdAttr.TASKSTATS_CMD_ATTR_REGISTER_CPUMASK: Kind.STRING,
        TaskstatsCmdAttr.TASKSTATS_CMD_ATTR_DEREGISTER_CPUMASK: Kind.STRING,
    }
)
_AGGR: Final = _set(
    {
        TaskstatsType.TASKSTATS_TYPE_PID: Kind.U32,
        TaskstatsType.TASKSTATS_TYPE_TGID: Kind.U32,
        TaskstatsType.TASKSTATS_TYPE_STATS: Kind.TASKSTATS,
        TaskstatsType.TASKSTATS_TYPE_NULL: Kind.PAD,
    }
)
_TASKSTATS_TYPE: Final = {
    **_AGGR,
    **_set(
        {
            **_nest(TaskstatsType.TASKSTATS_TYPE_AGGR_PID, _AGGR),
            **_nest(TaskstatsType.TASKSTATS_TYPE_AGGR_TGID, _AGGR),
        }
    ),
}
TASKSTATS: Final = FamilyDesc(
    TASKSTATS_GENL_NAME,
    {cmd.value: cmd.name for cmd in (*TaskstatsCmd, *CgroupstatsCmd)},
    {
        TaskstatsCmd.TASKSTATS_CMD_GET: _TASKSTATS_CMD,
        TaskstatsCmd.TASKSTATS_CMD_NEW: _TASKSTATS_TYPE,
        CgroupstatsCmd.CGROUPSTATS_CMD_GET: _set(
            {CgroupstatsCmdAttr.CGROUPSTATS_CMD_ATTR_FD: Kind.U32}
        ),
        CgroupstatsCmd.CGROUPSTATS_CMD_NEW: _set(
            {CgroupstatsType.CGROUPSTATS_TYPE_CGROUP_STATS: Kind.CGROUPSTATS}
        ),
    },
)

# --- extended acks: net/netlink/af_netlink.c

EXTACK: Final = _set(
    {
        NlMsgErrAttr.NLMSGERR_ATTR_MSG: Kind.STRING,
        NlMsgErrAttr.NLMSGERR_ATTR_OFFS: Kind.U32,
        NlMsgErrAttr.NLMSGERR_ATTR_COOKIE: Kind.BINARY,
        **_nest(NlMsgErrAttr.NLMSGERR_ATTR_POLICY, POLICY_TYPE),
        NlMsgErrAttr.NLMSGERR_ATTR_MISS_TYPE: Kind.U32,
        NlMsgErrAttr.NLMSGERR_ATTR_MISS_NEST: Kind.U32,
    }
)
