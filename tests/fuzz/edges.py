"""What others' bytes and numbers may do at the edges: system calls, and the relay's two ends."""

from __future__ import annotations

import errno
import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from helpers.memory import BASE, Pages

from fuzz.check import check, number
from netlink_emu.backends.connect import ConnectError, welcomed
from netlink_emu.backends.remote import RemoteKernel, RemoteSock
from netlink_emu.backends.wire import Wire
from netlink_emu.families import BootedKernel, boot
from netlink_emu.host import proc
from netlink_emu.interpose.abi import X86_64
from netlink_emu.interpose.filter.seccomp import Notification
from netlink_emu.interpose.mirror import Mirror
from netlink_emu.interpose.sockets import EmulatedSocket
from netlink_emu.interpose.syscalls import HANDLERS
from netlink_emu.interpose.syscalls.context import Context
from netlink_emu.interpose.syscalls.dispatch import Dispatcher
from netlink_emu.kernel.current import Current
from netlink_emu.kernel.kernel import Kernel
from netlink_emu.machine.clock import VirtualClock
from netlink_emu.machine.machine import Machine
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.ours.relay import (
    Frames,
    RelayCall,
    RelayHello,
    RelayMethod,
    RelayReport,
    ReportKind,
    decode_report,
    encode_call,
    encode_report,
)
from netlink_emu.server.relay import Relay
from netlink_emu.server.service import Service, Ucred, everyone_is_root

MAX_ERRNO: Final = 4095
_CALLS: Final = tuple(HANDLERS)
_MOST_STEPS: Final = 16


@functools.cache
def _kernel() -> BootedKernel:
    return boot(Machine(cpus=4, clock=VirtualClock()))


class _Clients:
    """One client, who has one descriptor of the socket, and is root."""

    def __init__(self, kernel: Kernel, descriptor: int) -> None:
        self._current: Final = Current.of(kernel.machine.tasks.init_task)
        self._descriptor: Final = descriptor

    def current(self, tid: int) -> Current:
        return self._current

    def duplicate(self, tid: int, fd: int) -> int:
        return os.dup(self._descriptor)

    def get(self, tid: int) -> _Table:
        return _Table()

    def close(self) -> None:
        return


class _Table:
    """The client's table of descriptors: ours, in which no number of a socket is taken."""

    tid = tgid = os.getpid()

    def duplicate(self, fd: int) -> int:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    def status(self) -> proc.Status:
        return proc.read_status(self.tid)


class _Listener:
    """Takes the answers to stopped calls."""

    def answer(self, id: int, value: int = 0, error: int = 0) -> bool:
        check(0 <= error <= MAX_ERRNO, error)
        check(-(1 << 63) <= value < 1 << 63, value)
        return True

    def let_pass(self, id: int) -> bool:
        return True

    def is_waiting(self, id: int) -> bool:
        return True

    def add_descriptor(self, id: int, fd: int, number: int, *, cloexec: bool) -> None:
        check(0 <= number < 1 << 31, number)
        os.fstat(fd)


def system_calls(data: bytes) -> None:
    """Any system calls on an emulated socket: seven bytes say which, the rest is the memory."""
    count = data[0] % _MOST_STEPS if data else 0
    memory = Pages(data[1 + 7 * count :], 1024)
    kernel = _kernel()
    mirror = Mirror(nonblocking=bool(count & 1))
    descriptor = os.dup(mirror.client_fileno())
    clients: Any = _Clients(kernel, descriptor)
    listener: Any = _Listener()
    context = Context(kernel, listener, clients, 500)
    changed: Any = context
    changed.memory = memory
    try:
        nl = kernel.socket(clients.current(1), 3, 16)
        context.add_socket(EmulatedSocket(nl, mirror, clients.current(1)))
        mirror.hand_over()
        dispatcher = Dispatcher(context, X86_64)
        for at in range(1, 1 + 7 * count, 7):
            dispatcher.serve(_notification(data[at : at + 7].ljust(7, b"\0")))
        context.serve_ends()
        context.tick()
        nl.recvmsg(1 << 20)
    except NetlinkError as error:
        check(0 < error.errno <= MAX_ERRNO)
    finally:
        context.close()
        os.close(descriptor)
        assert kernel.taskstats is not None
        kernel.taskstats.listeners.clear()


def _notification(step: bytes) -> Notification:
    nr = X86_64.numbers[_CALLS[step[0] % len(_CALLS)]]
    places = step[6]  # which of the arguments point into the memory
    arguments = [
        BASE + byte * 4 if places >> index & 1 else number(byte) & 0xFFFFFFFFFFFFFFFF
        for index, byte in enumerate(step[1:6], 1)
    ]
    return Notification(1, os.getpid(), 0, nr, X86_64.audit_arch, 0, 7, *arguments)


