r"""Text that a client chose, made fit to be printed.

A task's name, a string in an attribute, a path may hold what a terminal takes for a command
(ESC, the C1 controls), what forges a line (newline), or what reorders a line (bidi marks). Each
text for people goes through here, and each character that Python calls not printable comes out
as Python would write it: ``\n``, ``\x1b``, ``\u202e``.
"""

from __future__ import annotations

import re
from typing import Final

_NOT_ASCII: Final = re.compile(r"[^\x20-\x7e]")


def printable(text: str) -> str:
    """The text in one line, of printable characters alone; what is so already stays as it is."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def printable_lines(text: str) -> str:
    """The same for a text in several lines: newlines and tabs stay."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else _escaped(c) for c in text)


def printable_json(text: str) -> str:
    r"""JSON in one line, with ``\u202e`` and the like in its strings; it means the same."""
    if text.isprintable():
        return text
    return _NOT_ASCII.sub(lambda found: _json_escaped(found[0]), text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def _json_escaped(char: str) -> str:
    if char.isprintable():
        return char
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
