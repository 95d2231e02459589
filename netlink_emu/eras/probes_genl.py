"""Probes of generic netlink and its controller."""

from __future__ import annotations

from collections.abc import Iterator

from netlink_emu.eras.bench import NOBODY, Attr, Bench, Client, hex4
from netlink_emu.eras.probes import probe
from netlink_emu.kernel.genetlink import (
    GENL_DONT_VALIDATE_DUMP,
    GenlFamily,
    GenlInfo,
    GenlOp,
    GenlSplitOp,
)
from netlink_emu.machine.credentials import CAP_NET_ADMIN, CAP_SYS_ADMIN
from netlink_emu.machine.namespaces import NetNamespace
from netlink_emu.protocol.attributes import NLA_F_NESTED
from netlink_emu.protocol.genetlink import GENLMSGHDR, CtrlAttr, CtrlAttrOp, CtrlCmd
from netlink_emu.protocol.netlink import (
    NLM_F_DUMP,
    NLMSG_DONE,
    NLMSG_HDRLEN,
    NetlinkSockOpt,
    nlmsg_walk,
)
from netlink_emu.protocol.policy import NlaPolicy, NlaType
from netlink_emu.protocol.reading.decode import Decoder
from netlink_emu.protocol.taskstats import TASKSTATS_CMD_ATTR_PID, TASKSTATS_CMD_GET

NLM_F_ROOT = 0x100
NLM_F_CREATE = 0x400
NOTIFY_GROUP = 16
_NAME, _ID = CtrlAttr.CTRL_ATTR_FAMILY_NAME, CtrlAttr.CTRL_ATTR_FAMILY_ID
_GETFAMILY = CtrlCmd.CTRL_CMD_GETFAMILY
TASKSTATS: tuple[Attr, ...] = ((_NAME, "TASKSTATS"),)


def _nothing(_info: GenlInfo) -> None:
    """An operation that does not answer."""


def _family(
    bench: Bench, name: str, *, id: int = 0, groups: tuple[str, ...] = (), needs: int | None = None
) -> GenlFamily:
    """Register a family with one operation; ``needs`` is what joining its groups takes."""
    family = GenlFamily(
        name,
        1,
        (GenlOp(1, doit=_nothing),),
        id=id,
        mcgrps=groups,
        mcgrp_caps={} if needs is None else dict.fromkeys(groups, needs),
    )
    bench.kernel.genl.register_family(family)
    return family


def _commands(bench: Bench, datagrams: list[bytes]) -> list[str]:
    """The commands of notifications with their lengths."""
    codec = GENLMSGHDR[bench.order]
    return [
        f"{CtrlCmd(codec.decode(data, NLMSG_HDRLEN).cmd).name} of {len(data)} bytes"
        for data in datagrams
    ]


@probe("getfamily_attrs")
def getfamily(bench: Bench) -> list[str]:
    """TASKSTATS is looked up by name."""
    return bench.client().said(bench.ctrl(_GETFAMILY, TASKSTATS))


@probe("notify_group")
def notify_group(bench: Bench) -> list[str]:
    """nlctrl is looked up; a member of group 16 hears of a new family."""
    client = bench.client()
    (reply,) = client.ask(bench.ctrl(_GETFAMILY, [(_NAME, "nlctrl")]))
    client.setsockopt(NetlinkSockOpt.NETLINK_ADD_MEMBERSHIP, NOTIFY_GROUP)
    _family(bench, "NEW")
    return [
        f"the reply has {len(reply)} bytes, {'' if b'notify' in reply else 'no '}group in it",
        *(_commands(bench, client.drain()) or ["no notification"]),
    ]


@probe("families_announced_whole")
def announced(bench: Bench) -> list[str]:
    """A member of 'notify' hears of a family with a group that comes and goes."""
    client = bench.client()
    client.setsockopt(NetlinkSockOpt.NETLINK_ADD_MEMBERSHIP, NOTIFY_GROUP)
    family = _family(bench, "NEW", id=0x30, groups=("news",))
    bench.kernel.genl.unregister_family(family)
    return _commands(bench, client.drain())


