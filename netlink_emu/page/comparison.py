"""Two sessions on one page, with what corresponds beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netlink_emu.journal.entries import Datagram, Entry, SocketEvent
from netlink_emu.journal.pairs import Pair
from netlink_emu.page.records import Records, Shape, Side, line
from netlink_emu.page.writer import page_before


def write_comparison(
    title: str,
    a: Sequence[Entry],
    b: Sequence[Entry],
    pairs: Sequence[Pair],
    ignore: Sequence[str],
) -> bytes:
    """The page; each session's time begins with its first entry."""
    shapes: dict[Shape, int] = {}
    numbers = max((entry.number for entry in a), default=0)
    ours = Side("A", shapes=shapes, about=_about(a, "A"))
    theirs = Side("B", numbers, _lanes(a), shapes, _about(b, "B"))
    for each in pairs:
        for mine, other, side, others in (
            (each.a, each.b, ours, theirs), (each.b, each.a, theirs, ours),
        ):  # fmt: skip
            if mine is not None:
                told = side.about[mine.number]
                told["differs"] = len(each.fields)
                if other is not None:
                    told["pair"] = others.number(other)
    meta = {"title": title, "began": 0, "ignored": [*ignore]}
    parts = [page_before(title), line({"meta": meta})]
    for side, entries in ((ours, a), (theirs, b)):
        records = Records(min((entry.time_ns for entry in entries), default=0), side)
        for entry in entries:
            parts += records.lines(entry)
    return b"".join([*parts, b"</script>\n"])


def _about(entries: Sequence[Entry], side: str) -> dict[int, dict[str, Any]]:
    return {entry.number: {"side": side} for entry in entries}


def _lanes(entries: Sequence[Entry]) -> int:
    """The highest number of a lane."""
    peers = [e.peer for e in entries if isinstance(e, Datagram | SocketEvent)]
    return max((peer.number for peer in peers if peer is not None), default=0)
