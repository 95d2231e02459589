"""socket, dup and fcntl(F_DUPFD): the calls that make a descriptor of an emulated socket."""

from __future__ import annotations

import errno
import os
from typing import Final

from netlink_emu.interpose.client import fds
from netlink_emu.interpose.client.memory import ClientGone, ClientSealed
from netlink_emu.interpose.filter.bpf_filter import F_DUPFD_CLOEXEC
from netlink_emu.interpose.filter.trap import Outcome, Trap
from netlink_emu.interpose.mirror import Mirror
from netlink_emu.interpose.sockets import EmulatedSocket
from netlink_emu.interpose.syscalls.context import Context, SocketCall
from netlink_emu.kernel.kernel import MAX_LINKS
from netlink_emu.protocol.errors import NetlinkError

SOCK_TYPE_MASK: Final = 0xF
SOCK_CLOEXEC: Final = os.O_CLOEXEC
SOCK_NONBLOCK: Final = os.O_NONBLOCK


def socket(context: Context, trap: Trap) -> Outcome:
    """socket(AF_NETLINK, ...): the backend's if it has the protocol, else the host kernel's."""
    protocol = trap.int_arg(2)
    if not context.backend.answers(protocol):
        if 0 <= protocol < MAX_LINKS:  # of others none is made
            context.summary.passed[protocol] += 1
        return Outcome.PASS
    kind = trap.int_arg(1)
    if kind & ~SOCK_TYPE_MASK & ~(SOCK_CLOEXEC | SOCK_NONBLOCK):
        raise NetlinkError(errno.EINVAL)
    current = context.clients.opener(trap.tid)
    nl = context.backend.socket(current, kind & SOCK_TYPE_MASK, protocol)
    mirror = Mirror(nonblocking=bool(kind & SOCK_NONBLOCK))
    sock = EmulatedSocket(nl, mirror, current)
    context.add_socket(sock)
    try:
        _give(
            context, trap, mirror.client_fileno(), context.high, cloexec=bool(kind & SOCK_CLOEXEC)
        )
    except BaseException:
        context.close_socket(sock)
        raise
    mirror.hand_over()
    return Outcome.ANSWERED


def dup(call: SocketCall) -> Outcome:
    """dup(2), but to a high number."""
    _give(call.context, call.trap, call.copy, call.context.high, cloexec=False)
    return Outcome.ANSWERED


def fcntl(call: SocketCall) -> Outcome:
    """fcntl(2) with F_DUPFD or F_DUPFD_CLOEXEC, from the asked for number on or a higher one."""
    trap = call.trap
    cloexec = trap.int_arg(1) == F_DUPFD_CLOEXEC
    at_least = trap.int_arg(2)
    if at_least < 0:
        raise NetlinkError(errno.EINVAL)
    try:
        _give(call.context, trap, call.copy, max(at_least, call.context.high), cloexec=cloexec)
    except NetlinkError:
        if at_least > call.context.high:  # from RLIMIT_NOFILE on: f_dupfd() of fs/file.c
            raise NetlinkError(errno.EINVAL) from None
        raise
    return Outcome.ANSWERED


def _give(context: Context, trap: Trap, fd: int, at_least: int, *, cloexec: bool) -> None:
    """Put ``fd`` into the client and let its call return the number."""
    try:
        number = fds.free_number(trap.tid, at_least)
    except ClientSealed:
        # Adding a descriptor needs no right to look. What is open there is closed by that, so
        # each number is used once.
        number = at_least + context.given_blindly
        context.given_blindly += 1
        context.summary.sealed += 1
    try:
        context.listener.add_descriptor(trap.id, fd, number, cloexec=cloexec)
    except OSError as exc:
        if exc.errno in (errno.ENOENT, errno.ESRCH, errno.EINPROGRESS):
            raise ClientGone from exc
        if exc.errno in (errno.EBADF, errno.EMFILE):  # at or beyond its RLIMIT_NOFILE
            context.summary.beyond += number == context.high  # not one of them is below
            raise NetlinkError(errno.EMFILE) from exc
        raise
