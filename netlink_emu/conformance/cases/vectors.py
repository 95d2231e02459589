"""Transcripts in the form of a recorder: one JSON file per case, hex and a list of symbols.

Conversion to :class:`~.case.Case` loses nothing but ``decoded`` (which is derived from the bytes)
and the recorder's own bookkeeping (``attempts``, ``observed``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from .case import Case, CaseError, Cmsg, Datagram, Outcome, Relation, Step
from .masked import Mask, MaskedBytes, Symbol
from .op import Op, field_names, op_type
from .ops import Send

_EXPECT: Final = frozenset({"result", "error", "datagrams", "optlen_out", "result_hex"})
_STEP: Final = frozenset({"op", "action", "task", "label"})
_ALIASES: Final = {"sockets": "socks"}
_TASK_OPS: Final = frozenset({"self", "task"})
_RELATION: Final = frozenset({"kind", "text", "holds", "observed"})

Json = Mapping[str, Any]


def case_from_json(source: Json) -> Case:
    """A case from a recorder's transcript; raises CaseError where it makes no sense."""
    try:
        symbols = _Symbols(source.get("symbols", ()))
        return Case(
            name=source["name"],
            title=source.get("title", source["name"]),
            group=source.get("group", "other"),
            steps=tuple(
                step_from_json(step, index, symbols) for index, step in enumerate(source["steps"])
            ),
            kernel=source.get("kernel", ""),
            arch=source.get("arch", ""),
            cpus_possible=source.get("cpus_possible", ""),
            privileged=source.get("privileged", True),
            needs_quiet=source.get("needs_quiet", False),
            unordered=source.get("unordered", False),
            guard=source.get("guard") or {},
            notes=source.get("notes", ""),
            relations=tuple(map(relation_from_json, source.get("relations", ()))),
        )
    except KeyError as exc:
        raise CaseError(f"{source.get('name', 'case')}: no {exc} in it") from exc


class _Symbols:
    """The ``symbols`` of a transcript, found by where they are."""

    def __init__(self, symbols: Iterable[Json]) -> None:
        self._masks: dict[tuple[Any, ...], list[Mask]] = defaultdict(list)
        self._fields: dict[int, dict[str | int, Symbol]] = defaultdict(dict)
        self._from: dict[tuple[int, int], Symbol] = {}
        for entry in symbols:
            step, part = entry["step"], entry["part"]
            symbol = Symbol(entry["kind"], entry.get("name", ""))
            if part == "result":
                self._fields[step][entry["field"]] = symbol
            elif part == "from":
                self._from[step, entry["datagram"]] = symbol
            else:
                key = (step, part, entry.get("datagram"), entry.get("cmsg"))
                self._masks[key].append(Mask(entry["offset"], entry["length"], symbol))

    def bytes(
        self, text: str, step: int, part: str, datagram: int | None = None, cmsg: int | None = None
    ) -> MaskedBytes:
        masks = sorted(self._masks.get((step, part, datagram, cmsg), ()), key=lambda m: m.offset)
        return MaskedBytes(bytes.fromhex(text), tuple(masks))

    def result(self, step: int) -> dict[str | int, Symbol]:
        return self._fields.get(step, {})

    def sender(self, step: int, datagram: int) -> Symbol | None:
        return self._from.get((step, datagram))


def step_from_json(source: Json, index: int, symbols: _Symbols | None = None) -> Step:
    """A step; ``symbols`` are those of its transcript."""
    symbols = symbols or _Symbols(())
    name, action = source["op"], source.get("action")
    cls = op_type(name, action)
    if cls is None:
        raise CaseError(f"step {index}: unknown operation {name} {action or ''}".rstrip())
    known = field_names(cls)
    arguments: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for key, value in source.items():
        if key == "hex" and cls is Send:
            arguments["payload"] = symbols.bytes(value, index, "send")
        elif key in _EXPECT or (key in _STEP and not (key == "action" and name not in _TASK_OPS)):
            pass
        elif (name_of := _ALIASES.get(key, key)) in known:
            arguments[name_of] = value
        else:
            extra[key] = value
    try:
        op = cls(**arguments)
    except TypeError as exc:
        raise CaseError(f"step {index}: {name}: {exc}") from exc
    return Step(
        op=op,
        expect=_outcome_from_json(source, index, symbols),
        task=source.get("task"),
        label=source.get("label"),
        extra=extra,
    )


def _outcome_from_json(source: Json, index: int, symbols: _Symbols) -> Outcome:
    datagrams = source.get("datagrams")
    value = source.get("result_hex")
    return Outcome(
        result=source.get("result"),
        error=source.get("error"),
        datagrams=None
        if datagrams is None
        else tuple(
            _datagram_from_json(datagram, index, number, symbols)
            for number, datagram in enumerate(datagrams)
        ),
        optlen_out=source.get("optlen_out"),
        value=None if value is None else bytes.fromhex(value),
        symbols=symbols.result(index),
    )


def _datagram_from_json(source: Json, step: int, number: int, symbols: _Symbols) -> Datagram:
    sender = source.get("from")
    cmsgs = source.get("cmsgs")
    return Datagram(
        payload=symbols.bytes(source["hex"], step, "recv", number),
        sender=None if sender is None else (sender[0], sender[1]),
        sender_symbol=symbols.sender(step, number),
        msg_flags=None if source.get("msg_flags") is None else str(source["msg_flags"]),
        cmsgs=None
        if cmsgs is None
        else tuple(
            Cmsg(c["level"], c["type"], symbols.bytes(c["hex"], step, "cmsg", number, i))
            for i, c in enumerate(cmsgs)
        ),
        returned_length=source.get("returned_length"),
    )


def relation_from_json(source: Json) -> Relation:
    args = {key: value for key, value in source.items() if key not in _RELATION}
    return Relation(source["kind"], source.get("text", ""), args, source.get("holds", True))


def arguments_to_json(op: Op) -> dict[str, Any]:
    """The plain arguments of an operation: all but a request's bytes."""
    return {key: value for key, value in op.arguments().items() if key != "payload"}
