"""The methods of socket.socket, for sockets of this process that an emulated kernel has.

Arguments, results and exceptions are those of CPython's Modules/socketmodule.c. A call that waits
does so in the caller's thread: Ctrl-C, signals and time-outs reach it there.
"""

from __future__ import annotations

import ctypes
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from errno import EBADF, EFAULT, EINVAL
from typing import Any, Final, TypeVar

from netlink_emu.interpose.sockets import EmulatedSocket
from netlink_emu.kernel.msghdr import RecvMsg
from netlink_emu.kernel.scm import Cmsg
from netlink_emu.kernel.sock import SO_ATTACH_FILTER, SO_DETACH_FILTER
from netlink_emu.protocol.bpf import BPF_MAXINSNS
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.format import HOST_ORDER
from netlink_emu.protocol.netlink import AF_NETLINK, SOCKADDR_NL, SOL_SOCKET
from netlink_emu.testing.inprocess.local import LocalSockets
from netlink_emu.testing.thread.calls import Calls

T = TypeVar("T")
Address = tuple[int, int]  # portid, mask of groups
Ancillary = list[tuple[int, int, bytes]]

_SOCKADDR_NL: Final = SOCKADDR_NL[HOST_ORDER]
_INT: Final = struct.Struct("@i")
# struct sock_fprog { unsigned short len; struct sock_filter *filter; };
_FPROG: Final = struct.Struct("@HP")
_SOCK_FILTER: Final = struct.Struct("=HBBI")
_MSG_DONTWAIT: Final = int(socket.MSG_DONTWAIT)
_MSG_CTRUNC: Final = int(socket.MSG_CTRUNC)
_MASK: Final = 0xFFFFFFFF
_MOST_OPTION: Final = 1024
_AGAIN: Final = 0.01  # seconds between two attempts to send to a receiver without room


