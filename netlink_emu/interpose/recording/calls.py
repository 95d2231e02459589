"""What each stopped call does: it is noted, and passes on; but receives are made here."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from errno import EMSGSIZE
from types import MappingProxyType
from typing import Final

from netlink_emu.host import proc
from netlink_emu.interpose.client.memory import UIO_MAXIOV
from netlink_emu.interpose.recording.context import RecordedCall, RecordingContext, Tapped
from netlink_emu.interpose.recording.host import make_socket
from netlink_emu.interpose.syscalls import descriptors, receive
from netlink_emu.interpose.syscalls.descriptors import SOCK_CLOEXEC, SOCK_TYPE_MASK
from netlink_emu.interpose.syscalls.trap import Outcome, Trap
from netlink_emu.interpose.syscalls.uapi import (
    MMSGHDR_SIZE,
    Iovec,
    of_file,
    read_address,
    readv_iovec,
    sent_message,
    single,
    total,
)
from netlink_emu.kernel.msghdr import MSG_OOB
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.format import HOST_ORDER
from netlink_emu.protocol.netlink import SOCKADDR_NL

Handler = Callable[[RecordedCall], int | Outcome]
_OVERHEAD: Final = 32  # netlink_sendmsg(): a datagram is shorter than SO_SNDBUF by so much
_MOST_VALUE: Final = 1 << 12  # bytes of an option


def make(context: RecordingContext, trap: Trap) -> Outcome:
    """socket(AF_NETLINK, ...): one of the client's kernel, at a number that the filter looks at.

    Where it cannot be made in the client's place, the client makes it, unseen.
    """
    kind, protocol = trap.int_arg(1), trap.int_arg(2)
    if context.protocols and protocol not in context.protocols:
        context.summary.passed[protocol] += 1
        return Outcome.PASS
    try:
        fd = make_socket(trap.tid, kind & ~SOCK_CLOEXEC, protocol)
    except PermissionError:
        context.unseen += 1
        return Outcome.PASS
    except OSError:
        return Outcome.PASS  # the client is told
    try:
        comm, pid = proc.comm_of(trap.tid), context.clients.get(trap.tid).status().ns_tgid
        recorded = context.recording.open(
            protocol, kind & SOCK_TYPE_MASK, comm, time.monotonic(), pid
        )
        sock = Tapped(recorded)
        context.add(fd, sock)
        descriptors.give(context, trap, sock.given, fd, cloexec=bool(kind & SOCK_CLOEXEC))
    finally:
        os.close(fd)
    context.summary.sockets += 1
    return Outcome.ANSWERED


def _noted(note: Callable[[RecordedCall], None]) -> Handler:
    """A call that passes on when it is noted; one with bad pointers fails by itself."""

    def handler(call: RecordedCall) -> Outcome:
        call.note_name()
        with contextlib.suppress(NetlinkError):
            note(call)
        return Outcome.PASS

    return handler


def _pass(_call: RecordedCall) -> Outcome:
    return Outcome.PASS


def _bind(call: RecordedCall) -> None:
    call.context.binds(call.sock, call.trap.tid, call.trap.fd)


def _nothing(_call: RecordedCall) -> None:
    """The name is noted, and nothing else."""


# --- sending


def _sendto(call: RecordedCall) -> None:
    trap = call.trap
    pieces = single(trap.long_arg(1), trap.long_arg(2))
    address = read_address(trap, trap.long_arg(4), trap.int_arg(5)) if trap.long_arg(4) else b""
    _note(call, pieces, trap.unsigned_arg(3), address)


def _write(call: RecordedCall) -> None:
    _note(call, of_file(call.trap.long_arg(1), call.trap.long_arg(2)), 0)


def _writev(call: RecordedCall) -> None:
    _note(call, readv_iovec(call.trap, call.trap.long_arg(1), call.trap.long_arg(2)), 0)


def _sendmsg(call: RecordedCall) -> None:
    _message(call, call.trap.long_arg(1), call.trap.unsigned_arg(2))


def _sendmmsg(call: RecordedCall) -> None:
    at, count = call.trap.long_arg(1), min(call.trap.unsigned_arg(2), UIO_MAXIOV)
    for index in range(count):
        _message(call, at + index * MMSGHDR_SIZE, call.trap.unsigned_arg(3))


def _message(call: RecordedCall, at: int, flags: int) -> None:
    _header, address, pieces = sent_message(call.trap, at)
    _note(call, pieces, flags, address)


def _note(call: RecordedCall, pieces: Iovec, flags: int, address: bytes = b"") -> None:
    size = total(pieces)
    if flags & MSG_OOB or not size:
        return
    if size > call.nl.sndbuf - _OVERHEAD:
        call.sock.recorded.failed(call.name, EMSGSIZE)
        return
    portid, group = _address(address)
    call.sock.recorded.request(call.trap.gather(pieces), portid, group, time.monotonic())
    call.context.summary.sent += 1


def _address(address: bytes) -> tuple[int, int]:
    """Whom it names: a portid, and the lowest of its groups."""
    if len(address) < SOCKADDR_NL.size:
        return 0, 0
    name = SOCKADDR_NL[HOST_ORDER].decode(address)
    groups = name.nl_groups
    return name.nl_pid, (groups & -groups).bit_length()


# --- and else


def _connect(call: RecordedCall) -> None:
    address = read_address(call.trap, call.trap.long_arg(1), call.trap.int_arg(2))
    call.sock.recorded.connected(*_address(address))


def _setsockopt(call: RecordedCall) -> None:
    trap = call.trap
    length = min(trap.int_arg(4), _MOST_VALUE)
    if length >= 0:
        value = trap.read(trap.long_arg(3), length)
        call.sock.recorded.option(trap.int_arg(1), trap.int_arg(2), value)


HANDLERS: Final = MappingProxyType[str, Handler](
    {
        "bind": _noted(_bind),
        "connect": _noted(_connect),
        "getsockname": _noted(_nothing),
        "getpeername": _pass,
        "listen": _pass,
        "accept": _pass,
        "accept4": _pass,
        "shutdown": _pass,
        "ioctl": _pass,
        "getsockopt": _noted(_nothing),
        "setsockopt": _noted(_setsockopt),
        "write": _noted(_write),
        "writev": _noted(_writev),
        "sendto": _noted(_sendto),
        "sendmsg": _noted(_sendmsg),
        "sendmmsg": _noted(_sendmmsg),
        "read": receive.read,
        "readv": receive.readv,
        "recvfrom": receive.recvfrom,
        "recvmsg": receive.recvmsg,
        "recvmmsg": receive.recvmmsg,
        "dup": descriptors.dup,
        "fcntl": descriptors.fcntl,
    }
)
