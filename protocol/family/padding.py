"""Attributes as a kernel writes them on machines that align 64-bit numbers."""

from __future__ import annotations

from typing import Final

from ..attributes import NLA_TYPE_MASK, AttrWriter, nla_walk
from ..format import LITTLE, ByteOrder
from ..netlink import nlmsg_align
from .attributes import Attribute, AttributeSet, AttrType

_64BIT: Final = frozenset({AttrType.U64, AttrType.S64})
# No dump's datagram has room for more, and with pads a longer nest might have no length.
_LONGEST: Final = 1 << 15


def pad_64bit(
    attributes: AttributeSet, data: bytes, order: ByteOrder = LITTLE, at: int = 0
) -> bytes:
    """What :func:`encode` gave, as nla_put_u64_64bit() writes it at address ``at`` modulo 8.

    On machines without CONFIG_HAVE_EFFICIENT_UNALIGNED_ACCESS, the set's attribute of type pad
    stands before each u64 and s64 that would be misaligned; before none if the set has no such
    attribute. nla_put_uint() never writes one. Sub-messages stay as they are: no generic netlink
    family of a kernel has any.
    """
    if len(data) > _LONGEST:
        return data
    out = AttrWriter(order)
    _Padder(order, at, out).attributes(attributes, data)
    return bytes(out.data)


class _Padder:
    def __init__(self, order: ByteOrder, at: int, out: AttrWriter) -> None:
        self._order = order
        self._at = at
        self._out = out

    def attributes(self, known: AttributeSet, data: bytes) -> None:
        pad = next((each for each in known if each.type is AttrType.PAD), None)
        for nla_type, start, length in nla_walk(data, 0, len(data), self._order):
            attribute = known.get(nla_type & NLA_TYPE_MASK)
            payload = data[start : start + length]
            if attribute is not None and attribute.type in _64BIT and pad is not None:
                if (self._at + len(self._out.data)) % 8 == 0:
                    self._out.put(pad.number)
                self._out.put(nla_type, payload)
            else:
                self._nest(attribute, nla_type, payload, _levels(attribute))

    def _nest(
        self, attribute: Attribute | None, nla_type: int, payload: bytes, levels: int
    ) -> None:
        """An attribute with so many nests, one in the other, around its attributes; 0: none."""
        if attribute is None or attribute.nested is None or not levels or not self._sound(payload):
            self._out.put(nla_type, payload)
            return
        with self._out.nest(nla_type):
            if levels == 1:
                self.attributes(attribute.nested, payload)
                return
            for inner, start, length in nla_walk(payload, 0, len(payload), self._order):
                self._nest(attribute, inner, payload[start : start + length], levels - 1)

    def _sound(self, payload: bytes) -> bool:
        """Whether there is nothing in it but attributes."""
        end = 0
        for _, start, length in nla_walk(payload, 0, len(payload), self._order):
            end = nlmsg_align(start + length)
        return end == len(payload)


def _levels(attribute: Attribute | None) -> int:
    if attribute is None:
        return 0
    match attribute.type:
        case AttrType.NEST:
            return 1
        case AttrType.INDEXED_ARRAY:
            return 2
        case AttrType.NEST_TYPE_VALUE:
            return 1 + len(attribute.type_value)
        case _:
            return 0
