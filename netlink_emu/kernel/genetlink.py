"""Generic netlink: families, and a request's way to its operation: net/netlink/genetlink.c."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field
from errno import EBUSY, EEXIST, EINVAL, ENOENT, EOPNOTSUPP, EPERM
from typing import TYPE_CHECKING, Final, Protocol

from netlink_emu.kernel.dump import NetlinkDump, Part, netlink_dump
from netlink_emu.kernel.netlink_rcv import DUMP_STARTED, Request, netlink_rcv_skb
from netlink_emu.kernel.profile import FamilyIds
from netlink_emu.kernel.skbuff import SkBuff, trimmed_truesize
from netlink_emu.machine.credentials import CAP_NET_ADMIN
from netlink_emu.machine.namespaces import UserNamespace
from netlink_emu.protocol.attributes import nla_scalar
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.genetlink import (
    GENL_HDRLEN,
    GENL_HEADERS,
    GENL_ID_CTRL,
    GENL_ID_PMCRAID,
    GENL_ID_VFS_DQUOT,
    GENL_MAX_ID,
    GENL_MIN_ID,
    GENL_START_ALLOC,
    GENLMSGHDR,
    GenlOpFlags,
)
from netlink_emu.protocol.netlink import (
    NETLINK_GENERIC,
    NLM_F_ACK,
    NLM_F_DUMP,
    NLM_F_ECHO,
    NLM_F_REQUEST,
    NLMSG_HDRLEN,
    nlmsg_align,
)
from netlink_emu.protocol.policy import LIBERAL, STRICT, NlValidate, Parser, ParseRules, Policy

if TYPE_CHECKING:
    from netlink_emu.kernel.af_netlink import NetlinkSock
    from netlink_emu.kernel.current import Current
    from netlink_emu.kernel.kernel import Kernel
    from netlink_emu.kernel.profile import Profile
    from netlink_emu.machine.namespaces import NetNamespace

NO_FLAGS: Final = GenlOpFlags(0)
GENL_ADMIN_PERM: Final = GenlOpFlags.GENL_ADMIN_PERM
GENL_UNS_ADMIN_PERM: Final = GenlOpFlags.GENL_UNS_ADMIN_PERM


@dataclass(slots=True)
class GenlInfo:
    """struct genl_info: a request on its way to an operation. ``attrs`` hold payloads by type."""

    kernel: Kernel
    family: GenlFamily
    request: Request
    cmd: int
    attrs: dict[int, bytes]
    sk: NetlinkSock
    current: Current

    @property
    def net(self) -> NetNamespace:
        return self.sk.net

    def get_u16(self, kind: int) -> int:
        """nla_get_u16() of an attribute that was validated."""
        value: int = self.kernel.genl.unpack_u16(self.attrs[kind])[0]
        return value

    def get_u32(self, kind: int) -> int:
        """nla_get_u32() of an attribute that was validated."""
        value: int = self.kernel.genl.unpack_u32(self.attrs[kind])[0]
        return value

    def reply(self, cmd: int, attrs: bytes | bytearray, allocated: int) -> None:
        """genlmsg_reply(): unicast to who asked; ``allocated`` as genlmsg_new() was told.

        Raises ECONNREFUSED or EAGAIN when the requester cannot take it.
        """
        kernel, family, portid = self.kernel, self.family, self.request.skb.portid
        message = family.message(kernel, cmd, attrs, self.request.nlmsg_seq, portid)
        room = nlmsg_align(NLMSG_HDRLEN + GENL_HDRLEN + family.hdrsize + allocated)
        skb = SkBuff(message, trimmed_truesize(room, len(message)))
        kernel.netlink.unicast_from_kernel(self.sk.net, NETLINK_GENERIC, skb, portid)


class NotifyHook(Protocol):
    """Told of a family that came or went."""

    def __call__(self, family: GenlFamily, *, came: bool) -> None: ...


Doit = Callable[[GenlInfo], None]
# Checks a dump's request and gives the payload of each part; NetlinkError while it is called
# is an immediate error, while it is iterated one in NLMSG_DONE.
Dumpit = Callable[[GenlInfo], Iterator[Part]]


@dataclass(frozen=True, slots=True)
class GenlOp:
    """struct genl_split_ops, the doit and the dumpit of a command in one.

    ``dump_ends_with_zero``, ``dump_loses_unfit``: see
    :class:`netlink_emu.kernel.dump.NetlinkDump`.
    """

    cmd: int
    flags: GenlOpFlags = NO_FLAGS
    policy: Policy = field(default_factory=dict)
    maxattr: int = 0
    doit: Doit | None = None
    doit_validate: NlValidate = LIBERAL
    dumpit: Dumpit | None = None
    dump_policy: Policy | None = None
    dump_maxattr: int = 0
    dump_validate: NlValidate = STRICT
    dump_ends_with_zero: bool = False
    dump_loses_unfit: bool = False

    @property
    def reported_flags(self) -> int:
        """CTRL_ATTR_OP_FLAGS."""
        flags = self.flags
        if self.doit is not None:
            flags |= GenlOpFlags.GENL_CMD_CAP_DO
        if self.dumpit is not None:
            flags |= GenlOpFlags.GENL_CMD_CAP_DUMP
        if self.policy or self.dump_policy:
            flags |= GenlOpFlags.GENL_CMD_CAP_HASPOL
        return int(flags)


@dataclass(slots=True)
class GenlFamily:
    """struct genl_family. ``id`` 0: given at registration; ``maxattr`` as GETFAMILY reports it.

    ``resv_start_op``: commands from here on have their headers checked strictly (6.1).
    ``mcgrp_caps``: the capability that joining a group of that name needs (6.8). ``admits``: who
    may join any of them, of a family that no real kernel has.
    """

    name: str
    version: int
    ops: tuple[GenlOp, ...]
    id: int = 0
    hdrsize: int = 0
    maxattr: int = 0
    mcgrps: tuple[str, ...] = ()
    mcgrp_caps: Mapping[str, int] = field(default_factory=dict)
    admits: Callable[[Current], bool] | None = None
    resv_start_op: int = 0
    netnsok: bool = True
    mcgrp_offset: int = 0

    def op(self, cmd: int) -> GenlOp | None:
        """The operation for a command."""
        return next((op for op in self.ops if op.cmd == cmd), None)

    def message(
        self, kernel: Kernel, cmd: int, attrs: bytes | bytearray, seq: int, portid: int
    ) -> bytes:
        """genlmsg_put() and its attributes: one whole message with flags 0."""
        headers = GENL_HEADERS[kernel.profile.arch.order.char]
        length = headers.size + len(attrs)
        return headers.pack(length, self.id, 0, seq, portid, cmd, self.version, 0) + attrs


class _Operation:
    """What of a :class:`GenlOp` each request asks for, looked up once.

    Python's IntFlag takes 0.4 us for an "and", as long as an attribute takes to parse.
    """

    __slots__ = ("admin_perm", "doit", "dump_parser", "dumpit", "op", "parser", "uns_admin_perm")

    def __init__(self, op: GenlOp, profile: Profile) -> None:
        rules = ParseRules(
            attr_type_mask=profile.attr_type_mask,
            extack_policy_msg=profile.extack_policy_msg,
            extack_policy=profile.extack_policy,
            extack_leftover_msg=profile.extack_leftover_msg,
            nul_string=profile.nul_string,
        )

        def parser(policy: Policy, maxattr: int, validate: NlValidate) -> Parser:
            return Parser(
                policy, maxtype=maxattr, validate=validate, order=profile.arch.order, rules=rules
            )

        self.op: Final = op
        self.doit: Final = op.doit
        self.dumpit: Final = op.dumpit
        self.admin_perm: Final = GenlOpFlags.GENL_ADMIN_PERM in op.flags
        self.uns_admin_perm: Final = GenlOpFlags.GENL_UNS_ADMIN_PERM in op.flags
        self.parser: Parser | None = None
        self.dump_parser: Parser | None = None
        if op.maxattr:
            self.parser = parser(op.policy, op.maxattr, op.doit_validate)
        if op.dump_policy is not None:
            self.dump_parser = parser(op.dump_policy, op.dump_maxattr, op.dump_validate)


class Genetlink:
    """The families of one kernel, and what arrives for them."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        profile = kernel.profile
        self.families: dict[int, GenlFamily] = {}
        self._by_name: dict[str, GenlFamily] = {}
        self._operations: dict[int, dict[int, _Operation]] = {}
        order = profile.arch.order
        self._unpack_header = GENLMSGHDR[order].unpack_from
        self.unpack_u16: Final = nla_scalar(2, order).unpack_from
        self.unpack_u32: Final = nla_scalar(4, order).unpack_from
        self._next_id = 0
        # nlctrl's notifications.
        self.notify: NotifyHook | None = None

    # --- registration

    def register_family(self, family: GenlFamily) -> None:
        """genl_register_family(): gives it an id and tells nlctrl's group.

        Raises EEXIST for a name that is taken, EBUSY for an id that is.
        """
        if family.name in self._by_name:
            raise NetlinkError(EEXIST)
        if not family.id:
            family.id = self._generate_id()
        elif family.id in self.families:
            raise NetlinkError(EBUSY)
        self._allocate_groups(family)
        self.families[family.id] = family
        self._operations[family.id] = {
            op.cmd: _Operation(op, self._kernel.profile) for op in reversed(family.ops)
        }
        self._by_name[family.name] = family
        if self.notify is not None:
            self.notify(family, came=True)

    def unregister_family(self, family: GenlFamily) -> None:
        """genl_unregister_family(); ENOENT if it is not registered."""
        if self._by_name.get(family.name) is not family:
            raise NetlinkError(ENOENT)
        del self._by_name[family.name], self.families[family.id], self._operations[family.id]
        if self.notify is not None:
            self.notify(family, came=False)

    def _generate_id(self) -> int:
        profile = self._kernel.profile
        reserved = {GENL_ID_CTRL}
        first = GENL_MIN_ID
        if profile.reserved_family_ids:
            reserved |= {GENL_ID_VFS_DQUOT, GENL_ID_PMCRAID}
        if profile.family_ids is not FamilyIds.SEQUENTIAL:
            first = GENL_START_ALLOC
        start = first
        if profile.family_ids is not FamilyIds.LOWEST_FREE:
            start = max(first, self._next_id)
        candidates: list[int] = [*range(start, GENL_MAX_ID + 1), *range(first, start)]
        for number in candidates:
            if number not in self.families and number not in reserved:
                # genl_generate_id() looked at the number it gave last first.
                again = profile.family_ids is FamilyIds.SEQUENTIAL
                self._next_id = number if again else number + 1
                return number
        raise NetlinkError(EBUSY)

    def _allocate_groups(self, family: GenlFamily) -> None:
        """genl_allocate_reserve_groups(): nlctrl's "notify" is group 16, others are from 2 on."""
        if not family.mcgrps:
            return
        if family.id == GENL_ID_CTRL:
            family.mcgrp_offset = GENL_ID_CTRL
            return
        taken = {1, GENL_ID_CTRL, GENL_ID_VFS_DQUOT, GENL_ID_PMCRAID}
        for other in self.families.values():
            taken |= set(range(other.mcgrp_offset, other.mcgrp_offset + len(other.mcgrps)))
        offset = 2
        while taken & set(range(offset, offset + len(family.mcgrps))):
            offset += 1
        family.mcgrp_offset = offset

    def by_name(self, name: str) -> GenlFamily | None:
        """genl_family_find_byname()."""
        return self._by_name.get(name)

    def visible(self, family: GenlFamily | None, net: NetNamespace) -> bool:
        """Whether there is such a family, and it exists in ``net``."""
        return family is not None and (family.netnsok or net.is_init)

    def in_dump_order(self) -> list[GenlFamily]:
        """The families as a dump lists them."""
        families = self.families.values()
        if self._kernel.profile.families_dumped_by_id:
            return sorted(families, key=lambda family: family.id)
        return sorted(families, key=lambda family: family.id & 15)

    def may_join(self, current: Current, net: NetNamespace, group: int) -> None:
        """genl_bind(): EPERM where the group's family wants a capability of who joins."""
        for family in self.families.values():
            index = group - family.mcgrp_offset
            if not 0 <= index < len(family.mcgrps):
                continue
            if family.admits is not None and not family.admits(current):
                raise NetlinkError(EPERM)
            if not self._kernel.profile.group_capabilities:
                continue
            cap = family.mcgrp_caps.get(family.mcgrps[index])
            if cap is not None and not current.ns_capable(net.user_ns, cap):
                raise NetlinkError(EPERM)

    # --- requests

    def rcv(self, skb: SkBuff) -> None:
        """genl_rcv(): what a user's socket sent to the kernel."""
        netlink_rcv_skb(skb, self._kernel.profile.arch.order, self._rcv_msg)

    def _rcv_msg(self, request: Request) -> None:
        profile = self._kernel.profile
        sk = request.skb.sk
        assert sk is not None
        family = self.families.get(request.nlmsg_type)
        if family is None or not (family.netnsok or sk.net.is_init):
            raise NetlinkError(ENOENT)
        if request.nlmsg_len < NLMSG_HDRLEN + GENL_HDRLEN + family.hdrsize:
            raise NetlinkError(EINVAL)
        cmd, _version, reserved = self._unpack_header(
            request.skb.data, request.start + NLMSG_HDRLEN
        )
        if profile.strict_headers and cmd >= family.resv_start_op:
            _check_header(request, reserved)
        both = request.nlmsg_flags & NLM_F_DUMP
        is_dump = both == NLM_F_DUMP if profile.dump_needs_both_bits else bool(both)
        op = self._operations[family.id].get(cmd)
        if op is None:
            raise NetlinkError(EOPNOTSUPP)
        missing = (op.dumpit if is_dump else op.doit) is None
        if missing and profile.lookup_before_permission:
            raise NetlinkError(EOPNOTSUPP)
        self._check_permission(request, op)
        if missing:
            raise NetlinkError(EOPNOTSUPP)
        current = request.skb.current
        assert current is not None
        info = GenlInfo(self._kernel, family, request, cmd, {}, sk, current)
        if is_dump:
            self._dumpit(info, op)
        else:
            assert op.doit is not None
            if op.parser is not None:
                info.attrs = _parse(info, op.parser)
            op.doit(info)

    def _check_permission(self, request: Request, op: _Operation) -> None:
        machine = self._kernel.machine
        if op.admin_perm and not self.netlink_capable(
            request.skb, machine.init_user_ns, CAP_NET_ADMIN
        ):
            raise NetlinkError(EPERM)
        if op.uns_admin_perm:
            assert request.skb.sk is not None
            if not self.netlink_capable(request.skb, request.skb.sk.net.user_ns, CAP_NET_ADMIN):
                raise NetlinkError(EPERM)

    def netlink_capable(self, skb: SkBuff, user_ns: UserNamespace, cap: int) -> bool:
        """netlink_ns_capable(): the sender's capability and, since 3.15, the opener's.

        The opener does not matter where the sender named the destination (CVE-2014-0181's fix).
        """
        assert skb.sk is not None
        assert skb.current is not None
        if self._kernel.profile.opener_capability and not (
            skb.dst_set or skb.sk.opener.ns_capable(user_ns, cap)
        ):
            return False
        return skb.current.ns_capable(user_ns, cap)

    def _dumpit(self, info: GenlInfo, op: _Operation) -> None:
        """genl_family_rcv_msg_dumpit() and __netlink_dump_start()."""
        sk, request = info.sk, info.request
        if sk.dump is not None:
            raise NetlinkError(EBUSY)
        if op.dump_parser is not None:
            info.attrs = _parse(info, op.dump_parser)
        assert op.dumpit is not None
        profile = self._kernel.profile
        parsed = copy(request.extack)
        try:
            parts = op.dumpit(info)
        except NetlinkError:
            if not profile.extack_dump_start:
                request.extack = parsed
            raise
        sk.dump = NetlinkDump(
            parts,
            request.nlmsg_type,
            request.nlmsg_seq,
            request.skb.portid,
            op.op.dump_ends_with_zero and profile.done_shares_datagram,
            request.extack,
            op.op.dump_loses_unfit,
        )
        netlink_dump(sk)
        raise NetlinkError(DUMP_STARTED)


def _parse(info: GenlInfo, parser: Parser) -> dict[int, bytes]:
    request = info.request
    start = request.start + NLMSG_HDRLEN + GENL_HDRLEN + info.family.hdrsize
    end = request.start + request.nlmsg_len
    return parser.parse(request.skb.data, start, end, request.extack, request.start)


def _check_header(request: Request, reserved: int) -> None:
    """genl_header_check()."""
    if reserved:
        request.extack.msg = "genlmsghdr.reserved field is not 0"
        raise NetlinkError(EINVAL)
    flags = request.nlmsg_flags
    if flags & NLM_F_DUMP == NLM_F_DUMP:
        flags &= ~NLM_F_DUMP
    if flags & ~(NLM_F_REQUEST | NLM_F_ACK | NLM_F_ECHO):
        request.extack.msg = "ambiguous or reserved bits set in nlmsg_flags"
        raise NetlinkError(EINVAL)
