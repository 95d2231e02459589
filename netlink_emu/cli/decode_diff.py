"""``netlink-emu decode A --diff B``: where the messages of two sessions differ."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from netlink_emu.cli.output.errors import EXIT_USER
from netlink_emu.journal.entry import Entry
from netlink_emu.journal.pairs import IGNORED, Pair, pair
from netlink_emu.page.comparison import write_comparison
from netlink_emu.page.records import summary_of
from netlink_emu.protocol.reading.printable import printable, printable_json


@dataclass(frozen=True, slots=True)
class Side:
    """A session: its file, and its entries."""

    name: str
    entries: list[Entry]


def show_difference(
    a: Side, b: Side, ignore: Sequence[str], *, as_json: bool, as_html: bool
) -> None:
    """Print it; ends with status 1 if there is any."""
    ignored = [*IGNORED, *ignore]
    pairs = pair(a.entries, b.entries, ignored)
    if as_html:
        title = f"netlink-emu: A {a.name}, B {b.name}"
        sys.stdout.write(write_comparison(title, a.entries, b.entries, pairs, ignored).decode())
    else:
        for line in _json(pairs) if as_json else _text(pairs):
            print(line)
    if any(each.differs for each in pairs):
        raise SystemExit(EXIT_USER)


def _text(pairs: Sequence[Pair]) -> Iterator[str]:
    for each in pairs:
        if each.a is None or each.b is None:
            alone, sign = (each.a, "-") if each.a is not None else (each.b, "+")
            assert alone is not None
            yield f"{sign} #{alone.number} {printable(summary_of(alone))}"
        elif each.fields:
            yield f"  #{each.a.number}, #{each.b.number} {printable(summary_of(each.b))}"
            for field in each.fields:
                for sign, value in (("-", field.a), ("+", field.b)):
                    if value is not None:
                        yield f"{sign}     {printable(field.name)} {printable(value)}"
    both = [each for each in pairs if each.a is not None and each.b is not None]
    yield (
        f"{len(both)} messages correspond, {sum(each.differs for each in both)} of them differ; "
        f"{sum(each.b is None for each in pairs)} only in the first file, "
        f"{sum(each.a is None for each in pairs)} only in the second"
    )


def _json(pairs: Sequence[Pair]) -> Iterator[str]:
    for each in pairs:
        if each.differs:
            known = each.b or each.a
            assert known is not None
            values: dict[str, Any] = {
                "a": each.a.number if each.a is not None else None,
                "b": each.b.number if each.b is not None else None,
                "summary": summary_of(known),
                "fields": [{"name": f.name, "a": f.a, "b": f.b} for f in each.fields],
            }
            yield printable_json(json.dumps(values, ensure_ascii=False))
