"""What the host's kernel tells of a client's Unix socket: which it is, and whether all is read.

It is asked over NETLINK_SOCK_DIAG, as ss(8) asks it, and answers at once. It knows the sockets
of our network namespace; where it cannot be asked (CONFIG_UNIX_DIAG is off), nothing is known.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from socket import AF_NETLINK, AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_RAW, socket
from typing import Final

from netlink_emu.protocol.attributes import NLATTR, nla_walk
from netlink_emu.protocol.format import HOST_ORDER
from netlink_emu.protocol.netlink import (
    NLM_F_DUMP,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_HDRLEN,
    NLMSGERR,
    NLMSGHDR,
    NlMsgHdr,
    nlmsg_walk,
)
from netlink_emu.protocol.sock_diag import (
    INET_DIAG_NOCOOKIE,
    NETLINK_SOCK_DIAG,
    SOCK_DIAG_BY_FAMILY,
    UDIAG_SHOW_NAME,
    UDIAG_SHOW_PEER,
    UDIAG_SHOW_RQLEN,
    UNIX_DIAG_MSG,
    UNIX_DIAG_REQ,
    UNIX_DIAG_RQLEN,
    UnixDiagAttr,
    UnixDiagMsg,
    UnixDiagReq,
)

NO_DESCRIPTOR: Final = frozenset({errno.EMFILE, errno.ENFILE})
_LONGEST: Final = 1 << 16  # of a dump's datagrams; the kernel makes them of 32 KiB at most
_DONE: Final = NLMSG_HDRLEN + NLMSGERR.size


def find_inode(name: bytes) -> int | None:
    """The inode of the datagram socket at ``name``: sun_path, a file's with its NUL.

    None if there is none, or two as relative names may be, or nothing is known. Raises OSError
    without a descriptor to ask with.
    """
    try:
        inode = _inode_of_peer(name) if name.startswith(b"\0") else None
        return inode if inode is not None else _find_among_all(name)
    except OSError as exc:
        if exc.errno in NO_DESCRIPTOR:
            raise
        return None


def _inode_of_peer(name: bytes) -> int | None:
    """Connect to an abstract name, and ask for our peer: the cost does not grow with the sockets.

    None where that fails: who is connected itself, to the server, takes no other (EPERM).
    """
    with socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC) as probe:
        try:
            probe.connect(name)
        except (ConnectionRefusedError, PermissionError):
            return None
        payload = _ask(
            os.fstat(probe.fileno()).st_ino, UDIAG_SHOW_PEER, UnixDiagAttr.UNIX_DIAG_PEER
        )
        return None if payload is None else int.from_bytes(payload, sys.byteorder)


def _find_among_all(name: bytes) -> int | None:
    attribute = (
        NLATTR[HOST_ORDER].pack(NLATTR.size + len(name), UnixDiagAttr.UNIX_DIAG_NAME) + name
    )
    found: list[int] = []
    for datagram in _dump():
        if attribute in datagram:  # a search in C, for there may be thousands
            found += _inodes_of(name, datagram)
    return found[0] if len(found) == 1 else None


def has_read_all(inode: int) -> bool | None:
    """Whether no datagram waits at a socket; None if nothing is known of it."""
    try:
        payload = _ask(inode, UDIAG_SHOW_RQLEN, UnixDiagAttr.UNIX_DIAG_RQLEN)
    except OSError:
        return None
    if payload is None:
        return None
    return UNIX_DIAG_RQLEN[HOST_ORDER].decode(payload).udiag_rqueue == 0


def _ask(inode: int, show: int, attribute: UnixDiagAttr) -> bytes | None:
    """One attribute of one socket; None if it is not told. Raises OSError."""
    with _open() as sock:
        sock.send(_request(inode, show, flags=NLM_F_REQUEST))
        datagram = sock.recv(_LONGEST)
    for _, nla_type, payload in _attributes(datagram):
        if nla_type == attribute:
            return payload
    return None


def _open() -> socket:
    return socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_SOCK_DIAG)


def _request(inode: int, show: int, *, flags: int) -> bytes:
    anyone = INET_DIAG_NOCOOKIE
    body = UNIX_DIAG_REQ[HOST_ORDER].encode(
        UnixDiagReq(AF_UNIX, 0, 0, 0xFFFFFFFF, inode, show, anyone, anyone)
    )
    header = NlMsgHdr(NLMSG_HDRLEN + len(body), SOCK_DIAG_BY_FAMILY, flags, 0, 0)
    return NLMSGHDR[HOST_ORDER].encode(header) + body


def _dump() -> Iterator[bytes]:
    """The datagrams that name all Unix sockets."""
    with _open() as sock:
        sock.send(_request(0, UDIAG_SHOW_NAME, flags=NLM_F_REQUEST | NLM_F_DUMP))
        last = False
        while not last:
            datagram = sock.recv(_LONGEST)
            yield datagram
            last = _is_last(datagram)


def _is_last(datagram: bytes) -> bool:
    """Whether NLMSG_DONE ends it. What only looks so may be anybody's name: then all is walked."""
    if len(datagram) < _DONE:
        return False
    tail = NLMSGHDR[HOST_ORDER].decode(datagram, len(datagram) - _DONE)
    return tail.nlmsg_type == NLMSG_DONE and any(
        header.nlmsg_type == NLMSG_DONE for _, header in nlmsg_walk(datagram, HOST_ORDER)
    )


def _inodes_of(name: bytes, datagram: bytes) -> Iterator[int]:
    for found, nla_type, payload in _attributes(datagram):
        if (
            found.udiag_type == SOCK_DGRAM
            and nla_type == UnixDiagAttr.UNIX_DIAG_NAME
            and payload == name
        ):
            yield found.udiag_ino


def _attributes(datagram: bytes) -> Iterator[tuple[UnixDiagMsg, int, bytes]]:
    """Each attribute of each socket: the socket, the attribute's type and payload."""
    for offset, header in nlmsg_walk(datagram, HOST_ORDER):
        if header.nlmsg_type == SOCK_DIAG_BY_FAMILY:
            start, end = offset + NLMSG_HDRLEN, offset + header.nlmsg_len
            found = UNIX_DIAG_MSG[HOST_ORDER].decode(datagram, start)
            for nla_type, at, length in nla_walk(
                datagram, start + UNIX_DIAG_MSG.size, end, HOST_ORDER
            ):
                yield found, nla_type, datagram[at : at + length]
