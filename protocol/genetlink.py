"""Generic netlink's header and its controller: include/uapi/linux/genetlink.h."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from .format import BIG, LITTLE, ByteOrder, Format, chain
from .netlink import NLM_F_REQUEST, NLMSG_HDRLEN, NLMSGHDR

GENL_NAMSIZ: Final = 16
GENL_ID_CTRL: Final = 0x10
GENL_MIN_ID: Final = 0x10
GENL_MAX_ID: Final = 1023
GENL_ID_VFS_DQUOT: Final = 0x11
GENL_ID_PMCRAID: Final = 0x12
GENL_START_ALLOC: Final = 0x13


# struct genlmsghdr { __u8 cmd; __u8 version; __u16 reserved; };
@dataclass(frozen=True, slots=True)
class GenlMsgHdr:
    """Follows the nlmsghdr; the family's own header and the attributes come behind."""

    cmd: int
    version: int
    reserved: int


GENLMSGHDR: Final = Format(
    GenlMsgHdr, lambda o: ("cmd" / o.u8, "version" / o.u8, "reserved" / o.u16)
)
GENL_HDRLEN: Final = GENLMSGHDR.size
# struct nlmsghdr and struct genlmsghdr, which begin every message, as one; by byte order.
GENL_HEADERS: Final = {
    order.char: chain(order.char, NLMSGHDR[order].construct, GENLMSGHDR[order].construct)
    for order in (LITTLE, BIG)
}


def genl_request(
    order: ByteOrder,
    family: int,
    cmd: int,
    body: bytes = b"",
    *,
    version: int = 1,
    flags: int = 0,
    seq: int = 1,
) -> bytes:
    """A request to a family: ``body`` follows the headers; ``flags`` beside NLM_F_REQUEST."""
    header = GENLMSGHDR[order].pack(cmd, version, 0)
    length = NLMSG_HDRLEN + len(header) + len(body)
    return NLMSGHDR[order].pack(length, family, NLM_F_REQUEST | flags, seq, 0) + header + body


class GenlOpFlags(enum.IntFlag):
    """CTRL_ATTR_OP_FLAGS."""

    GENL_ADMIN_PERM = 0x01
    GENL_CMD_CAP_DO = 0x02
    GENL_CMD_CAP_DUMP = 0x04
    GENL_CMD_CAP_HASPOL = 0x08
    GENL_UNS_ADMIN_PERM = 0x10


class CtrlCmd(enum.IntEnum):
    """Commands of nlctrl."""

    CTRL_CMD_UNSPEC = 0
    CTRL_CMD_NEWFAMILY = 1
    CTRL_CMD_DELFAMILY = 2
    CTRL_CMD_GETFAMILY = 3
    CTRL_CMD_NEWOPS = 4
    CTRL_CMD_DELOPS = 5
    CTRL_CMD_GETOPS = 6
    CTRL_CMD_NEWMCAST_GRP = 7
    CTRL_CMD_DELMCAST_GRP = 8
    CTRL_CMD_GETMCAST_GRP = 9
    CTRL_CMD_GETPOLICY = 10


class CtrlAttr(enum.IntEnum):
    """Attributes of nlctrl's messages."""

    CTRL_ATTR_FAMILY_ID = 1
    CTRL_ATTR_FAMILY_NAME = 2
    CTRL_ATTR_VERSION = 3
    CTRL_ATTR_HDRSIZE = 4
    CTRL_ATTR_MAXATTR = 5
    CTRL_ATTR_OPS = 6
    CTRL_ATTR_MCAST_GROUPS = 7
    CTRL_ATTR_POLICY = 8
    CTRL_ATTR_OP_POLICY = 9
    CTRL_ATTR_OP = 10


class CtrlAttrOp(enum.IntEnum):
    """Attributes of an operation in CTRL_ATTR_OPS. 3 to 5 were sent by 2.6.19 alone."""

    CTRL_ATTR_OP_ID = 1
    CTRL_ATTR_OP_FLAGS = 2
    CTRL_ATTR_OP_POLICY = 3
    CTRL_ATTR_OP_DOIT = 4
    CTRL_ATTR_OP_DUMPIT = 5


class CtrlAttrMcastGrp(enum.IntEnum):
    """Attributes of a multicast group in CTRL_ATTR_MCAST_GROUPS."""

    CTRL_ATTR_MCAST_GRP_NAME = 1
    CTRL_ATTR_MCAST_GRP_ID = 2


class CtrlAttrPolicy(enum.IntEnum):
    """Attributes of an operation in CTRL_ATTR_OP_POLICY."""

    CTRL_ATTR_POLICY_DO = 1
    CTRL_ATTR_POLICY_DUMP = 2
