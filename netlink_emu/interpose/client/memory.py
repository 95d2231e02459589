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
from collections.abc import Sequence
from typing import Any, Final

from netlink_emu.interpose import libc
from netlink_emu.protocol.errors import NetlinkError

UIO_MAXIOV: Final = 1024
_PAGE: Final = 4096  # the smallest there is
_AROUND: Final = 1024
# One iovec for us and as many for the client as a call takes; more go in several calls.
_BATCH: Final = 256
_ADDRESS_SPACE: Final = 1 << 64
# Our iovec and so many of the client's.
_VECTORS: Final = [struct.Struct(f"={2 + 2 * count}Q") for count in range(_BATCH + 1)]


class ClientGone(Exception):
    """The thread whose call we answer does not exist any more: nobody waits for the answer."""


class ClientSealed(Exception):
    """We may not look into the client: it is not dumpable, or a policy forbids it."""


class ClientMemory:
    """Access to the memory of clients by thread id. Not for several threads at a time."""

    def __init__(self, capacity: int = 1 << 18) -> None:
        self._vectors = bytearray(16 * (1 + _BATCH))
        self._vectors_at = _address_of(self._vectors)
        self._grow(capacity)

    def _grow(self, capacity: int) -> None:
        self._buffer = bytearray(capacity)
        self._view = memoryview(self._buffer)
        self._buffer_at = _address_of(self._buffer)

    def read(self, tid: int, address: int, size: int) -> bytes:
        """``size`` bytes at ``address``; raises NetlinkError(EFAULT) unless all are readable."""
        if not size:
            return b""
        if size > len(self._buffer):
            self._grow(size)
        if address + size > _ADDRESS_SPACE:
            raise NetlinkError(errno.EFAULT)
        # _transfer() of one piece: nearly all reads are this.
        at = self._vectors_at
        _VECTORS[1].pack_into(self._vectors, 0, self._buffer_at, size, address, size)
        moved = libc.process_vm_readv(tid, at, 1, at + 16, 1, 0)
        if moved != size:
            raise _failure(moved)
        return self._view[:size].tobytes()

    def read_around(self, tid: int, address: int, size: int) -> tuple[int, bytes]:
        """What stands at ``address`` and around it in the same page: (where it begins, bytes).

        A struct and what it points to are often close, and one transfer costs as much as
        another whatever its size. Raises NetlinkError(EFAULT) as :meth:`read`.
        """
        page = address & ~(_PAGE - 1)
        start = max(page, address - _AROUND)
        end = max(address + size, min(page + _PAGE, address + _AROUND))
        return start, self.read(tid, start, end - start)

    def gather(self, tid: int, pieces: Sequence[tuple[int, int]]) -> bytes:
        """The bytes of several (address, size), one after the other; EFAULT as for one."""
        pieces = [piece for piece in pieces if piece[1]]
        total = sum(size for _, size in pieces)
        if total > len(self._buffer):
            self._grow(total)
        done = 0
        for start in range(0, len(pieces), _BATCH):
            done += self._transfer(
                libc.process_vm_readv, tid, pieces[start : start + _BATCH], done
            )
        return self._view[:total].tobytes()

    def write(self, tid: int, pieces: Sequence[tuple[int, bytes]]) -> None:
        """Write each (address, bytes), in this order.

        Raises NetlinkError(EFAULT) where that is not allowed; what stands before is written.
        """
        whole = b"".join([data for _, data in pieces])
        if len(whole) > len(self._buffer):
            self._grow(len(whole))
        self._view[: len(whole)] = whole
        places = [(address, len(data)) for address, data in pieces if data]
        done = 0
        for start in range(0, len(places), _BATCH):
            done += self._transfer(
                libc.process_vm_writev, tid, places[start : start + _BATCH], done
            )

    def _transfer(self, call: Any, tid: int, pieces: Sequence[tuple[int, int]], at: int) -> int:
        """Move ``pieces`` from or to our buffer at offset ``at``; returns the bytes moved."""
        flat: list[int] = []
        total = 0
        for index, (address, size) in enumerate(pieces):
            if address + size > _ADDRESS_SPACE:
                # It cannot even be asked for; what stands before it is moved all the same.
                if index:
                    self._transfer(call, tid, pieces[:index], at)
                raise NetlinkError(errno.EFAULT)
            flat += (address, size)
            total += size
        count = len(pieces)
        _VECTORS[count].pack_into(self._vectors, 0, self._buffer_at + at, total, *flat)
        moved: int = call(tid, self._vectors_at, 1, self._vectors_at + 16, count, 0)
        if moved != total:
            raise _failure(moved)
        return moved


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
