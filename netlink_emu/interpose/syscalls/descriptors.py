"""socket, dup and fcntl(F_DUPFD): the calls that make a descriptor of an emulated socket."""

from __future__ import annotations

import errno
import os
from typing import Final

from netlink_emu.interpose.client import fds
from netlink_emu.interpose.client.memory import ClientGone, ClientSealed
from netlink_emu.interpose.filter.bpf_filter import F_DUPFD_CLOEXEC
from netlink_emu.interpose.mirror import Mirror
from netlink_emu.interpose.sockets import EmulatedSocket
from netlink_emu.interpose.syscalls.calls import DescriptorCall, Giving
from netlink_emu.interpose.syscalls.context import Context
from netlink_emu.interpose.syscalls.trap import Outcome, Trap
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
    mirror = Mirror(nonblocking=bool(kind & SOCK_NONBLOCK))
    try:
        context.need_descriptors()
        nl = context.backend.socket(current, kind & SOCK_TYPE_MASK, protocol)
    except BaseException:
        mirror.close()
        raise
    sock = EmulatedSocket(nl, mirror, current)
    try:
        context.add_socket(sock)
        context.serve_ends()  # numbers of sockets that are closed are free again
        end = mirror.client_fileno()
        give(context, trap, sock.given, end, cloexec=bool(kind & SOCK_CLOEXEC))
    except BaseException:
        context.close_socket(sock)
        raise
    mirror.hand_over()
    return Outcome.ANSWERED


def dup(call: DescriptorCall) -> Outcome:
    """dup(2), but to a high number."""
    give(call.context, call.trap, call.given, call.copy, cloexec=False)
    return Outcome.ANSWERED


def fcntl(call: DescriptorCall) -> Outcome:
    """fcntl(2) with F_DUPFD or F_DUPFD_CLOEXEC, from the asked for number on or a higher one."""
    trap = call.trap
    cloexec = trap.int_arg(1) == F_DUPFD_CLOEXEC
    at_least = trap.int_arg(2)
    if at_least < 0:
        raise NetlinkError(errno.EINVAL)
    numbers = call.context.numbers
    if at_least >= numbers.end:
        return Outcome.PASS  # it is used there as at a low number, if its limit allows that
    try:
        give(call.context, trap, call.given, call.copy, at_least, cloexec=cloexec)
    except NetlinkError:
        if at_least > numbers.high:  # from RLIMIT_NOFILE on: f_dupfd() of fs/file.c
            raise NetlinkError(errno.EINVAL) from None
        raise
    return Outcome.ANSWERED


def give(
    context: Giving,
    trap: Trap,
    given: set[fds.Given],
    fd: int,
    at_least: int = 0,
    *,
    cloexec: bool,
) -> None:
    """Put ``fd`` into the client, noted in ``given``; its call returns the number.

    Raises NetlinkError, ClientGone and OSError.
    """

    def put(number: int) -> None:
        context.listener.add_descriptor(trap.id, fd, number, cloexec=cloexec)

    def place() -> None:
        client = context.clients.get(trap.tid)
        try:
            given.add(context.numbers.place(client, at_least, put))
        except ClientSealed:
            # Adding a descriptor needs no right to look.
            context.summary.sealed += 1
            context.numbers.place_blindly(client, at_least, put)

    try:
        try:
            place()
        except ClientGone:
            context.clients.forget(trap.tid)  # it was another that had this number
            place()
    except fds.BeyondLimit:
        context.summary.beyond += 1
        raise NetlinkError(errno.EMFILE) from None
    except OSError as exc:
        if exc.errno in (errno.ENOENT, errno.ESRCH, errno.EINPROGRESS):
            raise ClientGone from exc
        raise
