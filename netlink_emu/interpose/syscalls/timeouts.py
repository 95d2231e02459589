"""How long a call on a socket may wait: O_NONBLOCK, MSG_DONTWAIT, SO_RCVTIMEO, SO_SNDTIMEO."""

from __future__ import annotations

import fcntl
import os
from typing import Final

from netlink_emu.interpose.syscalls.calls import ReceivingCall
from netlink_emu.interpose.syscalls.context import SocketCall

MSG_DONTWAIT: Final = 0x40


def may_wait(call: ReceivingCall, flags: int) -> bool:
    """Whether a call with these MSG flags waits; O_NONBLOCK belongs to the open description."""
    if flags & MSG_DONTWAIT:
        return False
    return not fcntl.fcntl(call.copy, fcntl.F_GETFL) & os.O_NONBLOCK


def receive_seconds(call: ReceivingCall) -> float | None:
    """SO_RCVTIMEO; None is for ever."""
    return call.nl.rcvtimeo


def send_seconds(call: SocketCall) -> float | None:
    """SO_SNDTIMEO; None is for ever."""
    return call.nl.sndtimeo
