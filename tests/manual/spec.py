"""NETLINK_EMU for others: its YAML spec in the kernel's format, a C header, tables for people.

Documentation/netlink/genetlink.yaml of the kernel is the format's schema. Everything is taken
from :mod:`netlink_emu.protocol.ours.control`.
"""

from __future__ import annotations

import enum
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from netlink_emu.protocol.ours import control
from netlink_emu.protocol.ours.control import OPS, ControlOp
from netlink_emu.protocol.reading.describe import AttrSet

ROOT: Final = Path(__file__).parents[2]
YAML: Final = ROOT / "docs/specs/netlink_emu.yaml"
HEADER: Final = ROOT / "docs/examples/c/netlink_emu.h"
PAGE: Final = ROOT / "docs/reference-control.md"
_BEGIN: Final = "<!-- scripts/write-docs writes from here -->"
_END: Final = "<!-- to here -->"

_SETS: Final = {
    "amount": ("nlemu-a-amount-", control.AMOUNTS, control.NlemuAmount),
    "task": ("nlemu-a-task-", control.TASK, control.NlemuTask),
    "machine": ("nlemu-a-machine-", control.MACHINE, control.NlemuMachine),
    "watch": ("nlemu-a-watch-", control.WATCH, control.NlemuWatch),
    "fault": ("nlemu-a-fault-", control.FAULT, control.NlemuFault),
}
_CMD: Final = "nlemu-cmd-"
# Their prefix is what the format takes where none is given: the family, the enum.
_ENUMS: Final = {"state": ("netlink-emu-state-", control.NlemuState)}


def short(name: str, prefix: str) -> str:
    """``pid`` for NLEMU_A_TASK_PID in the set whose names begin with that."""
    return name.lower().replace("_", "-").removeprefix(prefix)


def yaml() -> str:
    """The spec."""
    return "\n".join(_yaml()) + "\n"


def _yaml() -> Iterator[str]:
    yield "# SPDX-License-Identifier: MIT"
    yield "# Written by scripts/write-docs from protocol/control.py."
    yield "---"
    yield f"name: {control.NETLINK_EMU_GENL_NAME}"
    yield "protocol: genetlink"
    yield "doc: >-"
    yield "  Control of a kernel that netlink-emu emulates: tasks, CPUs, cgroups, time, faults,"
    yield "  and the journal of what its clients ask. No real kernel has this family."
    yield ""
    yield "definitions:"
    for name, (prefix, members) in _ENUMS.items():
        yield "  -"
        yield "    type: enum"
        yield f"    name: {name}"
        yield "    entries:"
        for member in members:
            yield f"      - {short(member.name, prefix)}"
    yield ""
    yield "attribute-sets:"
    for name, (prefix, attrs, _members) in _SETS.items():
        yield from _yaml_set(name, prefix, attrs)
    yield ""
    yield "operations:"
    yield f"  name-prefix: {_CMD}"
    yield "  list:"
    for op in OPS:
        yield from _yaml_op(op)
    yield ""
    yield "mcast-groups:"
    yield "  list:"
    yield "    -"
    yield f"      name: {control.NETLINK_EMU_MCGRP_JOURNAL}"


def _yaml_set(name: str, prefix: str, attrs: AttrSet) -> Iterator[str]:
    yield "  -"
    yield f"    name: {name}"
    yield f"    name-prefix: {prefix}"
    yield "    attributes:"
    for desc in attrs.values():
        yield "      -"
        yield f"        name: {short(desc.name, prefix)}"
        yield f"        type: {desc.kind.value}"
        if desc.attrs:
            yield f"        nested-attributes: {_name_of(desc.attrs)}"
        for enum_name, (_prefix, members) in _ENUMS.items():
            if desc.values is members:
                yield f"        enum: {enum_name}"
        yield from _yaml_doc(desc.doc, "        ")


def _name_of(attrs: AttrSet) -> str:
    return next(name for name, (_, known, _) in _SETS.items() if known is attrs)


def _yaml_doc(doc: str, indent: str) -> Iterator[str]:
    yield f"{indent}doc: >-"
    yield from textwrap.wrap(
        doc, 76, initial_indent=f"{indent}  ", subsequent_indent=f"{indent}  "
    )


