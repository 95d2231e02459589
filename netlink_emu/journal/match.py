"""What to look for among messages, and what those lack that are almost it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from netlink_emu.journal.entries import MessageKind, MessageView
from netlink_emu.protocol.errors import ERRNOS, errno_name
from netlink_emu.protocol.reading.declared import attribute_names
from netlink_emu.protocol.reading.describe import EXTACK, FamilyDesc
from netlink_emu.protocol.reading.raw import ATTRIBUTE_NAMES, TYPE_NAMES
from netlink_emu.protocol.reading.raw_messages import NAMES


class UnknownName(ValueError):
    """There is no constant of this name: almost always a misspelt one."""

    def __init__(self, what: str, name: object, known: frozenset[str]) -> None:
        close = difflib.get_close_matches(str(name), known, 3)
        hint = f", did you mean {' or '.join(close)}?" if close else ""
        super().__init__(f"there is no {what} {name!r}{hint}")


@dataclass(frozen=True, slots=True)
class Match:
    """Criteria for messages; those that are None or empty are ignored.

    ``cmd`` is the name of the message's command, or of the request that it answers; if a family's
    names are unknown, it is the number of the message's command. ``attrs`` are attributes at any
    depth by name; the value None asks only that the attribute is there. ``errno`` is a number or
    a name; for a request, it is the errno of its answer. ``pid``, ``comm`` and ``portid`` are the
    client's.
    """

    cmd: str | int | None = None
    family: str | None = None
    kind: MessageKind | None = None
    pid: int | None = None
    comm: str | None = None
    portid: int | None = None
    errno: int | str | None = None
    attrs: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.kind, str):
            try:
                object.__setattr__(self, "kind", MessageKind(self.kind))
            except ValueError:
                known = frozenset(map(str, MessageKind))
                raise UnknownName("kind of message", self.kind, known) from None
        if isinstance(self.errno, str) and self.errno not in ERRNOS:
            raise UnknownName("errno", self.errno, frozenset(ERRNOS))

    def check_names(self, families: Mapping[str, FamilyDesc]) -> None:
        """Raise UnknownName unless the described ``families`` have these constants."""
        commands, attrs = _known(families.values())
        commands |= TYPE_NAMES
        attrs |= ATTRIBUTE_NAMES
        known = frozenset(families) | frozenset(NAMES.values())
        if isinstance(self.cmd, str) and self.cmd not in commands:
            raise UnknownName("command", self.cmd, commands)
        if self.family is not None and self.family not in known:
            raise UnknownName("family", self.family, known)
        for name in self.attrs:
            if name not in attrs:
                raise UnknownName("attribute", name, attrs)

    @property
    def errno_number(self) -> int | None:
        """The errno as a number."""
        if isinstance(self.errno, str):
            return ERRNOS[self.errno]
        return self.errno

    def misses(self, view: MessageView) -> list[str]:
        """What keeps a message from matching, a clause each; none: it matches."""
        found = []
        number = view.message.cmd_number
        if self.cmd is not None and self.cmd not in (view.cmd, view.answers, number):
            name = view.cmd or (view.message.type_name if number is None else number)
            found.append(f"its command is {name}")
        if self.family is not None and self.family != view.family:
            found.append(f"its family is {view.family or view.message.type_name}")
        if self.kind is not None and self.kind is not view.kind:
            found.append(f"it is a {view.kind}")
        for name, value in (("pid", view.pid), ("comm", view.comm), ("portid", view.portid)):
            wanted = getattr(self, name)
            if wanted is not None and wanted != value:
                found.append(f"its {name} is {value!r}")
        if self.errno is not None and self.errno_number != view.errno:
            found.append(f"its errno is {errno_name(view.errno)}")
        if self.attrs:
            found += self._attr_misses(view.attrs)
        return found

    def distance(self, view: MessageView) -> float:
        """How many criteria a message misses; one whose attribute is there, but other, by half."""
        attrs = view.attrs
        near = sum(name in attrs for name in self.attrs) - sum(
            self._is(attrs, name) for name in self.attrs
        )
        return len(self.misses(view)) - near / 2

    def _is(self, attrs: Mapping[str, Any], name: str) -> bool:
        wanted = self.attrs[name]
        return name in attrs and (wanted is None or _equal(wanted, attrs[name]))

    def _attr_misses(self, attrs: Mapping[str, Any]) -> list[str]:
        found = []
        for name in self.attrs:
            if name not in attrs:
                found.append(f"it has no {name}")
            elif not self._is(attrs, name):
                found.append(f"{name} is {attrs[name]!r}")
        return found

    def __call__(self, view: MessageView) -> bool:
        return not self.misses(view)

    @property
    def criteria(self) -> int:
        """How many there are."""
        single = (self.cmd, self.family, self.kind, self.pid, self.comm, self.portid, self.errno)
        return sum(value is not None for value in single) + len(self.attrs)

    def __str__(self) -> str:
        parts = [
            f"{name}={value}"
            for name in ("cmd", "family", "kind", "pid", "comm", "portid", "errno")
            if (value := getattr(self, name)) is not None
        ]
        parts += [n if v is None else f"{n}={v!r}" for n, v in self.attrs.items()]
        return " ".join(parts)


def _equal(wanted: Any, value: Any) -> bool:
    """Equality; of a struct, that of the members which are wanted."""
    if isinstance(wanted, Mapping) and isinstance(value, Mapping):
        return all(name in value and value[name] == part for name, part in wanted.items())
    return bool(wanted == value)


def _known(families: Iterable[FamilyDesc]) -> tuple[frozenset[str], frozenset[str]]:
    """All commands and all attributes."""
    commands: set[str] = set()
    attrs: set[str] = {*attribute_names(EXTACK)}
    for desc in families:
        commands |= desc.command_names
        for described in desc.attr_sets:
            attrs |= attribute_names(described)
    return frozenset(commands), frozenset(attrs)
