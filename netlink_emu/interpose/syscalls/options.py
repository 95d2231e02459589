"""getsockopt and setsockopt: what netlink has is the model's, the rest the host's kernel does."""

from __future__ import annotations

import struct
from errno import EBADF, EINVAL, ENOPROTOOPT
from typing import Final

from netlink_emu.interpose.syscalls.context import SocketCall
from netlink_emu.interpose.syscalls.trap import Outcome
from netlink_emu.kernel.sock import (
    SO_ATTACH_FILTER,
    SO_DETACH_FILTER,
    SO_LINGER,
    SO_RCVTIMEO,
    SO_RCVTIMEO_NEW,
    SO_SNDTIMEO,
    SO_SNDTIMEO_NEW,
)
from netlink_emu.protocol.bpf import BPF_MAXINSNS
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.netlink import SOL_NETLINK, SOL_SOCKET, NetlinkSockOpt

_TIMEOUTS: Final = frozenset({SO_RCVTIMEO, SO_SNDTIMEO, SO_RCVTIMEO_NEW, SO_SNDTIMEO_NEW})
# How much is read: an int, but for these.
_INT: Final = 4
_LONGER: Final = {SO_LINGER: 8} | dict.fromkeys(_TIMEOUTS, 16)
# struct sock_fprog { unsigned short len; struct sock_filter *filter; };
_FPROG: Final = struct.Struct("=H6xQ")
_SOCK_FILTER: Final = struct.Struct("=HBBI")
# What the model has not at all: SO_BINDTODEVICE, SO_GET_FILTER, SO_DETACH_FILTER, SO_PEERSEC; and
# SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_EBPF, whose descriptors it does not know.
_HOST_HAS: Final = dict.fromkeys((25, 26, 27, 31), ENOPROTOOPT) | dict.fromkeys((50, 52), EBADF)


def setsockopt(call: SocketCall) -> int | Outcome:
    """setsockopt(2)."""
    trap = call.trap
    level, option, at, length = trap.int_arg(1), trap.int_arg(2), trap.long_arg(3), trap.int_arg(4)
    if length < 0:
        raise NetlinkError(EINVAL)
    need_level(level)
    value = b""
    if length >= _INT:
        size = _LONGER.get(option, _INT) if level == SOL_SOCKET else _INT
        value = trap.read(at, min(length, size))
    if level == SOL_SOCKET and value:
        if option == SO_ATTACH_FILTER:
            return _attach_filter(call, at, length)
        if option == SO_DETACH_FILTER:
            call.nl.detach_filter()
            return 0
    try:
        call.nl.setsockopt(call.current(), level, option, value)
    except NetlinkError as exc:
        return _elsewhere(exc, level, option)
    # A receive that the filter does not see keeps to the time-out, too.
    return Outcome.PASS if level == SOL_SOCKET and option in _TIMEOUTS else 0


def getsockopt(call: SocketCall) -> int | Outcome:
    """getsockopt(2)."""
    trap = call.trap
    level, option = trap.int_arg(1), trap.int_arg(2)
    at, length_at = trap.long_arg(3), trap.long_arg(4)
    need_level(level)
    length = trap.read_int(length_at)
    try:
        data, reported = call.nl.getsockopt(level, option, length)
    except NetlinkError as exc:
        return _elsewhere(exc, level, option)
    value = (at, data)
    size = (length_at, reported.to_bytes(4, "little", signed=True))
    if level == SOL_SOCKET:
        trap.write([value, size])
    elif option != NetlinkSockOpt.NETLINK_LIST_MEMBERSHIPS:
        trap.write([size, value])
    else:  # the length is written even if the memberships cannot be
        try:
            trap.write([value])
        finally:
            trap.write([size])
    return 0


def need_level(level: int) -> None:
    """Nothing is read for a level that netlink sockets do not have."""
    if level not in (SOL_SOCKET, SOL_NETLINK):
        raise NetlinkError(ENOPROTOOPT)


def _elsewhere(exc: NetlinkError, level: int, option: int) -> Outcome:
    """What the model cannot judge is asked of the socket that stands in on the host."""
    if level == SOL_SOCKET and exc.errno == _HOST_HAS.get(option):
        return Outcome.PASS
    raise exc


def _attach_filter(call: SocketCall, at: int, length: int) -> int:
    """SO_ATTACH_FILTER: the program runs over each datagram before it is queued."""
    if length != _FPROG.size:
        raise NetlinkError(EINVAL)
    count, program_at = _FPROG.unpack(call.trap.read(at, _FPROG.size))
    if not 0 < count <= BPF_MAXINSNS or not program_at:
        raise NetlinkError(EINVAL)
    code = call.trap.read(program_at, count * _SOCK_FILTER.size)
    call.nl.attach_filter(list(_SOCK_FILTER.iter_unpack(code)))
    return 0
