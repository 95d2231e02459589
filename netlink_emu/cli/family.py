"""``netlink-emu family``: shows and checks specs, and calls their operations.

:mod:`.family_control` has the commands that change families of a running kernel.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from netlink_emu.cli.family_control import app
from netlink_emu.cli.output.errors import UserError
from netlink_emu.cli.output.lines import tell, tell_json
from netlink_emu.cli.usage.declare import Argument, Option
from netlink_emu.documents import DocumentError
from netlink_emu.protocol.reading.printable import printable
from netlink_emu.specs import Spec, read_spec_file

if TYPE_CHECKING:
    from netlink_emu.protocol.family import Attribute, AttributeSet, Exchange, Operation

FileArgument = Annotated[Path, Argument(metavar="FILE", help="A spec in the kernel's YAML.")]
JsonOption = Annotated[bool, Option("--json", help="Print JSON.")]
_LONGEST = 1 << 20


def _read(file: Path) -> Spec:
    try:
        return read_spec_file(file)
    except DocumentError as exc:
        raise UserError(str(exc)) from None
    except OSError as exc:
        raise UserError(f"{file} cannot be read: {exc.strerror}") from None


# --- show


@app.command("show")
def show(
    file: FileArgument,
    operation: Annotated[
        str | None,
        Argument(metavar="[OPERATION]", help="Show only this operation, with its attributes."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show a family's operations, groups and attributes, and the objects that its store keeps."""
    declaration = _read(file).declaration
    if operation is not None:
        try:
            op = declaration.operation(operation)
        except ValueError as exc:
            raise UserError(str(exc)) from None
        told = _operation(op, deep=True)
        if as_json:
            tell_json(told)
            return
        for line in _operation_lines(op, told):
            tell(line)
        return
    whole: dict[str, Any] = {
        "name": declaration.name,
        "version": declaration.version,
        "protocol": declaration.protocol,
        "operations": [_operation(op, deep=False) for op in declaration.operations],
        "objects": _objects(file),
        "groups": [group.name for group in declaration.groups],
        "attribute-sets": {
            name: [_attribute(attribute) for attribute in attributes]
            for name, attributes in declaration.attribute_sets.items()
        },
    }
    if as_json:
        tell_json(whole)
        return
    tell(f"{whole['name']}, version {whole['version']}, {whole['protocol']}")
    for told in whole["operations"]:
        words = [*told["ways"], *told["flags"]]
        tell(f"  {told['name']}: {', '.join(words) or 'nothing'}")
    for kind, keys in whole["objects"].items():
        tell(f"  keeps {kind}: by {', '.join(keys) if keys else 'nothing, there is one'}")
    for name in whole["groups"]:
        tell(f"  group {name}")
    for name, attributes in whole["attribute-sets"].items():
        tell(f"  attributes {name}: {len(attributes)}")


def _objects(file: Path) -> dict[str, list[str]]:
    """What a store keeps of the family, and by which attributes."""
    from netlink_emu.families.own.kinds import kinds_of

    declaration = _read(file).declaration
    if declaration.protocol == "netlink-raw":
        return {}
    kinds = kinds_of(declaration).values()
    return {kind.name: [".".join(path) for path in kind.keys] for kind in kinds}


def _operation(op: Operation, *, deep: bool) -> dict[str, Any]:
    ways: dict[str, Exchange | None] = {"do": op.do, "dump": op.dump, "event": op.event}
    told: dict[str, Any] = {
        "name": op.name,
        "ways": [way for way, exchange in ways.items() if exchange is not None],
        "flags": [
            flag.name.removeprefix("GENL_").lower().replace("_", "-")
            for flag in op.flags
            if flag.name
        ],
    }
    for key in ("notify", "mcgrp", "doc"):
        if getattr(op, key) and (deep or key != "doc"):
            told[key] = getattr(op, key)
    for way, exchange in ways.items():
        if exchange is not None and deep:
            told[way] = {
                "command": exchange.cmd,
                "reply-command": exchange.reply_cmd,
                "request": _named(op.attributes, exchange.request),
                "reply": _named(op.attributes, exchange.reply or ()),
            }
    return told


def _named(attributes: AttributeSet, names: tuple[str, ...]) -> list[dict[str, Any]]:
    return [_attribute(attributes[name]) for name in names]


def _attribute(attribute: Attribute) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": attribute.name,
        "number": attribute.number,
        "type": str(attribute.type),
    }
    if attribute.sub_type is not None:
        told["sub-type"] = str(attribute.sub_type)
    if attribute.nested is not None:
        told["nested"] = attribute.nested.name
    if attribute.multi:
        told["multi"] = True
    if attribute.enum is not None:
        told["enum"] = attribute.enum.name
    return told


def _operation_lines(op: Operation, told: dict[str, Any]) -> Iterator[str]:
    yield f"{told['name']}: {', '.join([*told['ways'], *told['flags']]) or 'nothing'}"
    yield from (f"  {line}" for line in op.doc.strip().splitlines()[:1])
    for way in told["ways"]:
        yield f"  {way}, command {told[way]['command']}"
        for side in ("request", "reply"):
            for attribute in told[way][side]:
                kind = attribute.get("nested") or attribute.get("enum") or ""
                yield f"    {side} {attribute['name']}: {attribute['type']} {kind}".rstrip()


