"""What a client of a family says and hears: requests by names, and what answers them."""

from __future__ import annotations

from typing import Any

from ..format import LITTLE, ByteOrder
from ..genetlink import GENL_HDRLEN, genl_request
from ..netlink import NLM_F_DUMP, NLMSG_HDRLEN, nlmsg_align
from .common import Values
from .operations import FamilyDeclaration, Operation
from .reader import decode
from .writer import encode


def request(
    declaration: FamilyDeclaration,
    op: Operation,
    values: Values,
    *,
    family: int,
    dump: bool = False,
    flags: int = 0,
    seq: int = 1,
    order: ByteOrder = LITTLE,
) -> bytes:
    """The message that does an operation, or dumps: to the family with this number.

    Members of a fixed header are values like the attributes. Raises ValueError for an operation
    that cannot be done (or dumped), and for values that are not its.
    """
    exchange = op.dump if dump else op.do
    if exchange is None:
        other = op.do if dump else op.dump
        way = "an event" if other is None else "done alone" if dump else "dumped alone"
        raise ValueError(f"{op.name} of {declaration.name} is {way}")
    fixed, rest = b"", values
    if op.fixed_header is not None:
        members = {member.name for member in op.fixed_header.members}
        given = {name: value for name, value in values.items() if name in members}
        fixed = op.fixed_header.encode(given, order)
        fixed = fixed.ljust(nlmsg_align(len(fixed)), b"\0")
        rest = {name: value for name, value in values.items() if name not in members}
    body = fixed + encode(op.attributes, rest, order)
    flags |= NLM_F_DUMP if dump else 0
    version = declaration.version
    return genl_request(order, family, exchange.cmd, body, version=version, flags=flags, seq=seq)


def answer(op: Operation, message: bytes, order: ByteOrder = LITTLE) -> dict[str | int, Any]:
    """The values of a message of the family, header and all."""
    at = NLMSG_HDRLEN + GENL_HDRLEN
    values: dict[str | int, Any] = {}
    if op.fixed_header is not None:
        size = op.fixed_header.size
        values.update(op.fixed_header.decode(message[at : at + size], order))
        at += nlmsg_align(size)
    return values | decode(op.attributes, message[at:], order)
