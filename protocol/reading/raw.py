"""Messages of protocols other than generic netlink: names of types, and where attributes begin.

Each type of message has a struct of its own before its attributes. The sizes are those of
include/uapi/linux/{rtnetlink,if_link,if_addr,neighbour,fib_rules,if_bridge,net_namespace,nexthop,
if_addrlabel,netconf}.h and linux/netfilter/nfnetlink.h, padded to four bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from .declared import attribute_names
from .describe import AttrSet
from .rtnetlink import SETS

NETLINK_ROUTE: Final = 0
NETLINK_SOCK_DIAG: Final = 4
NETLINK_XFRM: Final = 6
NETLINK_NETFILTER: Final = 12

_VERBS: Final = ("NEW", "DEL", "GET", "SET")
_RTM_BASE: Final = 16
# In fours from 16 on: what a message is about, and the size of its header.
_RTM: Final = (
    ("LINK", 16), ("ADDR", 8), ("ROUTE", 12), ("NEIGH", 12), ("RULE", 12), ("QDISC", 20),
    ("TCLASS", 20), ("TFILTER", 20), ("ACTION", 4), ("PREFIX", 12), ("MULTICAST", 8),
    ("ANYCAST", 8), ("NEIGHTBL", 4), ("NDUSEROPT", 16), ("ADDRLABEL", 12), ("DCB", 4),
    ("NETCONF", 4), ("MDB", 8), ("NSID", 4), ("STATS", 12), ("CACHEREPORT", 4), ("CHAIN", 20),
    ("NEXTHOP", 8), ("LINKPROP", 16), ("VLAN", 8), ("NEXTHOPBUCKET", 8), ("TUNNEL", 8),
)  # fmt: skip
_NFGENMSG: Final = 4
# Commands of nfnetlink's subsystems, and xfrm's types, in the order of their enums:
# linux/netfilter/{nfnetlink_conntrack,nf_tables}.h, linux/xfrm.h.
_SUBSYSTEMS: Final[Mapping[int, tuple[str, str]]] = {
    1: (
        "IPCTNL_MSG_CT_",
        "NEW GET DELETE GET_CTRZERO GET_STATS_CPU GET_STATS GET_DYING GET_UNCONFIRMED",
    ),
    2: ("IPCTNL_MSG_EXP_", "NEW GET DELETE GET_STATS_CPU"),
    10: (
        "NFT_MSG_",
        "NEWTABLE GETTABLE DELTABLE NEWCHAIN GETCHAIN DELCHAIN NEWRULE GETRULE DELRULE NEWSET "
        "GETSET DELSET NEWSETELEM GETSETELEM DELSETELEM NEWGEN GETGEN TRACE NEWOBJ GETOBJ DELOBJ "
        "GETOBJ_RESET NEWFLOWTABLE GETFLOWTABLE DELFLOWTABLE GETRULE_RESET DESTROYTABLE "
        "DESTROYCHAIN DESTROYRULE DESTROYSET DESTROYSETELEM DESTROYOBJ DESTROYFLOWTABLE "
        "GETSETELEM_RESET",
    ),
}
_NFNL_BATCH: Final = {16: "NFNL_MSG_BATCH_BEGIN", 17: "NFNL_MSG_BATCH_END"}
_XFRM_BASE: Final = 16
_XFRM: Final = (
    "NEWSA DELSA GETSA NEWPOLICY DELPOLICY GETPOLICY ALLOCSPI ACQUIRE EXPIRE UPDPOLICY UPDSA "
    "POLEXPIRE FLUSHSA FLUSHPOLICY NEWAE GETAE REPORT MIGRATE NEWSADINFO GETSADINFO NEWSPDINFO "
    "GETSPDINFO MAPPING SETDEFAULT GETDEFAULT MIGRATE_STATE"
)


@dataclass(frozen=True, slots=True)
class RawType:
    """A type of message: its name (or number), the bytes before its attributes, and those.

    ``header`` is None where what follows is not known.
    """

    name: str
    header: int | None
    attrs: AttrSet = field(default_factory=dict)


def _rtnetlink() -> Mapping[int, RawType]:
    return {
        _RTM_BASE + 4 * kind + verb: RawType(f"RTM_{_VERBS[verb]}{what}", size, SETS.get(what, {}))
        for kind, (what, size) in enumerate(_RTM)
        for verb in range(4)
    }


def _netfilter() -> Mapping[int, RawType]:
    found = {kind: RawType(name, _NFGENMSG) for kind, name in _NFNL_BATCH.items()}
    for subsystem, (prefix, commands) in _SUBSYSTEMS.items():
        for number, name in enumerate(commands.split()):
            found[subsystem * 256 + number] = RawType(f"{prefix}{name}", _NFGENMSG)
    return found


_TYPES: Final[Mapping[int, Mapping[int, RawType]]] = {
    NETLINK_ROUTE: _rtnetlink(),
    NETLINK_SOCK_DIAG: {
        20: RawType("SOCK_DIAG_BY_FAMILY", None),
        21: RawType("SOCK_DESTROY", None),
    },
    NETLINK_XFRM: {
        number: RawType(f"XFRM_MSG_{name}", None)
        for number, name in enumerate(_XFRM.split(), _XFRM_BASE)
    },
    NETLINK_NETFILTER: _netfilter(),
}


ATTRIBUTE_NAMES: Final = frozenset(
    name for attrs in SETS.values() for name in attribute_names(attrs)
)
TYPE_NAMES: Final = frozenset(known.name for types in _TYPES.values() for known in types.values())


def raw_type(protocol: int, nlmsg_type: int) -> RawType:
    """What a message of ``nlmsg_type`` is in a netlink protocol."""
    known = _TYPES.get(protocol, {}).get(nlmsg_type)
    if known is None and protocol == NETLINK_NETFILTER:
        subsystem, command = divmod(nlmsg_type, 256)
        return RawType(f"subsystem {subsystem} command {command}", _NFGENMSG)
    return known if known is not None else RawType(str(nlmsg_type), None)