@probe("group_capabilities")
def restricted_group(bench: Bench) -> list[str]:
    """User nobody joins a group whose family asks for CAP_NET_ADMIN."""
    family = _family(bench, "NEW", groups=("secrets",), needs=CAP_NET_ADMIN)
    client = bench.client(uid=NOBODY)
    group = family.mcgrp_offset
    return [client.setsockopt(NetlinkSockOpt.NETLINK_ADD_MEMBERSHIP, group)]


@probe("group_sys_admin")
def group_of_administrators(bench: Bench) -> list[str]:
    """User nobody joins a group whose family asks for CAP_SYS_ADMIN."""
    family = _family(bench, "NEW", groups=("secrets",), needs=CAP_SYS_ADMIN)
    group = family.mcgrp_offset
    return [bench.client(uid=NOBODY).setsockopt(NetlinkSockOpt.NETLINK_ADD_MEMBERSHIP, group)]


@probe("nlctrl_version")
def nlctrl_version(bench: Bench) -> list[str]:
    """nlctrl is looked up; the version in its header."""
    (reply,) = bench.client().ask(bench.ctrl(_GETFAMILY, [(_NAME, "nlctrl")]))
    return [hex4(reply[NLMSG_HDRLEN : NLMSG_HDRLEN + 4])]


@probe("ctrl_attr_max")
def ctrl_attr_max(bench: Bench) -> list[str]:
    """nlctrl is looked up; its MAXATTR."""
    return [_maxattr(bench, "nlctrl")]


@probe("per_op_policy")
def per_op_policy(bench: Bench) -> list[str]:
    """TASKSTATS is looked up; its MAXATTR."""
    return [_maxattr(bench, "TASKSTATS")]


def _maxattr(bench: Bench, name: str) -> str:
    (reply,) = bench.client().ask(bench.ctrl(_GETFAMILY, [(_NAME, name)]))
    for kinds, at, length in bench.walk(reply):
        if kinds == (CtrlAttr.CTRL_ATTR_MAXATTR,):
            return hex4(reply[at - 4 : at + length])
    return "no such attribute"


@probe("family_ids")
def family_ids(bench: Bench) -> list[str]:
    """Three families come, the first goes, two more come, the last goes and comes again."""
    genl = bench.kernel.genl
    first, *others = [_family(bench, f"F{n}") for n in range(3)]
    genl.unregister_family(first)
    late = [_family(bench, f"G{n}") for n in range(2)]
    genl.unregister_family(late[1])
    again = _family(bench, "H")
    return [" ".join(f"{family.id:#x}" for family in (first, *others, *late, again))]


@probe("reserved_family_ids")
def reserved_ids(bench: Bench) -> list[str]:
    """A family comes that has no id yet."""
    return [f"{_family(bench, 'NEW').id:#x}"]


def _dumped(bench: Bench, client: Client, size: int = 65536) -> list[str]:
    """The ids of a family dump, a line for each datagram; DONE shows where it stands."""
    request = bench.ctrl(_GETFAMILY, flags=NLM_F_DUMP)
    client.send(request)
    lines = []
    for datagram in client.drain(size):
        words = []
        for offset, header in nlmsg_walk(datagram, bench.order):
            message = datagram[offset : offset + header.nlmsg_len]
            if header.nlmsg_type == NLMSG_DONE:
                words.append("DONE")
                continue
            ids = [at for kinds, at, _ in bench.walk(message) if kinds == (_ID,)]
            number = int.from_bytes(message[ids[0] : ids[0] + 2], bench.order.name)
            words.append(f"{number:#x}")
        lines.append(" ".join(words))
    return lines


@probe("families_dumped_by_id")
def dump_order(bench: Bench) -> list[str]:
    """All families are dumped; beside nlctrl and TASKSTATS 0x2f, 0x20 and 0x21."""
    for number in (0x2F, 0x20, 0x21):
        _family(bench, f"F{number:x}", id=number)
    return _dumped(bench, bench.client())


