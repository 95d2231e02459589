"""The bytes of attributes to values by name.

Reading never fails: an attribute that the set does not know has its number for a key and its bytes
for a value, and what is not what its type says stays bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..attributes import NLA_TYPE_MASK, nla_walk
from ..format import LITTLE, ByteOrder
from ..netlink import nlmsg_align
from .attributes import Attribute, AttributeSet, AttrType
from .common import EITHER, MAX_DEPTH, SIGNED, element_of, format_of
from .hints import shown
from .structs import NUMBERS

_BITFIELD32: Final = 8


def decode(
    attributes: AttributeSet, data: bytes, order: ByteOrder = LITTLE
) -> dict[str | int, Any]:
    """The values of the attributes in ``data`` by name; of what is unknown, bytes by number.

    Of an attribute that may be there once the last one counts. An unknown one that is there
    several times is a list. Bytes behind the last attribute are left out.
    """
    return _Reader(order).attributes(attributes, data, ())


def read_value(
    attribute: Attribute,
    payload: bytes,
    order: ByteOrder = LITTLE,
    around: tuple[Mapping[str | int, Any], ...] = (),
) -> Any:
    """The value of one attribute.

    ``around`` are the values beside it and of the nests that it is in, the nearest first: they may
    say what it is.
    """
    if attribute.type is AttrType.SUB_MESSAGE:
        return _Reader(order).sub_message(attribute, payload, around)
    return _Reader(order).value(attribute, payload, around)


class _Reader:
    def __init__(self, order: ByteOrder) -> None:
        self._order = order

    def attributes(
        self, known: AttributeSet, data: bytes, around: tuple[Mapping[str | int, Any], ...]
    ) -> dict[str | int, Any]:
        """``around`` are the values of the messages that this is nested in, the nearest first."""
        values: dict[str | int, Any] = {}
        # Sub-messages come last: another attribute says what is in them.
        later: list[tuple[Attribute, bytes]] = []
        for nla_type, start, length in nla_walk(data, 0, len(data), self._order):
            number = nla_type & NLA_TYPE_MASK
            payload = data[start : start + length]
            attribute = known.get(number)
            if attribute is None:
                _keep_unknown(values, number, payload)
            elif attribute.type is AttrType.SUB_MESSAGE:
                values.setdefault(attribute.name, None)
                later.append((attribute, payload))
            elif attribute.type is not AttrType.PAD:
                value = self.value(attribute, payload, (values, *around))
                _keep(values, attribute, value)
        for attribute, payload in later:
            _keep(values, attribute, self.sub_message(attribute, payload, (values, *around)))
        return values

    def value(
        self, attribute: Attribute, payload: bytes, around: tuple[Mapping[str | int, Any], ...]
    ) -> Any:
        """What a payload means; the payload itself where it is not what it should be."""
        if len(around) > MAX_DEPTH:
            return payload
        match attribute.type:
            case AttrType.FLAG:
                return payload or True
            case AttrType.STRING:
                return _text(payload)
            case AttrType.BINARY:
                return self._binary(attribute, payload)
            case AttrType.BITFIELD32:
                return self._bitfield32(attribute, payload)
            case AttrType.NEST if attribute.nested is not None:
                return self._nest(attribute.nested, payload, around)
            case AttrType.INDEXED_ARRAY:
                return self._array(attribute, payload, around)
            case AttrType.NEST_TYPE_VALUE:
                return self._type_value(attribute, payload, around)
            case AttrType.UNUSED | AttrType.PAD | AttrType.SUB_MESSAGE:
                return payload
            case _:
                return self._number(attribute, attribute.type, payload)

    def _number(self, attribute: Attribute, kind: str, payload: bytes) -> Any:
        sizes = (4, 8) if kind in EITHER else (NUMBERS.get(kind),)
        if len(payload) not in sizes:
            return payload
        order = attribute.byte_order or self._order
        number = int.from_bytes(payload, order.name, signed=kind in SIGNED)
        if attribute.enum is not None:
            return attribute.enum.read(number, as_flags=attribute.enum_as_flags)
        if attribute.display_hint and (text := shown(payload, attribute.display_hint)) is not None:
            return text
        return number

    def _binary(self, attribute: Attribute, payload: bytes) -> Any:
        if attribute.struct is not None:
            if len(payload) < attribute.struct.size:
                return payload
            return attribute.struct.decode(payload, self._order)
        if attribute.sub_type is not None:
            size = NUMBERS.get(attribute.sub_type, 0)
            if not size or len(payload) % size:
                return payload
            parts = (payload[at : at + size] for at in range(0, len(payload), size))
            return [self._number(attribute, attribute.sub_type, part) for part in parts]
        if attribute.display_hint:
            text = shown(payload, attribute.display_hint)
            return payload if text is None else text
        return payload

    def _bitfield32(self, attribute: Attribute, payload: bytes) -> Any:
        if len(payload) != _BITFIELD32:
            return payload
        parts = {}
        for name, part in (("value", payload[:4]), ("selector", payload[4:])):
            number = int.from_bytes(part, self._order.name)
            named = attribute.enum
            parts[name] = number if named is None else named.read(number, as_flags=True)
        return parts

    def _nest(
        self, nested: AttributeSet, payload: bytes, around: tuple[Mapping[str | int, Any], ...]
    ) -> Any:
        if not self._whole(payload):
            return payload
        return self.attributes(nested, payload, around)

    def _whole(self, payload: bytes) -> bool:
        """Whether all of it is attributes."""
        end = 0
        for _, start, length in nla_walk(payload, 0, len(payload), self._order):
            end = start + length
        return nlmsg_align(end) >= len(payload)

    def _array(
        self, attribute: Attribute, payload: bytes, around: tuple[Mapping[str | int, Any], ...]
    ) -> Any:
        if not self._whole(payload):
            return payload
        assert attribute.sub_type is not None
        element = element_of(attribute)
        return [
            self.value(element, payload[start : start + length], around or ({},))
            for _, start, length in nla_walk(payload, 0, len(payload), self._order)
        ]

    def _type_value(
        self, attribute: Attribute, payload: bytes, around: tuple[Mapping[str | int, Any], ...]
    ) -> Any:
        assert attribute.nested is not None
        values: dict[str | int, Any] = {}
        inner = payload
        for name in attribute.type_value:
            first = next(nla_walk(inner, 0, len(inner), self._order), None)
            if first is None:
                return payload
            nla_type, start, length = first
            values[name] = nla_type & NLA_TYPE_MASK
            inner = inner[start : start + length]
        return values | self.attributes(attribute.nested, inner, around)

    def sub_message(
        self, attribute: Attribute, payload: bytes, around: tuple[Mapping[str | int, Any], ...]
    ) -> Any:
        chosen = format_of(attribute, around)
        if chosen is None or len(around) > MAX_DEPTH:
            return payload
        values: dict[str | int, Any] = {}
        rest = payload
        if chosen.fixed_header is not None:
            if len(payload) < chosen.fixed_header.size:
                return payload
            values.update(chosen.fixed_header.decode(payload, self._order))
            rest = payload[nlmsg_align(chosen.fixed_header.size) :]
        if chosen.attributes is None:
            return values if chosen.fixed_header is not None or not payload else payload
        if not self._whole(rest):
            return payload
        return values | self.attributes(chosen.attributes, rest, around)


def _text(payload: bytes) -> str | bytes:
    """Up to the first NUL; the bytes where they are no text."""
    try:
        return payload.partition(b"\0")[0].decode()
    except UnicodeDecodeError:
        return payload


def _keep(values: dict[str | int, Any], attribute: Attribute, value: Any) -> None:
    if not attribute.multi:
        values[attribute.name] = value
        return
    before = values.get(attribute.name)
    values[attribute.name] = [*before, value] if isinstance(before, list) else [value]


def _keep_unknown(values: dict[str | int, Any], number: int, payload: bytes) -> None:
    before = values.get(number)
    if before is None:
        values[number] = payload
    else:
        values[number] = [*(before if isinstance(before, list) else [before]), payload]
