"""Text in a terminal's cells: nothing but what is printable, and as wide as it shall be."""

from __future__ import annotations

import enum
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from netlink_emu.protocol.reading.printable import printable


class Style(enum.Enum):
    """How a piece of text looks."""

    PLAIN = "plain"
    STRONG = "strong"
    FAINT = "faint"
    TITLE = "title"  # of the pane that has the keys
    BAR = "bar"  # the first and the last line of the screen
    CHOSEN = "chosen"
    BAD = "bad"  # something was lost
    ODD = "odd"  # a fault of ours
    GOOD = "good"


class Span(NamedTuple):
    """A piece of a line in one style; made by :func:`clip` and :func:`fit` alone."""

    text: str
    style: Style = Style.PLAIN


Line = list[Span]


def width_of(text: str) -> int:
    """How many cells a printable text takes."""
    if text.isascii():
        return len(text)
    return sum(map(_width, text))


def _width(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def clip(text: str, width: int) -> str:
    """The text, printable, in at most ``width`` cells; an ellipsis stands for what is cut off."""
    text = printable(text)
    if len(text) <= width and width_of(text) <= width:
        return text
    if width < 1:
        return ""
    kept, used = [], 0
    for char in text:
        used += _width(char)
        if used >= width:
            break
        kept.append(char)
    return "".join(kept) + "…"


def fit(text: str, width: int, *, right: bool = False) -> str:
    """The text in exactly ``width`` cells."""
    text = clip(text, width)
    blanks = " " * (width - width_of(text))
    return blanks + text if right else text + blanks


def fit_line(spans: Iterable[Span], width: int) -> Line:
    """Pieces of a line in exactly ``width`` cells; what lies beyond is cut off."""
    line: Line = []
    for text, style in spans:
        if width <= 0:
            break
        text = clip(text, width)
        width -= width_of(text)
        line.append(Span(text, style))
    if width > 0:
        line.append(Span(" " * width, line[-1].style if line else Style.PLAIN))
    return line
