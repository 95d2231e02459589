"""What a cassette may ask of a real machine: requests that look, and change nothing.

A cassette may be anybody's, and is usually played as root. For the protocols with numbers of
their own the list is that of the UAPI headers' requests for what is there; the rest is refused.
Of generic netlink the kernel itself says which commands anybody may use, and which dump.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from netlink_emu.cassettes import Request, Stream
from netlink_emu.cassettes.match import messages
from netlink_emu.protocol.format import HOST_ORDER
from netlink_emu.protocol.genetlink import GENL_HDRLEN, GENL_ID_CTRL, GENLMSGHDR, GenlOpFlags
from netlink_emu.protocol.netlink import (
    NETLINK_GENERIC,
    NLM_F_DUMP,
    NLMSG_HDRLEN,
    NLMSG_MIN_TYPE,
    NlMsgHdr,
)
from netlink_emu.protocol.reading.raw import (
    NETLINK_NETFILTER,
    NETLINK_ROUTE,
    NETLINK_SOCK_DIAG,
    NETLINK_XFRM,
    raw_type,
)
from netlink_emu.protocol.taskstats import TASKSTATS_CMD_GET

NETLINK_AUDIT: Final = 9


@dataclass(frozen=True, slots=True)
class FamilyHere:
    """A generic netlink family of this machine: the flags of its commands (CTRL_ATTR_OPS)."""

    name: str
    commands: Mapping[int, int]


Families = Mapping[int, FamilyHere]  # by number

# Flags that forbid a command to most users, and commands that change nothing all the same.
_FOR_ADMINS: Final = GenlOpFlags.GENL_ADMIN_PERM | GenlOpFlags.GENL_UNS_ADMIN_PERM
_LOOKS: Final[Mapping[str, frozenset[int]]] = {"TASKSTATS": frozenset({TASKSTATS_CMD_GET})}
_RTNL_KIND: Final = 3  # rtnl_msgtype_kind(): RTM_NEW, RTM_DEL, RTM_GET, RTM_SET
_RTNL_KIND_GET: Final = 2
_TYPES: Final[Mapping[int, frozenset[int]]] = {
    # TCPDIAG_GETSOCK, DCCPDIAG_GETSOCK, SOCK_DIAG_BY_FAMILY (linux/inet_diag.h, sock_diag.h)
    NETLINK_SOCK_DIAG: frozenset({18, 19, 20}),
    # XFRM_MSG_GETSA, GETPOLICY, GETAE, GETSADINFO, GETSPDINFO, GETDEFAULT (linux/xfrm.h)
    NETLINK_XFRM: frozenset({0x12, 0x15, 0x1F, 0x23, 0x25, 0x28}),
    # AUDIT_GET, AUDIT_LIST_RULES, AUDIT_TTY_GET, AUDIT_GET_FEATURE (linux/audit.h)
    NETLINK_AUDIT: frozenset({1000, 1013, 1016, 1019}),
}
# By subsystem (linux/netfilter/nfnetlink.h). What resets counters as it reads them is left out.
_NETFILTER: Final[Mapping[int, frozenset[int]]] = {
    1: frozenset({1, 4, 5, 6, 7}),  # IPCTNL_MSG_CT_GET, _GET_STATS_CPU ... _GET_UNCONFIRMED
    2: frozenset({1, 3}),  # IPCTNL_MSG_EXP_GET, _GET_STATS_CPU
    6: frozenset({1, 7, 12, 13, 14, 15}),  # IPSET_CMD_PROTOCOL, LIST, HEADER, TYPE, GET_BY...
    7: frozenset({1}),  # NFNL_MSG_ACCT_GET
    8: frozenset({1, 4}),  # IPCTNL_MSG_TIMEOUT_GET, _DEFAULT_GET
    9: frozenset({1}),  # NFNL_MSG_CTHELPER_GET
    10: frozenset({1, 4, 7, 10, 13, 16, 19, 23}),  # NFT_MSG_GETTABLE ... _GETFLOWTABLE
}


def harm_of_requests(stream: Stream, families: Families) -> str:
    """What a recorded socket might change on a machine; empty if nothing.

    Its bytes are of this machine's order, its families' numbers are those of ``families``.
    """
    return next(_harms(stream, families), "")


def _harms(stream: Stream, families: Families) -> Iterator[str]:
    for event in stream.events:
        if not isinstance(event, Request):
            continue
        if event.portid or event.group:
            yield "it sends to other programs"
        for start, header in messages(event.data, HOST_ORDER):
            if header.nlmsg_type < NLMSG_MIN_TYPE:
                continue
            if stream.protocol == NETLINK_GENERIC:
                message = event.data[start : start + header.nlmsg_len]
                yield from _generic(message, header, families)
            elif not _looks(stream.protocol, header.nlmsg_type):
                what = raw_type(stream.protocol, header.nlmsg_type).name
                yield f"it sends {stream.protocol_name} {what}"


def _looks(protocol: int, kind: int) -> bool:
    if protocol == NETLINK_ROUTE:
        return kind & _RTNL_KIND == _RTNL_KIND_GET
    if protocol == NETLINK_NETFILTER:
        subsystem, command = divmod(kind, 256)
        return command in _NETFILTER.get(subsystem, ())
    return kind in _TYPES.get(protocol, ())


def _generic(message: bytes, header: NlMsgHdr, families: Families) -> Iterator[str]:
    kind = header.nlmsg_type
    if kind == GENL_ID_CTRL or len(message) < NLMSG_HDRLEN + GENL_HDRLEN:
        return  # nlctrl changes nothing, and what is too short is refused
    family = families.get(kind)
    if family is None or not family.commands:
        yield f"it asks family {kind}, of whose commands this kernel tells nothing"
        return
    command = GENLMSGHDR[HOST_ORDER].decode(message, NLMSG_HDRLEN).cmd
    flags = family.commands.get(command)
    if flags is None or command in _LOOKS.get(family.name, ()):
        return  # what it has not, the kernel refuses
    dumps = header.nlmsg_flags & NLM_F_DUMP == NLM_F_DUMP
    if flags & _FOR_ADMINS and not (dumps and flags & GenlOpFlags.GENL_CMD_CAP_DUMP):
        yield f"it sends {family.name} command {command}, which is for administrators"
