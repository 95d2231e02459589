"""A stopped system call, as its handler sees it."""

from __future__ import annotations

import enum
from typing import Final

from netlink_emu.interpose.memory import ClientMemory
from netlink_emu.interpose.seccomp import Notification


class Outcome(enum.Enum):
    """What a handler may return instead of the call's result."""

    PASS = "let the host's kernel do it"
    ANSWERED = "answered already"


class Trap:
    """One stopped call: its arguments as C types, and its thread's memory.

    The methods that touch memory raise NetlinkError(EFAULT), ClientGone or ClientSealed.
    """

    __slots__ = ("_memory", "arch", "args", "id", "nr", "tid")

    def __init__(self, notification: Notification, memory: ClientMemory) -> None:
        self.id: Final = notification.id
        self.tid: Final = notification.tid
        self.nr: Final = notification.nr
        self.arch: Final = notification.arch
        self.args: Final = notification[6:]
        self._memory = memory

    @property
    def fd(self) -> int:
        """The first argument, as the descriptor that it is in most calls."""
        return self.int_arg(0)

    def int_arg(self, number: int) -> int:
        """An argument of type int."""
        value = self.args[number] & 0xFFFFFFFF
        return value - ((value & 0x80000000) << 1)

    def unsigned_arg(self, number: int) -> int:
        """An argument of type unsigned int."""
        return self.args[number] & 0xFFFFFFFF

    def long_arg(self, number: int) -> int:
        """An argument of type size_t, or a pointer."""
        return self.args[number]

    def read(self, address: int, size: int) -> bytes:
        return self._memory.read(self.tid, address, size)

    def gather(self, pieces: list[tuple[int, int]]) -> bytes:
        return self._memory.gather(self.tid, pieces)

    def write(self, pieces: list[tuple[int, bytes]]) -> None:
        self._memory.write(self.tid, pieces)

    def read_int(self, address: int) -> int:
        return int.from_bytes(self.read(address, 4), "little", signed=True)