class _End:
    """One end of a stream: what is to be read, and what was written."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.sent = bytearray()

    def settimeout(self, seconds: float | None) -> None:
        return

    def recv(self, size: int, flags: int = 0) -> bytes:
        data, self._data = self._data[:size], self._data[size:]
        return data

    def send(self, data: bytes, flags: int = 0) -> int:
        self.sent += data
        return len(data)

    sendall = send

    def close(self) -> None:
        return


def _signed(value: int, bits: int) -> int:
    return ((value + (1 << bits - 1)) & ((1 << bits) - 1)) - (1 << bits - 1)


def _parts(data: bytes, size: int) -> list[tuple[bytes, bytes]]:
    """Records of so many bytes; the last byte says how many follow that belong to each."""
    parts: list[tuple[bytes, bytes]] = []
    while data and len(parts) < _MOST_STEPS:
        head, more = data[:size].ljust(size, b"\0"), data[size:]
        parts.append((head, more[: head[-1]]))
        data = more[head[-1] :]
    return parts


def relay_calls(data: bytes) -> None:
    """Any calls of a supervisor elsewhere on a socket, or after a NUL any stream."""
    opened = encode_call(RelayCall(RelayMethod.SOCKET, a=3, b=16))
    calls = b"".join([opened, *map(_call, _parts(data, 8))])
    stream = data[1:] if data[:1] == b"\0" else calls
    kernel = _kernel()
    service = Service(kernel, everyone_is_root, lambda: None)
    end: Any = _End(stream)
    relay = Relay(service, end, Ucred(os.getpid(), 0, 0), RelayHello())
    while relay._serve_some():
        continue
    for frame in Frames().feed(bytes(end.sent)):
        check(encode_report(decode_report(frame)) == frame)
    relay.socks.close()
    assert kernel.taskstats is not None
    kernel.taskstats.listeners.clear()


def _call(part: tuple[bytes, bytes]) -> bytes:
    (method, sock, a, b, c, address, control, _), rest = part
    a, b, c = (_signed(number(byte), 64) for byte in (a, b, c))
    behind = rest[address % 32 :]
    at = control % 32
    return encode_call(
        RelayCall(
            method % 16, sock % 4, 1, 42, a, b, c, rest[: address % 32], behind[:at], behind[at:]
        )
    )


def relay_reports(data: bytes) -> None:
    """Any reports of a server elsewhere, after a good beginning; or after a NUL any stream."""
    welcome = RelayReport(ReportKind.WELCOME, data=b"6.18\0x86_64")
    opened = RelayReport(ReportKind.RETURNED, value=1, rcvtimeo=0)
    begin = [encode_report(welcome), encode_report(opened)]
    reports = b"".join([*begin, *map(_report, _parts(data, 12))])
    stream = data[1:] if data[:1] == b"\0" else reports
    end: Any = _End(stream)
    wire = Wire(end)
    try:
        kernel = welcomed(wire, Path("here"))
    except ConnectError as error:
        check(str(error) and "\n" not in str(error))
        return
    _use(kernel, wire)
    check(wire.dead or not kernel.socks)


def _use(kernel: RemoteKernel, wire: Wire) -> None:
    current = Current.of(kernel.machine.tasks.init_task)
    socks: list[RemoteSock] = []
    steps: Sequence[Callable[[RemoteSock], object]] = (
        lambda sock: sock.bind(current, bytes(12)),
        lambda sock: sock.sendmsg(current, bytes(20)),
        lambda sock: sock.recvmsg(4096),
        lambda sock: sock.getsockopt(270, 9, 4),
        lambda sock: sock.setsockopt(current, 270, 1, bytes(4)),
        lambda sock: sock.take_datagram(),
        lambda sock: sock.recvmsg(4096, 2),
        lambda sock: sock.release(),
    )
    for step in (lambda _: socks.append(kernel.socket(current, 3, 16)), *steps):
        try:
            step(socks[0] if socks else None)  # type: ignore[arg-type]
        except NetlinkError as error:
            check(0 < error.errno <= MAX_ERRNO)
        if not socks:
            return
        wire.pump()


def _report(part: tuple[bytes, bytes]) -> bytes:
    (kind, sock, error, value, length, flags, name, control, state, portid, timeout, _), rest = (
        part
    )
    at, until = name % 16, name % 16 + control % 32
    return encode_report(
        RelayReport(
            kind % 5 or ReportKind.RETURNED, sock % 4, _signed(number(error), 32),
            _signed(number(value), 64), number(length) & 0xFFFFFFFF, flags, state, portid,
            sk_err=_signed(number(portid), 32), rcvtimeo=_signed(number(timeout), 64),
            name=rest[:at], control=rest[at:until], data=rest[until:],
        )
    )  # fmt: skip
