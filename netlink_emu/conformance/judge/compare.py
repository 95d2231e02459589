"""Compares what a step brought with what was recorded, outside the masks byte for byte.

A :class:`Mismatch` says where and what; how it is shown is the reports' business.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from netlink_emu.conformance.cases import ops
from netlink_emu.conformance.cases.case import Case, Cmsg, Datagram, Outcome, Step
from netlink_emu.conformance.cases.masked import MaskedBytes
from netlink_emu.conformance.cases.names import msg_flags_number
from netlink_emu.conformance.cases.structure import stats_blocks
from netlink_emu.conformance.targets.target import About
from netlink_emu.protocol.format import ByteOrder

from .bindings import LOOSE, Bindings, part_of
from .flatten import flatten
from .stats import violations

DISTURBED = "disturbed"  # what a mismatch is called that others on the machine may have made


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One difference.

    ``expected`` and ``got`` are bytes where bytes differ, else what was compared. ``differing``
    are the ranges that differ, ``loose`` those that may.
    """

    step: int
    what: str  # "result", "error", "datagram 0", "datagram 0: sender" ...
    text: str
    expected: Any = None
    got: Any = None
    differing: tuple[tuple[int, int], ...] = ()
    loose: tuple[tuple[int, int], ...] = ()


def compare_step(
    case: Case, index: int, step: Step, outcome: Outcome, bindings: Bindings
) -> Iterator[Mismatch]:
    """Every difference between a step's outcome and its record."""
    expect = step.expect
    if _error(expect.error) != _error(outcome.error):
        yield Mismatch(
            index,
            "error",
            f"expected {expect.error or 'success'}, got {outcome.error or 'success'}",
            expect.error or "success",
            outcome.error or "success",
        )
    elif not expect.error:
        yield from _compare_result(index, expect, outcome)
    optlen = expect.optlen_out
    if optlen not in (None, outcome.optlen_out) and "optlen_out" not in expect.symbols:
        yield _plain(index, "optlen", optlen, outcome.optlen_out)
    if expect.value is not None and expect.value != outcome.value:
        yield compare_bytes(
            index, "option value", MaskedBytes(expect.value), outcome.value or b""
        ) or _plain(index, "option value", expect.value, outcome.value)
    if expect.datagrams is not None:
        yield from _compare_datagrams(case, index, step, outcome, bindings)


def _error(error: str | None) -> str | None:
    """``EAGAIN (nothing within 200ms)`` says how it was found out, not what."""
    return error.split(" ")[0] if error else None


def _plain(index: int, what: str, expected: Any, got: Any) -> Mismatch:
    return Mismatch(index, what, f"expected {expected!r}, got {got!r}", expected, got)


def _compare_result(index: int, expect: Outcome, outcome: Outcome) -> Iterator[Mismatch]:
    recorded = expect.result
    if recorded is None:
        return
    if isinstance(recorded, dict):
        parts: Sequence[Any] = list(recorded)
    elif isinstance(recorded, list):
        if not isinstance(outcome.result, list) or len(outcome.result) != len(recorded):
            yield _plain(index, "result", recorded, outcome.result)
            return
        parts = range(len(recorded))
    else:
        if not expect.symbols and recorded != outcome.result:
            yield _plain(index, "result", recorded, outcome.result)
        return
    for field in parts:
        if field in expect.symbols:
            continue
        expected, got = part_of(recorded, field), part_of(outcome.result, field)
        if expected != got:
            yield _plain(index, f"result {field}", expected, got)


def compare_bytes(index: int, what: str, expected: MaskedBytes, got: bytes) -> Mismatch | None:
    """The difference between resolved expected bytes and what came, outside the masks."""
    loose = tuple((mask.offset, mask.end) for mask in expected.masks)
    differing = tuple(_ranges(expected.data, got, loose))
    if not differing:
        return None
    if len(expected.data) != len(got):
        text = f"{len(expected.data)} bytes expected, {len(got)} came"
    else:
        count = sum(end - start for start, end in differing)
        where = ", ".join(f"{s}" if e - s == 1 else f"{s}-{e - 1}" for s, e in differing[:4])
        more = ", ..." if len(differing) > 4 else ""
        text = f"{count} of {len(got)} bytes differ, at {where}{more}"
    return Mismatch(index, what, text, expected.data, got, differing, loose)


def _ranges(
    expected: bytes, got: bytes, loose: tuple[tuple[int, int], ...]
) -> Iterator[tuple[int, int]]:
    if not loose and expected == got:
        return
    a, b = bytearray(expected), bytearray(got)
    for first, last in loose:
        a[first:last] = bytes(last - first)
        stop = min(last, len(b))
        b[first:stop] = bytes(max(0, stop - first))
    if a == b:
        return
    start: int | None = None
    for offset in range(max(len(a), len(b))):
        same = offset < len(a) and offset < len(b) and a[offset] == b[offset]
        if not same and start is None:
            start = offset
        elif same and start is not None:
            yield start, offset
            start = None
    if start is not None:
        yield start, max(len(a), len(b))


