"""The families of others that a recorded kernel had: declared here, so that dumps are as long.

Whether a dump of all families takes one datagram or two decides what a second request meets.
"""

from __future__ import annotations

from collections.abc import Iterator

from netlink_emu.conformance.cases import ops
from netlink_emu.conformance.cases.case import Case, Step
from netlink_emu.conformance.cases.structure import OURS, family_name
from netlink_emu.kernel.genetlink import GenlFamily, GenlOp
from netlink_emu.protocol.attributes import NLA_TYPE_MASK, nla_walk
from netlink_emu.protocol.format import ByteOrder
from netlink_emu.protocol.genetlink import (
    GENL_HDRLEN,
    CtrlAttr,
    CtrlAttrMcastGrp,
    CtrlAttrOp,
    GenlOpFlags,
)
from netlink_emu.protocol.netlink import NLM_F_MULTI, NLMSG_HDRLEN, nlmsg_walk

_ATTRIBUTES = NLMSG_HDRLEN + GENL_HDRLEN


def foreign_families(case: Case) -> list[GenlFamily]:
    """The families in a case's dumps that are neither nlctrl nor TASKSTATS.

    One that is in no dump on a socket of another network namespace, where there is such a dump,
    exists in the initial one alone.
    """
    apart = _sockets_apart(case)
    found: dict[bytes, bytes] = {}
    shown_apart: set[bytes] = set()
    for step in case.steps:
        for name, message, flags in _announced(step, case.order):
            if getattr(step.op, "sock", None) in apart and flags & NLM_F_MULTI:
                shown_apart.add(name)
            if name not in OURS:
                found.setdefault(name, message)
    return [
        _family(name.decode(), message, case.order, netnsok=not shown_apart or name in shown_apart)
        for name, message in found.items()
    ]


def _sockets_apart(case: Case) -> set[str]:
    """The sockets of tasks that have a network namespace of their own."""
    tasks = {
        step.actor
        for step in case.steps
        if isinstance(step.op, ops.Spawn) and "net" in (step.op.unshare or ())
    }
    return {
        step.op.sock
        for step in case.steps
        if isinstance(step.op, ops.Socket) and step.actor in tasks
    }


def _announced(step: Step, order: ByteOrder) -> Iterator[tuple[bytes, bytes, int]]:
    """The name of each family of which the step was told, the message, and its nlmsg_flags."""
    for datagram in step.expect.datagrams or ():
        data = datagram.payload.data
        for offset, header in nlmsg_walk(data, order):
            message = data[offset : offset + header.nlmsg_len]
            name = family_name(message, order)
            if name is not None:
                yield name, message, header.nlmsg_flags


def _attributes(data: bytes, start: int, end: int, order: ByteOrder) -> dict[int, bytes]:
    return {
        kind & NLA_TYPE_MASK: data[payload : payload + length]
        for kind, payload, length in nla_walk(data, start, end, order)
    }


def _nests(data: bytes | None, order: ByteOrder) -> Iterator[dict[int, bytes]]:
    for nest in _attributes(data or b"", 0, len(data or b""), order).values():
        yield _attributes(nest, 0, len(nest), order)


def _family(name: str, message: bytes, order: ByteOrder, *, netnsok: bool) -> GenlFamily:
    attrs = _attributes(message, _ATTRIBUTES, len(message), order)

    def number(data: bytes | None) -> int:
        return int.from_bytes(data or b"", order.name)

    return GenlFamily(
        name,
        number(attrs.get(CtrlAttr.CTRL_ATTR_VERSION)),
        tuple(
            GenlOp(
                number(op.get(CtrlAttrOp.CTRL_ATTR_OP_ID)),
                GenlOpFlags(number(op.get(CtrlAttrOp.CTRL_ATTR_OP_FLAGS))),
            )
            for op in _nests(attrs.get(CtrlAttr.CTRL_ATTR_OPS), order)
        ),
        id=number(attrs.get(CtrlAttr.CTRL_ATTR_FAMILY_ID)),
        hdrsize=number(attrs.get(CtrlAttr.CTRL_ATTR_HDRSIZE)),
        maxattr=number(attrs.get(CtrlAttr.CTRL_ATTR_MAXATTR)),
        mcgrps=tuple(
            group[CtrlAttrMcastGrp.CTRL_ATTR_MCAST_GRP_NAME].rstrip(b"\0").decode()
            for group in _nests(attrs.get(CtrlAttr.CTRL_ATTR_MCAST_GROUPS), order)
        ),
        netnsok=netnsok,
    )
