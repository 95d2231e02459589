"""How some of the kernel's families differ from what their specs suggest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from netlink_emu.families.own.curve25519 import KEY_SIZE, public_key
from netlink_emu.families.own.kinds import Verb
from netlink_emu.protocol.errors import NetlinkError

Object = Mapping[Any, Any]
# Of what kind, the objects that there are, the one that is changed (none that is made), and what
# a request has for it: what is taken of that, None removing
# an attribute. Raises NetlinkError for what the kernel refuses.
Look = Callable[[Verb, str, Sequence[Object], Object | None, Object], Object]


def _as_it_is(
    _verb: Verb, _kind: str, _objects: Sequence[Object], _found: Object | None, values: Object
) -> Object:
    return values


def _nothing(_verb: Verb, _values: Object) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Habits:
    """``absent`` is the errno and text for a missing object, if not ENODEV or ENOENT.

    ``removes_all``: a removal that names no object removes all. ``first`` is what there is at
    first by kind. ``numbers_on``: ids that are not given go on at the highest one that there was
    since all objects were removed, and dumps are in their order. ``look`` is asked before
    something is made or set; ``passes`` says of a request that there is nothing to do. ``nobodys``
    are kinds of which a get without a key asks for what belongs to no object: an empty answer, if
    there is nothing of that.
    """

    absent: tuple[str, str] | None = None
    removes_all: bool = False
    first: Mapping[str, Object] = field(default_factory=dict)
    numbers_on: bool = False
    look: Look = _as_it_is
    passes: Callable[[Verb, Object], bool] = _nothing
    nobodys: frozenset[str] = frozenset()


# net/mptcp/pm_kernel.c
_MPTCP_PM_ADDR_MAX: Final = 8
_CHANGED: Final = 1 << 2 | 1 << 3  # MPTCP_PM_ADDR_FLAG_BACKUP, MPTCP_PM_ADDR_FLAG_FULLMESH


def _mptcp_pm(
    verb: Verb, kind: str, objects: Sequence[Object], found: Object | None, values: Object
) -> Object:
    if kind == "limits":
        # parse_limit()
        for name in ("rcv-add-addrs", "subflows"):
            if values.get(name, 0) > _MPTCP_PM_ADDR_MAX:
                most = f"limit greater than maximum ({_MPTCP_PM_ADDR_MAX})"
                raise NetlinkError("EINVAL", most, attr=name)
        return values
    address = values.get("addr", {})
    if verb is Verb.MAKE:
        errno = _not_appended(objects, address)
        if errno is not None:
            number = NetlinkError(errno).errno
            raise NetlinkError(errno, f"too many addresses or duplicate one: {-number}")
    elif found is not None:
        # mptcp_pm_nl_set_flags()
        flags = found["addr"].get("flags", 0) & ~_CHANGED | address.get("flags", 0) & _CHANGED
        return {**values, "addr": {**address, "flags": flags}}
    return values


def _not_appended(objects: Sequence[Object], address: Object) -> str | None:
    """mptcp_pm_nl_append_new_local_addr()."""
    if len(objects) >= _MPTCP_PM_ADDR_MAX:
        return "ERANGE"
    others = [each.get("addr", {}) for each in objects]
    if "id" in address and any(other.get("id") == address["id"] for other in others):
        return "EBUSY"
    names = ("family", "addr4", "addr6", "port")
    if any(all(other.get(name) == address.get(name) for name in names) for other in others):
        return "EEXIST"
    return None


def _mptcp_pm_passes(verb: Verb, values: Object) -> bool:
    """mptcp_pm_nl_del_addr_doit(): id 0 is that of connections, which nobody has here."""
    return verb is Verb.REMOVE and values.get("addr", {}).get("id") == 0


def _wireguard(
    _verb: Verb, _kind: str, _objects: Sequence[Object], _found: Object | None, values: Object
) -> Object:
    """wg_set_device(): the public key is that of the private one."""
    key = values.get("private-key")
    if not isinstance(key, str) or len(key) != 2 * KEY_SIZE:
        return values
    private = bytes.fromhex(key)
    if not any(private):
        return {**values, "private-key": None, "public-key": None}
    return {**values, "public-key": public_key(private).hex()}


_HABITS: Final[Mapping[str, Habits]] = {
    # net/ipv4/tcp_metrics.c: tcp_metrics_nl_cmd_get(), tcp_metrics_nl_cmd_del()
    "tcp_metrics": Habits(absent=("ESRCH", ""), removes_all=True),
    # net/ethtool/strset.c: string sets that are the same for all devices
    "ethtool": Habits(nobodys=frozenset({"strset"})),
    # drivers/net/wireguard/netlink.c
    "wireguard": Habits(look=_wireguard),
    # net/mptcp/pm_kernel.c: mptcp_pm_nl_get_addr(), mptcp_pm_nl_del_addr_doit()
    "mptcp_pm": Habits(
        absent=("EINVAL", "address not found"),
        first={"limits": {"rcv-add-addrs": 0, "subflows": 2}},
        numbers_on=True,
        look=_mptcp_pm,
        passes=_mptcp_pm_passes,
    ),
}
# resv_start_op of struct genl_family (6.1): one more than the last command that 6.0 had, in each
# family's source. From there on headers are strict, and what has no policy takes no attributes.
# Families that came later have none.
RESV_START_OP: Final[Mapping[str, int]] = {
    "devlink": 84,  # DEVLINK_CMD_SELFTESTS_RUN + 1
    "ethtool": 35,  # ETHTOOL_MSG_MODULE_GET + 1
    "fou": 4,  # FOU_CMD_GET + 1
    "mptcp_pm": 12,  # MPTCP_PM_CMD_SUBFLOW_DESTROY + 1
    "nl80211": 153,  # NL80211_CMD_REMOVE_LINK_STA + 1
    "ovs_datapath": 5,  # OVS_DP_CMD_SET + 1
    "ovs_flow": 5,  # OVS_FLOW_CMD_SET + 1
    "ovs_packet": 4,  # OVS_PACKET_CMD_EXECUTE + 1
    "ovs_vport": 5,  # OVS_VPORT_CMD_SET + 1
    "tcp_metrics": 3,  # TCP_METRICS_CMD_DEL + 1
    "team": 4,  # TEAM_CMD_PORT_LIST_GET + 1
    "wireguard": 2,  # WG_CMD_SET_DEVICE + 1
}


def habits_of(family: str) -> Habits:
    """Return the habits of the family of that name."""
    return _HABITS.get(family, Habits())
