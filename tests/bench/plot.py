"""The plot of docs/performance.md: SVG by hand, for it is lines, rectangles and words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from bench.figure import Relation, Result
from bench.growth import Curve
from bench.report import found, number

WIDTH = 900
ROW = 34
LABEL = 12
GOOD, BAD, INK, PALE = "#2f7d4f", "#b3542d", "#1d2433", "#c9ced8"
COLOURS = ("#2a5db0", "#b3542d")
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1d2433}"
    ".small{font-size:11px;fill:#4a5263}.head{font-weight:600;font-size:14px}"
)


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    attributes = f' class="{kind}"' if kind else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{attributes}>{escape(words)}</text>'
    )


def line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
        f'stroke="{colour}" stroke-width="{width:g}"/>'
    )


def distance(result: Result) -> float:
    """How many times better than the goal (below 1: worse)."""
    assert result.goal is not None
    if result.relation is Relation.AT_LEAST_TIMES:
        return result.found.median / result.goal
    return result.goal / max(result.found.median, 1e-9)


def bars(results: Sequence[Result], top: float) -> tuple[list[str], float]:
    """A bar for each figure with a goal: to the right if it is better, to the left if worse."""
    middle, reach = 560.0, 150.0  # pixels for a factor of 10
    shown = [result for result in results if result.goal is not None]
    parts = [text(LABEL, top + 4, "Each figure beside its goal", "head")]
    top += 30
    bottom = top + ROW * len(shown)
    for factor in (0.1, 0.5, 1, 2, 10, 100):
        x = middle + reach * math.log10(factor)
        parts.append(line(x, top - 8, x, bottom, INK if factor == 1 else PALE, 1))
        told = "goal" if factor == 1 else f"{factor:g} x as good"
        parts.append(text(x, bottom + 14, told, "small", "middle"))
    for index, result in enumerate(shown):
        y = top + ROW * index
        length = reach * max(-1.0, min(2.0, math.log10(distance(result))))
        colour = GOOD if result.reached else BAD
        parts.append(
            f'<rect x="{middle + min(0.0, length):.1f}" y="{y + 1:.1f}" '
            f'width="{max(abs(length), 1.5):.1f}" height="14" fill="{colour}"/>'
        )
        parts.append(text(LABEL, y + 8, result.name, "small"))
        parts.append(text(LABEL, y + 22, f"{found(result)}, goal {result.goal_text}", "small"))
    return parts, bottom + 36


def panel(curve: Curve, left: float, top: float, width: float, height: float) -> list[str]:
    """One curve, both axes logarithmic."""
    points = [point for line_ in curve.lines.values() for point in line_]
    x_max = math.log10(max(count for count, _ in points))
    lows = [spread.median for _, spread in points]
    y_min = math.floor(math.log10(min(lows)))
    y_max = max(y_min + 2, math.ceil(math.log10(max(lows))))

    def at(count: float, microseconds: float) -> tuple[float, float]:
        share = (math.log10(microseconds) - y_min) / (y_max - y_min)
        return left + width * math.log10(count) / x_max, top + height * (1 - share)

    parts = [text(left, top - 24, f"An exit and a GET as {curve.axis} grow", "head")]
    for power in range(y_min, y_max + 1):
        _, y = at(1, 10**power)
        parts += [
            line(left, y, left + width, y, PALE),
            text(left - 6, y + 4, f"{10.0**power:g} µs", "small", "end"),
        ]
    for count, _ in next(iter(curve.lines.values())):
        x, _ = at(count, 1)
        parts.append(text(x, top + height + 16, f"{count:,}", "small", "middle"))
    for index, (name, line_) in enumerate(curve.lines.items()):
        colour = COLOURS[index]
        spots = [at(count, spread.median) for count, spread in line_]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in spots]
        legend = f"{name}: {number(line_[-1][1].median)} µs at {line_[-1][0]:,}"
        y = top + height + 34 + 16 * index
        parts.append(line(left, y - 4, left + 18, y - 4, colour, 2))
        parts.append(text(left + 24, y, legend, "small"))
    return parts


def svg(results: Sequence[Result], curves: Sequence[Curve]) -> str:
    parts, top = bars(results, 24)
    height = 170.0
    for index, curve in enumerate(curves):
        left = 70.0 + 450 * (index % 2)
        panel_top = top + 40 + (height + 130) * (index // 2)
        parts += panel(curve, left, panel_top, 350, height)
    bottom = top + (height + 130) * ((len(curves) + 1) // 2) + 10
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom:.0f}" '
        f'role="img" aria-label="Figures beside their goals, and how cost grows">\n'
        f"<style>{STYLE}</style>\n"
        f'<rect width="{WIDTH}" height="{bottom:.0f}" fill="#ffffff"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )
