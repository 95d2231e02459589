"""A client's memory that is a few pages of our own, for tests of what reads it."""

from __future__ import annotations

from collections.abc import Sequence
from errno import EFAULT

from netlink_emu.interpose.client.memory import ClientMemory, Sight
from netlink_emu.interpose.filter.seccomp import Notification
from netlink_emu.interpose.syscalls.trap import Trap
from netlink_emu.protocol.errors import NetlinkError

BASE = 0x10000


class Pages(ClientMemory):
    """Memory that starts at BASE; everything else is a fault."""

    def __init__(self, content: bytes = b"", size: int = 8192) -> None:
        self.content = bytearray(content.ljust(size, b"\0"))
        self.expected = {}

    def _span(self, address: int, size: int) -> slice:
        start = address - BASE
        if start < 0 or start + size > len(self.content):
            raise NetlinkError(EFAULT)
        return slice(start, start + size)

    def read(self, tid: int, address: int, size: int) -> bytes:
        return bytes(self.content[self._span(address, size)])

    def span(self, address: int, size: int) -> tuple[int, int]:
        return address, address + size

    def expect(self, tid: int, nr: int, sight: Sight) -> None:
        return

    def look(self, tid: int, sight: Sight) -> bytes:
        seen = b""
        for start, stop in sight.spans:
            try:
                seen += self.read(tid, start, stop - start)
            except NetlinkError:
                break
        return seen

    def gather(self, tid: int, pieces: Sequence[tuple[int, int]]) -> bytes:
        return b"".join([self.read(tid, *piece) for piece in pieces if piece[1]])

    def write(self, tid: int, pieces: Sequence[tuple[int, bytes]]) -> None:
        for address, data in pieces:
            self.content[self._span(address, len(data))] = data


class Remembering(Pages):
    """The same, and what a call has read is expected of the next."""

    def expect(self, tid: int, nr: int, sight: Sight) -> None:
        self.expected[tid, nr] = sight


def trap(memory: ClientMemory) -> Trap:
    """A stopped call of a client with this memory."""
    return Trap(Notification(1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), memory)
