"""nlctrl, the controller: what families there are, what they take: net/netlink/genetlink.c.

Answers from the families' own declarations.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from errno import EINVAL, ENODATA, ENOENT
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Final

from netlink_emu.kernel.dump import Part
from netlink_emu.kernel.genetlink import (
    GENL_DONT_VALIDATE_DUMP,
    GENL_DONT_VALIDATE_STRICT,
    GenlFamily,
    GenlInfo,
    GenlOp,
    GenlSplitOp,
)
from netlink_emu.kernel.profile import GetfamilyAttrs, Getpolicy
from netlink_emu.protocol.attributes import NLA_F_NESTED, NLA_HDRLEN, AttrWriter, nla_walk
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.genetlink import (
    GENL_HDRLEN,
    GENL_ID_CTRL,
    GENL_NAMSIZ,
    GENLMSGHDR,
    CtrlAttr,
    CtrlAttrMcastGrp,
    CtrlAttrOp,
    CtrlAttrPolicy,
    CtrlCmd,
    GenlOpFlags,
)
from netlink_emu.protocol.netlink import NETLINK_GENERIC, NLMSG_HDRLEN
from netlink_emu.protocol.policy import NlaPolicy, NlaType, Policy, PolicyDump, pad_u64

if TYPE_CHECKING:
    from netlink_emu.kernel.genl_family import GenlCmd
    from netlink_emu.kernel.kernel import Kernel
    from netlink_emu.machine.namespaces import NetNamespace

CTRL_NAME: Final = "nlctrl"
NOTIFY_GROUP: Final = "notify"
_UNKNOWN_NAMES: Final = 64

_FAMILY_POLICY: Final[Policy] = {
    CtrlAttr.CTRL_ATTR_FAMILY_ID: NlaPolicy(NlaType.NLA_U16),
    CtrlAttr.CTRL_ATTR_FAMILY_NAME: NlaPolicy(NlaType.NLA_NUL_STRING, GENL_NAMSIZ - 1),
}
_POLICY_POLICY: Final[Policy] = {
    **_FAMILY_POLICY,
    CtrlAttr.CTRL_ATTR_OP: NlaPolicy(NlaType.NLA_U32),
}


class Nlctrl:
    """The controller of one kernel.

    ``unknown`` counts the requests for families that there are not, by name.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        profile = kernel.profile
        self.family: Final = GenlFamily(
            CTRL_NAME,
            profile.nlctrl_version,
            (*self._getfamily_ops(), *self._getpolicy_ops()),
            id=GENL_ID_CTRL,
            maxattr=0 if profile.per_op_policy else profile.ctrl_attr_max,
            policy=None if profile.per_op_policy else _FAMILY_POLICY,
            mcgrps=(NOTIFY_GROUP,) if profile.notify_group else (),
            resv_start_op=CtrlCmd.CTRL_CMD_GETPOLICY + 1,
        )
        kernel.genl.register_family(self.family)
        kernel.genl.notify = self._notify
        self.unknown: Final[Counter[str]] = Counter()

    def _getfamily_ops(self) -> Iterator[GenlOp | GenlSplitOp]:
        cmd, highest = CtrlCmd.CTRL_CMD_GETFAMILY, CtrlAttr.CTRL_ATTR_FAMILY_NAME
        profile = self._kernel.profile
        loses = profile.dump_resume_loses_family
        if not profile.getfamily_dump_validated:
            yield GenlOp(
                cmd, policy=_FAMILY_POLICY, maxattr=highest, doit=self.getfamily,
                validate=GENL_DONT_VALIDATE_STRICT | GENL_DONT_VALIDATE_DUMP,
                dumpit=self.dumpfamily, dump_ends_with_zero=True, dump_loses_unfit=loses,
            )  # fmt: skip
            return
        yield GenlSplitOp(
            cmd, policy=_FAMILY_POLICY, maxattr=highest, doit=self.getfamily,
            validate=GENL_DONT_VALIDATE_STRICT,
        )  # fmt: skip
        # GENL_DONT_VALIDATE_DUMP means nothing in a split operation.
        yield GenlSplitOp(
            cmd, policy=_FAMILY_POLICY, maxattr=highest, dumpit=self.dumpfamily,
            validate=GENL_DONT_VALIDATE_DUMP, dump_ends_with_zero=True, dump_loses_unfit=loses,
        )  # fmt: skip

    def _getpolicy_ops(self) -> Iterator[GenlOp | GenlSplitOp]:
        profile = self._kernel.profile
        if profile.getpolicy is not Getpolicy.ABSENT:
            yield GenlSplitOp(
                CtrlCmd.CTRL_CMD_GETPOLICY,
                policy=_POLICY_POLICY if profile.per_op_policy else _FAMILY_POLICY,
                maxattr=profile.ctrl_attr_max,
                dumpit=self.dumppolicy,
            )

    def _note_unknown(self, name: str) -> None:
        if name in self.unknown or len(self.unknown) < _UNKNOWN_NAMES:
            self.unknown[name] += 1

    # --- CTRL_CMD_GETFAMILY

    def getfamily(self, info: GenlInfo) -> None:
        """ctrl_getfamily(): by id or by name, the name winning."""
        family = self._asked_for(info, prefer_name=True)
        if not self._kernel.genl.visible(family, info.net):
            raise NetlinkError(ENOENT)
        allocated = self._kernel.skb.goodsize - NLMSG_HDRLEN - GENL_HDRLEN
        info.reply(CtrlCmd.CTRL_CMD_NEWFAMILY, self.fill_info(family), allocated)

    def _asked_for(self, info: GenlInfo, *, prefer_name: bool) -> GenlFamily:
        genl = self._kernel.genl
        family = None
        if not info.attrs.keys() & _FAMILY_POLICY.keys():
            raise NetlinkError(EINVAL)
        kinds = [CtrlAttr.CTRL_ATTR_FAMILY_ID, CtrlAttr.CTRL_ATTR_FAMILY_NAME]
        for kind in kinds if prefer_name else reversed(kinds):
            if kind not in info.attrs:
                continue
            if kind is CtrlAttr.CTRL_ATTR_FAMILY_ID:
                family = genl.families.get(info.get_u16(kind))
            else:
                name = info.attrs[kind].partition(b"\0")[0].decode("latin-1")
                family = genl.by_name(name)
                if family is None:
                    self._note_unknown(name)
        if family is None:
            raise NetlinkError(ENOENT)
        return family

    def fill_info(self, family: GenlFamily, *, whole: bool = True) -> bytes:
        """ctrl_fill_info(): the attributes of NEWFAMILY and DELFAMILY.

        Unless ``whole``, a family that has no operations and groups yet, or no more.
        """
        profile = self._kernel.profile
        attrs = AttrWriter(profile.arch.order)
        attrs.put_string(CtrlAttr.CTRL_ATTR_FAMILY_NAME, family.name)
        attrs.put_u16(CtrlAttr.CTRL_ATTR_FAMILY_ID, family.id)
        if profile.getfamily_attrs is GetfamilyAttrs.NAME_ID:
            return bytes(attrs.data)
        attrs.put_u32(CtrlAttr.CTRL_ATTR_VERSION, family.version)
        attrs.put_u32(CtrlAttr.CTRL_ATTR_HDRSIZE, family.hdrsize)
        attrs.put_u32(CtrlAttr.CTRL_ATTR_MAXATTR, family.maxattr)
        if not whole:
            return bytes(attrs.data)
        ops = self._kernel.genl.commands(family)
        if ops:
            with attrs.nest(CtrlAttr.CTRL_ATTR_OPS):
                for index, op in enumerate(ops, 1):
                    with attrs.nest(index):
                        self._fill_op(attrs, op)
        if family.mcgrps:
            with attrs.nest(CtrlAttr.CTRL_ATTR_MCAST_GROUPS):
                for index, name in enumerate(family.mcgrps, 1):
                    with attrs.nest(index):
                        self._fill_group(attrs, family.mcgrp_offset + index - 1, name)
        return bytes(attrs.data)

    def _fill_op(self, attrs: AttrWriter, op: GenlCmd) -> None:
        attrs.put_u32(CtrlAttrOp.CTRL_ATTR_OP_ID, op.cmd)
        if self._kernel.profile.getfamily_attrs is not GetfamilyAttrs.FLAG_OPS:
            attrs.put_u32(CtrlAttrOp.CTRL_ATTR_OP_FLAGS, op.reported_flags)
            return
        flags = GenlOpFlags(op.reported_flags)
        attrs.put_u32(CtrlAttrOp.CTRL_ATTR_OP_FLAGS, op.flags)
        if GenlOpFlags.GENL_CMD_CAP_HASPOL in flags:
            attrs.put(CtrlAttrOp.CTRL_ATTR_OP_POLICY)
        if GenlOpFlags.GENL_CMD_CAP_DO in flags:
            attrs.put(CtrlAttrOp.CTRL_ATTR_OP_DOIT)
        if GenlOpFlags.GENL_CMD_CAP_DUMP in flags:
            attrs.put(CtrlAttrOp.CTRL_ATTR_OP_DUMPIT)

    @staticmethod
    def _fill_group(attrs: AttrWriter, number: int, name: str) -> None:
        attrs.put_u32(CtrlAttrMcastGrp.CTRL_ATTR_MCAST_GRP_ID, number)
        attrs.put_string(CtrlAttrMcastGrp.CTRL_ATTR_MCAST_GRP_NAME, name)

    def dumpfamily(self, info: GenlInfo) -> Iterator[Part]:
        """ctrl_dumpfamily(): all that are visible.

        Families may come and go between two datagrams; no NLM_F_DUMP_INTR tells of it. The list
        by numbers is gone through again each time, past as many as were there: where one of
        those has gone, another is left out.
        """
        if self._kernel.profile.families_dumped_by_id:
            return self._dump_by_number(info.net)
        return self._dump_by_bucket(info.net)

    def _dump_by_number(self, net: NetNamespace) -> Iterator[Part]:
        for number in count():
            if number >= len(self._visible(net)):
                return

            def fill(_place: int, number: int = number) -> bytes:
                left = self._visible(net)[number:]
                return self._new_family(left[0]) if left else b""

            yield fill

    def _dump_by_bucket(self, net: NetNamespace) -> Iterator[Part]:
        for family in self._visible(net):

            def fill(_place: int, family: GenlFamily = family) -> bytes:
                there = self._kernel.genl.families.get(family.id) is family
                return self._new_family(family) if there else b""

            yield fill

    def _visible(self, net: NetNamespace) -> list[GenlFamily]:
        genl = self._kernel.genl
        return [family for family in genl.in_dump_order() if genl.visible(family, net)]

    def _new_family(self, family: GenlFamily) -> bytes:
        return self._header(CtrlCmd.CTRL_CMD_NEWFAMILY) + self.fill_info(family)

    def _header(self, cmd: int) -> bytes:
        return GENLMSGHDR[self._kernel.profile.arch.order].pack(cmd, self.family.version, 0)

    # --- notifications

    def _notify(self, family: GenlFamily, *, came: bool) -> None:
        """genl_ctrl_event(): to the members of "notify", of the initial namespace."""
        profile = self._kernel.profile
        if not profile.notify_group:
            return
        whole = self.fill_info(family, whole=profile.families_announced_whole)
        if came:
            self._multicast(CtrlCmd.CTRL_CMD_NEWFAMILY, whole)
            self._notify_groups(CtrlCmd.CTRL_CMD_NEWMCAST_GRP, family)
        else:
            self._notify_groups(CtrlCmd.CTRL_CMD_DELMCAST_GRP, family)
            self._multicast(CtrlCmd.CTRL_CMD_DELFAMILY, whole)

    def _notify_groups(self, cmd: int, family: GenlFamily) -> None:
        for index, name in enumerate(family.mcgrps):
            attrs = AttrWriter(self._kernel.profile.arch.order)
            attrs.put_string(CtrlAttr.CTRL_ATTR_FAMILY_NAME, family.name)
            attrs.put_u16(CtrlAttr.CTRL_ATTR_FAMILY_ID, family.id)
            with attrs.nest(CtrlAttr.CTRL_ATTR_MCAST_GROUPS), attrs.nest(1):
                self._fill_group(attrs, family.mcgrp_offset + index, name)
            self._multicast(cmd, bytes(attrs.data))

    def _multicast(self, cmd: int, attrs: bytes) -> None:
        kernel = self._kernel
        message = self.family.message(kernel, cmd, attrs, 0, 0)
        net, group = kernel.machine.init_net, self.family.mcgrp_offset
        kernel.netlink.broadcast_from_kernel(net, NETLINK_GENERIC, message, group)

    # --- CTRL_CMD_GETPOLICY

    def dumppolicy(self, info: GenlInfo) -> Iterator[Part]:
        """ctrl_dumppolicy_start() and ctrl_dumppolicy()."""
        if self._kernel.profile.getpolicy is Getpolicy.FAMILY:
            return self._dump_family_policy(info)
        family = self._asked_for(info, prefer_name=False)
        ops = self._kernel.genl.commands(family)
        if CtrlAttr.CTRL_ATTR_OP in info.attrs:
            wanted = info.get_u32(CtrlAttr.CTRL_ATTR_OP)
            ops = tuple(op for op in ops if op.cmd == wanted)[:1]
            if not ops:
                info.request.extack.bad_attr = _attr_offset(info, CtrlAttr.CTRL_ATTR_OP)
                raise NetlinkError(ENOENT)
        policies = PolicyDump()
        for op in ops:
            policies.add(*op.policy)
            policies.add(*op.dump_policy)
        if not policies:
            raise NetlinkError(ENODATA)
        return self._dump_op_policies(family, ops, policies)

    def _dump_op_policies(
        self, family: GenlFamily, ops: tuple[GenlCmd, ...], policies: PolicyDump
    ) -> Iterator[Part]:
        profile = self._kernel.profile
        for op in ops:
            indices = {
                kind: policies.index(policy, maxattr)
                for kind, (policy, maxattr) in (
                    (CtrlAttrPolicy.CTRL_ATTR_POLICY_DO, op.policy),
                    (CtrlAttrPolicy.CTRL_ATTR_POLICY_DUMP, op.dump_policy),
                )
                if policy is not None
            }
            if not indices:
                continue
            attrs = self._policy_part(family)
            # Split operations (6.2) took the command from the doit alone: 0 where there is none.
            named = op.doit is not None or profile.getpolicy_dump_only_cmd
            cmd = op.cmd if named else 0
            with (
                attrs.nest(CtrlAttr.CTRL_ATTR_OP_POLICY | NLA_F_NESTED),
                attrs.nest(cmd | NLA_F_NESTED),
            ):
                for kind, index in indices.items():
                    attrs.put_u32(kind, index)
            yield bytes(attrs.data)
        for index, nla_type, described in policies.described(
            profile.arch.order, uint=profile.uint_policies
        ):
            yield partial(
                self._policy, family, index | NLA_F_NESTED, nla_type | NLA_F_NESTED, described
            )

    def _policy(
        self, family: GenlFamily, index: int, nla_type: int, described: bytes, position: int
    ) -> bytes:
        """ctrl_dumppolicy_put_policy(): one attribute's policy in a message at ``position``."""
        profile = self._kernel.profile
        attrs = self._policy_part(family)
        with attrs.nest(CtrlAttr.CTRL_ATTR_POLICY | NLA_F_NESTED), attrs.nest(index):
            if profile.policy_u64_pad:
                begins = position + len(attrs.data) + NLA_HDRLEN
                described = pad_u64(described, begins, profile.arch.order)
            attrs.put(nla_type, described)
        return bytes(attrs.data)

    def _policy_part(self, family: GenlFamily) -> AttrWriter:
        attrs = AttrWriter(
            self._kernel.profile.arch.order, bytearray(self._header(CtrlCmd.CTRL_CMD_GETPOLICY))
        )
        attrs.put_u16(CtrlAttr.CTRL_ATTR_FAMILY_ID, family.id)
        return attrs

    def _dump_family_policy(self, info: GenlInfo) -> Iterator[Part]:
        """5.8 and 5.9 knew a family's own policy only; errors came in NLMSG_DONE."""
        family = self._asked_for(info, prefer_name=False)
        policies = PolicyDump()
        policies.add(family.policy, family.maxattr)
        if not policies:
            raise NetlinkError(ENODATA)
        for index, nla_type, described in policies.described(
            self._kernel.profile.arch.order, uint=False, masks=False
        ):
            yield partial(
                self._policy, family, index | NLA_F_NESTED, nla_type | NLA_F_NESTED, described
            )


def _attr_offset(info: GenlInfo, kind: int) -> int:
    """Where in the request the last attribute of a kind has its header."""
    request, order = info.request, info.kernel.profile.arch.order
    offset = 0
    start = request.start + NLMSG_HDRLEN + GENL_HDRLEN + info.family.hdrsize
    for nla_type, payload, _length in nla_walk(request.skb.data, start, request.end, order):
        if nla_type & info.kernel.profile.attr_type_mask == kind:
            offset = payload - 4 - request.start
    return offset
