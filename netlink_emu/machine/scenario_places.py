"""Where in the text of a scenario, or other TOML, a key stands: for errors, which are about keys.

tomllib does not tell. It has read the text already, so what is looked at here is TOML, and only
as much of it is understood as it takes to find keys.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from netlink_emu.machine.scenario_table import key_text

_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
# Strings by their opening, the longest first.
_STRINGS: Final = {
    '"""': re.compile(r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})', re.DOTALL),
    "'''": re.compile(r"'''.*?'''(?:'{0,2})", re.DOTALL),
    '"': re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    "'": re.compile(r"'[^'\n]*'"),
}
_ATOM: Final = re.compile(r"[^,\]}\n#]*")

_Path = tuple[str | int, ...]
_NOT_TOML: Final = (IndexError, ValueError, RecursionError)  # or too deep


def place_of(text: str, path: str) -> tuple[int, int] | None:
    """Line and column, from 1, of the key at ``path`` or of the nearest one above it.

    ``path`` is as in a ScenarioError: ``task[2].timeline[1].at``. None where nothing of it is
    found.
    """
    best, offset = 0, -1
    try:
        for keys, at in _Scan(text).all_keys():
            known = _shown(keys)
            if len(known) > best and path.startswith(known) and path[len(known) :][:1] in ".[":
                best, offset = len(known), at
    except _NOT_TOML:
        pass  # what was found will do
    return None if offset < 0 else _line_and_column(text, offset)


def places_in(text: str) -> dict[tuple[str | int, ...], tuple[int, int]]:
    """Line and column, from 1, of each key and each element of a list, where it stands first."""
    places: dict[_Path, tuple[int, int]] = {}
    line, start, seen = 1, 0, 0
    with suppress(*_NOT_TOML):
        for keys, at in _Scan(text).all_keys():
            newlines = text.count("\n", seen, at)
            if newlines:
                line, start = line + newlines, text.rindex("\n", seen, at) + 1
            seen = at
            places.setdefault(keys, (line, at - start + 1))
    return places


def _line_and_column(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n") + 1, offset - before.rfind("\n")


def _shown(keys: _Path) -> str:
    shown = ""
    for key in keys:
        if isinstance(key, int):
            shown += f"[{key}]"
        else:
            shown += f".{key_text(key)}" if shown else key_text(key)
    return shown


class _Scan:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._counts: dict[_Path, int] = {}  # elements of arrays of tables so far

    def all_keys(self) -> Iterator[tuple[_Path, int]]:
        """Each key's path and offset, in the order of the text."""
        table: _Path = ()
        while self._skip() < len(self._text):
            start = self._at
            if self._text[start] == "[":
                double = self._text.startswith("[[", start)
                self._at += 1 + double
                for table in self._header(self._key(), double=double):
                    yield table, start
                self._at = self._text.index("]", self._at) + 1 + double
            else:
                yield from self._pair(table)

    def _header(self, names: list[str], *, double: bool) -> Iterator[_Path]:
        """The paths of a and b in [a.b] or [[a.b]]: within an array, of its last element."""
        path: _Path = ()
        for number, name in enumerate(names, 1):
            path = (*path, name)
            if double and number == len(names):
                self._counts[path] = self._counts.get(path, -1) + 1
            if path in self._counts:
                path = (*path, self._counts[path])
            yield path

    def _skip(self) -> int:
        found = _BLANK.match(self._text, self._at)
        assert found is not None
        self._at = found.end()
        return self._at

    def _key(self) -> list[str]:
        """The names of a dotted key."""
        names = []
        while True:
            self._skip()
            if self._text[self._at] in "\"'":
                names.append(tomllib.loads(f"x = {self._string()}")["x"])
            else:
                found = _BARE.match(self._text, self._at)
                if found is None:
                    raise IndexError
                names.append(found[0])
                self._at = found.end()
            if self._text[self._skip()] != ".":
                return names
            self._at += 1

    def _string(self) -> str:
        for opening, pattern in _STRINGS.items():
            if self._text.startswith(opening, self._at):
                found = pattern.match(self._text, self._at)
                if found is None:
                    raise IndexError
                self._at = found.end()
                return found[0]
        raise IndexError

    def _pair(self, table: _Path) -> Iterator[tuple[_Path, int]]:
        """A key, and those within its value."""
        start = self._at
        path = table
        for name in self._key():
            path = (*path, name)
            yield path, start
        self._at = self._text.index("=", self._at) + 1
        yield from self._value(path)

    def _value(self, path: _Path) -> Iterator[tuple[_Path, int]]:
        opening = self._text[self._skip()]
        if opening in "\"'":
            self._string()
        elif opening == "{":
            self._at += 1
            while self._text[self._skip()] != "}":
                if self._text[self._at] == ",":
                    self._at += 1
                else:
                    yield from self._pair(path)
            self._at += 1
        elif opening == "[":
            self._at += 1
            index = 0
            while self._text[self._skip()] != "]":
                if self._text[self._at] == ",":
                    self._at += 1
                    continue
                yield (*path, index), self._at
                yield from self._value((*path, index))
                index += 1
            self._at += 1
        else:
            found = _ATOM.match(self._text, self._at)
            assert found is not None
            if found.end() == self._at:
                raise IndexError
            self._at = found.end()
