"""The screen's lines, of the state of the view; each exactly as wide as the screen."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from netlink_emu.cli.watching.cells import Line, Span, Style, clip, fit, fit_line, width_of
from netlink_emu.cli.watching.panes import Column, Pane, Row
from netlink_emu.cli.watching.view import Over, View

# From this width on there are two columns of panes.
WIDE: Final = 130
_LEFT: Final = ("sockets", "listeners", "tasks")
LEAST: Final = (40, 12)  # cells and lines: below there is no room for anything
_KEYS: Final = "q quit  p pause  / filter  e exit  f fault  : command  Tab pane  z zoom  ? help"
_KEYS_OVER: Final = "Esc, q back  Up, Down, PgUp, PgDn, Home, End scroll"


class Screen(NamedTuple):
    """``cursor`` is where one types: column and line."""

    lines: list[Line]
    cursor: tuple[int, int] | None = None


def compose(view: View, width: int, height: int) -> Screen:
    """The whole screen. What is in sight afterwards is noted in the view's places."""
    if width < LEAST[0] or height < LEAST[1]:
        said = f"too small: {LEAST[0]} by {LEAST[1]} at least"
        lines = [fit_line([Span(said if at == 0 else "")], width) for at in range(height)]
        return Screen(lines)
    body = _body(view, width, height - 2)
    foot, cursor = _foot(view, width)
    at = None if cursor is None else (cursor, height - 1)
    return Screen([_head(view, width), *body, foot], at)