class Methods:
    """Does the calls of ``local``'s sockets; each method's first arguments are the two sockets."""

    NAMES: Final = (
        "bind", "connect", "connect_ex", "getsockname", "getpeername", "setsockopt", "getsockopt",
        "listen", "_accept", "shutdown", "send", "sendall", "sendto", "sendmsg", "recv",
        "recv_into", "recvfrom", "recvfrom_into", "recvmsg", "recvmsg_into",
    )  # fmt: skip

    def __init__(self, local: LocalSockets, calls: Calls) -> None:
        self._local: Final = local
        self._calls: Final = calls

    # --- in the kernel's thread

    def do(self, function: Callable[[], T]) -> T:
        """Call ``function`` in the kernel's thread; its errno becomes an OSError."""
        local = self._local

        def run() -> T:
            local.serve_ends()  # portids of sockets that are closed are free again
            return function()

        try:
            return self._calls.call(run)
        except NetlinkError as exc:
            number = exc.errno
        raise OSError(number, os.strerror(number))

    def open(self, kind: int, protocol: int) -> int:
        """socket(2): a descriptor."""
        flags = kind & (socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        nonblocking = bool(flags & socket.SOCK_NONBLOCK)
        tid, kind = threading.get_native_id(), kind & ~flags
        return self.do(lambda: self._local.open(tid, kind, protocol, nonblocking=nonblocking))

    def kind(self, fd: int) -> tuple[int, int] | None:
        """The type and the protocol of the socket that a descriptor refers to, if it is ours."""
        try:
            return self._calls.look(lambda: self._local.kind(fd))
        except OSError:
            return None

    def find(self, fd: int) -> EmulatedSocket | None:
        """The socket that a descriptor refers to, if it is one of ours.

        Raises KernelClosed where it was.
        """
        try:
            sock = self._calls.look(lambda: self._local.find(fd))
            if sock is None and self._calls.look(lambda: self._local.is_over(fd)):
                self._calls.check()
        except OSError:
            return None
        return sock

    def closed(self) -> None:
        """A socket may have been closed: the kernel notices at once."""
        self._calls.look(self._local.serve_ends)

    # --- addresses

    def bind(self, _own: socket.socket, sock: EmulatedSocket, address: Address, /) -> None:
        addr, tid = _packed("bind", address), threading.get_native_id()
        self.do(lambda: sock.nl.bind(self._local.current(tid), addr))

    def connect(self, _own: socket.socket, sock: EmulatedSocket, address: Address, /) -> None:
        addr, tid = _packed("connect", address), threading.get_native_id()
        self.do(lambda: sock.nl.connect(self._local.current(tid), addr))

    def connect_ex(self, own: socket.socket, sock: EmulatedSocket, address: Address, /) -> int:
        try:
            self.connect(own, sock, address)
        except OSError as exc:
            return exc.errno or 0
        return 0

    def getsockname(self, _own: socket.socket, sock: EmulatedSocket, /) -> Address:
        return _unpacked(self.do(sock.nl.getsockname))

    def getpeername(self, _own: socket.socket, sock: EmulatedSocket, /) -> Address:
        return _unpacked(self.do(sock.nl.getpeername))

    # --- what netlink sockets do not do

    def listen(self, _own: socket.socket, sock: EmulatedSocket, _backlog: int = 0, /) -> None:
        self.do(sock.nl.not_supported)

    def _accept(self, _own: socket.socket, sock: EmulatedSocket, /) -> None:
        self.do(sock.nl.not_supported)

    def shutdown(self, _own: socket.socket, sock: EmulatedSocket, _how: int, /) -> None:
        self.do(sock.nl.not_supported)

    # --- options

    def setsockopt(
        self,
        _own: socket.socket,
        sock: EmulatedSocket,
        level: int,
        option: int,
        value: Any,
        length: int | None = None,
        /,
    ) -> None:
        data = _option_value(value, length or 0)
        if level == SOL_SOCKET and option == SO_ATTACH_FILTER:
            program = _program(data)
            self.do(lambda: sock.nl.attach_filter(program))
        elif level == SOL_SOCKET and option == SO_DETACH_FILTER:
            self.do(sock.nl.detach_filter)
        else:
            tid = threading.get_native_id()
            self.do(lambda: sock.nl.setsockopt(self._local.current(tid), level, option, data))

    def getsockopt(
        self,
        _own: socket.socket,
        sock: EmulatedSocket,
        level: int,
        option: int,
        length: int = 0,
        /,
    ) -> int | bytes:
        if not 0 <= length <= _MOST_OPTION:
            raise OSError("getsockopt buflen out of range")
        data, reported = self.do(lambda: sock.nl.getsockopt(level, option, length or _INT.size))
        if length:
            return data[:reported]
        return int(_INT.unpack(data[: _INT.size].ljust(_INT.size, b"\0"))[0])

    # --- sending

    def send(self, own: socket.socket, sock: EmulatedSocket, data: Any, flags: int = 0, /) -> int:
        return self._send(own, sock, bytes(memoryview(data)), flags)

    def sendall(
        self, own: socket.socket, sock: EmulatedSocket, data: Any, flags: int = 0, /
    ) -> None:
        self._send(own, sock, bytes(memoryview(data)), flags)

    def sendto(self, own: socket.socket, sock: EmulatedSocket, data: Any, *rest: Any) -> int:
        if not 1 <= len(rest) <= 2:
            raise TypeError(f"sendto() takes 2 or 3 arguments ({len(rest) + 1} given)")
        flags = int(rest[0]) if len(rest) == 2 else 0
        return self._send(own, sock, bytes(memoryview(data)), flags, _packed("sendto", rest[-1]))

    def sendmsg(
        self,
        own: socket.socket,
        sock: EmulatedSocket,
        buffers: Iterable[Any],
        ancillary: Iterable[tuple[int, int, Any]] = (),
        flags: int = 0,
        address: Address | None = None,
        /,
    ) -> int:
        data = b"".join(bytes(memoryview(piece)) for piece in buffers)
        control = [Cmsg(level, kind, bytes(memoryview(own))) for level, kind, own in ancillary]
        addr = b"" if address is None else _packed("sendmsg", address)
        return self._send(own, sock, data, flags, addr, control)

    def _send(
        self,
        own: socket.socket,
        sock: EmulatedSocket,
        data: bytes,
        flags: int,
        address: bytes = b"",
        control: Sequence[Cmsg] = (),
    ) -> int:
        tid = threading.get_native_id()

        def attempt() -> int:
            return self._local.send(sock, tid, data, flags, address, control)

        return self._waiting(own, attempt, flags, sock.nl.sndtimeo, _sleep)

    # --- receiving

    def recv(
        self, own: socket.socket, sock: EmulatedSocket, size: int, flags: int = 0, /
    ) -> bytes:
        return self.recvfrom(own, sock, size, flags)[0]

    def recvfrom(
        self, own: socket.socket, sock: EmulatedSocket, size: int, flags: int = 0, /
    ) -> tuple[bytes, Address]:
        received = self._receive(own, sock, _positive(size, "recv"), flags)
        return received.data.ljust(received.result, b"\0"), _unpacked(received.name)

    def recv_into(
        self, own: socket.socket, sock: EmulatedSocket, buffer: Any, nbytes: int = 0,
        flags: int = 0,
    ) -> int:  # fmt: skip
        return self.recvfrom_into(own, sock, buffer, nbytes, flags)[0]

    def recvfrom_into(
        self, own: socket.socket, sock: EmulatedSocket, buffer: Any, nbytes: int = 0,
        flags: int = 0,
    ) -> tuple[int, Address]:  # fmt: skip
        room = memoryview(buffer).cast("B")
        if _positive(nbytes, "recv_into") > len(room):
            raise ValueError("buffer too small for requested bytes")
        received = self._receive(own, sock, nbytes or len(room), flags)
        room[: len(received.data)] = received.data
        return received.result, _unpacked(received.name)

    def recvmsg(
        self, own: socket.socket, sock: EmulatedSocket, size: int, room: int = 0, flags: int = 0, /
    ) -> tuple[bytes, Ancillary, int, Address]:
        received = self._receive(own, sock, _positive(size, "recvmsg"), flags)
        ancillary, cut = _fitting(received.control, _positive(room, "recvmsg"))
        data = received.data.ljust(received.result, b"\0")
        return data, ancillary, received.flags | cut, _unpacked(received.name)

    def recvmsg_into(
        self, own: socket.socket, sock: EmulatedSocket, buffers: Iterable[Any], room: int = 0,
        flags: int = 0, /,
    ) -> tuple[int, Ancillary, int, Address]:  # fmt: skip
        views = [memoryview(buffer).cast("B") for buffer in buffers]
        received = self._receive(own, sock, sum(map(len, views)), flags)
        ancillary, cut = _fitting(received.control, _positive(room, "recvmsg_into"))
        rest = received.data
        for view in views:
            piece, rest = rest[: len(view)], rest[len(view) :]
            view[: len(piece)] = piece
        return received.result, ancillary, received.flags | cut, _unpacked(received.name)

    def _receive(self, own: socket.socket, sock: EmulatedSocket, size: int, flags: int) -> RecvMsg:
        fd = own.fileno()

        def attempt() -> RecvMsg:
            return self._local.receive(sock, fd, size, flags)

        return self._waiting(own, attempt, flags, sock.nl.rcvtimeo, _wait_readable)

    def _waiting(
        self,
        own: socket.socket,
        attempt: Callable[[], T],
        flags: int,
        limit: float | None,
        wait: Callable[[int, float | None], None],
    ) -> T:
        """Attempt it until it gives something else than EAGAIN.

        ``limit`` is the socket's own, which the kernel keeps; Python's time-out comes first.
        """
        timeout = own.gettimeout()
        seconds = limit if timeout is None else timeout
        end = None if seconds is None else time.monotonic() + seconds
        while True:
            try:
                return self.do(attempt)
            except BlockingIOError:
                if timeout == 0 or flags & _MSG_DONTWAIT:
                    raise
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    if timeout is None:
                        raise
                    raise TimeoutError("timed out") from None
            wait(own.fileno(), left)


def _wait_readable(fd: int, seconds: float | None) -> None:
    if fd < 0:
        raise OSError(EBADF, os.strerror(EBADF))
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    poll.poll(None if seconds is None else seconds * 1000)


def _sleep(_fd: int, seconds: float | None) -> None:
    time.sleep(_AGAIN if seconds is None else min(seconds, _AGAIN))


def _packed(method: str, address: Any) -> bytes:
    if not isinstance(address, tuple):
        kind = type(address).__name__
        raise TypeError(f"{method}(): AF_NETLINK address must be tuple, not {kind}")
    if len(address) != 2 or not all(isinstance(number, int) for number in address):
        raise TypeError(f"{method}(): AF_NETLINK address must be a pair (pid, groups)")
    pid, groups = address
    return _SOCKADDR_NL.pack(AF_NETLINK, 0, pid & _MASK, groups & _MASK)


def _unpacked(name: bytes) -> Address:
    _family, _pad, pid, groups = _SOCKADDR_NL.unpack_from(name)
    return int(pid), int(groups)


def _positive(size: int, method: str) -> int:
    if size < 0:
        raise ValueError(f"negative buffersize in {method}")
    return size


def _option_value(value: Any, length: int) -> bytes:
    """What optval points to: an int, bytes, or (None) nothing, which the kernel cannot read."""
    if value is None:
        if length >= _INT.size:
            raise OSError(EFAULT, os.strerror(EFAULT))
        return bytes(length)
    return _INT.pack(value) if isinstance(value, int) else bytes(memoryview(value))


def _program(data: bytes) -> list[tuple[int, int, int, int]]:
    """The instructions that a struct sock_fprog of this process points to."""
    if len(data) != _FPROG.size:
        raise OSError(EINVAL, os.strerror(EINVAL))
    count, at = _FPROG.unpack(data)
    if not 0 < count <= BPF_MAXINSNS or not at:
        raise OSError(EINVAL, os.strerror(EINVAL))
    return list(_SOCK_FILTER.iter_unpack(ctypes.string_at(at, count * _SOCK_FILTER.size)))


def _fitting(control: Sequence[Cmsg], room: int) -> tuple[Ancillary, int]:
    """Control messages as put_cmsg() of net/core/scm.c puts them, and MSG_CTRUNC where cut."""
    header = socket.CMSG_LEN(0)
    fitting: Ancillary = []
    for cmsg in control:
        if room < header:
            return fitting, _MSG_CTRUNC
        fitting.append((cmsg.level, cmsg.type, cmsg.data[: room - header]))
        if room < header + len(cmsg.data):
            return fitting, _MSG_CTRUNC
        room -= min(room, socket.CMSG_SPACE(len(cmsg.data)))
    return fitting, 0
