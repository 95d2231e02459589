"""Attribute sets and sub-messages of a spec."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from netlink_emu.documents import DocumentError, Map
from netlink_emu.protocol.family import (
    Attribute,
    AttributeSet,
    AttrType,
    SubMessage,
    SubMessageFormat,
)
from netlink_emu.specs.definitions import Definitions, byte_order

_SET_KEYS: Final = (
    "name", "name-prefix", "enum-name", "attr-cnt-name", "attr-max-name", "header", "doc",
    "subset-of", "attributes",
)  # fmt: skip
_KEYS: Final = (
    "name", "type", "value", "doc", "enum", "enum-as-flags", "nested-attributes", "multi-attr",
    "sub-type", "type-value", "byte-order", "display-hint", "struct", "sub-message", "selector",
    "checks", "len", "name-prefix", "fixed-header",
)  # fmt: skip
_CHECKS: Final = {
    "min": "min", "max": "max", "min-len": "min_len", "max-len": "max_len",
    "exact-len": "exact_len", "flags-mask": "mask", "sparse": "",
}  # fmt: skip


class AttributeSets:
    """The attribute sets by name, filled once all of them are known."""

    def __init__(
        self, document: Map, definitions: Definitions, remarks: list[DocumentError]
    ) -> None:
        self._definitions: Final = definitions
        self._remarks: Final = remarks
        self._entries: Final[dict[str, Map]] = {}
        self.sets: Final[dict[str, AttributeSet]] = {}
        self.sub_messages: Final[dict[str, SubMessage]] = {}
        for entry in document.maps("attribute-sets"):
            remarks += entry.only(_SET_KEYS)
            name = entry.name()
            if name in self.sets:
                raise entry.error("name", f"there are two attribute sets {name!r}")
            self._entries[name] = entry
            self.sets[name] = AttributeSet(name, doc=entry.text("doc", ""))
        for entry in document.maps("sub-messages"):
            name = entry.name()
            if name in self.sub_messages:
                raise entry.error("name", f"there are two sub-messages {name!r}")
            self.sub_messages[name] = self._sub_message(name, entry)
        # Subsets come last: they take over what others declare.
        order = sorted(self._entries.items(), key=lambda item: "subset-of" in item[1])
        for name, entry in order:
            self._fill(name, entry)

    def set_of(self, entry: Map, key: str) -> AttributeSet:
        """The attribute set that ``key`` names."""
        name = entry.text(key)
        if name not in self.sets:
            raise entry.error(key, f"there is no attribute set {name!r}")
        return self.sets[name]

    def _sub_message(self, name: str, entry: Map) -> SubMessage:
        formats: dict[str | int, SubMessageFormat] = {}
        for each in entry.maps("formats"):
            value = each.get("value")
            if not isinstance(value, str | int) or isinstance(value, bool):
                raise each.error("value", "a format's value is a name or a number")
            if value in formats:
                raise each.error("value", f"{name} has two formats for {value!r}")
            formats[value] = SubMessageFormat(
                self._definitions.struct_of(each, "fixed-header"),
                self.set_of(each, "attribute-set") if "attribute-set" in each else None,
            )
        return SubMessage(name, formats)

    def _fill(self, name: str, entry: Map) -> None:
        made = self.sets[name]
        parent = self._parent(entry) if "subset-of" in entry else None
        number = 1  # 0 is nobody's
        for each in entry.maps("attributes"):
            self._remarks.extend(each.only(_KEYS))
            try:
                if parent is not None:
                    self._take_over(parent, each, made)
                    continue
                number = each.number("value", number)
                made.add(self._attribute(each, number))
            except ValueError as exc:
                raise (
                    exc if isinstance(exc, DocumentError) else each.error(None, str(exc))
                ) from exc
            number += 1

    def _parent(self, entry: Map) -> AttributeSet:
        name = entry.text("subset-of")
        if "subset-of" in self._entries.get(name, {}):
            raise entry.error("subset-of", f"{name} is itself a subset")
        return self.set_of(entry, "subset-of")

    def _take_over(self, parent: AttributeSet, entry: Map, subset: AttributeSet) -> None:
        """Add the parent's attribute, with what this one says otherwise."""
        theirs = parent[entry.name()]
        if theirs.name in subset:  # as the kernel's devlink.yaml has it
            self._remarks.append(entry.error("name", f"{theirs.name} is there twice"))
        else:
            subset.add(replace(theirs, **self._fields(entry, str(theirs.type))))

    def _attribute(self, entry: Map, number: int) -> Attribute:
        kind = entry.text("type")
        return Attribute(entry.name(), number=number, **self._fields(entry, kind))

    def _fields(self, entry: Map, kind: str) -> dict[str, Any]:
        """What an entry says of an attribute, by the names of :class:`Attribute`."""
        known = self._definitions
        found: dict[str, Any] = {}
        if "type" in entry or kind in ("nest", "indexed-array"):
            found["type"] = _type(entry, kind)
        if "nested-attributes" in entry:
            found["nested"] = self.set_of(entry, "nested-attributes")
        if "type-value" in entry:
            found["type_value"] = tuple(entry.names("type-value"))
            if found.get("type") in (AttrType.U64, AttrType.U32):
                # Numbers whose types are values (ethtool's stat): a nest that nobody named.
                found |= {"type": AttrType.NEST, "nested": AttributeSet(entry.name())}
                found["type_value"] = ()
        for key, name in (("multi-attr", "multi"), ("enum-as-flags", "enum_as_flags")):
            if key in entry:
                found[name] = entry.flag(key)
        for key, name in (
            ("doc", "doc"), ("display-hint", "display_hint"), ("selector", "selector"),
        ):  # fmt: skip
            if key in entry:
                found[name] = entry.text(key)
        if "sub-type" in entry:
            found["sub_type"] = _type(entry, entry.text("sub-type"), "sub-type")
        if "byte-order" in entry:
            found["byte_order"] = byte_order(entry)
        if "enum" in entry:
            found["enum"] = known.enum_of(entry)
        if "struct" in entry:
            found["struct"] = known.struct_of(entry)
        if "sub-message" in entry:
            name = entry.text("sub-message")
            if name not in self.sub_messages:
                raise entry.error("sub-message", f"there is no sub-message {name!r}")
            found["sub_message"] = self.sub_messages[name]
        return found | self._checks(entry)

    def _checks(self, entry: Map) -> dict[str, Any]:
        checks = entry.map("checks")
        if checks is None:
            return {}
        self._remarks.extend(checks.only((*_CHECKS, "unterminated-ok")))
        found: dict[str, Any] = {}
        for key, name in _CHECKS.items():
            if name and key in checks:
                found[name] = self._check(checks, key)
        if "unterminated-ok" in checks:
            found["unterminated_ok"] = checks.flag("unterminated-ok")
        return found

    def _check(self, checks: Map, key: str) -> int | None:
        value = checks[key]
        if key == "flags-mask" and isinstance(value, str):
            if value not in self._definitions.enums:
                raise checks.error(key, f"there is no enum or flags {value!r}")
            return self._definitions.enums[value].mask(as_flags=True)
        number = self._definitions.number(checks, key)
        if number is not None and not -(1 << 63) <= number < 1 << 64:
            raise checks.error(key, f"{number} has more than 64 bits")
        return number


def _type(entry: Map, name: str, key: str = "type") -> AttrType:
    if name == "array-nest":  # what indexed-array was called before 6.10
        return AttrType.INDEXED_ARRAY
    try:
        return AttrType(name)
    except ValueError:
        raise entry.error(key, f"there is no type {name!r}") from None