@probe("dump_resume_loses_family")
def long_dump(bench: Bench) -> list[str]:
    """A hundred families are dumped; how many arrive."""
    for number in range(100):
        _family(bench, f"FAMILY{number}", id=0x100 + number)
    ids = [word for line in _dumped(bench, bench.client(), 4096) for word in line.split()]
    return [f"{len(ids) - 1} of 102"]


@probe("getpolicy")
def getpolicy(bench: Bench) -> list[str]:
    """The policy of TASKSTATS is dumped."""
    request = bench.ctrl(CtrlCmd.CTRL_CMD_GETPOLICY, TASKSTATS, flags=NLM_F_DUMP)
    return bench.client().said(request)


@probe("getpolicy_dump_only_cmd")
def dump_only(bench: Bench) -> list[str]:
    """The policy of nlctrl's GETPOLICY itself is dumped: where its command stands, and which."""
    request = bench.ctrl(
        CtrlCmd.CTRL_CMD_GETPOLICY,
        [(_NAME, "nlctrl"), (CtrlAttr.CTRL_ATTR_OP, int(CtrlCmd.CTRL_CMD_GETPOLICY))],
        flags=NLM_F_DUMP,
    )
    return [hex4(bench.client().ask(request)[0][:44])]


@probe("policy_u64_pad")
def policy_of_numbers(bench: Bench) -> list[str]:
    """A PID of two bytes is refused; a policy is dumped, that of TASKSTATS or of nlctrl."""
    client = bench.client()
    client.setsockopt(NetlinkSockOpt.NETLINK_EXT_ACK, 1)
    request = bench.ctrl(
        CtrlCmd.CTRL_CMD_GETPOLICY,
        [(_NAME, "TASKSTATS" if bench.profile.per_op_policy else "nlctrl")],
        flags=NLM_F_DUMP,
    )
    return [
        *client.said(bench.get([(TASKSTATS_CMD_ATTR_PID, b"\1\0")])),
        *client.said(request)[:1],
    ]


@probe("genl_all_netns")
def other_netns(bench: Bench) -> list[str]:
    """From another network namespace TASKSTATS is looked up, a task and policies asked for."""
    net = NetNamespace(bench.machine.init_user_ns)
    client = bench.client(net=net)
    policies = bench.ctrl(CtrlCmd.CTRL_CMD_GETPOLICY, TASKSTATS, flags=NLM_F_DUMP)
    return [
        client.outcome(bench.ctrl(_GETFAMILY, TASKSTATS)),
        client.outcome(bench.get()),
        client.outcome(policies),
    ]


@probe("lookup_before_permission")
def forbidden_dump(bench: Bench) -> list[str]:
    """User nobody asks for a dump of all tasks."""
    return bench.client(uid=NOBODY).said(bench.get(flags=NLM_F_DUMP))


@probe("strict_headers")
def headers(bench: Bench) -> list[str]:
    """Command 9, unknown, with a reserved field, and with a flag that it does not know."""
    client = bench.client()
    client.setsockopt(NetlinkSockOpt.NETLINK_EXT_ACK, 1)
    return [
        *client.said(bench.request(9, reserved=1)),
        *client.said(bench.request(9, flags=NLM_F_CREATE)),
    ]


@probe("getfamily_dump_validated")
def dump_attributes(bench: Bench) -> list[str]:
    """All families are dumped; the request has an unknown attribute."""
    client = bench.client()
    client.setsockopt(NetlinkSockOpt.NETLINK_EXT_ACK, 1)
    request = bench.ctrl(_GETFAMILY, [(9, 1)], flags=NLM_F_DUMP)
    return client.said(request)


@probe("dump_needs_both_bits")
def half_a_dump(bench: Bench) -> list[str]:
    """A task is asked about with NLM_F_ROOT, half of NLM_F_DUMP."""
    return [bench.client().outcome(bench.get(flags=NLM_F_ROOT))]


