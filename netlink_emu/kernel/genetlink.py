"""Generic netlink: families, and a request's way to its operation: net/netlink/genetlink.c."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from errno import EBUSY, EEXIST, EINVAL, EIO, ENOENT, EOPNOTSUPP, EPERM
from typing import TYPE_CHECKING, Final, Protocol

from netlink_emu.kernel.dump import LongParts, NetlinkDump, Part, netlink_dump
from netlink_emu.kernel.genl_family import (
    GENL_ADMIN_PERM,
    GENL_DONT_VALIDATE_DUMP,
    GENL_DONT_VALIDATE_DUMP_STRICT,
    GENL_DONT_VALIDATE_STRICT,
    GENL_UNS_ADMIN_PERM,
    GenlCmd,
    GenlFamily,
    GenlOp,
    GenlSplitOp,
    GenlValidate,
    operations,
)
from netlink_emu.kernel.genl_info import GenlInfo
from netlink_emu.kernel.genl_operation import GenlOperation
from netlink_emu.kernel.netlink_rcv import DUMP_STARTED, Request, netlink_rcv_skb
from netlink_emu.kernel.profile import FamilyIds
from netlink_emu.kernel.skbuff import SkBuff
from netlink_emu.machine.credentials import CAP_NET_ADMIN, CAP_SYS_ADMIN
from netlink_emu.machine.namespaces import UserNamespace
from netlink_emu.protocol.attributes import nla_scalar
from netlink_emu.protocol.errors import NetlinkError, NetlinkExtAck
from netlink_emu.protocol.genetlink import (
    GENL_HDRLEN,
    GENL_ID_CTRL,
    GENL_ID_PMCRAID,
    GENL_ID_VFS_DQUOT,
    GENL_MAX_ID,
    GENL_MIN_ID,
    GENL_START_ALLOC,
    GENLMSGHDR,
)
from netlink_emu.protocol.netlink import (
    NLM_F_ACK,
    NLM_F_DUMP,
    NLM_F_ECHO,
    NLM_F_REQUEST,
    NLMSG_HDRLEN,
)
from netlink_emu.protocol.policy import Parser

if TYPE_CHECKING:
    from netlink_emu.kernel.current import Current
    from netlink_emu.kernel.kernel import Kernel
    from netlink_emu.machine.namespaces import NetNamespace

__all__ = [
    "GENL_ADMIN_PERM",
    "GENL_DONT_VALIDATE_DUMP",
    "GENL_DONT_VALIDATE_DUMP_STRICT",
    "GENL_DONT_VALIDATE_STRICT",
    "GENL_UNS_ADMIN_PERM",
    "Genetlink",
    "GenlFamily",
    "GenlInfo",
    "GenlOp",
    "GenlSplitOp",
    "GenlValidate",
]


# Families that had a group, or a number, before these were handed out.
_OWN_GROUPS: Final = {
    "NET_DM": 1,
    "VFS_DQUOT": GENL_ID_VFS_DQUOT,
    "pmcraid": GENL_ID_PMCRAID,
}


class NotifyHook(Protocol):
    """Told of a family that came or went."""

    def __call__(self, family: GenlFamily, *, came: bool) -> None: ...


class Genetlink:
    """The families of one kernel, and what arrives for them."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        profile = kernel.profile
        self.families: dict[int, GenlFamily] = {}
        self._by_name: dict[str, GenlFamily] = {}
        self._operations: dict[int, dict[int, GenlOperation]] = {}
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
        profile = self._kernel.profile
        self._operations[family.id] = {
            op.cmd: GenlOperation(family, op, profile)
            for op in reversed(operations(family, profile))
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
        """genl_validate_assign_mc_groups(): nlctrl's "notify" is 16, others are from 2 on."""
        if not family.mcgrps:
            return
        if family.id == GENL_ID_CTRL:
            family.mcgrp_offset = GENL_ID_CTRL
            return
        if family.name in _OWN_GROUPS and len(family.mcgrps) == 1:
            family.mcgrp_offset = _OWN_GROUPS[family.name]
            return
        taken = {1, GENL_ID_CTRL, GENL_ID_VFS_DQUOT, GENL_ID_PMCRAID}
        for other in self.families.values():
            taken |= set(range(other.mcgrp_offset, other.mcgrp_offset + len(other.mcgrps)))
        offset = 2
        while taken & set(range(offset, offset + len(family.mcgrps))):
            offset += 1
        family.mcgrp_offset = offset

    def commands(self, family: GenlFamily) -> tuple[GenlCmd, ...]:
        """The family's commands as this release sees them."""
        return operations(family, self._kernel.profile)

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
        """genl_bind(): EPERM where the group demands a capability that the client lacks."""
        for family in self.families.values():
            index = group - family.mcgrp_offset
            if not 0 <= index < len(family.mcgrps):
                continue
            if family.admits is not None and not family.admits(current):
                raise NetlinkError(EPERM)
            profile = self._kernel.profile
            cap = family.mcgrp_caps.get(family.mcgrps[index])
            asks = profile.group_sys_admin if cap == CAP_SYS_ADMIN else profile.group_capabilities
            if asks and cap is not None and not current.ns_capable(net.user_ns, cap):
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
        if is_dump or op.simple is None:
            self._handle_watched(info, op, is_dump=is_dump)
            return
        if op.parser is not None:
            info.attrs = _parse(info, op.parser)
        op.simple(info)

    def _handle_watched(self, info: GenlInfo, op: GenlOperation, *, is_dump: bool) -> None:
        """What an operation raises beside NetlinkError is for its family, if that wants it."""
        try:
            self._handle(info, op, is_dump=is_dump)
        except _PASSED_ON:
            raise
        except BaseException as exc:
            if info.family.failed is None:
                raise
            raise _slip(info.family, exc, info.request.extack) from exc

    def _handle(self, info: GenlInfo, op: GenlOperation, *, is_dump: bool) -> None:
        if is_dump:
            self._dumpit(info, op)
            return
        if op.parser is not None:
            info.attrs = _parse(info, op.parser)
        _call_doit(op.doit, info)

    def _check_permission(self, request: Request, op: GenlOperation) -> None:
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

    def _dumpit(self, info: GenlInfo, op: GenlOperation) -> None:
        """genl_family_rcv_msg_dumpit() and __netlink_dump_start()."""
        sk, request = info.sk, info.request
        if sk.dump is not None:
            raise NetlinkError(EBUSY)
        if op.dump_parser is not None:
            info.attrs = _parse(info, op.dump_parser)
        split = op.dumpit
        assert split is not None
        assert split.dumpit is not None
        profile = self._kernel.profile
        parsed = copy(request.extack)
        try:
            parts = split.dumpit(info)
        except NetlinkError as error:
            if not profile.extack_dump_start:
                request.extack = parsed
            elif error.message:
                request.extack.msg = error.message
            raise NetlinkError(error.errno) from error
        # netlink_dump() has an extended ack of its own; what the parse said is told to nobody.
        request.extack = NetlinkExtAck()
        sk.dump = dump = NetlinkDump(
            parts if info.family.failed is None else _watched(info, parts),
            request.nlmsg_type,
            request.nlmsg_seq,
            request.skb.portid,
            split.dump_ends_with_zero and profile.done_shares_datagram,
            request.extack,
            split.dump_loses_unfit,
            parts.min_dump_alloc if isinstance(parts, LongParts) else split.min_dump_alloc,
        )
        netlink_dump(sk, dump)
        raise NetlinkError(DUMP_STARTED)


def _call_doit(op: GenlSplitOp | None, info: GenlInfo) -> None:
    """A doit between what its family does before and after: genl_family_rcv_msg_doit()."""
    assert op is not None
    assert op.doit is not None
    if op.pre_doit is not None:
        op.pre_doit(op, info)
    try:
        op.doit(info)
    finally:
        if op.post_doit is not None:
            op.post_doit(op, info)


# What is no slip of an operation. pytest.fail() and sys.exit() are, and are no Exception.
_PASSED_ON: Final = (NetlinkError, GeneratorExit, KeyboardInterrupt)


def _slip(family: GenlFamily, exc: BaseException, extack: NetlinkExtAck) -> NetlinkError:
    """An operation raised what is no NetlinkError: its author hears of it, the client EIO."""
    assert family.failed is not None
    family.failed(exc)
    extack.msg = f"an operation of {family.name} raised {type(exc).__name__}: {exc}"
    return NetlinkError(EIO)


def _watched(info: GenlInfo, parts: Iterator[Part]) -> Iterator[Part]:
    try:
        yield from parts
    except _PASSED_ON:
        raise
    except BaseException as exc:
        raise _slip(info.family, exc, info.request.extack) from exc


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
