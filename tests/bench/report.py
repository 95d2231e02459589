"""Results as a table on the terminal, as Markdown, and as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from bench.figure import Relation, Result
from bench.growth import Curve
from bench.measure import Spread

VERDICTS = {True: "yes", False: "no", None: ""}


def number(value: float) -> str:
    """Three digits that mean something."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def amount(spread: Spread | None, unit: str) -> str:
    return "" if spread is None else f"{number(spread.median)} {unit}"


def found(result: Result) -> str:
    """The relation to the limit: its median and, behind it, the quartiles."""
    spread = result.found
    text = {
        Relation.AT_MOST_MORE: f"+ {number(spread.median)}",
        Relation.AT_MOST: number(spread.median),
    }.get(result.relation, f"{number(spread.median)} x")
    return f"{text} ({number(spread.low)} to {number(spread.high)})"


HEADINGS = (
    "figure",
    "ours",
    "limit beside it",
    "found (quartiles)",
    "goal",
    "reached",
    "real kernel",
)


def row(result: Result) -> tuple[str, ...]:
    return (
        result.name,
        amount(result.ours, result.unit),
        amount(result.beside, result.unit),
        found(result),
        result.goal_text,
        VERDICTS[result.reached],
        amount(result.kernel, result.unit),
    )


def table(results: Sequence[Result]) -> str:
    """For a terminal."""
    rows = [HEADINGS, *map(row, results)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for cells in rows:
        padded = [cells[0].ljust(widths[0])]
        padded += [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def markdown(results: Sequence[Result], machine: dict[str, str]) -> str:
    lines = [
        "Measured on " + ", ".join(machine.values()) + ".",
        "",
        "| " + " | ".join(HEADINGS) + " |",
        "|---|" + "--:|" * (len(HEADINGS) - 1),
    ]
    lines += ["| " + " | ".join(row(result)) + " |" for result in results]
    lines += ["", "The limits:", ""]
    lines += [f"- {result.name}: {result.limit}." for result in results if result.goal is not None]
    return "\n".join(lines)


def growth_table(curves: Sequence[Curve]) -> str:
    """For a terminal: microseconds, the counts along the top."""
    lines = []
    for curve in curves:
        counts = [count for count, _ in next(iter(curve.lines.values()))]
        cells = [f"{curve.title:34}", *(f"{count:>10,}" for count in counts)]
        lines.append("".join(cells))
        for name, points in curve.lines.items():
            medians = [f"{number(spread.median):>10}" for _, spread in points]
            lines.append("".join([f"  {name:32}", *medians, "  µs"]))
    return "\n".join(lines)


def machine() -> dict[str, str]:
    """What the figures depend on."""
    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "processor": f"{os.cpu_count()} CPUs of {model}",
        "kernel": f"Linux {platform.release().partition('-')[0]}",
        "python": f"Python {platform.python_version()}",
    }


def as_json(results: Sequence[Result], curves: Sequence[Curve]) -> str:
    def curve_lines(curve: Curve) -> dict[str, list[dict[str, object]]]:
        return {
            name: [{"count": count, **asdict(spread)} for count, spread in points]
            for name, points in curve.lines.items()
        }

    told = {
        "machine": machine(),
        "figures": [
            asdict(result) | {"relation": result.relation.name.lower(), "reached": result.reached}
            for result in results
        ],
        "growth": [
            {"title": curve.title, "axis": curve.axis, "unit": "µs", "lines": curve_lines(curve)}
            for curve in curves
        ],
    }
    return json.dumps(told, ensure_ascii=False, indent=1) + "\n"
