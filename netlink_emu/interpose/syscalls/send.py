"""send and its kin: the emulated kernel has answered before they return."""

from __future__ import annotations

from collections.abc import Sequence
from errno import EAGAIN, EFAULT
from functools import partial

from netlink_emu.interpose.client.memory import UIO_MAXIOV
from netlink_emu.interpose.syscalls.address import make_room, portid_in
from netlink_emu.interpose.syscalls.context import SocketCall
from netlink_emu.interpose.syscalls.timeouts import MSG_DONTWAIT, may_wait, send_seconds
from netlink_emu.interpose.syscalls.trap import Outcome
from netlink_emu.interpose.syscalls.uapi import (
    MMSGHDR_SIZE,
    MSGHDR_SIZE,
    Iovec,
    message_flags,
    of_file,
    parse_control,
    read_address,
    read_control,
    readv_iovec,
    sent_message,
    single,
    total,
)
from netlink_emu.kernel.current import Current
from netlink_emu.kernel.msghdr import MSG_OOB
from netlink_emu.kernel.scm import Cmsg
from netlink_emu.kernel.skbuff import MAX_DATAGRAM
from netlink_emu.protocol.errors import NetlinkError


def sendto(call: SocketCall) -> int | Outcome:
    """sendto(2), send(2)."""
    trap = call.trap
    pieces = single(trap.long_arg(1), trap.long_arg(2))
    address = read_address(trap, trap.long_arg(4), trap.int_arg(5)) if trap.long_arg(4) else b""
    return _send(call, pieces, trap.unsigned_arg(3), address)


def write(call: SocketCall) -> int | Outcome:
    """write(2)."""
    return _send(call, of_file(call.trap.long_arg(1), call.trap.long_arg(2)), 0)


def writev(call: SocketCall) -> int | Outcome:
    """writev(2)."""
    trap = call.trap
    pieces = readv_iovec(trap, trap.long_arg(1), trap.long_arg(2))
    return _send(call, pieces, 0) if total(pieces) else 0  # vfs_writev() goes no further


def sendmsg(call: SocketCall) -> int | Outcome:
    """sendmsg(2)."""
    args = call.trap.args
    return _sendmsg(call, args[1], message_flags(args[2] & 0xFFFFFFFF))


def _sendmsg(call: SocketCall, at: int, flags: int) -> int | Outcome:
    trap = call.trap
    header, address, pieces = sent_message(trap, at)
    control = b""
    if header.controllen:
        control = read_control(trap, header.control, header.controllen)
    return _send(call, pieces, flags, address, control)


def sendmmsg(call: SocketCall) -> int | Outcome:
    """sendmmsg(2): how many were sent, or the error of the first."""
    return _Batch(call).start()


class _Batch:
    """__sys_sendmmsg() of net/socket.c."""

    def __init__(self, call: SocketCall) -> None:
        trap = call.trap
        self.call = call
        self.at = trap.long_arg(1)
        self.count = min(trap.unsigned_arg(2), UIO_MAXIOV)
        self.flags = message_flags(trap.unsigned_arg(3))
        self.done = 0

    def start(self) -> int | Outcome:
        try:
            return self.attempt()
        except NetlinkError as exc:
            # Another client's socket has no room: what was sent before does not end the wait.
            if exc.errno != EAGAIN:
                raise
            if not may_wait(self.call, self.flags):
                return self._stop(exc)
        seconds = send_seconds(self.call)
        return self.call.wait(self.attempt, seconds, progress=lambda: self.done, polled=True)

    def attempt(self) -> int:
        """Send on; EAGAIN while a receiver has no room."""
        trap = self.call.trap
        while self.done < self.count:
            entry = self.at + self.done * MMSGHDR_SIZE
            try:
                # Not to wait is this loop's way: it waits for all.
                result = _sendmsg(self.call, entry, self.flags | MSG_DONTWAIT)
                assert isinstance(result, int)
                trap.write([(entry + MSGHDR_SIZE, result.to_bytes(4, "little"))])
            except NetlinkError as exc:
                if exc.errno == EAGAIN:
                    raise
                return self._stop(exc)
            self.done += 1
        return self.done

    def _stop(self, exc: NetlinkError) -> int:
        """What was sent counts; the error of what was not is lost."""
        if not self.done:
            raise exc
        return self.done


def _send(
    call: SocketCall,
    pieces: Iovec,
    flags: int,
    address: bytes = b"",
    control: bytes = b"",
) -> int | Outcome:
    nl = call.sock.nl
    current = call.context.clients.current(call.trap.tid)
    size = total(pieces)
    if flags & MSG_OOB or not size:
        return nl.sendmsg(current, b"", addr=address, flags=flags)
    messages = parse_control(control) if control else ()
    if not nl.bound:
        make_room(call, current)
    data = b""
    if size <= nl.sndbuf and size <= MAX_DATAGRAM:
        # A fault is reported when nothing else is wrong, what is too long need not be read.
        try:
            data = call.trap.gather(pieces)
        except NetlinkError as exc:
            if exc.errno != EFAULT:
                raise
    receiver = portid_in(call, address) if address else call.sock.peer
    attempt = partial(_send_once, call, current, data, size, flags, address, messages, receiver)
    try:
        return attempt()
    except NetlinkError as exc:
        # EAGAIN: another client's socket has no room; netlink_attachskb() waits for it.
        if exc.errno != EAGAIN or not may_wait(call, flags):
            raise
    return call.wait(attempt, send_seconds(call), polled=True)


def _send_once(
    call: SocketCall,
    current: Current,
    data: bytes,
    size: int,
    flags: int,
    address: bytes,
    control: Sequence[Cmsg],
    receiver: int,
) -> int:
    sock, context = call.sock, call.context
    sock.settle(held=True)
    if receiver:
        context.notice_end(sock.nl, receiver)
    sent = sock.nl.sendmsg(current, data, addr=address, control=control, flags=flags, length=size)
    context.note_dump(sock)
    context.summary.sent += 1
    return sent