# --- check


@app.command("check")
def check(
    files: Annotated[list[Path], Argument(metavar="FILE...", help="Specs in the kernel's YAML.")],
    as_json: JsonOption = False,
) -> None:
    """Check specs, and report each mistake with file, line and column.

    Unknown keys are ignored. They are reported, but they are not a failure.
    """
    failed = False
    for file in files:
        try:
            spec = _read(file)
        except UserError as exc:
            failed = True
            told = {"file": str(file), "sound": False, "why": str(exc)}
            if as_json:
                tell_json(told)
            else:
                tell(str(exc))
            continue
        remarks = [str(remark) for remark in spec.remarks]
        name, count = spec.declaration.name, len(spec.declaration.operations)
        if as_json:
            told = {"file": str(file), "sound": True, "family": name, "remarks": remarks}
            tell_json(told)
            continue
        for remark in remarks:
            tell(remark)
        tell(f"{file}: {name}, {count} operation{'' if count == 1 else 's'}, is sound")
    if failed:
        raise SystemExit(1)


# --- call


@app.command("call")
def call(
    file: FileArgument,
    operation: Annotated[
        str, Argument(metavar="OPERATION", help="The operation's name in the spec.")
    ],
    values: Annotated[
        str | None,
        Argument(
            metavar="[JSON]",
            help='The request: {"ifname": "wg0"}; bytes in hex. - reads standard input.',
        ),
    ] = None,
    dump: Annotated[
        bool, Option("--dump", help="Dump, where the operation can also be done.")
    ] = False,
    socket: Annotated[
        Path | None,
        Option(
            "--socket",
            metavar="PATH",
            envvar="NETLINK_EMU_SOCKET",
            help="The server's socket. [default: a netlink socket: the real kernel's, or run's]",
        ),
    ] = None,
) -> None:
    """Call an operation of a server, of the real kernel, or under run: JSON in, JSON out.

    Each answer is one line. If the kernel refuses the request, the command prints the errno, the
    text and the attribute, and the exit status is 1.
    """
    from netlink_emu.families.own.plain import from_plain, to_plain
    from netlink_emu.testing.errors import ControlError
    from netlink_emu.testing.remote.family_client import FamilyClient

    declaration = _read(file).declaration
    if declaration.protocol == "netlink-raw":
        raise UserError(
            f"{declaration.name} is a raw protocol: only generic netlink can be called"
        )
    try:
        op = declaration.operation(operation)
        asked = from_plain(op.attributes, _json(values))
        with FamilyClient(socket) as client:
            dump = dump or op.do is None
            for answer in client.call(declaration, op, asked, dump=dump):
                tell_json(to_plain(answer))
    except ControlError as exc:
        raise UserError(f"{operation}: {printable(str(exc))}") from None
    except ValueError as exc:
        raise UserError(f"{operation}: {exc}") from None


def _json(text: str | None) -> Any:
    from netlink_emu.families.own.plain import read_json

    if text is None:
        return {}
    if text == "-":
        text = sys.stdin.read(_LONGEST) if sys.stdin is not None else ""
    return read_json(text, "the request")


# --- dissector


@app.command("dissector")
def dissector(
    files: Annotated[list[Path], Argument(metavar="FILE...", help="Specs in the kernel's YAML.")],
) -> None:
    """Print a Lua dissector for Wireshark that also knows these families.

    `netlink-emu files` has one for nlctrl, TASKSTATS and NETLINK_EMU.
    """
    from netlink_emu.protocol.ours.control import NETLINK_EMU
    from netlink_emu.protocol.reading.declared import describe
    from netlink_emu.protocol.reading.describe import NLCTRL, TASKSTATS
    from netlink_emu.specs.wireshark import dissector as made

    own = [describe(_read(file).declaration) for file in files]
    print(made([NLCTRL, TASKSTATS, NETLINK_EMU, *own]), end="")


# --- record


@app.command("record")
def record(
    name: Annotated[str, Argument(metavar="NAME", help="The family: ethtool, wireguard...")],
    output: Annotated[
        Path | None,
        Option(
            "--output", "-o", metavar="FILE", help="Write to this file. [default: standard output]"
        ),
    ] = None,
) -> None:
    """Record what the real kernel reports about a family: operations, groups and policies.

    A state file can name this recording (``recording``). Where the kernel's family differs from
    its spec, the recording then takes precedence.
    """
    from netlink_emu.testing.errors import ControlError
    from netlink_emu.testing.remote.recorder import record_family

    try:
        recorded = record_family(name)
    except ControlError as exc:
        raise UserError(f"{name}: {exc}") from None
    kernel = os.uname()
    whole = {"kernel": kernel.release, "arch": kernel.machine, "families": [recorded]}
    text = json.dumps(whole, indent=1) + "\n"
    if output is None:
        print(text, end="")
        return
    try:
        output.write_text(text)
    except OSError as exc:
        raise UserError(f"{output} cannot be written: {exc.strerror}") from None
