"""The kernel's specs in tests: values for every attribute, and what a store answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from netlink_emu.families.own.kinds import kind_for, kinds_of, meaning
from netlink_emu.protocol.family import (
    Attribute,
    AttributeSet,
    AttrType,
    Enumeration,
    FamilyDeclaration,
    Struct,
    SubMessageFormat,
)
from netlink_emu.specs import Spec, read_spec_file

SPECS: Final = Path(__file__).parents[1] / "data" / "specs"
WAYS: Final = range(3)  # of each value the least, the greatest, and one between
_SIZES: Final = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "uint": 8}
_SIGNED: Final = {"s8": 1, "s16": 2, "s32": 4, "s64": 8, "sint": 8}
_HINTED: Final = {
    "mac": ("02:00:00:00:00:01",), "fddi": ("00:00:5e:00:53:af",), "hex": ("00ff", "ab"),
    "ipv4": ("192.0.2.1",), "ipv6": ("2001:db8::1",), "ipv4-or-v6": ("192.0.2.1", "2001:db8::1"),
    "uuid": ("12345678-1234-5678-1234-567812345678",),
}  # fmt: skip
_DEPTH: Final = 3


def specs(release: str = "7.3") -> Iterator[tuple[Path, Spec]]:
    """All specs of a release."""
    for path in sorted((SPECS / release).glob("*.yaml")):
        yield path, read_spec_file(path)


def value_of(attribute: Attribute, way: int, depth: int = _DEPTH) -> Any:
    """A value as reading gives it; None where there is none to be given."""
    one = _value(attribute, way, depth)
    if one is None or not attribute.multi:
        return one
    return [one, one]


def values_of(attributes: AttributeSet, way: int, depth: int = _DEPTH) -> dict[Any, Any]:
    """Values of all attributes of a set but sub-messages."""
    if depth < 0:
        return {}
    found = {
        each.name: value_of(each, way, depth - 1)
        for each in attributes
        if each.type is not AttrType.SUB_MESSAGE
    }
    return {name: value for name, value in found.items() if value is not None}


def sub_messages(declaration: FamilyDeclaration) -> Iterator[tuple[AttributeSet, list[Any]]]:
    """Each format of each sub-message: the attributes that have it, and values of them.

    Where the attribute that chooses is in another set, the sub-message is in a nest beside it.
    """
    sets = declaration.attribute_sets
    for attributes in sets.values():
        for attribute in attributes:
            if attribute.sub_message is None:
                continue
            chooser = attribute.selector
            for key, chosen in attribute.sub_message.formats.items():
                values = [{attribute.name: _sub_message(chosen, way)} for way in WAYS]
                if chooser in attributes:
                    yield attributes, [{chooser: key, **each} for each in values]
                    continue
                outer = next(each[chooser] for each in sets.values() if chooser in each)
                around = AttributeSet(
                    "around", replace(outer, number=1), Attribute("in", nested=attributes)
                )
                yield around, [{chooser: key, "in": each} for each in values]


def _sub_message(chosen: SubMessageFormat, way: int) -> dict[Any, Any]:
    header = {} if chosen.fixed_header is None else _struct(chosen.fixed_header, way)
    return header | ({} if chosen.attributes is None else values_of(chosen.attributes, way))


def _value(attribute: Attribute, way: int, depth: int) -> Any:
    kind = attribute.type
    match kind:
        case AttrType.UNUSED | AttrType.PAD | AttrType.SUB_MESSAGE:
            return None
        case AttrType.FLAG:
            return True
        case AttrType.STRING:
            return ("", "eth0", "a b")[way]
        case AttrType.BITFIELD32:
            names = [*attribute.enum.values][:1] if attribute.enum else (0, 0xFFFFFFFF, 5)[way]
            return {"value": names, "selector": names}
        case AttrType.NEST:
            assert attribute.nested is not None
            return values_of(attribute.nested, way, depth)
        case AttrType.INDEXED_ARRAY:
            assert attribute.sub_type is not None
            return _elements(attribute, way, depth)
        case AttrType.NEST_TYPE_VALUE:
            assert attribute.nested is not None
            levels = {name: index for index, name in enumerate(attribute.type_value, 1)}
            return levels | values_of(attribute.nested, way, depth)
        case AttrType.BINARY:
            return _binary(attribute, way)
        case _:
            return _number(str(kind), attribute.enum, attribute.enum_as_flags, attribute, way)


def _elements(attribute: Attribute, way: int, depth: int) -> list[Any]:
    sub = attribute.sub_type
    if attribute.nested is not None:
        return [values_of(attribute.nested, way, depth)] * way
    if sub == AttrType.BINARY and not attribute.struct:
        return [_HINTED[attribute.display_hint][0] if attribute.display_hint else b"\1\2"] * way
    if sub == AttrType.STRING:
        return ["a", "b"][:way]
    if sub == AttrType.BINARY and attribute.struct is not None:
        return [_struct(attribute.struct, way)] * way
    return [_number(str(sub), attribute.enum, attribute.enum_as_flags, attribute, way)] * way


def _binary(attribute: Attribute, way: int) -> Any:
    if attribute.struct is not None:
        return _struct(attribute.struct, way)
    if attribute.sub_type is not None:
        return [_number(str(attribute.sub_type), attribute.enum, False, attribute, way)] * way
    if attribute.display_hint:
        texts = _HINTED[attribute.display_hint]
        return texts[way % len(texts)]
    return bytes(way * 4)


def _number(kind: str, names: Enumeration | None, as_flags: bool, attribute: Any, way: int) -> Any:
    if names is not None:
        known = [*names.values]
        if names.flags or as_flags:
            return names.read((0, names.mask(as_flags=as_flags), 1)[way], as_flags=as_flags)
        return names.read(names.values[known[way % len(known)]])
    hint = attribute.display_hint
    if hint in _HINTED and kind == "u32" and hint != "hex":
        return _HINTED["ipv4"][0]
    if hint in _HINTED:
        sized = bytes([way] * _SIZES[kind])
        return sized.hex(":") if hint in ("mac", "fddi") else sized.hex()
    if kind in _SIGNED:
        top = 1 << 8 * _SIGNED[kind] - 1
        return (-top, top - 1, -5)[way]
    return (0, (1 << 8 * _SIZES[kind]) - 1, 5)[way]


def _struct(struct: Struct, way: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for member in struct.members:
        if member.struct is not None:
            found[member.name] = _struct(member.struct, way)
        elif member.type == "string":
            found[member.name] = "x" * min(way, member.len)
        elif member.type == "binary":
            sized = bytes([way]) * member.len
            found[member.name] = member.read(sized, _order())
        elif member.type != "pad":
            found[member.name] = _number(
                member.type, member.enum, member.enum_as_flags, member, way
            )
    return found


def _order() -> Any:
    from netlink_emu.protocol.format import LITTLE

    return LITTLE


def answered(declaration: FamilyDeclaration) -> tuple[int, int]:
    """How many of the operations a store answers, and how many there are."""
    kinds = kinds_of(declaration)
    asked = [op for op in declaration.operations if op.do is not None or op.dump is not None]
    lives = [
        op for op in asked
        if meaning(declaration, op.name)[0] and kind_for(declaration, kinds, op) is not None
    ]  # fmt: skip
    return len(lives), len(asked)
