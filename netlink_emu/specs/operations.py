"""Operations of a spec, and their numbers in each of the enum models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from netlink_emu.documents import DocumentError, Map, shown
from netlink_emu.protocol.family import AttributeSet, Exchange, Operation, Struct
from netlink_emu.protocol.genetlink import GenlOpFlags
from netlink_emu.specs.attributes import AttributeSets
from netlink_emu.specs.definitions import Definitions

_KEYS: Final = (
    "name", "doc", "value", "attribute-set", "do", "dump", "notify", "event", "mcgrp", "flags",
    "dont-validate", "fixed-header", "config-cond",
)  # fmt: skip
_MODE_KEYS: Final = ("request", "reply", "pre", "post")
_FLAGS: Final = {
    "admin-perm": GenlOpFlags.GENL_ADMIN_PERM,
    "uns-admin-perm": GenlOpFlags.GENL_UNS_ADMIN_PERM,
}
_VALIDATE: Final = ("strict", "dump", "dump-strict")


class _Numbers(NamedTuple):
    """An operation's number as a request and as an answer."""

    request: int
    reply: int


def operations(
    document: Map,
    sets: AttributeSets,
    definitions: Definitions,
    remarks: list[DocumentError],
) -> list[Operation]:
    """All operations in the order of the file."""
    section = document.map("operations")
    if section is None:
        return []
    model = section.text("enum-model", "unified")
    if model not in _MODELS:
        raise section.error("enum-model", f"enum-model is {' or '.join(_MODELS)}, not {model!r}")
    entries = section.maps("list")
    numbers = _MODELS[model](entries)
    made = _Operations(sets, definitions, section, remarks)
    return [*map(made.operation, entries, numbers)]


def _unified(entries: list[Map]) -> Iterator[_Numbers]:
    """One number for both directions; each is one more than the one before."""
    number = 1
    for entry in entries:
        number = entry.number("value", number)
        yield _Numbers(number, number)
        number += 1


def _directional(entries: list[Map]) -> Iterator[_Numbers]:
    """Requests are numbered apart from what the kernel sends."""
    request = reply = 1
    for entry in entries:
        if "notify" in entry or "event" in entry:
            reply = entry.number("value", reply)
            yield _Numbers(request, reply)
            reply += 1
            continue
        mode = entry.map("do") or entry.map("dump") or Map(entry.place)
        asked, answer = mode.map("request"), mode.map("reply")
        if asked is not None:
            request = asked.number("value", request)
        if answer is not None:
            reply = answer.number("value", reply)
        yield _Numbers(request, reply)
        request += 1
        reply += "reply" in mode


def _notify_split(entries: list[Map]) -> Iterator[_Numbers]:
    """Notifications are numbered apart from requests and their answers."""
    number = told = 1
    for entry in entries:
        if "notify" in entry or "event" in entry:
            told = entry.number("value", told)
            yield _Numbers(told, told)
            told += 1
        else:
            number = entry.number("value", number)
            yield _Numbers(number, number)
            number += 1


_MODELS: Final = {
    "unified": _unified,
    "directional": _directional,
    # Of the schemas of Linux 6.3; no spec of a kernel has it.
    "notify-split": _notify_split,
}


class _Operations:
    """Makes operations of their entries."""

    def __init__(
        self,
        sets: AttributeSets,
        definitions: Definitions,
        section: Map,
        remarks: list[DocumentError],
    ) -> None:
        self._sets: Final = sets
        self._definitions: Final = definitions
        self._remarks: Final = remarks
        self._header: Final = definitions.struct_of(section, "fixed-header")
        self._entries: Final = {entry.name(): entry for entry in section.maps("list")}

    def operation(self, entry: Map, numbers: _Numbers) -> Operation:
        self._remarks.extend(entry.only(_KEYS))
        try:
            return Operation(
                entry.name(),
                self._attributes(entry),
                do=self._exchange(entry, "do", numbers),
                dump=self._exchange(entry, "dump", numbers),
                event=self._event(entry, numbers),
                notify=entry.text("notify", ""),
                mcgrp=entry.text("mcgrp", ""),
                flags=self._flags(entry),
                fixed_header=self._header_of(entry),
                validate=self._validate(entry),
                doc=entry.text("doc", ""),
            )
        except ValueError as exc:
            raise exc if isinstance(exc, DocumentError) else entry.error(None, str(exc)) from exc

    def _attributes(self, entry: Map) -> AttributeSet:
        """The set that it names; a notification's is that of what it tells of."""
        if "attribute-set" not in entry and "notify" in entry:
            name = entry.text("notify")
            if name not in self._entries:
                raise entry.error("notify", f"there is no operation {name!r}")
            entry = self._entries[name]
        if "attribute-set" in entry:
            return self._sets.set_of(entry, "attribute-set")
        return AttributeSet(f"{entry.name()} has none")

    def _exchange(self, entry: Map, mode: str, numbers: _Numbers) -> Exchange | None:
        if mode not in entry:
            return None
        found = entry.map(mode)
        if found is None:
            return Exchange(cmd=numbers.request, reply_cmd=numbers.reply)
        self._remarks.extend(found.only(_MODE_KEYS))
        reply = self._names(entry, found, "reply") if "reply" in found else None
        request = self._names(entry, found, "request")
        return Exchange(request, reply, numbers.request, numbers.reply)

    def _header_of(self, entry: Map) -> Struct | None:
        return self._definitions.struct_of(entry, "fixed-header") or self._header

    def _names(self, entry: Map, mode: Map, key: str) -> tuple[str, ...]:
        """The attributes of a direction.

        Raw specs name members of the fixed header among them. What is nothing at all is a slip
        that the kernel's own specs have, too: it is remarked upon.
        """
        found = mode.map(key)
        if found is None:
            return ()
        known, header = self._attributes(entry), self._header_of(entry)
        members = {member.name for member in header.members} if header is not None else set()
        names = []
        for place, name in found.items_of("attributes"):
            if not isinstance(name, str):
                raise DocumentError(place, f"attributes has names, not {shown(name)}")
            if name in known:
                names.append(name)
            elif name not in members:
                self._remarks.append(DocumentError(place, f"there is no attribute {name!r} here"))
        return tuple(names)

    def _event(self, entry: Map, numbers: _Numbers) -> Exchange | None:
        if "notify" in entry:
            return Exchange(reply_cmd=numbers.reply)
        if "event" not in entry:
            return None
        return Exchange(reply=self._names(entry, entry, "event"), reply_cmd=numbers.reply)

    def _flags(self, entry: Map) -> GenlOpFlags:
        found = GenlOpFlags(0)
        for flag in entry.names("flags"):
            if flag not in _FLAGS:
                raise entry.error("flags", f"there is no flag {flag!r}")
            found |= _FLAGS[flag]
        return found

    def _validate(self, entry: Map) -> frozenset[str]:
        found = frozenset(entry.names("dont-validate"))
        for name in found.difference(_VALIDATE):
            raise entry.error("dont-validate", f"there is no {name!r} in dont-validate")
        return found
