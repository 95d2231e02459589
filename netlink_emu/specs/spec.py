"""A whole spec: the family's declaration, and what was skipped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from netlink_emu.documents import DocumentError, Map, file_bytes, read_document
from netlink_emu.protocol.family import FamilyDeclaration, McastGroup, Operation
from netlink_emu.specs.attributes import AttributeSets
from netlink_emu.specs.definitions import Definitions
from netlink_emu.specs.operations import operations

GENETLINK: Final = "genetlink"
RAW: Final = "netlink-raw"
PROTOCOLS: Final = (GENETLINK, "genetlink-c", "genetlink-legacy", RAW)
_KEYS: Final = (
    "name", "protocol", "protonum", "doc", "version", "uapi-header", "c-family-name",
    "c-version-name", "max-by-define", "cmd-max-name", "cmd-cnt-name", "kernel-policy",
    "kernel-family", "definitions", "attribute-sets", "sub-messages", "operations",
    "mcast-groups",
)  # fmt: skip
_NETLINK_GENERIC: Final = 16


@dataclass(frozen=True, slots=True)
class Spec:
    """The contents of a spec file.

    ``protonum`` is the netlink protocol, 16 for generic netlink families. ``group_numbers`` are
    the fixed multicast groups of a raw protocol. ``remarks`` lists what this reader skips: keys
    that it does not know.
    """

    declaration: FamilyDeclaration
    protonum: int = _NETLINK_GENERIC
    group_numbers: Mapping[str, int] = field(default_factory=dict)
    remarks: tuple[DocumentError, ...] = ()


def read_spec(text: str | bytes, file: str = "spec") -> Spec:
    """Read a spec in the kernel's format.

    Raises :class:`DocumentError`, which names ``file``, line and column, if the text is not YAML,
    is too big, or makes no sense. It raises nothing else, whatever the bytes are.
    """
    document = read_document(text, file)
    remarks = document.only(_KEYS)
    name = document.name()
    protocol = document.text("protocol", GENETLINK)
    if protocol not in PROTOCOLS:
        raise document.error(
            "protocol", f"protocol is one of {', '.join(PROTOCOLS)}, not {protocol!r}"
        )
    protonum = document.number("protonum") if protocol == RAW else _NETLINK_GENERIC
    if not 0 <= protonum < 32:
        raise document.error("protonum", f"a netlink protocol is 0 to 31, not {protonum}")
    definitions = Definitions(document, remarks)
    sets = AttributeSets(document, definitions, remarks)
    made = operations(document, sets, definitions, remarks)
    groups, numbers = _groups(document)
    split, maxattr = _policies(document, made)
    try:
        declaration = FamilyDeclaration(
            name,
            document.number("version", 1),
            tuple(made),
            groups,
            sets.sets,
            definitions.structs,
            definitions.enums,
            protocol,
            doc=document.text("doc", ""),
            maxattr=maxattr,
            split=split,
        )
    except ValueError as exc:
        raise exc if isinstance(exc, DocumentError) else document.error(None, str(exc)) from exc
    return Spec(declaration, protonum, numbers, tuple(remarks))


def read_spec_file(spec: str | Path) -> Spec:
    """Read a spec from a path, or from the text itself, which has more than one line.

    Raises DocumentError as :func:`read_spec`, and OSError for a file that cannot be read.
    """
    if isinstance(spec, str) and "\n" in spec:
        return read_spec(spec)
    return read_spec(file_bytes(Path(spec)), str(spec))


def _groups(document: Map) -> tuple[tuple[McastGroup, ...], dict[str, int]]:
    section = document.map("mcast-groups")
    groups: list[McastGroup] = []
    numbers: dict[str, int] = {}
    for entry in section.maps("list") if section is not None else ():
        name = entry.name()
        if any(group.name == name for group in groups):
            raise entry.error("name", f"there are two groups {name!r}")
        groups.append(McastGroup(name))
        if "value" in entry:
            numbers[name] = entry.number("value")
    return tuple(groups), numbers


def _policies(document: Map, made: list[Operation]) -> tuple[bool, int]:
    """Whether each do and dump has a policy of its own; maxattr where the family has one."""
    kind = document.text("kernel-policy", "split")
    if kind not in ("split", "per-op", "global"):
        raise document.error("kernel-policy", f"kernel-policy is not {kind!r}")
    highest = max((op.attributes.highest for op in made), default=0)
    return kind == "split", highest if kind == "global" else 0
