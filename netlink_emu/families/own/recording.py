"""Make a GenlFamily from a real kernel's recorded answers to GETFAMILY and GETPOLICY.

A recording has numbers, flags, groups and policies. It does not say how strict an operation is;
that is inferred: operations from before 5.2 were given GENL_DONT_VALIDATE_STRICT and _DUMP
together, and the latter is visible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from netlink_emu.kernel.genetlink import (
    GENL_DONT_VALIDATE_DUMP,
    GENL_DONT_VALIDATE_STRICT,
    GenlFamily,
    GenlInfo,
    GenlOp,
    GenlSplitOp,
    GenlValidate,
)
from netlink_emu.protocol.attributes import NLA_TYPE_MASK, nla_walk
from netlink_emu.protocol.format import LITTLE, ByteOrder
from netlink_emu.protocol.genetlink import (
    GENL_HDRLEN,
    GENL_ID_CTRL,
    CtrlAttr,
    CtrlAttrMcastGrp,
    CtrlAttrOp,
    CtrlAttrPolicy,
    GenlOpFlags,
)
from netlink_emu.protocol.netlink import NLMSG_HDRLEN, nlmsg_walk
from netlink_emu.protocol.policy import REJECT_ALL, Policy
from netlink_emu.protocol.policy.recorded import RecordedPolicies

_ATTRS: Final = NLMSG_HDRLEN + GENL_HDRLEN
_CAPS: Final = (
    GenlOpFlags.GENL_CMD_CAP_DO | GenlOpFlags.GENL_CMD_CAP_DUMP | GenlOpFlags.GENL_CMD_CAP_HASPOL
)
Doit = Callable[[GenlInfo], None]
Dumpit = Callable[[GenlInfo], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class RecordedOp:
    """An operation: CTRL_ATTR_OP_FLAGS, and the numbers of its policies."""

    cmd: int
    flags: GenlOpFlags
    do: int | None = None
    dump: int | None = None

    @property
    def unvalidated(self) -> bool:
        """Whether dumps are not validated: the operation can dump, but has no policy for it."""
        return GenlOpFlags.GENL_CMD_CAP_DUMP in self.flags and self.dump is None


@dataclass(frozen=True, slots=True)
class RecordedFamily:
    """What GETFAMILY and GETPOLICY said; ``groups`` are names and numbers."""

    name: str
    id: int
    version: int
    hdrsize: int
    maxattr: int
    ops: tuple[RecordedOp, ...]
    groups: tuple[tuple[str, int], ...]
    policies: RecordedPolicies = field(repr=False, compare=False)

    @property
    def split(self) -> bool:
        """Whether its operations are split: a do and a dump of one command differ."""
        return any(
            op.do is not None and op.dump is not None and op.do != op.dump for op in self.ops
        )

    def policy(self, number: int | None) -> tuple[Policy | None, int]:
        """A policy and its highest attribute."""
        if number is None:
            return None, 0
        policy = self.policies.policy(number)
        if policy is None:
            return REJECT_ALL, 1
        return policy, max(self.policies.highest(number), self.maxattr)

    def family(
        self,
        *,
        doit: Doit,
        dumpit: Dumpit,
        resv_start_op: int = 0,
        validate: Mapping[int, GenlValidate] | None = None,
    ) -> GenlFamily:
        """The family, whose every operation is one of these two functions.

        ``validate`` are the GENL_DONT_VALIDATE_* of commands where they are known.
        """
        old = any(op.unvalidated for op in self.ops)
        ops: list[GenlOp | GenlSplitOp] = []
        for op in self.ops:
            inferred = GenlValidate(0)
            if old:
                inferred |= GENL_DONT_VALIDATE_STRICT
            if op.unvalidated:
                inferred |= GENL_DONT_VALIDATE_DUMP
            flags = (validate or {}).get(op.cmd, inferred)
            ops += self._ops(op, flags, doit, dumpit)
        return GenlFamily(
            self.name,
            self.version,
            tuple(ops),
            id=self.id,
            hdrsize=self.hdrsize,
            maxattr=self.maxattr,
            mcgrps=tuple(name for name, _ in self.groups),
            resv_start_op=resv_start_op,
        )

    def _ops(
        self, op: RecordedOp, validate: GenlValidate, doit: Doit, dumpit: Dumpit
    ) -> Iterator[GenlOp | GenlSplitOp]:
        flags = op.flags & ~_CAPS
        do = doit if GenlOpFlags.GENL_CMD_CAP_DO in op.flags else None
        dump = dumpit if GenlOpFlags.GENL_CMD_CAP_DUMP in op.flags else None
        if not self.split:
            policy, highest = self.policy(op.do if op.do is not None else op.dump)
            if policy is REJECT_ALL or policy is None:
                policy, highest = None, 0
            yield GenlOp(op.cmd, flags, policy, highest, validate, do, dump)
            return
        for number, halves in ((op.do, {"doit": do}), (op.dump, {"dumpit": dump})):
            if not any(halves.values()):
                continue
            policy, highest = self.policy(number)
            if policy is REJECT_ALL:
                policy, highest = None, 0
            yield GenlSplitOp(op.cmd, flags, policy, highest, validate, **halves)


def read_recording(
    getfamily: Iterable[bytes], getpolicy: Iterable[bytes], order: ByteOrder = LITTLE
) -> RecordedFamily:
    """Read a family from the answers to GETFAMILY and to a dump of GETPOLICY.

    Raises ValueError for anything else.
    """
    reader = _Reader(order)
    for datagram in getfamily:
        for attrs in reader.messages(datagram):
            return reader.family(attrs, list(getpolicy))
    raise ValueError("there is no CTRL_CMD_NEWFAMILY in the recording")


class _Reader:
    def __init__(self, order: ByteOrder) -> None:
        self._order = order

    def messages(self, datagram: bytes) -> Iterator[bytes]:
        """The attributes of nlctrl's messages."""
        for offset, header in nlmsg_walk(datagram, self._order):
            if header.nlmsg_type == GENL_ID_CTRL:
                yield datagram[offset + _ATTRS : offset + header.nlmsg_len]

    def attrs(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        for nla_type, start, length in nla_walk(data, 0, len(data), self._order):
            yield nla_type & NLA_TYPE_MASK, data[start : start + length]

    def number(self, data: bytes) -> int:
        return int.from_bytes(data, self._order.name)

    def family(self, data: bytes, getpolicy: list[bytes]) -> RecordedFamily:
        found = dict(self.attrs(data))
        name = found.get(CtrlAttr.CTRL_ATTR_FAMILY_NAME)
        if name is None:
            raise ValueError("there is no CTRL_ATTR_FAMILY_NAME in the recording")

        def number(kind: CtrlAttr) -> int:
            return self.number(found.get(kind, b""))

        policies = RecordedPolicies(self._order)
        ops = list(self._ops(found.get(CtrlAttr.CTRL_ATTR_OPS, b"")))
        return RecordedFamily(
            name.rstrip(b"\0").decode(),
            number(CtrlAttr.CTRL_ATTR_FAMILY_ID),
            number(CtrlAttr.CTRL_ATTR_VERSION),
            number(CtrlAttr.CTRL_ATTR_HDRSIZE),
            number(CtrlAttr.CTRL_ATTR_MAXATTR),
            tuple(self._with_policies(ops, getpolicy, policies)),
            tuple(self._groups(found.get(CtrlAttr.CTRL_ATTR_MCAST_GROUPS, b""))),
            policies,
        )

    def _ops(self, data: bytes) -> Iterator[RecordedOp]:
        for _index, nest in self.attrs(data):
            op = dict(self.attrs(nest))
            yield RecordedOp(
                self.number(op.get(CtrlAttrOp.CTRL_ATTR_OP_ID, b"")),
                GenlOpFlags(self.number(op.get(CtrlAttrOp.CTRL_ATTR_OP_FLAGS, b""))),
            )

    def _groups(self, data: bytes) -> Iterator[tuple[str, int]]:
        for _index, nest in self.attrs(data):
            group = dict(self.attrs(nest))
            name = group.get(CtrlAttrMcastGrp.CTRL_ATTR_MCAST_GRP_NAME, b"")
            number = group.get(CtrlAttrMcastGrp.CTRL_ATTR_MCAST_GRP_ID, b"")
            yield name.rstrip(b"\0").decode(), self.number(number)

    def _with_policies(
        self, ops: list[RecordedOp], getpolicy: list[bytes], policies: RecordedPolicies
    ) -> Iterator[RecordedOp]:
        told: list[tuple[int, dict[int, int]]] = []
        for datagram in getpolicy:
            for attrs in self.messages(datagram):
                for kind, payload in self.attrs(attrs):
                    for number, nest in (
                        self.attrs(payload)
                        if kind in (CtrlAttr.CTRL_ATTR_OP_POLICY, CtrlAttr.CTRL_ATTR_POLICY)
                        else ()
                    ):
                        if kind == CtrlAttr.CTRL_ATTR_OP_POLICY:
                            told.append((number, {k: self.number(v) for k, v in self.attrs(nest)}))
                            continue
                        for nla_type, described in self.attrs(nest):
                            policies.add(number, nla_type, described)
        for op in ops:
            # Of an operation that can dump alone 6.2 to 7.2 tell 0 for the command.
            alone = GenlOpFlags.GENL_CMD_CAP_DO not in op.flags
            mine = bool(told) and (told[0][0] == op.cmd or (alone and told[0][0] == 0))
            numbers = told.pop(0)[1] if mine else {}
            yield RecordedOp(
                op.cmd,
                op.flags,
                numbers.get(CtrlAttrPolicy.CTRL_ATTR_POLICY_DO),
                numbers.get(CtrlAttrPolicy.CTRL_ATTR_POLICY_DUMP),
            )