@probe("attr_type_mask")
def flagged_type(bench: Bench) -> list[str]:
    """A task is asked about; the attribute's type has NLA_F_NESTED."""
    attrs: list[Attr] = [(TASKSTATS_CMD_ATTR_PID | NLA_F_NESTED, 2000)]
    return [bench.client().outcome(bench.request(TASKSTATS_CMD_GET, attrs))]


@probe("nul_string")
def name_without_nul(bench: Bench) -> list[str]:
    """TASKSTATS is looked up by a name without NUL."""
    return [bench.client().outcome(bench.ctrl(_GETFAMILY, [(_NAME, b"TASKSTATS")]))]


_OWN = 0x30
_LONG_U32: list[Attr] = [(1, b"\1\0\0\0\0")]


def _dumpit(_info: GenlInfo) -> Iterator[bytes]:
    """A dump of nothing."""
    return iter(())


def _own(bench: Bench, *ops: GenlOp | GenlSplitOp) -> None:
    """A family of somebody's own, with these operations."""
    bench.kernel.genl.register_family(GenlFamily("OWN", 1, ops, id=_OWN, mcgrps=()))


@probe("strict_families")
def strict_families(bench: Bench) -> list[str]:
    """A family's do and dump are sent five bytes for a u32."""
    policy = {1: NlaPolicy(NlaType.NLA_U32)}
    _own(bench, GenlOp(1, policy=policy, maxattr=1, doit=_nothing, dumpit=_dumpit))
    client = bench.client()
    return [
        client.outcome(bench.request(1, _LONG_U32, family=_OWN)),
        client.outcome(bench.request(1, _LONG_U32, family=_OWN, flags=NLM_F_DUMP)),
    ]


@probe("rejects_without_policy")
def without_policy(bench: Bench) -> list[str]:
    """A family's operation has no policy; its flags, and what it says to an attribute."""
    _own(bench, GenlOp(1, doit=_nothing))
    client = bench.client()
    return [_op_flags(bench, client), client.outcome(bench.request(1, _LONG_U32, family=_OWN))]


@probe("dump_policy_apart")
def dump_policy(bench: Bench) -> list[str]:
    """A family's dump has a policy, and GENL_DONT_VALIDATE_DUMP; its flags."""
    policy = {1: NlaPolicy(NlaType.NLA_U32)}
    op = GenlOp(1, policy=policy, maxattr=1, dumpit=_dumpit, validate=GENL_DONT_VALIDATE_DUMP)
    _own(bench, op)
    return [_op_flags(bench, bench.client())]


@probe("split_ops_reject")
def split_op(bench: Bench) -> list[str]:
    """The dump of a split operation has no policy; what it says to an attribute."""
    _own(bench, GenlSplitOp(1, dumpit=_dumpit))
    client = bench.client()
    return [client.outcome(bench.request(1, _LONG_U32, family=_OWN, flags=NLM_F_DUMP))]


@probe("uint_policies")
def uint_policies(bench: Bench) -> list[str]:
    """A family's operation takes a uint; with NETLINK_EXT_ACK it is sent three bytes."""
    _own(bench, GenlOp(1, policy={1: NlaPolicy(NlaType.NLA_UINT)}, maxattr=1, doit=_nothing))
    client = bench.client()
    client.setsockopt(NetlinkSockOpt.NETLINK_EXT_ACK, 1)
    return client.said(bench.request(1, [(1, b"abc")], family=_OWN))


def _op_flags(bench: Bench, client: Client) -> str:
    """CTRL_ATTR_OP_FLAGS of the family's one operation."""
    (reply,) = client.ask(bench.ctrl(_GETFAMILY, [(_NAME, "OWN")]))
    (message,) = Decoder(bench.order).datagram(reply)
    flags = message.find(CtrlAttrOp.CTRL_ATTR_OP_FLAGS.name)
    return "no flags" if flags is None else hex4(flags.payload)
