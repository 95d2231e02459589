"""Transcripts in the form of a recorder, in files, and made of cases: the way back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from netlink_emu.conformance.cases.case import Case, Datagram, Step
from netlink_emu.conformance.cases.masked import MaskedBytes
from netlink_emu.conformance.cases.ops import Send
from netlink_emu.conformance.cases.vectors import Json, arguments_to_json


def load_directory(directory: Path) -> Iterator[tuple[Path, Json]]:
    """Every ``*.json`` below a directory, parsed, in the order of the names."""
    for path in sorted(directory.glob("*.json")):
        yield path, json.loads(path.read_text())


def case_to_json(case: Case) -> dict[str, Any]:
    """The transcript of a case, without ``decoded``."""
    symbols: list[dict[str, Any]] = []
    return {
        "name": case.name,
        "title": case.title,
        "group": case.group,
        "kernel": case.kernel,
        "arch": case.arch,
        "cpus_possible": case.cpus_possible,
        "privileged": case.privileged,
        "needs_quiet": case.needs_quiet,
        "unordered": case.unordered,
        "guard": dict(case.guard),
        "notes": case.notes,
        "steps": [_step_to_json(step, i, symbols) for i, step in enumerate(case.steps)],
        "symbols": symbols,
        "relations": [
            {"kind": r.kind, "text": r.text, **r.args, "holds": r.holds} for r in case.relations
        ],
    }


def _masks_to_json(masked: MaskedBytes, where: Json, symbols: list[dict[str, Any]]) -> str:
    for mask in masked.masks:
        symbols.append(
            {
                **where,
                "offset": mask.offset,
                "length": mask.length,
                "kind": mask.symbol.kind,
                "name": mask.symbol.name,
            }
        )
    return masked.data.hex()


def _step_to_json(step: Step, index: int, symbols: list[dict[str, Any]]) -> dict[str, Any]:
    out: dict[str, Any] = {"op": step.op.NAME}
    if step.op.ACTION is not None:
        out["action"] = step.op.ACTION
    out |= arguments_to_json(step.op) | dict(step.extra)
    if isinstance(step.op, Send):
        out["hex"] = _masks_to_json(step.op.payload, {"step": index, "part": "send"}, symbols)
    if step.task is not None:
        out["task"] = step.task
    if step.label is not None:
        out["label"] = step.label
    expect = step.expect
    if expect.datagrams is not None:
        out["datagrams"] = [
            _datagram_to_json(datagram, index, number, symbols)
            for number, datagram in enumerate(expect.datagrams)
        ]
    if expect.optlen_out is not None:
        out["optlen_out"] = expect.optlen_out
    if expect.value is not None:
        out["result_hex"] = expect.value.hex()
    if expect.result is not None:
        out["result"] = expect.result
    if expect.error is not None:
        out["error"] = expect.error
    for field, symbol in expect.symbols.items():
        symbols.append(
            {
                "step": index,
                "part": "result",
                "field": field,
                "kind": symbol.kind,
                "name": symbol.name,
            }
        )
    return out


def _datagram_to_json(
    datagram: Datagram, step: int, number: int, symbols: list[dict[str, Any]]
) -> dict[str, Any]:
    where = {"step": step, "part": "recv", "datagram": number}
    out: dict[str, Any] = {"hex": _masks_to_json(datagram.payload, where, symbols)}
    if datagram.sender is not None:
        out["from"] = list(datagram.sender)
    if datagram.sender_symbol is not None:
        symbol = datagram.sender_symbol
        symbols.append({**where, "part": "from", "kind": symbol.kind, "name": symbol.name})
    if datagram.msg_flags is not None:
        out["msg_flags"] = datagram.msg_flags
    if datagram.cmsgs is not None:
        out["cmsgs"] = [
            {
                "level": cmsg.level,
                "type": cmsg.type,
                "hex": _masks_to_json(cmsg.payload, {**where, "part": "cmsg", "cmsg": i}, symbols),
            }
            for i, cmsg in enumerate(datagram.cmsgs)
        ]
    if datagram.returned_length is not None:
        out["returned_length"] = datagram.returned_length
    return out
