"""Reads one TOML table key by key: types, bounds, unknown keys, each error with its key's path."""

from __future__ import annotations

import re
from typing import Any, Final, NoReturn, TypeVar, overload

from netlink_emu.machine.clock import NSEC_PER_SEC

_MOST_SECONDS: Final = 10**9  # 31 years
_MOST_SHOWN: Final = 60
# What TOML takes without quotes, and the index of an array's element.
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,60}(\[[0-9]+\])?")

T = TypeVar("T")
B = TypeVar("B", bool, None)

# Linux's numbers on all architectures but alpha, mips, parisc and sparc: signal(7).
SIGNALS: Final = {
    name: number
    for number, name in enumerate(
        (
            "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV",
            "USR2", "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN",
            "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
        ),
        start=1,
    )
}  # fmt: skip
# Their default action does not end a process.
_HARMLESS: Final = frozenset({"CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "WINCH"})


class ScenarioError(ValueError):
    """What is wrong with a scenario, and where: a line and column (from 1), or a key's path."""

    def __init__(
        self,
        message: str,
        *,
        path: str | None = None,
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path
        self.line = line
        self.column = column


class _Required:
    """The default of a key that must be there."""


_REQUIRED: Final = _Required()
_KINDS: Final = {
    bool: "true or false", int: "a whole number", float: "a number", str: "a string",
    dict: "a table", list: "an array",
}  # fmt: skip


class Table:
    """A table at ``path``; :meth:`done` refuses keys that nobody asked for."""

    def __init__(self, values: dict[str, Any], path: str) -> None:
        self._values = values
        self._known: list[str] = []
        self.path: Final = path

    def has(self, key: str) -> bool:
        return key in self._values

    def peek(self, key: str, default: T) -> Any | T:
        """The raw value of a key that is read elsewhere."""
        return self._values.get(key, default)

    def refuse(self, key: str, message: str) -> NoReturn:
        raise ScenarioError(message, path=self._at(key))

    def _at(self, key: str) -> str:
        name = key_text(key)
        return f"{self.path}.{name}" if self.path else name

    def _get(self, key: str, kind: type, default: Any) -> Any:
        self._known.append(key)
        if key not in self._values:
            if default is _REQUIRED:
                raise ScenarioError(f"the key {key!r} is missing", path=self.path)
            return default
        value = self._checked(key)
        # TOML's true is Python's bool, which is an int to isinstance().
        if type(value) is not kind and not (kind is float and type(value) is int):
            self.refuse(key, f"must be {_KINDS[kind]}, found {_shown(value)}")
        return value

    def _checked(self, key: str) -> Any:
        """The value; TOML's whole numbers have 64 bits, Python's reader takes any."""
        value = self._values[key]
        if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
            self.refuse(key, "has more than the 64 bits of a whole number")
        return value

    @overload
    def integer(
        self, key: str, default: int | _Required = ..., *, least: int, most: int | None = ...
    ) -> int: ...
    @overload
    def integer(
        self, key: str, default: None, *, least: int, most: int | None = ...
    ) -> int | None: ...
    def integer(
        self,
        key: str,
        default: int | _Required | None = _REQUIRED,
        *,
        least: int,
        most: int | None = None,
    ) -> int | None:
        value: int | None = self._get(key, int, default)
        if value is not None and (value < least or (most is not None and value > most)):
            bounds = f"at least {least}" if most is None else f"between {least} and {most}"
            self.refuse(key, f"must be {bounds}, found {value}")
        return value

    @overload
    def nanoseconds(self, key: str, default: int | _Required = ...) -> int: ...
    @overload
    def nanoseconds(self, key: str, default: None) -> int | None: ...
    def nanoseconds(self, key: str, default: int | _Required | None = _REQUIRED) -> int | None:
        """A number of seconds, 0 or more, in nanoseconds; ``default`` is in nanoseconds."""
        if default is not _REQUIRED and key not in self._values:
            self._known.append(key)
            assert not isinstance(default, _Required)
            return default
        value: float = self._get(key, float, _REQUIRED)
        if not 0 <= value <= _MOST_SECONDS:  # nor is nan
            self.refuse(key, f"must be between 0 and {_MOST_SECONDS} seconds, found {value}")
        return round(value * NSEC_PER_SEC)

    @overload
    def string(self, key: str, default: str | _Required = ...) -> str: ...
    @overload
    def string(self, key: str, default: None) -> str | None: ...
    def string(self, key: str, default: str | _Required | None = _REQUIRED) -> str | None:
        value: str | None = self._get(key, str, default)
        if value == "":
            self.refuse(key, "must not be empty")
        return value

    def name_or_number(self, key: str) -> str | int:
        """A required string or whole number."""
        if isinstance(self._values.get(key), str):
            return self.string(key)
        return self.integer(key, least=0)

    def value(self, key: str, default: T) -> Any | T:
        """The raw value of a key, whatever it is."""
        self._known.append(key)
        return self._values.get(key, default)

    def strings(self, key: str) -> tuple[str, ...]:
        """A list of texts; empty where it is missing."""
        values: list[Any] = self._get(key, list, [])
        for value in values:
            if not isinstance(value, str) or not value:
                self.refuse(key, f"has texts, not {value!r}")
        return tuple(values)

    def boolean(self, key: str, *, default: B) -> bool | B:
        value: bool | B = self._get(key, bool, default)
        return value

    def table(self, key: str, *, required: bool = True) -> Table:
        return Table(self._get(key, dict, _REQUIRED if required else {}), self._at(key))

    def tables(self, key: str) -> list[Table]:
        """An array of tables; its elements' paths count from 0."""
        values: list[Any] = self._get(key, list, [])
        for index, value in enumerate(values):
            if not isinstance(value, dict):
                self.refuse(f"{key}[{index}]", f"must be a table, found {_shown(value)}")
        return [Table(value, f"{self._at(key)}[{index}]") for index, value in enumerate(values)]

    def settings(self) -> tuple[str, ...]:
        """All keys of this table as ``key=value``, whose meaning others know."""
        texts = []
        for key in self._values:
            self._known.append(key)
            value = self._checked(key)
            if isinstance(value, bool):
                value = "on" if value else "off"
            elif not isinstance(value, int | str):
                self.refuse(
                    key, f"must be a number, a string, true or false, found {_shown(value)}"
                )
            texts.append(f"{key}={value}")
        return tuple(texts)

    def done(self) -> None:
        """Refuse unknown keys: a misspelt one would silently do nothing."""
        for key in self._values:
            if key not in self._known:
                self.refuse(key, f"unknown key; known are {', '.join(sorted(self._known))}")


def key_text(key: str) -> str:
    """A key in a path: as it is, or in quotes."""
    return key if _BARE_KEY.fullmatch(key) else _shown(key)


def _shown(value: object) -> str:
    """A value in a message: not more of it than helps to find it."""
    try:
        text = repr(value)
    except ValueError:  # it holds a number of thousands of digits
        return f"a long {type(value).__name__}"
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def signal_number(table: Table) -> int:
    """The fatal signal that ``table`` names by 'signal': a number or a name, with SIG or not."""
    if isinstance(table.peek("signal", None), int):
        number = table.integer("signal", least=1, most=64)
        name = next((n for n, value in SIGNALS.items() if value == number), "")
    else:
        name = table.string("signal").removeprefix("SIG")
        if name not in SIGNALS:
            table.refuse("signal", f"no signal is called {name!r}")
        number = SIGNALS[name]
    if name in _HARMLESS:
        table.refuse("signal", f"SIG{name} does not end a process")
    return number
