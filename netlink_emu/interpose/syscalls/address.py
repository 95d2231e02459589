"""bind, connect, getsockname, getpeername; and what netlink sockets do not do."""

from __future__ import annotations

import os
from errno import EINVAL

from netlink_emu.interpose.syscalls.context import SocketCall
from netlink_emu.interpose.syscalls.uapi import place_address, read_address
from netlink_emu.kernel.current import Current
from netlink_emu.protocol.errors import NetlinkError


def bind(call: SocketCall) -> int:
    """bind(2)."""
    trap = call.trap
    address = read_address(trap, trap.long_arg(1), trap.int_arg(2))
    current = call.current()
    make_room(call, current, address)
    call.nl.bind(current, address)
    return 0


def connect(call: SocketCall) -> int:
    """connect(2)."""
    trap = call.trap
    address = read_address(trap, trap.long_arg(1), trap.int_arg(2))
    current = call.current()
    make_room(call, current)
    call.nl.connect(current, address)
    call.sock.peer = portid_in(call, call.nl.getpeername())
    return 0


def make_room(call: SocketCall, current: Current, address: bytes = b"") -> None:
    """Before a socket gets a portid: whoever has closed that one shall not be in the way."""
    nl = call.nl
    if nl.bound:
        return
    call.context.notice_end(nl, portid_in(call, address) or current.tgid_vnr)


def portid_in(call: SocketCall, address: bytes) -> int:
    """nl_pid of a struct sockaddr_nl; 0 if it is too short to have one."""
    codec = call.context.sockaddr_nl
    if len(address) < codec.size:
        return 0
    _family, _pad, nl_pid, _groups = codec.unpack_from(address)
    return int(nl_pid)


def getsockname(call: SocketCall) -> int:
    """getsockname(2)."""
    return _give_name(call, call.nl.getsockname())


def getpeername(call: SocketCall) -> int:
    """getpeername(2)."""
    return _give_name(call, call.nl.getpeername())


def _give_name(call: SocketCall, name: bytes) -> int:
    trap = call.trap
    trap.write(place_address(trap, name, trap.long_arg(1), trap.long_arg(2)))
    return 0


def not_supported(call: SocketCall) -> int:
    """listen(2), accept(2), shutdown(2)."""
    call.nl.not_supported()
    return 0


def accept4(call: SocketCall) -> int:
    """accept4(2)."""
    if call.trap.unsigned_arg(3) & ~(os.O_CLOEXEC | os.O_NONBLOCK):
        raise NetlinkError(EINVAL)
    return not_supported(call)


def ioctl(call: SocketCall) -> int:
    """ioctl(2) of the requests that the filter stops: those that AF_UNIX alone knows."""
    call.nl.ioctl(call.trap.unsigned_arg(1))
    return 0
