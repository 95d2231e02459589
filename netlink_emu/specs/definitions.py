"""Constants, enums, flags and structs of a spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from netlink_emu.documents import DocumentError, Map, shown
from netlink_emu.protocol.family import Enumeration, Member, Struct
from netlink_emu.protocol.format import BIG, LITTLE, ByteOrder

_ORDERS: Final[Mapping[str, ByteOrder]] = {"big-endian": BIG, "little-endian": LITTLE}
# A spec names them and has a number that stands for the header's: PAGE_SIZE of asm/page.h.
_OF_HEADERS: Final = {"page-size": 4096}
_LIMITS: Final = {
    f"{sign}{bits}-{end}": value
    for bits in (8, 16, 32, 64)
    for sign, end, value in (
        ("u", "min", 0),
        ("u", "max", (1 << bits) - 1),
        ("s", "min", -(1 << (bits - 1))),
        ("s", "max", (1 << (bits - 1)) - 1),
    )
}
_KEYS: Final = (
    "name", "type", "doc", "header", "scope", "value", "value-start", "entries", "members",
    "enum-name", "enum-cnt-name", "name-prefix", "render-max",
)  # fmt: skip
_MEMBER_KEYS: Final = (
    "name", "type", "len", "byte-order", "doc", "enum", "enum-as-flags", "display-hint", "struct",
)  # fmt: skip
_MOST_BYTES: Final = 1 << 16  # of a struct: an attribute is no longer


def byte_order(entry: Map) -> ByteOrder | None:
    """What ``byte-order`` says; None is the machine's own."""
    if "byte-order" not in entry:
        return None
    name = entry.text("byte-order")
    if name not in _ORDERS:
        raise entry.error("byte-order", f"byte-order is {' or '.join(_ORDERS)}, not {name!r}")
    return _ORDERS[name]


class Definitions:
    """The definitions by name. Raises DocumentError for a definition that it cannot read.

    ``remarks`` gets what it skips.
    """

    def __init__(self, document: Map, remarks: list[DocumentError]) -> None:
        self.constants: Final[dict[str, int]] = {}
        self.enums: Final[dict[str, Enumeration]] = {}
        self.structs: Final[dict[str, Struct]] = {}
        self._remarks: Final = remarks
        entries: dict[str, Map] = {}
        for entry in document.maps("definitions"):
            remarks += entry.only(_KEYS)
            name = entry.name()
            if name in entries:
                raise entry.error("name", f"{name} is defined twice")
            entries[name] = entry
            kind = entry.text("type")
            if kind == "const":
                self._constant(name, entry)
            elif kind in ("enum", "flags"):
                self.enums[name] = _enumeration(name, entry, flags=kind == "flags")
            elif kind != "struct":
                raise entry.error("type", f"a definition is const, enum, flags or struct: {kind}")
        self._entries: Final = entries
        self._open: Final[list[str]] = []
        for name, entry in entries.items():
            if entry.text("type") == "struct":
                self._struct(name)

    def _constant(self, name: str, entry: Map) -> None:
        """A number, known by its name with and without the prefix; a text says nothing to us."""
        if isinstance(entry.get("value"), str):
            return
        value = _OF_HEADERS.get(name, entry.number("value"))
        self.constants[name] = self.constants[entry.text("name-prefix", "") + name] = value

    # --- references

    def number(self, entry: Map, key: str) -> int | None:
        """A number, or one by name: of a constant, or as u32-max."""
        if key not in entry:
            return None
        value = entry[key]
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str):
            if value in self.constants:
                return self.constants[value]
            if value in _LIMITS:
                return _LIMITS[value]
            raise entry.error(key, f"there is no constant {value!r}")
        raise entry.error(key, f"{key} is a number or a constant's name, not {shown(value)}")

    def enum_of(self, entry: Map) -> Enumeration | None:
        """What ``enum`` names."""
        if "enum" not in entry:
            return None
        name = entry.text("enum")
        if name not in self.enums:
            raise entry.error("enum", f"there is no enum or flags {name!r}")
        return self.enums[name]

    def struct_of(self, entry: Map, key: str = "struct") -> Struct | None:
        """The struct that ``key`` names."""
        if key not in entry:
            return None
        name = entry.text(key)
        if name not in self.structs:
            raise entry.error(key, f"there is no struct {name!r}")
        return self.structs[name]

    # --- structs

    def _struct(self, name: str) -> Struct:
        """The struct of that name; those inside of it are made first."""
        if name in self.structs:
            return self.structs[name]
        entry = self._entries[name]
        if name in self._open:
            raise entry.error(None, f"the struct {name} is inside of itself")
        self._open.append(name)
        try:
            members = [self._member(member) for member in entry.maps("members")]
            if not members:
                raise entry.error(None, f"the struct {name} has no members")
            made = Struct(name, tuple(members))
        except ValueError as exc:
            raise exc if isinstance(exc, DocumentError) else entry.error(None, str(exc)) from exc
        finally:
            self._open.pop()
        if made.size > _MOST_BYTES:
            raise entry.error(None, f"the struct {name} has {made.size} bytes")
        self.structs[name] = made
        return made

    def _member(self, entry: Map) -> Member:
        self._remarks.extend(entry.only(_MEMBER_KEYS))
        kind, inner = entry.text("type"), None
        if "struct" in entry:
            name = entry.text("struct")
            if name not in self._entries or self._entries[name].get("type") != "struct":
                raise entry.error("struct", f"there is no struct {name!r}")
            kind, inner = "struct", self._struct(name)
        length = self.number(entry, "len") or 0
        if length > _MOST_BYTES:
            raise entry.error("len", f"a member of {length} bytes is too long")
        try:
            return Member(
                entry.name(),
                kind,
                0 if inner else length,
                byte_order=byte_order(entry),
                enum=self.enum_of(entry),
                enum_as_flags=entry.flag("enum-as-flags"),
                display_hint=entry.text("display-hint", ""),
                struct=inner,
                doc=entry.text("doc", ""),
            )
        except ValueError as exc:
            raise exc if isinstance(exc, DocumentError) else entry.error(None, str(exc)) from exc


def _enumeration(name: str, entry: Map, *, flags: bool) -> Enumeration:
    """Entries count from ``value-start`` or 0; of flags each is the number of its bit."""
    values: dict[str, int] = {}
    number = entry.number("value-start", 0)
    for place, item in entry.items_of("entries"):
        if isinstance(item, str):
            item_name = item
        elif isinstance(item, Map):
            item_name, number = item.name(), item.number("value", number)
        else:
            raise DocumentError(place, f'an entry is a name; quote it if it is one: "{item}"')
        if item_name in values:
            raise DocumentError(place, f"{name} has two entries {item_name!r}")
        if flags and not 0 <= number < 64:
            raise DocumentError(place, f"a flag is one of 64 bits, not bit {number}")
        values[item_name] = 1 << number if flags else number
        number += 1
    return Enumeration(name, values, flags)
