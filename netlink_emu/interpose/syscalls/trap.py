"""A stopped system call, as its handler sees it."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Final

from netlink_emu.interpose.client.memory import ClientGone, ClientMemory
from netlink_emu.interpose.filter.seccomp import Notification


class Outcome(enum.Enum):
    """What a handler may return instead of the call's result."""

    PASS = "let the host's kernel do it"
    ANSWERED = "answered already"


_NEAR: Final = 512  # larger reads are exact


class Trap:
    """One stopped call: its arguments as C types, and its thread's memory.

    The methods that touch memory raise NetlinkError(EFAULT), ClientGone or ClientSealed. A tid
    is some other's when its thread was killed meanwhile: ``is_waiting`` (of the call's id) is
    asked behind each read, whose bytes are of no use then, and before each write.
    """

    __slots__ = (
        "_is_waiting",
        "_known",
        "_known_at",
        "_memory",
        "arch",
        "args",
        "id",
        "nr",
        "tid",
    )

    def __init__(
        self,
        notification: Notification,
        memory: ClientMemory,
        is_waiting: Callable[[int], bool] = lambda _id: True,
    ) -> None:
        self.id: Final = notification.id
        self.tid: Final = notification.tid
        self.nr: Final = notification.nr
        self.arch: Final = notification.arch
        self.args: Final = notification[6:]
        self._memory = memory
        self._is_waiting = is_waiting
        self._known_at = 0
        self._known = b""

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
        """Read memory; what stands near an earlier read comes from that."""
        if not size:
            return b""
        offset = address - self._known_at
        if offset >= 0 and offset + size <= len(self._known):
            return self._known[offset : offset + size]
        self._known_at, self._known = self._memory.read_around(self.tid, address, size)
        self._check()
        offset = address - self._known_at
        return self._known[offset : offset + size]

    def forget(self) -> None:
        """What was read may have changed since: the call has waited."""
        self._known = b""

    def gather(self, pieces: list[tuple[int, int]]) -> bytes:
        """Read pieces of memory, one after the other."""
        if len(pieces) == 1 and pieces[0][1] <= _NEAR:
            return self.read(*pieces[0])
        gathered = self._memory.gather(self.tid, pieces)
        self._check()
        return gathered

    def _check(self) -> None:
        if not self._is_waiting(self.id):
            self.forget()
            raise ClientGone

    def write(self, pieces: list[tuple[int, bytes]]) -> None:
        self.forget()
        self._check()
        self._memory.write(self.tid, pieces)

    def read_int(self, address: int) -> int:
        return int.from_bytes(self.read(address, 4), "little", signed=True)
