"""What the symbols of a case stand for in one run of it."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from netlink_emu.conformance.cases import ops
from netlink_emu.conformance.cases.case import MAIN, Case, Outcome, Step
from netlink_emu.conformance.cases.masked import Mask, MaskedBytes, Symbol
from netlink_emu.conformance.cases.structure import StatsBlock, stats_blocks
from netlink_emu.conformance.targets.target import About, Session
from netlink_emu.protocol.format import ByteOrder

# Ranges that stand for no value of their own: they are held to other rules.
LOOSE = frozenset({"STATS", "SEQ_EVENT", "FOREIGN_FAMILY", "NGROUPS_BYTES"})
# What a recorded ac_nice of 0 stands for: that of the runner, which nice(1) may have raised.
NICE: Final = Symbol("NICE", MAIN)

_MAIN: Final = About(MAIN)


class Bindings:
    """The values of symbols: learnt from results, else asked of the session.

    ``order`` is that of the bytes. ``cpus`` says on which CPU a task ends: its own, as the steps
    bind it.
    """

    def __init__(self, session: Session, order: ByteOrder) -> None:
        self._session = session
        self.order: Final = order
        self._values: dict[Symbol, int] = {}
        self._nice: int | None = None
        self.cpus: dict[str, int] = {}

    def learn(self, step: Step, outcome: Outcome) -> None:
        """Take what the symbols in a step's recorded result stand for from its outcome."""
        for field, symbol in step.expect.symbols.items():
            value = part_of(outcome.result, field)
            if isinstance(value, int):
                self._values[symbol] = value
        match step.op:
            case ops.Spawn():
                self.cpus[step.actor] = step.op.cpu or 0
            case ops.Thread():
                self.cpus[step.op.thread] = step.op.cpu or 0
            case ops.SetCpu() if outcome.error is None:
                self.cpus[step.actor] = step.op.cpu

    def value(self, symbol: Symbol, about: About = _MAIN) -> int | None:
        """What a symbol stands for; None if nobody knows."""
        if symbol.kind in LOOSE:
            return None
        known = self._values.get(symbol)
        return self._session.value_of(symbol, about) if known is None else known

    def put(self, symbol: Symbol, value: int) -> None:
        """Say what a symbol stands for."""
        self._values[symbol] = value

    def resolve(self, masked: MaskedBytes, actor: str) -> MaskedBytes:
        """The bytes with every symbol's value in place; masks stay where the value is unknown.

        Where 0 was recorded as a task's nice value, it has the runner's.
        """
        if not masked.masks:
            return masked
        data = bytearray(masked.data)
        blocks = list(stats_blocks(masked.data, self.order))
        symbols = {mask.offset: mask.symbol for mask in masked.masks}
        left = []
        for mask in masked.masks:
            about = About(actor)
            for block in blocks:
                if block.covers(mask.offset):
                    about = _about(masked.data, block, symbols.get(block.id_offset), actor)
            value = self.value(mask.symbol, about)
            if value is None:
                left.append(mask)
            else:
                size = mask.length
                value &= (1 << 8 * size) - 1
                data[mask.offset : mask.end] = value.to_bytes(size, self.order.name)
        for block in blocks:
            if block.id_offset in symbols or _has_program(block, masked.masks):  # not kthreadd
                self._put_nice(data, block)
        return MaskedBytes(bytes(data), tuple(left))

    def _put_nice(self, data: bytearray, block: StatsBlock) -> None:
        field = block.layout.fields.get("ac_nice")
        # fill_stats_for_tgid() in kernel/taskstats.c gives none to the sums of a group.
        if field is None or block.group or block.offset + field.offset >= len(data):
            return
        if self._nice is None:
            self._nice = self.value(NICE) or 0
        at = block.offset + field.offset
        if not data[at]:
            data[at] = self._nice & 0xFF

    def prepare(self, step: Step) -> Step:
        """The step with its request's symbols resolved."""
        if not isinstance(step.op, ops.Send) or not step.op.payload.masks:
            return step
        payload = self.resolve(step.op.payload, step.actor)
        return dataclasses.replace(step, op=dataclasses.replace(step.op, payload=payload))


def _has_program(block: StatsBlock, masks: tuple[Mask, ...]) -> bool:
    return any(mask.symbol.kind == "EXE_INODE" and block.covers(mask.offset) for mask in masks)


def _about(data: bytes, block: StatsBlock, symbol: Symbol | None, actor: str) -> About:
    field = block.layout.fields.get("ac_comm")
    start = block.offset + (field.offset if field else 0)
    comm = data[start : start + field.size].partition(b"\0")[0] if field else b""
    return About(actor if symbol is None else symbol.name, comm)


def part_of(result: Any, field: str | int) -> Any:
    """The part of a result that a symbol names: a key, an index, or the whole."""
    if isinstance(result, dict):
        return result.get(field)
    if isinstance(result, list | tuple) and isinstance(field, int):
        return result[field] if field < len(result) else None
    return result


def guards_hold(case: Case, outcomes: list[Outcome]) -> bool:
    """Whether the guarded recvs brought as many datagrams as in an undisturbed run."""
    return all(
        len(outcomes[index].datagrams or ()) == case.guard[label]
        for label, index in case.labelled()
        if label in case.guard and index < len(outcomes)
    )
