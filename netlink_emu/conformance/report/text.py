"""A run as text: failures with both sides next to each other, then the counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from netlink_emu.conformance.cases.case import Case
from netlink_emu.conformance.judge.compare import Mismatch
from netlink_emu.conformance.report.words import summary
from netlink_emu.conformance.runner import Report, Result, Verdict
from netlink_emu.protocol.format import ByteOrder
from netlink_emu.protocol.reading.printable import printable

from .sidebyside import HexLine, Line, hex_lines, is_bytes, lines, worth_showing

_COLUMN: Final = 34  # characters of a value
_MOST_HEX: Final = 8  # lines
_MOST: Final = 3  # mismatches of a case shown in full


def describe_step(case: Case, index: int) -> str:
    """``step 4, recv a by c1 (its label)``."""
    step = case.steps[index]
    what = step.op.ACTION or step.op.NAME
    parts = [f"step {index}, {what}"]
    if (sock := getattr(step.op, "sock", None)) is not None:
        parts.append(str(sock))
    if step.task is not None:
        parts.append(f"by {step.task}")
    if step.label is not None:
        parts.append(f"({step.label})")
    return " ".join(parts)


def failure(result: Result) -> Iterator[str]:
    """The lines that tell of one failed case."""
    return map(printable, _failure(result))


def _failure(result: Result) -> Iterator[str]:
    case = result.case
    yield f"FAILED {case.name} ({case.place})"
    yield f"  {case.title}"
    if result.reason:
        yield f"  {result.reason}"
    for mismatch in result.mismatches[:_MOST]:
        yield f"  {describe_step(case, mismatch.step)}: {mismatch.what}: {mismatch.text}"
        yield from (f"    {line}" for line in _details(mismatch, result.family_id, case.order))
    if len(result.mismatches) > _MOST:
        yield f"  and {len(result.mismatches) - _MOST} more differences"


def _details(mismatch: Mismatch, family_id: int | None, order: ByteOrder) -> Iterator[str]:
    if is_bytes(mismatch):
        yield from side_by_side(mismatch, family_id, order)
    elif isinstance(mismatch.expected, tuple) and isinstance(mismatch.got, tuple):
        for side, datagrams in (("expected", mismatch.expected), ("got", mismatch.got)):
            for number, data in enumerate(datagrams):
                yield f"{side:8} {number}: {summary(data, family_id, order)}"


def side_by_side(mismatch: Mismatch, family_id: int | None, order: ByteOrder) -> Iterator[str]:
    """A table of fields, then the bytes around the differences."""
    shown = worth_showing(lines(mismatch, family_id, order))
    yield f"   at  {'field':28} {'expected':{_COLUMN}} got"
    for line in shown:
        name = "  " * line.row.depth + line.row.label
        expected, got = both_cut(line, _COLUMN)
        mark = "!" if line.differs else "~" if line.loose else " "
        yield f"{mark} {line.row.offset:3}  {name:28} {expected:{_COLUMN}} {got}".rstrip()
    yield ""
    for number, hex_line in enumerate(hex_lines(mismatch)):
        if number == _MOST_HEX:
            yield "  ..."
            break
        yield from _hex(hex_line)


def both_cut(line: Line, width: int) -> tuple[str, str]:
    """The texts of both sides, cut to ``width`` around their first difference."""
    expected = line.expected.text if line.expected else "-"
    got = line.got.text if line.got else "-"
    pairs = zip(expected, got, strict=False)
    first = next((i for i, (a, b) in enumerate(pairs) if a != b), 0)
    start = max(0, first - width // 2) if first > width - 6 else 0

    def cut(text: str) -> str:
        if start:
            text = "..." + text[start + 3 :]
        return text if len(text) <= width else text[: width - 3] + "..."

    return cut(expected), cut(got)


def _hex(line: HexLine) -> Iterator[str]:
    for side, data in (("expected", line.expected), ("got", line.got)):
        yield f"  {line.offset:#06x}  {side:8}  {data.hex(' ')}"
    if line.differing:
        marks = " ".join("^^" if n in line.differing else "  " for n in range(16))
        yield f"  {'':6}  {'':8}  {marks}".rstrip()


def totals(report: Report) -> Iterator[str]:
    """The counts of a run, and why cases were left out."""
    return map(printable, _totals(report))


def _totals(report: Report) -> Iterator[str]:
    sections = report.counts()
    width = max((12, *map(len, sections)))
    for name, counts in sections.items():
        cells = [f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict]]
        yield f"  {name:{width}} {', '.join(cells)}"
    reasons: dict[str, int] = {}
    for result in report.results:
        if result.verdict is Verdict.SKIPPED:
            reasons[result.reason] = reasons.get(result.reason, 0) + 1
    for reason, count in reasons.items():
        yield f"  skipped {count}: {reason}"
    cells = [f"{report.count(verdict)} {verdict.value}" for verdict in Verdict]
    about = ", ".join(f"{key} {value}" for key, value in report.description.items())
    yield f"{', '.join(cells)} in {report.seconds:.1f} s on target {report.target} ({about})"
