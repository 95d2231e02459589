"""A dissector for Wireshark, in Lua, of families as they are declared.

The engine stands in ``wireshark.lua``; what it knows of families is generated here as tables.
"""

from __future__ import annotations

import enum
import errno
import re
from collections.abc import Iterable
from importlib.resources import files
from typing import Any, Final

from netlink_emu.protocol.errors import errno_name
from netlink_emu.protocol.family import AttrType, Enumeration, Struct
from netlink_emu.protocol.format import BIG, LITTLE, ByteOrder
from netlink_emu.protocol.reading.declared import DeclaredAttrs
from netlink_emu.protocol.reading.describe import (
    ANY,
    EXTACK,
    INTEGER_SIZES,
    AttrDesc,
    AttrSet,
    FamilyDesc,
    Kind,
)
from netlink_emu.protocol.reading.structs import STRUCTS
from netlink_emu.protocol.taskstats import taskstats_layout

_PLACE: Final = "--@TABLES@"
_NUMBERS: Final = {1: "u8", 2: "u16", 4: "u32", 8: "u64"}
_SIZES: Final = frozenset({*_NUMBERS.values(), "s8", "s16", "s32", "s64", "uint", "sint"})
_VERSIONS: Final = range(1, 18)

# Python names those behind ERFKILL since 3.14: what is made is the same with any.
_ERRNOS: Final = [number for number in sorted(errno.errorcode) if number <= errno.ERFKILL]


def dissector(families: Iterable[FamilyDesc]) -> str:
    """The whole script; of families with one name the last counts."""
    engine = (files("netlink_emu.specs") / "wireshark.lua").read_text("utf-8")
    tables = _Tables()
    extack = tables.attr_set(EXTACK, "extack")
    told = {desc.name: tables.family(desc) for desc in families}
    while tables.waiting:  # sets that sets have asked for
        tables.fill()
    text = "\n".join(
        f"local {name} = {_lua(value)}"
        for name, value in (
            ("FIELDS", tables.fields), ("VALUES", tables.values), ("STRUCTS", tables.structs),
            ("SETS", tables.sets), ("EXTACK", extack), ("FAMILIES", told),
            ("ERRNOS", {number: errno_name(number) for number in _ERRNOS}),
        )
    )  # fmt: skip
    return engine.replace(_PLACE, text)


def _lua(value: Any, indent: str = "") -> str:
    """A value as Lua writes it."""
    if isinstance(value, str):
        return '"' + re.sub(r"[^ !#-\[\]-~]", lambda found: _bytes(found[0]), value) + '"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    deeper = indent + "  "
    if isinstance(value, list):
        items = [_lua(item, deeper) for item in value]
    else:
        items = [f"[{_lua(key)}] = {_lua(item, deeper)}" for key, item in value.items()]
    flat = "{ " + ", ".join(items) + " }" if items else "{}"
    if len(indent) + len(flat) < 96 and "\n" not in flat:
        return flat
    return "{\n" + "".join(f"{deeper}{item},\n" for item in items) + indent + "}"


def _bytes(char: str) -> str:
    return "".join(f"\\{byte:03}" for byte in char.encode("utf-8", "replace"))


