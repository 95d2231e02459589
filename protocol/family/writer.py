"""Values by name to the bytes of attributes. Mistakes are ValueErrors that say where they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..attributes import NLA_F_NESTED, NLA_TYPE_MASK, AttrWriter
from ..format import LITTLE, ByteOrder
from ..netlink import nlmsg_align
from .attributes import Attribute, AttributeSet, AttrType
from .common import EITHER, MAX_DEPTH, SIGNED, Values, element_of, format_of
from .hints import unshown
from .structs import NUMBERS


def encode(attributes: AttributeSet, values: Values, order: ByteOrder = LITTLE) -> bytes:
    """The attributes, in the order of ``values``.

    A value is what :func:`decode` gives for it. Instead of it bytes are taken as they are, an
    attribute of a number instead of a name too. None and, for a flag, False leave it out. Raises
    ValueError for a name that there is not, and for a value that is not of its type.
    """
    writer = AttrWriter(order)
    _Writer(order, writer).attributes(attributes, values, ())
    return bytes(writer.data)


class _Writer:
    def __init__(self, order: ByteOrder, writer: AttrWriter) -> None:
        self._order = order
        self._out = writer

    def attributes(self, known: AttributeSet, values: Values, around: tuple[Values, ...]) -> None:
        if not isinstance(values, Mapping):
            raise ValueError(f"attributes are given by name, not as {values!r}")
        if len(around) > MAX_DEPTH:
            raise ValueError(f"nests are {MAX_DEPTH} deep at most")
        for name, value in values.items():
            if isinstance(name, int):
                self._raw(name, value)
                continue
            attribute = known[name]
            with _At(name):
                if not attribute.multi:
                    self.put(attribute, attribute.number, value, (values, *around))
                    continue
                for one in value if isinstance(value, list | tuple) else [value]:
                    self.put(attribute, attribute.number, one, (values, *around))

    def _raw(self, number: int, value: Any) -> None:
        for payload in value if isinstance(value, list) else [value]:
            if not isinstance(payload, bytes):
                raise ValueError(f"attribute {number} has no name, and takes bytes alone")
            self._put(number, payload)

    def _put(self, nla_type: int, payload: bytes) -> None:
        if len(payload) > 0xFFFF - 4:
            raise ValueError(f"{len(payload)} bytes are too many for an attribute")
        self._out.put(nla_type, payload)

    def put(
        self, attribute: Attribute, number: int, value: Any, around: tuple[Values, ...]
    ) -> None:
        """One attribute."""
        kind = attribute.type
        if value is None or (kind is AttrType.FLAG and value is False):
            return
        if isinstance(value, bytes):
            self._put(number, value)
            return
        match kind:
            case AttrType.NEST:
                assert attribute.nested is not None
                nested = attribute.nested
                self._nest(number, lambda: self.attributes(nested, value, around))
            case AttrType.INDEXED_ARRAY:
                self._nest(number, lambda: self._array(attribute, value, around))
            case AttrType.NEST_TYPE_VALUE:
                self._type_value(attribute, number, value, around)
            case AttrType.SUB_MESSAGE:
                self._sub_message(attribute, number, value, around)
            case _:
                self._put(number, self.payload(attribute, kind, value))

    def _nest(self, number: int, fill: Callable[[], None]) -> None:
        start = len(self._out.data)
        with self._out.nest(number | NLA_F_NESTED):
            fill()
            if len(self._out.data) - start > 0xFFFF:
                raise ValueError("a nest has 65535 bytes at most")

    def _array(self, attribute: Attribute, value: Any, around: tuple[Values, ...]) -> None:
        if not isinstance(value, list | tuple):
            raise ValueError(f"an array is a list, not {value!r}")
        element = element_of(attribute)
        for index, one in enumerate(value, 1):
            with _At(str(index - 1)):
                self.put(element, index, one, around)

    def _type_value(
        self, attribute: Attribute, number: int, value: Any, around: tuple[Values, ...]
    ) -> None:
        assert attribute.nested is not None
        if not isinstance(value, Mapping):
            raise ValueError(f"a nest is given by name, not as {value!r}")
        rest = {name: part for name, part in value.items() if name not in attribute.type_value}
        nested = attribute.nested

        def level(names: tuple[str, ...]) -> None:
            if not names:
                self.attributes(nested, rest, around)
                return
            index = value.get(names[0])
            if not isinstance(index, int) or not 0 <= index <= NLA_TYPE_MASK:
                raise ValueError(f"{names[0]} is a number, not {index!r}")
            self._nest(index, lambda: level(names[1:]))

        self._nest(number, lambda: level(attribute.type_value))

    def _sub_message(
        self, attribute: Attribute, number: int, value: Any, around: tuple[Values, ...]
    ) -> None:
        chosen = format_of(attribute, around)
        if chosen is None:
            raise ValueError(
                f"{attribute.selector} does not say what this is; bytes are taken as they are"
            )
        if not isinstance(value, Mapping):
            raise ValueError(f"a sub-message is given by name, not as {value!r}")
        header = chosen.fixed_header
        members = {member.name for member in header.members} if header is not None else set()
        fixed = {name: part for name, part in value.items() if name in members}
        rest = {name: part for name, part in value.items() if name not in members}

        def fill() -> None:
            if header is not None:
                packed = header.encode(fixed, self._order)
                self._out.data += packed.ljust(nlmsg_align(len(packed)), b"\0")
            if chosen.attributes is not None:
                self.attributes(chosen.attributes, rest, around)
            elif rest:
                raise ValueError(f"there is no attribute {next(iter(rest))!r}")

        if chosen.attributes is None and header is not None:
            if rest:
                raise ValueError(f"there is no member {next(iter(rest))!r}")
            self._put(number, header.encode(fixed, self._order))
        else:
            self._nest(number, fill)

    def payload(self, attribute: Attribute, kind: str, value: Any) -> bytes:
        """The payload of what is no nest."""
        match kind:
            case AttrType.FLAG if value is True:
                return b""
            case AttrType.STRING if isinstance(value, str):
                return value.encode() + b"\0"
            case AttrType.BITFIELD32:
                return self._bitfield32(attribute, value)
            case AttrType.BINARY:
                return self._binary(attribute, value)
            case AttrType.FLAG | AttrType.STRING | AttrType.PAD | AttrType.UNUSED:
                raise ValueError(f"{value!r} is no {kind}")
            case _:
                return self._number(attribute, kind, value)

    def _number(self, attribute: Attribute, kind: str, value: Any) -> bytes:
        if attribute.enum is not None:
            value = attribute.enum.number(value, as_flags=attribute.enum_as_flags)
        elif isinstance(value, str) and attribute.display_hint:
            return unshown(value, attribute.display_hint)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"{value!r} is no {kind}")
        signed = kind in SIGNED
        size = NUMBERS.get(kind, 4)
        if kind in EITHER and not _fits(value, 4, signed=signed):
            size = 8
        if not _fits(value, size, signed=signed):
            raise ValueError(f"{value} does not fit in {kind}")
        return value.to_bytes(size, (attribute.byte_order or self._order).name, signed=signed)

    def _binary(self, attribute: Attribute, value: Any) -> bytes:
        if attribute.struct is not None and isinstance(value, Mapping):
            return attribute.struct.encode(value, self._order)
        if attribute.sub_type is not None and isinstance(value, list | tuple):
            kind = attribute.sub_type
            return b"".join(self._number(attribute, kind, part) for part in value)
        if attribute.display_hint and isinstance(value, str):
            return unshown(value, attribute.display_hint)
        raise ValueError(f"{value!r} is not bytes")

    def _bitfield32(self, attribute: Attribute, value: Any) -> bytes:
        if not isinstance(value, Mapping) or not value.keys() <= {"value", "selector"}:
            raise ValueError(f"a bitfield32 has value and selector, not {value!r}")
        parts = []
        for name in ("value", "selector"):
            part = value.get(name, 0)
            if attribute.enum is not None:
                part = attribute.enum.number(part, as_flags=True)
            if not isinstance(part, int) or not _fits(part, 4, signed=False):
                raise ValueError(f"{name} is a u32, not {part!r}")
            parts.append(part.to_bytes(4, self._order.name))
        return b"".join(parts)


class _At:
    """Says where in the values a mistake is."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, _type: object, exc: BaseException | None, _tb: object) -> None:
        if isinstance(exc, ValueError):
            raise ValueError(f"{self._name}: {exc}") from exc


def _fits(value: int, size: int, *, signed: bool) -> bool:
    low, high = (-(1 << 8 * size - 1), 1 << 8 * size - 1) if signed else (0, 1 << 8 * size)
    return low <= value < high
