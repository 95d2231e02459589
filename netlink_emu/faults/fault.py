"""What all faults have, and what they are given."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import ClassVar, Final

from netlink_emu.protocol import errors
from netlink_emu.protocol.format import ByteOrder
from netlink_emu.protocol.reading.decode import Decoder, Message


class FaultError(ValueError):
    """A fault, or its criteria, make no sense."""


# More would not go through a socket, or not end soon.
MAX_BYTES: Final = 1 << 15
MAX_COPIES: Final = 1000
MAX_SECONDS: Final = 1e9
MAX_ERRNO: Final = 4095  # include/linux/err.h


def need(name: str, value: float, most: float) -> None:
    """Raise FaultError unless a parameter is from 0 to ``most``; nan is not."""
    if not 0 <= value <= most:
        raise FaultError(f"{name} is {value}: it has to be from 0 to {most:g}")


class Stage(enum.Enum):
    """Where a fault comes in."""

    SEND = "the system call that sends"
    REQUEST = "a request, before its operation runs"
    DELIVERY = "a datagram on its way to a client"


@dataclass(slots=True)
class Arrival:
    """A datagram that is to arrive: now, after ``delay_ns``, or (``held``) after the next one."""

    data: bytes
    delay_ns: int = 0
    held: bool = False


@dataclass(slots=True)
class Context:
    """What a fault needs to know. ``lost`` set True says: as if there was no room for it."""

    decoder: Decoder
    below: Callable[[int], int]  # a random number from 0 to n - 1
    lost: bool = False

    @property
    def order(self) -> ByteOrder:
        return self.decoder.order

    def messages(self, data: bytes) -> list[Message]:
        """The messages of a datagram, without bytes that are none."""
        return [m for m in self.decoder.datagram(data) if m.header.nlmsg_len]


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault, with its parameters."""

    name: ClassVar[str] = ""
    stage: ClassVar[Stage] = Stage.DELIVERY

    def change(self, context: Context, arrival: Arrival) -> list[Arrival]:
        """What arrives instead of ``arrival``."""
        raise NotImplementedError

    def __str__(self) -> str:
        shown = [
            f"{f.name}={value}"
            for f in fields(self)
            if (value := getattr(self, f.name)) != f.default
        ]
        return " ".join([self.name, *shown])


def errno_number(error: int | str) -> int:
    """3 for ``"ESRCH"``; raises FaultError for what is no errno."""
    try:
        number = error if isinstance(error, int) else errors.errno_number(error)
    except ValueError as exc:
        raise FaultError(str(exc)) from None
    if not 0 < number <= MAX_ERRNO:
        raise FaultError(f"there is no errno {error}")
    return number
