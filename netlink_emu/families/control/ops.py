"""What an operation of NETLINK_EMU is made of."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from netlink_emu.families.control.values import Values
from netlink_emu.kernel.genetlink import GenlInfo
from netlink_emu.protocol.ours.control import NlemuCmd

Row = Mapping[enum.IntEnum, int | str | bytes | None]
Doit = Callable[[GenlInfo, Values], Row | None]
Dumpit = Callable[[GenlInfo, Values], Iterable[Row]]


def _not_done(_info: GenlInfo, _values: Values) -> None:
    raise AssertionError("genetlink asks for what is declared only")


def _not_dumped(_info: GenlInfo, _values: Values) -> Iterable[Row]:
    raise AssertionError("genetlink asks for what is declared only")


@dataclass(frozen=True, slots=True)
class Handler:
    """What a command does; a do that returns None has no reply but an ack."""

    do: Doit = _not_done
    dump: Dumpit = _not_dumped


Handlers = dict[NlemuCmd, Handler]
