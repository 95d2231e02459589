"""Names of numbers: enums and flags."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Name = str | int


def unknown_name(what: str, name: object, known: Iterable[str]) -> ValueError:
    """There is no ``what`` of that name; what comes close is said."""
    close = difflib.get_close_matches(str(name), list(known), 3)
    hint = f", did you mean {' or '.join(close)}?" if close else ""
    return ValueError(f"there is no {what} {name!r}{hint}")


@dataclass(frozen=True, slots=True)
class Enumeration:
    """Numbers by name. ``flags``: the numbers are bits, and a value is a list of their names."""

    name: str
    values: Mapping[str, int]
    flags: bool = False
    _names: Mapping[int, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names: dict[int, str] = {}
        for name, number in self.values.items():
            if not isinstance(number, int):
                raise ValueError(f"{self.name}: {name!r} is a number, not {number!r}")
            names.setdefault(number, name)
        object.__setattr__(self, "_names", names)

    def read(self, number: int, *, as_flags: bool = False) -> Name | list[Name]:
        """The name of a number, or the number; of flags a list, its last item what has no name."""
        if not (self.flags or as_flags):
            return self._names.get(number, number)
        found: list[Name] = []
        for bit, name in sorted(self.bits(as_flags=as_flags).items()):
            if bit and number & bit == bit:
                found.append(name)
                number &= ~bit
        return [*found, number] if number else found

    def number(self, value: object, *, as_flags: bool = False) -> int:
        """The number of a name, of a number, or of a collection of flags.

        Raises ValueError for a name that there is not.
        """
        if isinstance(value, bool) or not isinstance(value, int | str | Iterable):
            raise ValueError(f"{value!r} is not a name of {self.name}")
        if isinstance(value, int):
            return value
        if isinstance(value, str):
            if value not in self.values:
                raise unknown_name(f"value of {self.name}", value, self.values)
            if as_flags and not self.flags:
                return 1 << self.values[value]
            return self.values[value]
        if not (self.flags or as_flags):
            raise ValueError(f"{self.name} takes one name, not {value!r}")
        total = 0
        for part in value:
            total |= self.number(part, as_flags=as_flags)
        return total

    def bits(self, *, as_flags: bool = False) -> Mapping[int, str]:
        """The bits and their names; an enum ``as_flags`` numbers its bits."""
        if as_flags and not self.flags:
            return {1 << number: name for number, name in self._names.items()}
        return self._names

    def mask(self, *, as_flags: bool = False) -> int:
        """All bits that have names."""
        total = 0
        for bit in self.bits(as_flags=as_flags):
            total |= bit
        return total
