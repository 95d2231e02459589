"""What a differential run says in the end."""

from __future__ import annotations

from collections.abc import Iterator

from netlink_emu.conformance.cases.case import Case, Outcome, Step
from netlink_emu.conformance.cases.corpus_form import write_cases
from netlink_emu.conformance.judge.compare import Mismatch
from netlink_emu.conformance.report.text import side_by_side
from netlink_emu.protocol.format import HOST_ORDER

from .equal import Equality
from .fuzz import Difference, Figures


def figures_text(figures: Figures, family_id: int | None) -> Iterator[str]:
    """The counts, then every difference with both sides."""
    yield (
        f"{figures.requests} requests in {figures.sequences} sequences of {figures.steps} steps, "
        f"{figures.datagrams} datagrams compared in {figures.seconds:.1f} s; "
        f"{figures.disturbed} sequences repeated because others' tasks ended"
    )
    counts = ", ".join(f"{name} {count}" for name, count in figures.operations.most_common())
    yield f"steps: {counts}"
    if figures.unstable:
        yield f"never without others' exits, and so left out: {figures.unstable} sequences"
    yield f"differences: {len(figures.differences)}"
    for difference in figures.differences:
        yield ""
        yield from difference_text(difference, family_id)


def difference_text(difference: Difference, family_id: int | None) -> Iterator[str]:
    """One difference: both sides of the step, and the shortest sequence as a case."""
    yield f"seed {difference.seed}, step {difference.index}: {difference.text}"
    real, ours = difference.real.datagrams or (), difference.ours.datagrams or ()
    for a, b in zip(real, ours, strict=False):
        x, other = a.payload.data, bytearray(b.payload.data)
        Equality(family_id or 0).blank(bytearray(x), other)
        y = bytes(other)
        if x != y:
            longest = max(len(x), len(y))
            ranges = tuple((i, i + 1) for i in range(longest) if x[i : i + 1] != y[i : i + 1])
            mismatch = Mismatch(difference.index, "datagram", "", x, y, ranges)
            yield "  kernel (expected) and emulator (got):"
            yield from (f"  {line}" for line in side_by_side(mismatch, family_id, HOST_ORDER))
            break
    name = f"diff_seed_{difference.seed}"
    yield write_cases([as_case(name, difference.text, difference.steps)]).rstrip()


def as_case(name: str, title: str, steps: tuple[Step, ...]) -> Case:
    """A sequence as a case without outcomes, ready to be recorded."""
    bare = tuple(Step(step.op, Outcome(), step.task, step.label) for step in steps)
    return Case(name, title, "differential", bare)
