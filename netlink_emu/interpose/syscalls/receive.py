"""recv and its kin: what the model's queue holds goes into the client's memory."""

from __future__ import annotations

import contextlib
import struct
import time
from collections.abc import Callable
from errno import EAGAIN, EFAULT, EINVAL
from functools import partial
from typing import Final

from netlink_emu.interpose.client.memory import UIO_MAXIOV
from netlink_emu.interpose.syscalls.calls import ReceivingCall
from netlink_emu.interpose.syscalls.timeouts import MSG_DONTWAIT, may_wait, receive_seconds
from netlink_emu.interpose.syscalls.trap import Outcome, Trap
from netlink_emu.interpose.syscalls.uapi import (
    MMSGHDR_SIZE,
    MSGHDR_SIZE,
    Iovec,
    MsgHdr,
    message_flags,
    of_file,
    place_address,
    place_msghdr,
    readv_iovec,
    received_message,
    scatter,
    single,
    total,
)
from netlink_emu.kernel.msghdr import RecvMsg
from netlink_emu.machine.clock import NSEC_PER_SEC
from netlink_emu.protocol.errors import NetlinkError

MSG_ERRQUEUE: Final = 0x2000
MSG_WAITFORONE: Final = 0x10000
MSG_CMSG_CLOEXEC: Final = 0x40000000
# struct __kernel_timespec { s64 tv_sec; s64 tv_nsec; };
_TIMESPEC: Final = struct.Struct("=qq")
_TIME64_MAX: Final = 0x7FFFFFFFFFFFFFFF

# What a kind of receive writes besides the data.
Places = list[tuple[int, bytes]]
Place = Callable[[RecvMsg], Places]


def recvfrom(call: ReceivingCall) -> int | Outcome:
    """recvfrom(2), recv(2)."""
    trap = call.trap
    name_at, length_at = trap.long_arg(4), trap.long_arg(5)

    def place(received: RecvMsg) -> Places:
        return place_address(trap, received.name, name_at, length_at) if name_at else []

    pieces = single(trap.long_arg(1), trap.long_arg(2))
    flags = trap.unsigned_arg(3)
    if not name_at and call.left_to_pair(total(pieces), flags):
        return Outcome.PASS
    return _receive(call, pieces, flags, place, length_at if name_at else 0)


def read(call: ReceivingCall) -> int | Outcome:
    """read(2); of 0 bytes it does not reach the socket's queue."""
    trap = call.trap
    return _read(call, of_file(trap.long_arg(1), trap.long_arg(2)))


def readv(call: ReceivingCall) -> int | Outcome:
    """readv(2)."""
    trap = call.trap
    return _read(call, readv_iovec(trap, trap.long_arg(1), trap.long_arg(2)))


def _read(call: ReceivingCall, pieces: Iovec) -> int | Outcome:
    size = total(pieces)
    if not size or call.left_to_pair(size, 0):
        return Outcome.PASS if size else 0
    return _receive(call, pieces, 0, _nothing)


def recvmsg(call: ReceivingCall) -> int | Outcome:
    """recvmsg(2)."""
    trap = call.trap
    trap.only_writes = True
    flags = message_flags(trap.args[2] & 0xFFFFFFFF)
    header, pieces = received_message(trap, trap.args[1])
    place = partial(_place_message, trap, header, flags & MSG_CMSG_CLOEXEC)
    return _receive(call, pieces, flags, place, header.namelen_at)


def recvmmsg(call: ReceivingCall) -> int | Outcome:
    """recvmmsg(2)."""
    return _Batch(call).start()


def _nothing(_received: RecvMsg) -> Places:
    return []


def _place_message(trap: Trap, header: MsgHdr, flags: int, received: RecvMsg) -> Places:
    flags |= received.flags
    return place_msghdr(trap, header, received.name, received.control, flags)


def _receive(
    call: ReceivingCall, pieces: Iovec, flags: int, place: Place, length_at: int = 0
) -> int | Outcome:
    try:
        return receive_once(call, pieces, flags, place, length_at)
    except NetlinkError as exc:
        if exc.errno != EAGAIN or not may_wait(call, flags):
            raise
    attempt = partial(receive_once, call, pieces, flags, place, length_at)
    return call.wait(attempt, receive_seconds(call))


