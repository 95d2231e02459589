"""NETLINK_EMU for others: its YAML spec in the kernel's format, a C header, tables for people.

Documentation/netlink/genetlink.yaml of the kernel is the format's schema. Everything is taken
from the declaration, :mod:`netlink_emu.protocol.ours.control`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import yaml as pyyaml

from netlink_emu.files import path_of
from netlink_emu.protocol.family import AttributeSet, Exchange, Operation
from netlink_emu.protocol.ours.control import (
    CMD_PREFIX,
    CONTROL,
    NlemuState,
    attr_name,
    attr_prefix,
    c_name,
    cmd_of,
)

ROOT: Final = Path(__file__).parents[2]
YAML: Final = path_of("netlink_emu.yaml")
HEADER: Final = path_of("netlink_emu.h")
PAGE: Final = ROOT / "docs/reference-control.md"
_BEGIN: Final = "<!-- scripts/write-docs writes from here -->"
_END: Final = "<!-- to here -->"
_WRITTEN: Final = "Written by scripts/write-docs from protocol/ours/control.py."
_ABOUT_STATE: Final = (NlemuState.__doc__ or "").splitlines()[0]


def yaml() -> str:
    """The spec."""
    text = pyyaml.safe_dump(_spec(), sort_keys=False, width=90)
    return f"# SPDX-License-Identifier: MIT\n# {_WRITTEN}\n---\n{text}"


def _spec() -> dict[str, Any]:
    # No prefix of an enum's: what the format takes is the family, the enum.
    enums = [
        {"type": "enum", "name": enum.name, "entries": [*enum.values]}
        for enum in CONTROL.enums.values()
    ]
    return {
        "name": CONTROL.name,
        "protocol": CONTROL.protocol,
        "doc": CONTROL.doc,
        "definitions": enums,
        "attribute-sets": [*map(_spec_of_set, CONTROL.attribute_sets.values())],
        "operations": {
            "name-prefix": CMD_PREFIX,
            "list": [*map(_spec_of_op, CONTROL.operations)],
        },
        "mcast-groups": {"list": [{"name": group.name} for group in CONTROL.groups]},
    }


def _spec_of_set(attrs: AttributeSet) -> dict[str, Any]:
    rows = []
    for attribute in attrs:
        row = {"name": attribute.name, "type": str(attribute.type)}
        if attribute.nested is not None:
            row["nested-attributes"] = attribute.nested.name
        if attribute.enum is not None:
            row["enum"] = attribute.enum.name
        rows.append(row | {"doc": attribute.doc})
    return {"name": attrs.name, "name-prefix": attr_prefix(attrs), "doc": attrs.doc} | {
        "attributes": rows
    }


def _spec_of_op(op: Operation) -> dict[str, Any]:
    spec: dict[str, Any] = {"name": op.name, "doc": op.doc, "attribute-set": op.attributes.name}
    if op.event is not None:
        spec |= {"mcgrp": op.mcgrp, "event": {"attributes": [*(op.event.reply or ())]}}
    for way, exchange in (("do", op.do), ("dump", op.dump)):
        if exchange is not None:
            spec[way] = {"request": {"attributes": [*exchange.request]}}
            if exchange.reply is not None:
                spec[way]["reply"] = {"attributes": [*exchange.reply]}
    return spec


def header() -> str:
    """The C header."""
    return "\n".join(_header()) + "\n"


def _header() -> Iterator[str]:
    yield "/* SPDX-License-Identifier: MIT */"
    yield "/* NETLINK_EMU: control of a kernel that netlink-emu emulates."
    yield f" * {_WRITTEN} */"
    yield "#ifndef NETLINK_EMU_H"
    yield "#define NETLINK_EMU_H"
    yield ""
    yield f'#define NETLINK_EMU_GENL_NAME "{CONTROL.name}"'
    yield f"#define NETLINK_EMU_GENL_VERSION {CONTROL.version}"
    yield from (f'#define NETLINK_EMU_MCGRP_{g.name.upper()} "{g.name}"' for g in CONTROL.groups)
    yield ""
    yield "/* Commands. A reply has the command of its request. */"
    yield "enum {"
    for op in CONTROL.operations:
        yield f"\t{c_name(CMD_PREFIX + op.name)} = {cmd_of(op)}, /* {op.doc} */"
    yield "};"
    for attrs in CONTROL.attribute_sets.values():
        yield ""
        yield f"/* {attrs.doc} */"
        yield "enum {"
        for a in attrs:
            yield f"\t{attr_name(attrs, a.name)} = {a.number}, /* {a.type}: {a.doc} */"
        yield "};"
    yield ""
    yield f"/* {_ABOUT_STATE} */"
    yield "enum {"
    yield from (f"\t{member.name} = {member.value}," for member in NlemuState)
    yield "};"
    yield ""
    yield "#endif"


def page() -> str:
    """The page about the family, with its tables made anew."""
    before, begin, rest = PAGE.read_text().partition(_BEGIN)
    _, end, after = rest.partition(_END)
    assert begin, f"{PAGE} has no place for the tables"
    assert end, f"{PAGE} has no end of the tables"
    return "\n".join([before + begin, *_tables(), end + after])


def _tables() -> Iterator[str]:
    for name in ("task", "amount", "machine", "watch", "fault"):
        attrs = CONTROL.attribute_sets[name]
        yield ""
        yield f"## {c_name(attr_prefix(attrs))}"
        yield ""
        yield attrs.doc
        ops = [op for op in CONTROL.operations if op.attributes is attrs]
        if ops:
            yield ""
            yield "| NLEMU_CMD_ | | takes | replies with |"
            yield "|---|---|---|---|"
        for op in ops:
            yield f"| {c_name(op.name)} | {op.doc} | {_takes(op)} | {_replies(op)} |"
        yield ""
        yield "| number | attribute | type | meaning |"
        yield "|---|---|---|---|"
        for attribute in attrs:
            kind = str(attribute.type)
            if attribute.enum is not None:
                named = (f"{number} {name}" for name, number in attribute.enum.values.items())
                kind += f": {', '.join(named)}"
            yield f"| {attribute.number} | {c_name(attribute.name)} | {kind} | {attribute.doc} |"
    yield ""


def _takes(op: Operation) -> str:
    if op.event is not None:
        return "(an event)"
    ways = [] if op.do is None else [_names(op.do.request)]
    if op.dump is not None:
        ways.append(f"dump: {_names(op.dump.request)}" if op.dump.request else "dump")
    return "; or ".join(way for way in ways if way)


def _replies(op: Operation) -> str:
    exchange: Exchange | None = op.event or op.do or op.dump
    return _names((exchange and exchange.reply) or ())


def _names(names: Sequence[str]) -> str:
    return ", ".join(name.replace("-", "_") for name in names)
