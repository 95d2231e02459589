"""What an operation of NETLINK_EMU is made of: what is asked, and what is answered, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from netlink_emu.families.own import Request
from netlink_emu.protocol.ours.control import attr_name
from netlink_emu.protocol.ours.control_values import Row


class Asked(Request):
    """A request's attributes. One that is missing is a ValueError, which names it as C does."""

    def __getitem__(self, name: str | int) -> object:
        if name not in self and isinstance(name, str):
            raise ValueError(f"{attr_name(self.op.attributes, name)} is missing")
        return super().__getitem__(name)

    def number(self, name: str, default: int | None = None) -> int:
        """An integer; ValueError where it is missing and there is no default."""
        found = self[name] if default is None else self.get(name, default)
        assert isinstance(found, int), f"the policy lets numbers through alone, not {found!r}"
        return found

    def text(self, name: str, default: str | None = None) -> str:
        """A string; ValueError where it is missing and there is no default."""
        found = self[name] if default is None else self.get(name, default)
        if isinstance(found, bytes):  # no UTF-8
            found = found.partition(b"\0")[0].decode("utf-8", "replace")
        return str(found)

    def window(self) -> tuple[int, int | None]:
        """Which rows of a dump are wanted, for a slice: all, or ``count`` after ``skip``."""
        skip = self.number("skip", 0)
        return skip, skip + self.number("count") if "count" in self else None


Doit = Callable[[Asked], Row | None]
Dumpit = Callable[[Asked], Iterable[Row]]


def _not_done(_asked: Asked) -> None:
    raise AssertionError("genetlink asks for what is declared only")


def _not_dumped(_asked: Asked) -> Iterable[Row]:
    raise AssertionError("genetlink asks for what is declared only")


@dataclass(frozen=True, slots=True)
class Handler:
    """What a command does; a do that returns None has no reply but an ack."""

    do: Doit = _not_done
    dump: Dumpit = _not_dumped


Handlers = dict[str, Handler]
