"""docs/outputs.json: what commands on the pages really printed, where a page has placeholders.

The tests read the pages as they are written: ``*`` stands for what differs from run to run (a
duration, a pid). Readers of the site see an output as it was once: docs/conf.py puts it there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).parents[2] / "docs"
FILE: Final = DOCS / "outputs.json"
_CONSOLE: Final = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ANY_LINES: Final = "..."
PROJECT: Final = "/home/you/project"  # in place of the directory in which a page was carried out


class StaleError(ValueError):
    """A page has other commands than were run; the message says what to do."""


def sessions(text: str) -> Iterator[tuple[str, list[str]]]:
    """The (command, expected lines) of a console block."""
    command: str | None = None
    expected: list[str] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            if command is not None:
                yield command, expected
            command, expected = line[2:], []
        elif line.startswith("> ") and command is not None and not expected:
            command += "\n" + line[2:]
        else:
            expected.append(line.rstrip())
    if command is not None:
        yield command, expected


def align(got: Sequence[str], expected: Sequence[str]) -> list[str] | None:
    """The lines as they came, None if they are not as expected.

    ``...`` stands for any number of any lines, and stays; ``*`` for anything within a line.
    """
    if not expected:
        return None if got else []
    if expected[0] == _ANY_LINES:
        for start in range(len(got) + 1):
            rest = align(got[start:], expected[1:])
            if rest is not None:
                return [_ANY_LINES, *rest]
        return None
    pattern = re.escape(expected[0]).replace(r"\*", ".*")
    if not got or not re.fullmatch(pattern, got[0]):
        return None
    rest = align(got[1:], expected[1:])
    return None if rest is None else [got[0], *rest]


def has_placeholder(expected: Sequence[str]) -> bool:
    """Whether readers had better see what really came."""
    return any("*" in line for line in expected)


def pages() -> list[Path]:
    """The pages with placeholders."""
    return [page for page in sorted(DOCS.glob("*.md")) if any(wanted(page.read_text("utf-8")))]


def wanted(text: str) -> Iterator[tuple[str, list[str]]]:
    """The sessions of a page that have placeholders, in order."""
    for block in _CONSOLE.findall(text):
        for command, expected in sessions(block):
            if has_placeholder(expected):
                yield command, expected


def recorded(name: str) -> list[tuple[str, list[str]]]:
    """What these commands of a page printed, in its order."""
    return [
        (command, lines) for command, lines in json.loads(FILE.read_text("utf-8")).get(name, [])
    ]


def with_outputs(name: str, text: str) -> str:
    """A page with real outputs; raises StaleError where there are none for it."""
    left = recorded(name)

    def real(block: re.Match[str]) -> str:
        lines = []
        for command, expected in sessions(block[1]):
            lines += [
                f"{'>' if number else '$'} {line}"
                for number, line in enumerate(command.split("\n"))
            ]
            if has_placeholder(expected):
                ran, shown = left.pop(0) if left else ("", [])
                if ran != command or align(shown, expected) is None:
                    raise StaleError(f"{name}: {command!r}: run scripts/write-docs --outputs")
                expected = shown
            lines += expected
        return "".join(f"{line}\n" for line in ("```console", *lines)) + "```"

    return _CONSOLE.sub(real, text)