class _Tables:
    """What the engine reads, collected while families are walked."""

    def __init__(self) -> None:
        self.fields: Final[list[list[str]]] = []
        self.values: Final[list[dict[int | str, Any]]] = []
        self.structs: Final[list[list[dict[str | int, Any]]]] = []
        self.sets: Final[dict[int, dict[int | str, Any]]] = {}
        self.waiting: Final[list[tuple[int, AttrSet, str]]] = []
        self._field_numbers: dict[str, int] = {}
        self._known: dict[int, tuple[int, Any]] = {}  # by id; the object stays alive
        self._value_numbers: dict[str, int] = {}
        self._struct_numbers: dict[tuple[str, str], int] = {}

    def family(self, desc: FamilyDesc) -> dict[str, Any]:
        replies = desc.commands if desc.replies is None else desc.replies
        return {
            "requests": {cmd: self._op(desc, cmd, name) for cmd, name in desc.commands.items()},
            "replies": {
                cmd: self._op(desc, cmd, name, reply=True) for cmd, name in replies.items()
            },
        }

    def _op(self, desc: FamilyDesc, cmd: int, name: str, *, reply: bool = False) -> dict[str, Any]:
        attrs = desc.attrs_of(cmd, reply=reply)
        told: dict[str, Any] = {"name": name, "set": self.attr_set(attrs, desc.name)}
        header = desc.headers.get(cmd)
        if header is not None:
            struct = self._declared(header, desc.name)
            told |= {"header": True, "size": header.size, "struct": struct}
        return told

    def attr_set(self, attrs: AttrSet, family: str) -> int:
        """The number of a set; it is filled later, for sets may be in themselves."""
        what = attrs.attributes if isinstance(attrs, DeclaredAttrs) else attrs
        if id(what) not in self._known:
            self._known[id(what)] = len(self._known) + 1, what
            self.waiting.append((len(self._known), attrs, family))
        return self._known[id(what)][0]

    def fill(self) -> None:
        number, attrs, family = self.waiting.pop()
        self.sets[number] = {n: self._attribute(attrs[n], family) for n in attrs if n != ANY}
        if ANY in attrs and attrs[ANY].kind is not Kind.UNKNOWN:
            self.sets[number]["any"] = self._attribute(attrs[ANY], family)

    def _attribute(self, desc: AttrDesc, family: str) -> dict[str, Any]:
        told: dict[str, Any] = {"name": desc.name, "short": desc.label.lower()}
        if desc.kind is Kind.NEST:
            return told | {"kind": "nest", "set": self.attr_set(desc.attrs, family)}
        if desc.kind in STRUCTS:
            return told | {"kind": "struct", "struct": self._described(desc.kind, family)}
        kind, enumeration, order = _kind_of(desc)
        told["kind"] = kind
        if desc.declared is not None and desc.declared.struct is not None:
            return told | {
                "kind": "struct",
                "struct": self._declared(desc.declared.struct, family),
            }
        self._complete(told, family, enumeration, order)
        return told

    def _complete(
        self,
        told: dict[str, Any],
        family: str,
        values: dict[int | str, Any],
        order: ByteOrder | None,
    ) -> None:
        """Add the field, the names of values, and the byte order of what has them."""
        kind = told["kind"]
        if kind in ("uint", "sint"):
            kind = f"{kind[0]}64"
        if kind in _SIZES or kind == "string":
            told["field"] = self._field(kind, family, told["name"])
        if values:
            key = repr(values)
            if key not in self._value_numbers:
                self.values.append(values)
                self._value_numbers[key] = len(self.values)
            told["values"] = self._value_numbers[key]
        if order is not None:
            told["order"] = "be" if order is BIG else "le"

    def _field(self, kind: str, family: str, name: str) -> int:
        """The number of what a display filter can ask for; of one name and type there is one."""
        abbreviation = re.sub(r"[^a-z0-9_.]+", "_", f"{family}.{name}".lower())
        taken = self._field_numbers.get(abbreviation)
        if taken is not None and self.fields[taken - 1][0] != kind:
            abbreviation += f"_{kind}"
            taken = self._field_numbers.get(abbreviation)
        if taken is None:
            self.fields.append([kind, abbreviation, name])
            taken = self._field_numbers[abbreviation] = len(self.fields)
        return taken

    def _described(self, kind: Kind, family: str) -> int:
        key = family, kind.value
        if key not in self._struct_numbers:
            self.structs.append(
                [self._layout(*layout, kind=kind, family=family) for layout in _layouts(kind)]
            )
            self._struct_numbers[key] = len(self.structs)
        return self._struct_numbers[key]

    def _layout(
        self, data: bytes, version: int | None, *, kind: Kind, family: str
    ) -> dict[str | int, Any]:
        order = LITTLE
        found: dict[str | int, Any] = {"size": len(data)}
        if version is not None:
            found["version"] = version
        for number, place in enumerate(STRUCTS[kind].places(data, order), 1):
            told: dict[str, Any] = {
                "name": place.name, "at": place.offset, "size": place.size,
                "kind": _NUMBERS.get(place.size, "string"),
            }  # fmt: skip
            values = _named(place.flags) if place.flags is not None else {}
            self._complete(told, family, values, None)
            found[number] = told
        return found

    def _declared(self, struct: Struct, family: str) -> int:
        key = family, struct.name
        if key not in self._struct_numbers:
            found: dict[str | int, Any] = {"size": struct.size}
            at = 0
            for number, member in enumerate(struct.members, 1):
                kind = (
                    member.type if member.type in _SIZES or member.type == "string" else "binary"
                )
                told: dict[str, Any] = {
                    "name": member.name, "at": at, "size": member.size, "kind": kind,
                }  # fmt: skip
                values = _enumeration(member.enum, as_flags=member.enum_as_flags)
                self._complete(told, f"{family}.{struct.name}", values, member.byte_order)
                found[number] = told
                at += member.size
            self.structs.append([found])
            self._struct_numbers[key] = len(self.structs)
        return self._struct_numbers[key]


def _layouts(kind: Kind) -> list[tuple[bytes, int | None]]:
    """An empty struct of each size and version that there is."""
    if kind is not Kind.TASKSTATS:
        return [(bytes(40), None)]
    found = {}
    for version in _VERSIONS:
        for align in (8, 4):
            size = taskstats_layout(version, align).size
            found[size, version] = version.to_bytes(2, "little") + bytes(size - 2)
    return [(data, version) for (_, version), data in found.items()]


def _kind_of(desc: AttrDesc) -> tuple[str, dict[int | str, Any], ByteOrder | None]:
    """How a payload is read, what its numbers mean, and their order if it is fixed."""
    declared = desc.declared
    if declared is None:
        kind = desc.kind.value if desc.kind in {*INTEGER_SIZES, Kind.STRING} else "binary"
        return kind, {} if desc.values is None else _named(desc.values), None
    kind = str(declared.type)
    if kind not in _SIZES and declared.type is not AttrType.STRING:
        kind = "binary"
    values = _enumeration(declared.enum, as_flags=declared.enum_as_flags)
    return kind, values, declared.byte_order


def _named(values: type[enum.IntEnum] | type[enum.IntFlag]) -> dict[int | str, Any]:
    names: dict[int | str, Any] = {int(v): name for name, v in values.__members__.items()}
    return names | {"flags": True} if issubclass(values, enum.IntFlag) else names


def _enumeration(values: Enumeration | None, *, as_flags: bool) -> dict[int | str, Any]:
    if values is None:
        return {}
    names: dict[int | str, Any] = {}
    names.update(values.bits(as_flags=as_flags).items())
    return names | {"flags": True} if values.flags or as_flags else names