def _compare_datagrams(
    case: Case, index: int, step: Step, outcome: Outcome, bindings: Bindings
) -> Iterator[Mismatch]:
    recorded = [_resolved(d, step, bindings) for d in step.expect.datagrams or ()]
    got = list(outcome.datagrams or ())
    assert isinstance(step.op, ops.Recv)
    if step.op.flatten:
        recorded, got = flatten(recorded, case.order), flatten(got, case.order)
    if len(recorded) != len(got):
        unit = "messages" if step.op.flatten else "datagrams"
        yield Mismatch(
            index,
            unit,
            f"{len(recorded)} {unit} expected, {len(got)} came",
            tuple(d.payload.data for d in recorded),
            tuple(d.payload.data for d in got),
        )
    if case.unordered and len(recorded) > 1:
        yield from _compare_unordered(index, recorded, got)
        return
    for number, (expected, received) in enumerate(zip(recorded, got, strict=False)):
        yield from _compare_datagram(index, f"datagram {number}", expected, received, case.order)


def _resolved(datagram: Datagram, step: Step, bindings: Bindings) -> Datagram:
    sender = datagram.sender
    if sender is not None and datagram.sender_symbol is not None:
        portid = bindings.value(datagram.sender_symbol, About(step.actor))
        sender = (sender[0] if portid is None else portid, sender[1])
    cmsgs = datagram.cmsgs
    if cmsgs:
        cmsgs = tuple(
            Cmsg(c.level, c.type, bindings.resolve(c.payload, step.actor)) for c in cmsgs
        )
    return Datagram(
        payload=bindings.resolve(datagram.payload, step.actor),
        sender=sender,
        msg_flags=datagram.msg_flags,
        cmsgs=cmsgs,
        returned_length=datagram.returned_length,
    )


def _compare_datagram(
    index: int, what: str, expected: Datagram, got: Datagram, order: ByteOrder
) -> Iterator[Mismatch]:
    mismatch = compare_bytes(index, what, expected.payload, got.payload.data)
    if mismatch is not None:
        yield mismatch
    else:
        yield from _compare_stats(index, what, expected, got, order)
    yield from _compare_envelope(index, what, expected, got)


def _compare_envelope(
    index: int, what: str, expected: Datagram, got: Datagram
) -> Iterator[Mismatch]:
    for name in ("sender", "msg_flags", "returned_length"):
        a, b = getattr(expected, name), getattr(got, name)
        told = a is not None or name == "returned_length"
        if told and a != b and not (name == "msg_flags" and _same_flags(a, b)):
            yield _plain(index, f"{what}: {name}", a, b)
    a, b = expected.cmsgs, got.cmsgs
    if a is None:  # the recorded call does not tell
        return
    if [(c.level, c.type) for c in a or ()] != [(c.level, c.type) for c in b or ()]:
        yield _plain(index, f"{what}: control messages", _brief(a), _brief(b))
        return
    for number, (x, y) in enumerate(zip(a or (), b or (), strict=True)):
        name = f"{what}: control message {number}"
        if (mismatch := compare_bytes(index, name, x.payload, y.payload.data)) is not None:
            yield mismatch


def _same_flags(a: str, b: str | None) -> bool:
    """Whether two spellings name the same flags."""
    try:
        return b is not None and msg_flags_number(a) == msg_flags_number(b)
    except ValueError:
        return False


def _brief(cmsgs: tuple[Cmsg, ...] | None) -> list[str]:
    return [f"level {c.level} type {c.type}: {c.payload.data.hex()}" for c in cmsgs or ()]


def _compare_unordered(
    index: int, recorded: list[Datagram], got: list[Datagram]
) -> Iterator[Mismatch]:
    """Count, lengths and senders: what each says depends on which came first."""
    lengths = sorted(len(d.payload) for d in recorded), sorted(len(d.payload) for d in got)
    if lengths[0] != lengths[1]:
        yield _plain(index, "lengths", *lengths)
    expected, came = {d.sender for d in recorded}, {d.sender for d in got}
    if expected != came:
        yield _plain(index, "senders", expected, came)


def _compare_stats(
    index: int, what: str, expected: Datagram, got: Datagram, order: ByteOrder
) -> Iterator[Mismatch]:
    """What must hold of the members of STATS that may vary."""
    data = got.payload.data
    for block in stats_blocks(data, order):
        codec = block.layout.codec(order)
        masks = {m.offset - block.offset for m in expected.payload.masks if block.covers(m.offset)}
        volatile = frozenset(n for n, f in block.layout.fields.items() if f.offset in masks)
        values = codec.decode(data, block.offset)
        recorded = codec.decode(expected.payload.data, block.offset)
        for member, fault in violations(values, recorded, volatile):
            field = block.layout.fields[member]
            at = block.offset + field.offset
            yield Mismatch(
                index,
                what,
                f"{member} {fault}",
                expected.payload.data,
                data,
                ((at, at + field.size),),
                tuple((m.offset, m.end) for m in expected.payload.masks if m.offset != at),
            )


__all__ = ["LOOSE", "Mismatch", "compare_bytes", "compare_step"]
