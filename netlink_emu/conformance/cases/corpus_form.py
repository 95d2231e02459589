"""The form of the corpus's files: JSON, one step or datagram per line, to be read in a diff.

Bytes are in the notation of :mod:`.bytes_text`. What the cases of a file have in common
(kernel, arch, cpus_possible, group) stands at its head.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from netlink_emu.kernel.releases import byte_order
from netlink_emu.protocol.format import ByteOrder

from . import bytes_text
from .case import Case, CaseError, Cmsg, Datagram, Outcome, Relation, Step
from .masked import Symbol
from .op import field_names, op_type
from .ops import Send
from .vectors import arguments_to_json, relation_from_json

_HEAD: Final = ("kernel", "arch", "cpus_possible")
_FLAGS: Final = {"privileged": True, "needs_quiet": False, "unordered": False}
_STEP: Final = frozenset({"op", "action", "task", "label", "expect"})


def read_cases(text: str) -> Iterator[Case]:
    """The cases of one file of the corpus; raises CaseError where it makes no sense."""
    source = json.loads(text)
    common = {key: source.get(key, "") for key in (*_HEAD, "group")}
    for case in source["cases"]:
        try:
            yield _read_case({**common, **case})
        except (KeyError, CaseError) as exc:
            raise CaseError(f"{case.get('name')}: {exc}") from exc


def _read_case(source: Mapping[str, Any]) -> Case:
    order = byte_order(source["arch"])
    return Case(
        name=source["name"],
        title=source["title"],
        group=source["group"],
        steps=tuple(_read_step(step, order) for step in source["steps"]),
        guard=source.get("guard", {}),
        notes=source.get("notes", ""),
        relations=tuple(map(relation_from_json, source.get("relations", ()))),
        **{key: source[key] for key in _HEAD},
        **{flag: source.get(flag, default) for flag, default in _FLAGS.items()},
    )


def _read_step(source: Mapping[str, Any], order: ByteOrder) -> Step:
    name, action = source["op"], source.get("action")
    cls = op_type(name, action)
    if cls is None:
        raise CaseError(f"unknown operation {name} {action or ''}".rstrip())
    known = field_names(cls)
    arguments = {key: value for key, value in source.items() if key in known}
    if "payload" in arguments:
        arguments["payload"] = bytes_text.read(arguments["payload"], order)
    expect = source.get("expect", {})
    datagrams = expect.get("datagrams")
    value = expect.get("value")
    try:
        op = cls(**arguments)
    except TypeError as exc:
        raise CaseError(f"{name}: {exc}") from exc
    return Step(
        op=op,
        expect=Outcome(
            result=expect.get("result"),
            error=expect.get("error"),
            datagrams=None
            if datagrams is None
            else tuple(_read_datagram(one, order) for one in datagrams),
            optlen_out=expect.get("optlen_out"),
            value=None if value is None else bytes.fromhex(value),
            symbols={
                int(key) if key.isdigit() else key: _read_symbol(symbol)
                for key, symbol in expect.get("vary", {}).items()
            },
        ),
        task=source.get("task"),
        label=source.get("label"),
        extra={k: v for k, v in source.items() if k not in known | _STEP},
    )


def _read_symbol(text: str) -> Symbol:
    kind, _, name = text.rstrip(")").partition("(")
    return Symbol(kind, name)


def _read_datagram(source: str | list[str] | Mapping[str, Any], order: ByteOrder) -> Datagram:
    if isinstance(source, str):
        return Datagram(bytes_text.read(source, order))
    if isinstance(source, list):
        return Datagram(bytes_text.read(" ".join(source), order))
    sender = source.get("from", (0, 0))
    cmsgs = source.get("cmsgs", ())
    symbol = source.get("from_symbol")
    return Datagram(
        payload=bytes_text.read(source["payload"], order),
        sender=None if sender is None else (sender[0], sender[1]),
        sender_symbol=None if symbol is None else _read_symbol(symbol),
        msg_flags=source.get("msg_flags", "0"),
        cmsgs=None
        if cmsgs is None
        else tuple(
            Cmsg(c["level"], c["type"], bytes_text.read(c["payload"], order)) for c in cmsgs
        ),
        returned_length=source.get("returned_length"),
    )


# --- writing


def write_cases(cases: Iterable[Case]) -> str:
    """The text of one file of the corpus, one step or datagram on each line."""
    cases = list(cases)
    head = {key: getattr(cases[0], key) for key in _HEAD} | {"group": cases[0].group}
    lines = [f"{_dump(key)}: {_dump(value)}," for key, value in head.items()]
    body = ",\n".join(_write_case(case, head) for case in cases)
    return "{\n" + "\n".join(lines) + f'\n"cases": [\n{body}\n]\n}}\n'


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _write_case(case: Case, head: Mapping[str, Any]) -> str:
    facts: dict[str, Any] = {"name": case.name, "title": case.title}
    facts |= {key: getattr(case, key) for key in head if getattr(case, key) != head[key]}
    facts |= {
        flag: getattr(case, flag)
        for flag, default in _FLAGS.items()
        if getattr(case, flag) != default
    }
    if case.guard:
        facts["guard"] = dict(case.guard)
    if case.notes:
        facts["notes"] = case.notes
    lines = [f"  {_dump(key)}: {_dump(value)}" for key, value in facts.items()]
    steps = ",\n".join(f"    {_write_step(step, case.order)}" for step in case.steps)
    lines.append(f'  "steps": [\n{steps}\n  ]')
    if case.relations:
        rows = ",\n".join(f"    {_dump(_write_relation(r))}" for r in case.relations)
        lines.append(f'  "relations": [\n{rows}\n  ]')
    return " {\n" + ",\n".join(lines) + "\n }"


def _write_relation(relation: Relation) -> dict[str, Any]:
    out = {"kind": relation.kind, "text": relation.text, **relation.args}
    return out if relation.holds else out | {"holds": False}


def _write_step(step: Step, order: ByteOrder) -> str:
    out: dict[str, Any] = {"op": step.op.NAME}
    if step.op.ACTION is not None:
        out["action"] = step.op.ACTION
    if step.task is not None:
        out["task"] = step.task
    if step.label is not None:
        out["label"] = step.label
    out |= arguments_to_json(step.op) | dict(step.extra)
    if isinstance(step.op, Send):
        out["payload"] = bytes_text.write(step.op.payload, order)
    expect = step.expect
    brought: dict[str, Any] = {}
    if expect.optlen_out is not None:
        brought["optlen_out"] = expect.optlen_out
    if expect.value is not None:
        brought["value"] = expect.value.hex()
    if expect.result is not None:
        brought["result"] = expect.result
    if expect.error is not None:
        brought["error"] = expect.error
    if expect.symbols:
        brought["vary"] = {str(key): str(symbol) for key, symbol in expect.symbols.items()}
    if expect.datagrams is None:
        if brought:
            out["expect"] = brought
        return _dump(out)
    # The datagrams come last, each on a line of its own.
    rows = "".join(
        f"\n      {_lines(_write_datagram(d, order))}," for d in expect.datagrams
    ).rstrip(",")
    inner = _dump(brought | {"datagrams": []})
    text = _dump(out | {"expect": {}})
    return text[:-2] + inner[1:-2] + rows + "]}}"


def _lines(datagram: str | list[str] | dict[str, Any]) -> str:
    """One line for each message."""
    if isinstance(datagram, list):
        return "[" + ",\n       ".join(map(_dump, datagram)) + "]"
    return _dump(datagram)


def _write_datagram(datagram: Datagram, order: ByteOrder) -> str | list[str] | dict[str, Any]:
    out: dict[str, Any] = {}
    if datagram.sender != (0, 0):
        out["from"] = None if datagram.sender is None else list(datagram.sender)
    if datagram.sender_symbol is not None:
        out["from_symbol"] = str(datagram.sender_symbol)
    if datagram.msg_flags != "0":
        out["msg_flags"] = datagram.msg_flags
    if datagram.cmsgs is None:
        out["cmsgs"] = None
    elif datagram.cmsgs:
        out["cmsgs"] = [_write_cmsg(cmsg, order) for cmsg in datagram.cmsgs]
    if datagram.returned_length is not None:
        out["returned_length"] = datagram.returned_length
    if out:
        return {**out, "payload": bytes_text.write(datagram.payload, order)}
    messages = bytes_text.write_messages(datagram.payload, order)
    return messages if len(messages) > 1 else messages[0]


def _write_cmsg(cmsg: Cmsg, order: ByteOrder) -> dict[str, Any]:
    return {
        "level": cmsg.level,
        "type": cmsg.type,
        "payload": bytes_text.write(cmsg.payload, order),
    }
