"""A client's memory, read and written from outside.

process_vm_readv(2) and process_vm_writev(2) rather than /proc/T/mem: they look the address space
up at each call, where an open /proc/T/mem keeps that of before an execve() (the parent's, after
a vfork()), and they respect the protection of pages, where /proc/T/mem writes through it. What
the client's kernel would answer with EFAULT therefore is EFAULT here.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from netlink_emu.interpose import libc
from netlink_emu.protocol.errors import NetlinkError

UIO_MAXIOV: Final = 1024
_PAGE: Final = 4096  # the smallest there is
_AROUND: Final = 1024
# So many kinds of calls by threads are remembered.
_MANY: Final = 1024
# One iovec for us and as many for the client as a call takes; more go in several calls.
_BATCH: Final = 256
_ADDRESS_SPACE: Final = 1 << 64
_NO_USERS: Final = 1 << 63  # addresses from here on
# So many spans are read in one transfer, and so many places in them are remembered.
_SPANS: Final = 8
_FOUND: Final = 32
# struct iovec { void __user *iov_base; __kernel_size_t iov_len; };
_IOVEC: Final = struct.Struct("=QQ")
# Our iovec and so many of the client's.
_VECTORS: Final = [struct.Struct(f"={2 + 2 * count}Q") for count in range(_BATCH + 1)]
# Arguments that need no conversion.
_COUNTS: Final = [ctypes.c_ulong(count) for count in range(_BATCH + 1)]
_NO_FLAGS: Final = _COUNTS[0]
_ONE: Final = _COUNTS[1]


class ClientGone(Exception):
    """The thread whose call we answer does not exist any more: nobody waits for the answer."""


class ClientSealed(Exception):
    """We may not look into the client: it is not dumpable, or a policy forbids it."""


class Noted(NamedTuple):
    """What a call made of an ``address``: nothing but the ``data`` of some places has its say."""

    address: int
    places: Callable[[bytes], object]
    data: object
    made: Any


class Sight:
    """Places that are read in one transfer, each with what stands around it in its page.

    A struct and what it points to are often close, and one transfer costs as much as another
    whatever its size. Of each of the ``spans`` is given where it begins and ends.
    """

    def __init__(self, spans: tuple[tuple[int, int], ...]) -> None:
        self.spans: Final = spans
        self.count: Final = _COUNTS[len(spans)]
        self.size: Final = sum(stop - start for start, stop in spans)
        flat = [number for start, stop in spans for number in (start, stop - start)]
        # ctypes hands on where bytes lie, without an object that says so.
        self.vectors: Final = struct.pack(f"={len(flat)}Q", *flat)
        # Where in the bytes of all something of this address and size was found.
        self.places: Final[dict[tuple[int, int], slice]] = {}
        self.noted: Noted | None = None

    def widened(self, span: tuple[int, int]) -> Sight:
        """With one more; of very many, the first alone is kept."""
        spans = self.spans if len(self.spans) < _SPANS else self.spans[:1]
        wider = Sight((*spans, span))
        there = wider.size - (span[1] - span[0])
        wider.places.update({key: at for key, at in self.places.items() if at.stop <= there})
        return wider

    def find(self, address: int, size: int, there: int) -> slice | None:
        """Where it is in the bytes of all, of which the first ``there`` could be read."""
        at = self.places.get((address, size))
        if at is None:
            at = self._search(address, size)
        return at if at is not None and at.stop <= there else None

    def _search(self, address: int, size: int) -> slice | None:
        before = 0
        for start, stop in self.spans:
            if start <= address and address + size <= stop:
                at = before + address - start
                place = slice(at, at + size)
                if len(self.places) < _FOUND:
                    self.places[address, size] = place
                return place
            before += stop - start
        return None


class ClientMemory:
    """Access to the memory of clients by thread id. Not for several threads at a time."""

    def __init__(self, capacity: int = 1 << 18) -> None:
        self._vectors = bytearray(16 * (1 + _BATCH))
        at = _address_of(self._vectors)
        self._ours, self._theirs = ctypes.c_void_p(at), ctypes.c_void_p(at + 16)
        self._all = bytearray(16)  # an iovec of the whole buffer
        self._everything = ctypes.c_void_p(_address_of(self._all))
        self._grow(capacity)
        # What a call of a thread will read, by both numbers: what the last one has read.
        self.expected: dict[tuple[int, int], Sight] = {}

    def _grow(self, capacity: int) -> None:
        self._buffer = bytearray(capacity)
        self._view = memoryview(self._buffer)
        self._buffer_at = _address_of(self._buffer)
        _IOVEC.pack_into(self._all, 0, self._buffer_at, capacity)

    def read(self, tid: int, address: int, size: int) -> bytes:
        """``size`` bytes at ``address``; raises NetlinkError(EFAULT) unless all are readable."""
        return self.gather(tid, [(address, size)])

    def span(self, address: int, size: int) -> tuple[int, int]:
        """What can be read if something at ``address`` can: its page's surroundings of it."""
        page = address & ~(_PAGE - 1)
        return (
            max(page, address - _AROUND),
            max(address + size, min(page + _PAGE, address + _AROUND)),
        )

    def expect(self, tid: int, nr: int, sight: Sight) -> None:
        """A call of the thread has read this."""
        if len(self.expected) >= _MANY:
            self.expected.clear()
        self.expected[tid, nr] = sight

    def look(self, tid: int, sight: Sight) -> bytes:
        """The bytes of a sight, up to the first that cannot be read.

        Raises ClientGone, ClientSealed, NetlinkError(ENOMEM).
        """
        if sight.size > len(self._buffer):
            self._grow(sight.size)
        moved = libc.process_vm_readv(
            tid, self._everything, _ONE, sight.vectors, sight.count, _NO_FLAGS
        )
        if moved < 0:
            if libc.get_errno() == errno.EFAULT:
                return b""
            raise _failure(moved)
        return self._view[:moved].tobytes()

    def gather(self, tid: int, pieces: Sequence[tuple[int, int]]) -> bytes:
        """The bytes of several (address, size), one after the other; EFAULT as for one."""
        flat = [number for piece in pieces if piece[1] for number in piece]
        total = sum(flat[1::2])
        if total > len(self._buffer):
            self._grow(total)
        self._transfers(libc.process_vm_readv, tid, flat)
        return self._view[:total].tobytes()

    def write(self, tid: int, pieces: Sequence[tuple[int, bytes]]) -> None:
        """Write each (address, bytes), in this order.

        Raises NetlinkError(EFAULT) where that is not allowed; what stands before is written.
        """
        if not pieces:
            return
        flat: list[int] = []
        datas: list[bytes] = []
        for address, data in pieces:
            flat += address, len(data)
            datas.append(data)
        whole = b"".join(datas)
        total = len(whole)
        if total > len(self._buffer):
            self._grow(total)
        self._view[:total] = whole
        if len(pieces) > _BATCH:
            self._transfers(libc.process_vm_writev, tid, flat)
        else:
            self._transfer(libc.process_vm_writev, tid, flat, total, self._buffer_at)

    def _transfers(self, call: Any, tid: int, flat: list[int]) -> None:
        """Move the client's pieces (address, size, address, size...) to or from our buffer."""
        at = self._buffer_at
        for start in range(0, len(flat), 2 * _BATCH):
            part = flat[start : start + 2 * _BATCH]
            total = sum(part[1::2])
            self._transfer(call, tid, part, total, at)
            at += total

    def _transfer(self, call: Any, tid: int, flat: list[int], total: int, at: int) -> None:
        """Those of one call, ``total`` bytes, from the address ``at`` on."""
        if max(flat) >= _NO_USERS:
            self._move_before_wrap(call, tid, flat, at)
        count = len(flat) // 2
        _VECTORS[count].pack_into(self._vectors, 0, at, total, *flat)
        moved: int = call(tid, self._ours, _ONE, self._theirs, _COUNTS[count], _NO_FLAGS)
        if moved != total:
            raise _failure(moved)

    def _move_before_wrap(self, call: Any, tid: int, flat: list[int], at: int) -> None:
        """A piece beyond all addresses cannot be asked for; what stands before it is moved."""
        for index in range(0, len(flat), 2):
            if flat[index] + flat[index + 1] > _ADDRESS_SPACE:
                if index:
                    self._transfer(call, tid, flat[:index], sum(flat[1:index:2]), at)
                raise NetlinkError(errno.EFAULT)


def _failure(moved: int) -> Exception:
    """Why less than all was moved, by what the system call returned."""
    reason = libc.get_errno() if moved < 0 else errno.EFAULT
    if reason == errno.ESRCH:
        return ClientGone()
    if reason == errno.EPERM:
        return ClientSealed()
    # Anything else (ENOMEM) is a lack of means, as a kernel may have it.
    return NetlinkError(errno.EFAULT if reason == errno.EFAULT else errno.ENOMEM)


def _address_of(buffer: bytearray) -> int:
    return ctypes.addressof((ctypes.c_char * len(buffer)).from_buffer(buffer))
