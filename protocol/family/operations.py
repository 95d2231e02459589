"""Operations, groups, and all of a family together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..genetlink import GENL_NAMSIZ, GenlOpFlags
from ..policy import Policy
from .attributes import AttributeSet
from .enumeration import Enumeration, unknown_name
from .structs import Struct

_NO_FLAGS = GenlOpFlags(0)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer: the attributes of each, and their commands.

    ``reply`` None: there is none but an ack. ``reply_cmd`` differs from the request's command
    where the spec numbers them by direction. ``policy`` and ``maxattr`` are what a request is
    validated by where that is not what the declarations of its attributes mean.
    """

    request: tuple[str, ...] = ()
    reply: tuple[str, ...] | None = None
    cmd: int = 0
    reply_cmd: int = 0
    policy: Policy | None = field(default=None, repr=False)
    maxattr: int = 0

    def validated_by(self, attributes: AttributeSet) -> tuple[Policy | None, int]:
        """The policy and its highest attribute; None for a request that has no attributes."""
        if self.policy is not None or self.maxattr:
            return self.policy, self.maxattr
        if not self.request:
            return None, 0
        policy = attributes.policy(self.request)
        return policy, max(attributes[name].number for name in self.request)


@dataclass(frozen=True, slots=True)
class Operation:
    """What a family can be asked, or tells: ``do`` and ``dump``, or an event.

    ``event`` is the Exchange of a notification, whose ``reply`` is what it has in it (None: what
    the operation ``notify`` answers with) and whose ``reply_cmd`` is its command. ``mcgrp`` is the
    group that is told. ``fixed_header`` stands before the attributes. ``validate`` are the names
    of GENL_DONT_VALIDATE_* ("strict", "dump", "dump-strict").
    """

    name: str
    attributes: AttributeSet
    do: Exchange | None = None
    dump: Exchange | None = None
    event: Exchange | None = None
    notify: str = ""
    mcgrp: str = ""
    flags: GenlOpFlags = _NO_FLAGS
    fixed_header: Struct | None = None
    validate: frozenset[str] = frozenset()
    doc: str = ""

    def __post_init__(self) -> None:
        for exchange in (self.do, self.dump, self.event):
            if exchange is None:
                continue
            for cmd in (exchange.cmd, exchange.reply_cmd):
                if not 0 <= cmd <= 0xFFFF:
                    raise ValueError(f"{self.name}: a message's type is a u16, not {cmd}")
            for name in (*exchange.request, *(exchange.reply or ())):
                self.attributes[name]


@dataclass(frozen=True, slots=True)
class McastGroup:
    """A multicast group. ``caps`` is the capability that joining it needs (6.8), if any."""

    name: str
    caps: int | None = None


@dataclass(frozen=True, slots=True)
class FamilyDeclaration:
    """A family: all that its names stand for.

    ``protocol`` is the spec's ("genetlink", "genetlink-c", "genetlink-legacy", "netlink-raw").
    ``maxattr`` is what GETFAMILY reports of it. ``resv_start_op``: commands from here on have
    strict headers. ``split``: its operations are struct genl_split_ops, as ynl-gen-c writes them.
    """

    name: str
    version: int = 1
    operations: tuple[Operation, ...] = ()
    groups: tuple[McastGroup, ...] = ()
    attribute_sets: Mapping[str, AttributeSet] = field(default_factory=dict)
    structs: Mapping[str, Struct] = field(default_factory=dict)
    enums: Mapping[str, Enumeration] = field(default_factory=dict)
    protocol: str = "genetlink"
    maxattr: int = 0
    resv_start_op: int = 0
    split: bool = True
    doc: str = ""

    def __post_init__(self) -> None:
        if not 0 < len(self.name.encode()) < GENL_NAMSIZ:
            raise ValueError(
                f"a family's name has 1 to {GENL_NAMSIZ - 1} bytes, {self.name!r} has "
                f"{len(self.name.encode())}"
            )
        if not 0 <= self.version <= 255:
            raise ValueError(f"a family's version is a u8, not {self.version}")
        names = [op.name for op in self.operations]
        if len(set(names)) != len(names):
            raise ValueError(f"{self.name} has two operations of one name")
        if self.protocol != "netlink-raw":
            self._check_commands()
            self._check_groups()
        groups = {group.name for group in self.groups}
        for op in self.operations:
            if op.mcgrp and op.mcgrp not in groups:
                raise unknown_name(f"group of {self.name}", op.mcgrp, groups)

    def _check_commands(self) -> None:
        """Raw protocols have message types for commands, of 16 bits."""
        for op in self.operations:
            for exchange in (op.do, op.dump, op.event):
                highest = max(exchange.cmd, exchange.reply_cmd) if exchange is not None else 0
                if highest > 255:
                    raise ValueError(f"{op.name}: a command is a u8, not {highest}")

    def _check_groups(self) -> None:
        seen = set()
        for group in self.groups:
            if not 0 < len(group.name.encode()) < GENL_NAMSIZ:
                raise ValueError(
                    f"a group's name has 1 to {GENL_NAMSIZ - 1} bytes, {group.name!r} has "
                    f"{len(group.name.encode())}"
                )
            if group.name in seen:
                raise ValueError(f"{self.name} has two groups {group.name!r}")
            seen.add(group.name)

    def operation(self, name: str) -> Operation:
        """The operation of that name; raises ValueError, which says what comes close."""
        for op in self.operations:
            if op.name == name:
                return op
        raise unknown_name(f"operation of {self.name}", name, [op.name for op in self.operations])
