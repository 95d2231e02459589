"""How long a call on a socket may wait: O_NONBLOCK, MSG_DONTWAIT, SO_RCVTIMEO, SO_SNDTIMEO."""

from __future__ import annotations

import fcntl
import os
import struct
from typing import Final

from netlink_emu.interpose.context import SocketCall
from netlink_emu.kernel.sock import SO_RCVTIMEO, SO_SNDTIMEO
from netlink_emu.protocol.netlink import SOL_SOCKET

MSG_DONTWAIT: Final = 0x40
# struct __kernel_sock_timeval { s64 tv_sec; s64 tv_usec; };
_TIMEVAL: Final = struct.Struct("=qq")


def may_wait(call: SocketCall, flags: int) -> bool:
    """Whether a call with these MSG flags waits; O_NONBLOCK belongs to the open description."""
    if flags & MSG_DONTWAIT:
        return False
    return not fcntl.fcntl(call.copy, fcntl.F_GETFL) & os.O_NONBLOCK


def receive_seconds(call: SocketCall) -> float | None:
    """SO_RCVTIMEO; None is for ever."""
    return _seconds(call, SO_RCVTIMEO)


def send_seconds(call: SocketCall) -> float | None:
    """SO_SNDTIMEO; None is for ever."""
    return _seconds(call, SO_SNDTIMEO)


def _seconds(call: SocketCall, option: int) -> float | None:
    data, _ = call.nl.getsockopt(SOL_SOCKET, option, _TIMEVAL.size)
    seconds, microseconds = _TIMEVAL.unpack(data)
    if seconds < 0:  # sock_set_timeout(): does not wait at all
        return 0.0
    return seconds + microseconds / 1e6 if seconds or microseconds else None