def _head(view: View, width: int) -> Line:
    shown = view.snapshot
    minutes, seconds = divmod(int(shown.seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"netlink-emu {view.name}", f"Linux {shown.release}"]
    parts.append(f"up {hours}:{minutes:02}:{seconds:02}")
    marks = [f"filter: {view.filter}"] if view.filter else []
    marks += ["PAUSED"] if view.paused else []
    marks += ["ENDED"] if view.ended else ["NO ANSWER"] if view.silent else []
    right = "  ".join(marks)
    left = clip("  ".join(parts), max(0, width - width_of(clip(right, width)) - 2))
    gap = width - width_of(left) - width_of(clip(right, width))
    return fit_line([Span(left, Style.BAR), Span(" " * gap + right, Style.BAR)], width)


def _foot(view: View, width: int) -> tuple[Line, int | None]:
    if view.prompt is not None:
        prompt = view.prompt
        before = clip(prompt.label + prompt.text[: prompt.at], 10 * width)
        hidden = max(0, width_of(before) + 2 - width)  # the text's end is what one types
        text = clip(prompt.label + prompt.text, 10 * width)
        line = fit_line([Span(text[hidden:], Style.STRONG)], width)
        return line, min(width - 1, width_of(before) - hidden)
    if view.status:
        style = Style.BAD if view.status_is_bad else Style.GOOD
        return fit_line([Span(view.status, style)], width), None
    if view.snapshot.refused and view.criteria:
        return fit_line([Span(f"filter: {view.snapshot.refused}", Style.BAD)], width), None
    over = view.over is not Over.NOTHING
    if view.ended:
        text = view.ended if over else f"{view.ended}; q quits"
        return fit_line([Span(text, Style.BAD)], width), None
    return fit_line([Span(_KEYS_OVER if over else _KEYS, Style.BAR)], width), None


def _body(view: View, width: int, height: int) -> list[Line]:
    if view.over is not Over.NOTHING:
        return _over(view, width, height)
    if view.zoomed:
        return _pane(view, view.pane, width, height)
    if width < WIDE:
        return _stack(view, view.panes, width, height)
    left = [pane for pane in view.panes if pane.name in _LEFT]
    right = [pane for pane in view.panes if pane.name not in _LEFT]
    half = width // 2 - 1
    bar = Span(" │ ", Style.FAINT)
    columns = (
        _stack(view, left, half, height),
        _stack(view, right, width - half - 3, height),
    )
    return [[*one, bar, *other] for one, other in zip(*columns, strict=True)]


def _stack(view: View, panes: Sequence[Pane], width: int, height: int) -> list[Line]:
    shares = [pane.share * (1.6 if pane is view.pane else 1) for pane in panes]
    # Each has a title, and a row at least.
    free = height - 2 * len(panes)
    ends = [round(free * end / sum(shares)) for end in accumulate(shares)]
    heights = [2 + end - before for before, end in zip([0, *ends], ends, strict=False)]
    return [
        line
        for pane, rows in zip(panes, heights, strict=True)
        for line in _pane(view, pane, width, rows)
    ]


def _pane(view: View, pane: Pane, width: int, height: int) -> list[Line]:
    """A pane with its title in exactly so many lines."""
    focused, place = pane is view.pane, view.places[pane.name]
    rows, first, total = view.rows(pane), view.first(pane), view.total(pane)
    heads = pane.has_heads and height > 2
    room = height - 1 - heads
    place.settle(total, room)
    shown = [
        rows[at - first] if 0 <= at - first < len(rows) else None
        for at in range(place.top, min(total, place.top + room))
    ]
    widths = _widths(pane.columns, [row for row in shown if row is not None], width)
    lines = [_title(view, pane, width, total)]
    if heads:
        titles = [column.title for column in pane.columns]
        lines.append(_cells(pane.columns, titles, widths, Style.FAINT, width))
    for at, row in enumerate(shown, place.top):
        if row is None:
            lines.append(fit_line([Span("...", Style.FAINT)], width))
            continue
        chosen = focused and at == place.row
        style = Style.CHOSEN if chosen else row.style
        lines.append(_cells(pane.columns, row.cells, widths, style, width))
    return lines + [fit_line([], width)] * (height - len(lines))


def _title(view: View, pane: Pane, width: int, total: int) -> Line:
    style = Style.TITLE if pane is view.pane else Style.STRONG
    place = view.places[pane.name]
    below = max(0, total - place.top - place.height)
    title = f"{view.panes.index(pane) + 1} {pane.title(view.snapshot)}"
    more = [f"{place.top:,} above"] if place.top else []
    more += [f"{below:,} below"] if below else []
    hint = f" ({', '.join(more)})" if more and pane is view.pane else ""
    text = clip(f" {title}{hint} ", width - 4)
    rule = "─" * (width - 2 - width_of(text))
    return fit_line([Span("──", Style.FAINT), Span(text, style), Span(rule, Style.FAINT)], width)


def _widths(columns: Sequence[Column], rows: Sequence[Row], width: int) -> list[int]:
    """How wide each column is: as its rows need, as far as there is room."""
    widths = [
        max(
            column.least,
            min(column.most, max((len(row.cells[at]) for row in rows), default=0)),
        )
        for at, column in enumerate(columns)
    ]
    room = width - 2 * (len(columns) - 1)
    while sum(widths) > room:
        spare = [have - column.least for have, column in zip(widths, columns, strict=True)]
        at = spare.index(max(spare))
        if spare[at] <= 0:
            break
        widths[at] -= 1
    growing = next(at for at, column in enumerate(columns) if column.grows)
    widths[growing] += room - sum(widths)
    return widths


def _cells(
    columns: Sequence[Column],
    cells: Sequence[str],
    widths: Sequence[int],
    style: Style,
    width: int,
) -> Line:
    parts = [
        fit(cell, wide, right=column.right)
        for column, cell, wide in zip(columns, cells, widths, strict=True)
    ]
    return fit_line([Span("  ".join(parts), style)], width)


def _over(view: View, width: int, height: int) -> list[Line]:
    """A text that lies over the panes, from where one has scrolled to."""
    place, lines = view.over_place, view.over_lines
    place.height = height - 1
    place.top = place.row = max(0, min(place.top, len(lines) - place.height))
    shown = lines[place.top : place.top + place.height]
    title = f" {view.over.value} (Esc goes back) "
    rule = fit_line([Span("──", Style.FAINT), Span(title, Style.TITLE)], width)
    blank = [""] * (place.height - len(shown))
    return [rule, *(fit_line([Span(line)], width) for line in [*shown, *blank])]
