"""Two versions of a datagram next to each other, field by field, differences marked."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

from netlink_emu.conformance.judge.compare import Mismatch
from netlink_emu.conformance.report.words import rows_of
from netlink_emu.protocol.format import ByteOrder
from netlink_emu.protocol.reading.rows import HOLE, Row

_WIDTH = 16  # bytes in a line of hex


@dataclass(frozen=True, slots=True)
class Line:
    """One field on both sides; None where a side has none. ``loose`` may differ."""

    expected: Row | None
    got: Row | None
    differs: bool
    loose: bool

    @property
    def row(self) -> Row:
        row = self.expected or self.got
        assert row is not None
        return row


@dataclass(frozen=True, slots=True)
class HexLine:
    """Sixteen bytes on both sides; ``differing`` are positions in the line."""

    offset: int
    expected: bytes
    got: bytes
    differing: frozenset[int]


def lines(mismatch: Mismatch, family_id: int | None, order: ByteOrder) -> list[Line]:
    """The fields of a mismatch between bytes."""
    expected = rows_of(mismatch.expected, family_id, order)
    got = rows_of(mismatch.got, family_id, order)
    out = []
    matcher = difflib.SequenceMatcher(
        None, [row.name for row in expected], [row.name for row in got], autojunk=False
    )
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            pairs = zip(expected[i1:i2], got[j1:j2], strict=True)
            out += [_line(mismatch, a, b) for a, b in pairs]
        else:
            out += [_line(mismatch, row, None) for row in expected[i1:i2]]
            out += [_line(mismatch, None, row) for row in got[j1:j2]]
    return out


def _overlaps(row: Row, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(start < row.offset + row.size and row.offset < end for start, end in ranges)


def _line(mismatch: Mismatch, expected: Row | None, got: Row | None) -> Line:
    loose = expected is not None and _overlaps(expected, mismatch.loose)
    if expected is None or got is None:
        return Line(expected, got, differs=True, loose=loose)
    if expected.offset == got.offset and expected.size == got.size:
        differs = _overlaps(expected, mismatch.differing)
    else:
        differs = expected.text != got.text and not loose
    return Line(expected, got, differs, loose)


def worth_showing(all_lines: list[Line]) -> list[Line]:
    """Without the members of STATS that are 0 on both sides, or may vary and agree."""

    def keep(line: Line) -> bool:
        if "/STATS/" not in line.row.name:
            return True
        both = line.expected is not None and line.got is not None
        if line.differs and both:
            return True
        empty = line.row.text in ("0", "0x0000") or line.row.label == HOLE
        return not empty and not (both and line.loose)

    return [line for line in all_lines if keep(line)]


def hex_lines(mismatch: Mismatch, around: int = 1) -> Iterator[HexLine]:
    """The lines of hex that hold a difference, and ``around`` before and after."""
    differing = {offset for start, end in mismatch.differing for offset in range(start, end)}
    wanted = {
        number + delta
        for number in {offset // _WIDTH for offset in differing}
        for delta in range(-around, around + 1)
    }
    longest = max(len(mismatch.expected), len(mismatch.got))
    for number in sorted(wanted):
        offset = number * _WIDTH
        if 0 <= offset < longest:
            yield HexLine(
                offset,
                mismatch.expected[offset : offset + _WIDTH],
                mismatch.got[offset : offset + _WIDTH],
                frozenset(o - offset for o in differing if offset <= o < offset + _WIDTH),
            )


def is_bytes(mismatch: Mismatch) -> bool:
    return isinstance(mismatch.expected, bytes) and isinstance(mismatch.got, bytes)