def _yaml_op(op: ControlOp) -> Iterator[str]:
    name = _name_of(op.attrs)
    prefix = _SETS[name][0]
    yield "    -"
    yield f"      name: {short(op.cmd.name, _CMD)}"
    yield from _yaml_doc(op.doc, "      ")
    yield f"      attribute-set: {name}"
    if op.event:
        yield f"      mcgrp: {control.NETLINK_EMU_MCGRP_JOURNAL}"
        yield "      event:"
        yield from _yaml_attrs(op.event, prefix, "        ")
    for way, request, reply in (
        ("do", op.do, op.do_reply),
        ("dump", op.dump, op.dump_reply),
    ):
        if request is None:
            continue
        yield f"      {way}:"
        yield "        request:"
        yield from _yaml_attrs(request, prefix, "          ")
        if reply:
            yield "        reply:"
            yield from _yaml_attrs(reply, prefix, "          ")


def _yaml_attrs(members: Sequence[enum.IntEnum], prefix: str, indent: str) -> Iterator[str]:
    if not members:
        yield f"{indent}attributes: []"
        return
    yield f"{indent}attributes:"
    yield from (f"{indent}  - {short(member.name, prefix)}" for member in members)


def header() -> str:
    """The C header."""
    return "\n".join(_header()) + "\n"


def _header() -> Iterator[str]:
    yield "/* SPDX-License-Identifier: MIT */"
    yield "/* NETLINK_EMU: control of a kernel that netlink-emu emulates."
    yield " * Written by scripts/write-docs from protocol/control.py. */"
    yield "#ifndef NETLINK_EMU_H"
    yield "#define NETLINK_EMU_H"
    yield ""
    yield f'#define NETLINK_EMU_GENL_NAME "{control.NETLINK_EMU_GENL_NAME}"'
    yield f"#define NETLINK_EMU_GENL_VERSION {control.NETLINK_EMU_GENL_VERSION}"
    yield f'#define NETLINK_EMU_MCGRP_JOURNAL "{control.NETLINK_EMU_MCGRP_JOURNAL}"'
    yield ""
    yield "/* Commands. A reply has the command of its request. */"
    yield "enum {"
    for op in OPS:
        yield f"\t{op.cmd.name} = {op.cmd.value}, /* {op.doc} */"
    yield "};"
    for _prefix, attrs, members in _SETS.values():
        yield ""
        yield f"/* {(members.__doc__ or '').splitlines()[0]} */"
        yield "enum {"
        for number, desc in attrs.items():
            yield f"\t{desc.name} = {number}, /* {desc.kind.value}: {desc.doc} */"
        yield "};"
    for _prefix, values in _ENUMS.values():
        yield ""
        yield f"/* {(values.__doc__ or '').splitlines()[0]} */"
        yield "enum {"
        yield from (f"\t{member.name} = {member.value}," for member in values)
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
        _, attrs, members = _SETS[name]
        prefix = _prefix(members)
        yield ""
        yield f"## {prefix}"
        yield ""
        yield (members.__doc__ or "").splitlines()[0]
        ops = [op for op in OPS if op.attrs is attrs]
        if ops:
            yield ""
            yield "| NLEMU_CMD_ | | takes | replies with |"
            yield "|---|---|---|---|"
        for op in ops:
            name = op.cmd.name.removeprefix("NLEMU_CMD_")
            takes, replies = _takes(op, prefix), _replies(op, prefix)
            yield f"| {name} | {op.doc} | {takes} | {replies} |"
        yield ""
        yield "| number | attribute | type | meaning |"
        yield "|---|---|---|---|"
        for number, desc in attrs.items():
            kind = desc.kind.value
            if desc.values is not None:
                kind += f": {', '.join(f'{v.value} {_last(v)}' for v in desc.values)}"
            yield f"| {number} | {desc.name.removeprefix(prefix)} | {kind} | {desc.doc} |"
    yield ""


def _prefix(members: type[enum.IntEnum]) -> str:
    """What the names of a set begin with: NLEMU_A_TASK_."""
    return "_".join(next(iter(members)).name.split("_")[:3]) + "_"


def _last(member: enum.Enum) -> str:
    return member.name.rpartition("_")[2].lower()


def _takes(op: ControlOp, prefix: str) -> str:
    if op.event:
        return "(an event)"
    ways = [] if op.do is None else [_names(op.do, prefix)]
    if op.dump is not None:
        ways.append(f"dump: {_names(op.dump, prefix)}" if op.dump else "dump")
    return "; or ".join(way for way in ways if way)


def _replies(op: ControlOp, prefix: str) -> str:
    return _names(op.event or op.do_reply or op.dump_reply, prefix)


def _names(members: Sequence[enum.IntEnum], prefix: str) -> str:
    return ", ".join(member.name.removeprefix(prefix).lower() for member in members)
