"""Reads datagrams with who sent them (SCM_CREDENTIALS) and what they hand over (SCM_RIGHTS)."""

from __future__ import annotations

import array
import os
import struct
from dataclasses import dataclass
from socket import (
    CMSG_SPACE,
    MSG_CMSG_CLOEXEC,
    MSG_DONTWAIT,
    MSG_TRUNC,
    SCM_CREDENTIALS,
    SCM_RIGHTS,
    SOL_SOCKET,
    socket,
)
from typing import Final

from netlink_emu.server.service import Ucred

# A netlink socket takes no more than its send buffer, 212992 bytes by default: what is longer
# need not be read, for its end would be EMSGSIZE.
MAX_DATAGRAM: Final = 256 * 1024
_UCRED: Final = struct.Struct("=iII")
_FDS: Final = 4  # descriptors beyond these are closed by the kernel (MSG_CTRUNC)
_ANCILLARY: Final = CMSG_SPACE(_UCRED.size) + CMSG_SPACE(4 * _FDS)
# As the kernel has it for a datagram without credentials: the overflow ids.
_NOBODY: Final = Ucred(0, 65534, 65534)
# As plain numbers: an "or" or "and" of Python's MsgFlag takes 0.5 us.
_RECV_FLAGS: Final = int(MSG_DONTWAIT | MSG_CMSG_CLOEXEC)
_TRUNC: Final = int(MSG_TRUNC)


@dataclass(slots=True)
class Message:
    """One datagram. Whoever gets it closes ``fds``."""

    data: bytes
    address: str | bytes | None
    ucred: Ucred
    truncated: bool
    fds: list[int]

    def close_fds(self) -> None:
        for fd in self.fds:
            os.close(fd)
        self.fds.clear()


def receive_buffer() -> memoryview:
    """Room for any datagram; all that is read in one thread may share it."""
    return memoryview(bytearray(MAX_DATAGRAM))


class Receiver:
    """Reads from one non-blocking socket into ``buffer``, which is free again afterwards."""

    def __init__(self, sock: socket, buffer: memoryview) -> None:
        self._sock: Final = sock
        self._buffer: Final = buffer
        self._buffers: Final = [self._buffer]
        # What came with the last datagram that had nothing but credentials: most often it is
        # the same with the next one.
        self._ancillary: list[tuple[int, int, bytes]] = []
        self._ucred = _NOBODY

    def receive(self) -> Message:
        """The next datagram; raises BlockingIOError if there is none."""
        size, ancillary, flags, address = self._sock.recvmsg_into(
            self._buffers, _ANCILLARY, _RECV_FLAGS
        )
        data, truncated = bytes(self._buffer[:size]), flags & _TRUNC != 0
        if ancillary == self._ancillary:
            return Message(data, address, self._ucred, truncated, [])
        ucred, fds = self._read(ancillary)
        if not fds:
            self._ancillary, self._ucred = ancillary, ucred
        return Message(data, address, ucred, truncated, fds)

    @staticmethod
    def _read(ancillary: list[tuple[int, int, bytes]]) -> tuple[Ucred, list[int]]:
        ucred, fds = _NOBODY, array.array("i")
        for level, kind, data in ancillary:
            if level != SOL_SOCKET:
                continue
            if kind == SCM_CREDENTIALS:
                ucred = Ucred(*_UCRED.unpack(data))
            elif kind == SCM_RIGHTS:
                fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
        return ucred, fds.tolist()
