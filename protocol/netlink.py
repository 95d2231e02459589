"""Netlink's own messages: include/uapi/linux/netlink.h.

Layouts are little or big endian as the emulated host is; lengths and offsets are in bytes.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from .format import LITTLE, ByteOrder, Format

AF_NETLINK: Final = 16
NETLINK_GENERIC: Final = 16
SOL_SOCKET: Final = 1
SOL_NETLINK: Final = 270

NLMSG_ALIGNTO: Final = 4
NLMSG_MIN_TYPE: Final = 0x10


def nlmsg_align(length: int) -> int:
    """NLMSG_ALIGN and NLA_ALIGN: round up to 4."""
    return (length + 3) & ~3


class NlMsgType(enum.IntEnum):
    """Types below NLMSG_MIN_TYPE are control messages."""

    NLMSG_NOOP = 1
    NLMSG_ERROR = 2
    NLMSG_DONE = 3
    NLMSG_OVERRUN = 4


class NlmFlags(enum.IntFlag):
    """nlmsg_flags. Some bits mean different things in requests, gets, news and acks."""

    NLM_F_REQUEST = 0x01
    NLM_F_MULTI = 0x02
    NLM_F_ACK = 0x04
    NLM_F_ECHO = 0x08
    NLM_F_DUMP_INTR = 0x10
    NLM_F_DUMP_FILTERED = 0x20
    NLM_F_ROOT = 0x100
    NLM_F_MATCH = 0x200
    NLM_F_ATOMIC = 0x400
    NLM_F_DUMP = 0x300
    NLM_F_CAPPED = 0x100  # in NLMSG_ERROR
    NLM_F_ACK_TLVS = 0x200  # in NLMSG_ERROR and NLMSG_DONE


NLM_F_REQUEST: Final = 0x01
NLM_F_MULTI: Final = 0x02
NLM_F_ACK: Final = 0x04
NLM_F_ECHO: Final = 0x08
NLM_F_DUMP_INTR: Final = 0x10
NLM_F_DUMP: Final = 0x300
NLM_F_CAPPED: Final = 0x100
NLM_F_ACK_TLVS: Final = 0x200
NLMSG_NOOP: Final = 1
NLMSG_ERROR: Final = 2
NLMSG_DONE: Final = 3


class NlMsgErrAttr(enum.IntEnum):
    """Attributes of an extended ack."""

    NLMSGERR_ATTR_MSG = 1
    NLMSGERR_ATTR_OFFS = 2
    NLMSGERR_ATTR_COOKIE = 3
    NLMSGERR_ATTR_POLICY = 4
    NLMSGERR_ATTR_MISS_TYPE = 5
    NLMSGERR_ATTR_MISS_NEST = 6


class NetlinkSockOpt(enum.IntEnum):
    """Options of level SOL_NETLINK."""

    NETLINK_ADD_MEMBERSHIP = 1
    NETLINK_DROP_MEMBERSHIP = 2
    NETLINK_PKTINFO = 3
    NETLINK_BROADCAST_ERROR = 4
    NETLINK_NO_ENOBUFS = 5
    NETLINK_RX_RING = 6
    NETLINK_TX_RING = 7
    NETLINK_LISTEN_ALL_NSID = 8
    NETLINK_LIST_MEMBERSHIPS = 9
    NETLINK_CAP_ACK = 10
    NETLINK_EXT_ACK = 11
    NETLINK_GET_STRICT_CHK = 12


# struct nlmsghdr {
#     __u32 nlmsg_len;      /*  0 */
#     __u16 nlmsg_type;     /*  4 */
#     __u16 nlmsg_flags;    /*  6 */
#     __u32 nlmsg_seq;      /*  8 */
#     __u32 nlmsg_pid;      /* 12 */
# };                        /* 16 */
@dataclass(frozen=True, slots=True)
class NlMsgHdr:
    """The header of every message; nlmsg_len counts it in."""

    nlmsg_len: int
    nlmsg_type: int
    nlmsg_flags: int
    nlmsg_seq: int
    nlmsg_pid: int


NLMSGHDR: Final = Format(
    NlMsgHdr,
    lambda o: (
        "nlmsg_len" / o.u32,
        "nlmsg_type" / o.u16,
        "nlmsg_flags" / o.u16,
        "nlmsg_seq" / o.u32,
        "nlmsg_pid" / o.u32,
    ),
)
NLMSG_HDRLEN: Final = NLMSGHDR.size


# struct sockaddr_nl {
#     __kernel_sa_family_t nl_family;   /* 0, AF_NETLINK */
#     unsigned short       nl_pad;      /* 2 */
#     __u32                nl_pid;      /* 4, portid; 0 is the kernel */
#     __u32                nl_groups;   /* 8, mask of the first 32 groups */
# };                                    /* 12 */
@dataclass(frozen=True, slots=True)
class SockaddrNl:
    """An AF_NETLINK address."""

    nl_family: int
    nl_pad: int
    nl_pid: int
    nl_groups: int


SOCKADDR_NL: Final = Format(
    SockaddrNl,
    lambda o: (
        "nl_family" / o.u16,
        "nl_pad" / o.u16,
        "nl_pid" / o.u32,
        "nl_groups" / o.u32,
    ),
)


# struct nlmsgerr {
#     int             error;    /*  0, negative errno or 0 */
#     struct nlmsghdr msg;      /*  4, the request's header; its payload may follow */
# };                            /* 20 */
@dataclass(frozen=True, slots=True)
class NlMsgErr:
    """What NLMSG_ERROR carries first, and NLMSG_DONE as its only int."""

    error: int


NLMSGERR: Final = Format(NlMsgErr, lambda o: ("error" / o.s32,))
NLMSGERR_SIZE: Final = NLMSGERR.size + NLMSG_HDRLEN


# struct nl_pktinfo { __u32 group; };
@dataclass(frozen=True, slots=True)
class NlPktinfo:
    """The NETLINK_PKTINFO control message: the group number that a message was sent to."""

    group: int


NL_PKTINFO: Final = Format(NlPktinfo, lambda o: ("group" / o.u32,))


def nlmsg_walk(
    data: bytes | memoryview, order: ByteOrder = LITTLE
) -> Iterator[tuple[int, NlMsgHdr]]:
    """The (offset, header) of each message of a datagram, as netlink_rcv_skb() walks it.

    Ends silently at the first header whose nlmsg_len is below 16 or beyond the datagram.
    """
    codec = NLMSGHDR[order]
    offset, end = 0, len(data)
    while end - offset >= NLMSG_HDRLEN:
        header = codec.decode(data, offset)
        if header.nlmsg_len < NLMSG_HDRLEN or header.nlmsg_len > end - offset:
            return
        yield offset, header
        offset += nlmsg_align(header.nlmsg_len)