def receive_once(
    call: ReceivingCall, pieces: Iovec, flags: int, place: Place, length_at: int = 0
) -> int:
    """One datagram; raises EAGAIN where there is none.

    As in the kernel, a datagram is taken off the queue before it is copied: one that meets a bad
    pointer is lost. ``length_at`` is where the room for the name is told (0: nowhere), which is
    looked at when the data is there.
    """
    received = call.receive(total(pieces), flags)
    places = scatter(pieces, received.data)
    if received.control or (length_at and _meets(places, length_at)):
        try:
            call.trap.write(places)
        except NetlinkError:
            # Control messages are written all the same, and nothing else is.
            with contextlib.suppress(NetlinkError):
                place(received)
            raise
        places = []
    try:
        places += place(received)
    except NetlinkError:
        call.trap.write(places)
        raise
    call.trap.write(places)
    return received.result


def _meets(places: Places, address: int) -> bool:
    return any(at <= address < at + len(data) for at, data in places)


class _Batch:
    """recvmmsg(2): do_recvmmsg() of net/socket.c."""

    def __init__(self, call: ReceivingCall) -> None:
        trap = call.trap
        self.call = call
        self.at = trap.long_arg(1)
        self.count = min(trap.unsigned_arg(2), UIO_MAXIOV)
        self.flags = message_flags(trap.unsigned_arg(3))
        self.timeout_at = trap.long_arg(4)
        self.done = 0
        self.end: int | None = None  # in nanoseconds of the monotonic clock
        if self.timeout_at:
            # timespec64_add_safe(): there is a last second.
            self.end = min(time.monotonic_ns() + self._timeout(), _TIME64_MAX * NSEC_PER_SEC)

    def _timeout(self) -> int:
        seconds: int
        nanoseconds: int
        seconds, nanoseconds = _TIMESPEC.unpack(self.call.trap.read(self.timeout_at, 16))
        if seconds < 0 or not 0 <= nanoseconds < NSEC_PER_SEC:
            raise NetlinkError(EINVAL)
        return seconds * NSEC_PER_SEC + nanoseconds

    def start(self) -> int | Outcome:
        nl = self.call.nl
        if not self.flags & MSG_ERRQUEUE and nl.sk_err:
            raise NetlinkError(nl.take_error())
        if not self.count:
            return self._finish()
        try:
            return self.attempt()
        except NetlinkError as exc:
            if exc.errno != EAGAIN:
                raise
        if not may_wait(self.call, self.flags):
            if not self.done:
                raise NetlinkError(EAGAIN)
            return self._finish()
        # The time-out is looked at after each datagram only, so it does not end the wait.
        return self.call.wait(self.attempt, receive_seconds(self.call), progress=self._finish)

    def attempt(self) -> int:
        """Receive on; EAGAIN while more are wanted and none is there."""
        while self.done < self.count:
            try:
                self._receive_one()
            except NetlinkError as exc:
                if exc.errno == EAGAIN and not self.flags & MSG_DONTWAIT:
                    raise
                return self._stop(exc)
            self.done += 1
            if self.flags & MSG_WAITFORONE:
                self.flags |= MSG_DONTWAIT
            if self.end is not None and time.monotonic_ns() >= self.end:
                break
        return self._finish()

    def _stop(self, exc: NetlinkError) -> int:
        """What was received counts; the error is for the next call."""
        if not self.done:
            raise exc
        if exc.errno != EAGAIN:
            self.call.nl.sk_err = exc.errno
        return self._finish()

    def _finish(self) -> int:
        if self.done and self.end is not None:
            left = max(0, self.end - time.monotonic_ns())
            try:
                self.call.trap.write(
                    [(self.timeout_at, _TIMESPEC.pack(*divmod(left, NSEC_PER_SEC)))]
                )
            except NetlinkError as exc:
                raise NetlinkError(EFAULT) from exc
        return self.done

    def _receive_one(self) -> None:
        trap = self.call.trap
        entry = self.at + self.done * MMSGHDR_SIZE
        flags = self.flags & ~MSG_WAITFORONE
        header, pieces = received_message(trap, entry)
        place = partial(_place_message, trap, header, flags & MSG_CMSG_CLOEXEC)
        result = receive_once(self.call, pieces, flags, place, header.namelen_at)
        trap.write([(entry + MSGHDR_SIZE, result.to_bytes(4, "little"))])
