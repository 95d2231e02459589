"""Netlink sockets of the host's kernel: made where a client would make them, read in its place."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from errno import EINTR
from pathlib import Path
from typing import Final

from netlink_emu.interpose import libc
from netlink_emu.interpose.client.threads import gone
from netlink_emu.interpose.syscalls.timeouts import MSG_DONTWAIT
from netlink_emu.kernel.msghdr import RecvMsg
from netlink_emu.kernel.scm import Cmsg
from netlink_emu.kernel.skbuff import MAX_DATAGRAM
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.netlink import SOL_NETLINK, SOL_SOCKET, NetlinkSockOpt

CLONE_NEWNET: Final = 0x40000000
MSG_TRUNC: Final = 0x20
_OWN: Final = Path("/proc/thread-self/ns/net")
_NAME: Final = 128
_CONTROL: Final = 4096  # far more than netlink has to say
_CMSGHDR: Final = struct.Struct("=Qii")
# struct user_msghdr and one struct iovec; see interpose/syscalls/uapi.py.
_MSGHDR: Final = struct.Struct("=Qi4xQQQQI4x")
_IOVEC: Final = struct.Struct("=QQ")
_TIMEVAL: Final = struct.Struct("@ll")
_MOST_GROUPS: Final = 1 << 10  # bytes of NETLINK_LIST_MEMBERSHIPS


def make_socket(tid: int, kind: int, protocol: int) -> int:
    """socket(AF_NETLINK, kind, protocol) in the network namespace of a thread: a descriptor.

    ``kind`` with SOCK_NONBLOCK. Raises OSError, where it is the namespace's with EPERM, and
    ClientGone.
    """

    def make() -> int:
        return socket.socket(socket.AF_NETLINK, kind | socket.SOCK_CLOEXEC, protocol).detach()

    try:
        there = os.open(f"/proc/{tid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as exc:
        raise gone(exc) from exc
    try:
        if os.path.samestat(os.fstat(there), _OWN.stat()):
            return make()
        return _in_a_thread(lambda: libc.setns(there, CLONE_NEWNET), make)
    finally:
        os.close(there)


def _in_a_thread(enter: Callable[[], None], make: Callable[[], int]) -> int:
    """A namespace is entered by a thread that ends there."""
    made: list[int] = []
    failed: list[OSError] = []

    def run() -> None:
        try:
            enter()
            made.append(make())
        except OSError as exc:
            failed.append(exc)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return made[0]


class Buffers:
    """Where a datagram is received, with its address and control messages."""

    def __init__(self, capacity: int = 1 << 16) -> None:
        self._head = bytearray(_MSGHDR.size + _IOVEC.size + _NAME + _CONTROL)
        self._head_at = _address_of(self._head)
        self._grow(capacity)

    def _grow(self, capacity: int) -> None:
        self._data = bytearray(capacity)
        self._data_at = _address_of(self._data)

    def receive(self, fd: int, size: int, flags: int) -> RecvMsg:
        """recvmsg(2) into ``size`` bytes, without waiting; raises NetlinkError.

        The kernel is always asked how long the datagram is: ``length``.
        """
        room = min(size, MAX_DATAGRAM)
        if room > len(self._data):
            self._grow(room)
        iovec_at = self._head_at + _MSGHDR.size
        name_at = iovec_at + _IOVEC.size
        control_at = name_at + _NAME
        _MSGHDR.pack_into(self._head, 0, name_at, _NAME, iovec_at, 1, control_at, _CONTROL, 0)
        _IOVEC.pack_into(self._head, _MSGHDR.size, self._data_at, room)
        while True:
            length = libc.recvmsg(fd, self._head_at, flags | MSG_DONTWAIT | MSG_TRUNC)
            if length >= 0:
                break
            if libc.get_errno() != EINTR:
                raise NetlinkError(libc.get_errno())
        _, name_length, *_, control_length, shown = _MSGHDR.unpack_from(self._head)
        start = _MSGHDR.size + _IOVEC.size
        data = bytes(self._data[: min(length, room)])
        return RecvMsg(
            data,
            length,
            length if flags & MSG_TRUNC else len(data),
            bytes(self._head[start : start + name_length]),
            _control(bytes(self._head[start + _NAME : start + _NAME + control_length])),
            shown,
        )


def _control(data: bytes) -> list[Cmsg]:
    found, at = [], 0
    while len(data) - at >= _CMSGHDR.size:
        size, level, kind = _CMSGHDR.unpack_from(data, at)
        if size < _CMSGHDR.size:
            break
        found.append(Cmsg(level, kind, data[at + _CMSGHDR.size : at + size]))
        at += (size + 7) & ~7
    return found


def _address_of(buffer: bytearray) -> int:
    return ctypes.addressof((ctypes.c_char * len(buffer)).from_buffer(buffer))


@dataclass(slots=True)
class HostSocket:
    """A client's socket through ``fd``, a duplicate of its descriptor that is not kept.

    ``sk_err`` is an error that is still to be told: the kernel's own cannot be set.
    """

    fd: int = -1
    sk_err: int = 0

    def _socket(self) -> socket.socket:
        """To be detached again."""
        return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0, fileno=self.fd)

    def _option(self, level: int, name: int, size: int) -> bytes:
        sock = self._socket()
        try:
            return sock.getsockopt(level, name, size)
        finally:
            sock.detach()

    @property
    def rcvtimeo(self) -> float | None:
        """SO_RCVTIMEO in seconds; None is for ever."""
        seconds, microseconds = _TIMEVAL.unpack(
            self._option(SOL_SOCKET, socket.SO_RCVTIMEO, _TIMEVAL.size)
        )
        return float(seconds + microseconds / 1_000_000) or None

    @property
    def sndbuf(self) -> int:
        """SO_SNDBUF."""
        return int.from_bytes(self._option(SOL_SOCKET, socket.SO_SNDBUF, 4), "little")

    def take_error(self) -> int:
        """SO_ERROR: the pending error, which is then no more."""
        if self.sk_err:
            error, self.sk_err = self.sk_err, 0
            return error
        return int.from_bytes(self._option(SOL_SOCKET, socket.SO_ERROR, 4), "little")

    def name(self) -> tuple[int, int]:
        """Its portid, and its groups of 1 to 32 as a mask; raises OSError."""
        sock = self._socket()
        try:
            portid, groups = sock.getsockname()
        finally:
            sock.detach()
        return portid, groups

    def memberships(self) -> list[int]:
        """NETLINK_LIST_MEMBERSHIPS: the groups that it is in; raises OSError."""
        return numbers_of(
            int.from_bytes(
                self._option(SOL_NETLINK, NetlinkSockOpt.NETLINK_LIST_MEMBERSHIPS, _MOST_GROUPS),
                "little",
            )
        )


def numbers_of(mask: int) -> list[int]:
    """The groups that a mask has: bit 0 is group 1."""
    return [bit + 1 for bit in range(mask.bit_length()) if mask >> bit & 1]
