"""What a task does on its own: socket calls and changes of itself, with their outcomes.

Runs in the driver and in every task that it forked. Calls return at once unless a step says
``blocking``; an errno becomes the outcome's error, by name.
"""

from __future__ import annotations

import array
import os
import resource
import select
import socket
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from netlink_emu.conformance.cases import ops
from netlink_emu.conformance.cases.case import Cmsg, Datagram, Outcome, told_by
from netlink_emu.conformance.cases.masked import MaskedBytes
from netlink_emu.conformance.cases.names import (
    DEFAULT_BUFSIZE,
    DEFAULT_CTRL,
    POLICIES,
    POLL_ASKED,
    comm_bytes,
    msg_flags_names,
    poll_names,
    socket_type,
    sockopt_value,
)
from netlink_emu.conformance.cases.structure import event_pid
from netlink_emu.protocol.errors import errno_name
from netlink_emu.protocol.format import HOST_ORDER
from netlink_emu.protocol.netlink import AF_NETLINK, NETLINK_GENERIC, SOL_NETLINK, NetlinkSockOpt

from . import libc

_T = TypeVar("_T")
_SCM_CREDENTIALS: Final = 2
_PROC_COLUMNS: Final = ("Eth", "Groups", "Rmem", "Wmem", "Dump", "Locks", "Drops")


@dataclass(slots=True)
class Request:
    """A step for a task, with what only the driver knows.

    ``address`` is the raw sockaddr of a bind, connect or send; ``creds`` those of a send.
    ``known`` are the pids whose exit events belong to the case: others are left out.
    """

    op: ops.Op
    address: bytes | None = None
    creds: tuple[int, int, int] | None = None
    known: frozenset[int] = frozenset()
    family_id: int = 0
    comm: bytes = b""


@dataclass(slots=True)
class Calls:
    """The sockets and descriptors of one process, by name."""

    socks: dict[str, socket.socket] = field(default_factory=dict)
    fds: dict[str, int] = field(default_factory=dict)
    epoll: select.epoll | None = None
    watched: dict[int, str] = field(default_factory=dict)
    foreign: int = 0  # exit events of others' tasks that were left out

    def fileno(self, sock: str) -> int:
        return self.socks[sock].fileno()

    def execute(self, request: Request) -> Outcome:
        """Carry out one request; raises LookupError for an operation that is none of a task."""
        try:
            if isinstance(request.op, ops.Send):
                return self._send(request, request.op)
            if isinstance(request.op, ops.Recv):
                return self._recv(request, request.op)
            outcome = self._socket_call(request) or _ask(self, request.op) or _self(request.op)
        except OSError as exc:
            return Outcome(error=errno_name(exc.errno or 0))
        if outcome is None:
            raise LookupError(f"no task can {request.op.NAME} {request.op.ACTION or ''}".rstrip())
        return outcome

    def _socket_call(self, request: Request) -> Outcome | None:
        match request.op:
            case ops.Socket() as op:
                self.socks[op.sock] = socket.socket(*_kind(op))
            case ops.SocketPair() as op:
                for sock in socket.socketpair(*_kind(op)):
                    sock.close()
            case ops.Bind() as op:
                libc.bind(self.fileno(op.sock), request.address or b"")
            case ops.Connect() as op:
                libc.connect(self.fileno(op.sock), request.address or b"")
            case ops.Close() as op:
                self.socks.pop(op.sock).close()
            case ops.Open() as op:
                self.fds[op.fd] = self._open(op)
                return Outcome(result={"fd": self.fds[op.fd]})
            case ops.CloseFd() as op:
                os.close(self.fds.pop(op.fd))
            case ops.SetSockOpt() as op:
                value = sockopt_value(op.value, op.value_hex)
                libc.setsockopt(self.fileno(op.sock), op.level, op.opt, value)
            case ops.Listen() as op:
                libc.listen(self.fileno(op.sock))
            case ops.Accept() as op:
                libc.accept(self.fileno(op.sock))
            case ops.Shutdown() as op:
                libc.shutdown(self.fileno(op.sock), op.how)
            case ops.Ioctl() as op:
                libc.ioctl(self.fileno(op.sock), op.request)
            case ops.AttachFilter() as op:
                libc.attach_filter(self.fileno(op.sock), op.program)
            case ops.DetachFilter() as op:
                libc.detach_filter(self.fileno(op.sock))
            case ops.EpollWatch() as op:
                self._watch(op)
            case _:
                return None
        return Outcome(result=0)

    def _open(self, op: ops.Open) -> int:
        if op.what == "pipe":
            read_fd, write_fd = os.pipe()
            os.close(write_fd)
            return read_fd
        if op.what == "socket":
            if op.sock is not None:
                return os.dup(self.fileno(op.sock))
            return socket.socket(socket.AF_UNIX).detach()
        return os.open(op.path or "", op.flags or os.O_RDONLY)

    def _watch(self, op: ops.EpollWatch) -> None:
        if self.epoll is None:
            self.epoll = select.epoll()
        for name in op.socks or [op.sock or ""]:
            self.watched[self.fileno(name)] = name
            self.epoll.register(self.fileno(name), select.EPOLLIN | select.EPOLLET)

    def _send(self, request: Request, op: ops.Send) -> Outcome:
        sock = self.socks[op.sock]
        data, address = op.payload.data, request.address
        flags = (op.flags or 0) | socket.MSG_DONTWAIT
        ancillary: list[tuple[int, int, bytes]] = []
        if request.creds is not None:
            creds = struct.pack("=iII", *request.creds)
            ancillary.append((socket.SOL_SOCKET, _SCM_CREDENTIALS, creds))
        if op.cmsg_rights:
            rights = array.array("i", [sock.fileno()])
            ancillary.append((socket.SOL_SOCKET, socket.SCM_RIGHTS, rights.tobytes()))
        if op.iov is not None or ancillary or op.via == "sendmsg":
            parts = split_iov(data, op.iov)
            to = (struct.unpack_from("=II", address, 4),) if address is not None else ()
            return Outcome(result=sock.sendmsg(parts, ancillary, flags, *to))
        if address is not None:
            return Outcome(result=libc.sendto(sock.fileno(), data, flags, address))
        if op.via == "write":
            return Outcome(result=_unblocked(sock, lambda: os.write(sock.fileno(), data)))
        return Outcome(result=sock.send(data, flags))

    def _recv(self, request: Request, op: ops.Recv) -> Outcome:
        sock = self.socks[op.sock]
        datagrams: list[Datagram] = []
        flags = op.flags or 0
        while op.n is None or len(datagrams) < op.n:
            try:
                datagram = _receive_one(sock, op, flags)
                if self._is_foreign(datagram.payload.data, request):
                    if flags & socket.MSG_PEEK:
                        _receive_one(sock, op, flags & ~socket.MSG_PEEK)
                    continue
                datagrams.append(datagram)
            except OSError as exc:
                return Outcome(datagrams=tuple(datagrams), error=errno_name(exc.errno or 0))
        return Outcome(datagrams=tuple(datagrams))

    def _is_foreign(self, data: bytes, request: Request) -> bool:
        """Whether this is the exit event of a task that is none of the case's."""
        pid = event_pid(data, request.family_id, HOST_ORDER)
        foreign = pid is not None and pid not in request.known
        self.foreign += foreign
        return foreign


def _kind(op: ops.Socket | ops.SocketPair) -> tuple[int, int, int]:
    return (
        AF_NETLINK if op.family is None else op.family,
        socket_type(op.type),
        NETLINK_GENERIC if op.proto is None else op.proto,
    )


def split_iov(data: bytes, iov: int | list[int] | None) -> list[bytes]:
    """``data`` in as many parts as ``iov`` says, or of the lengths that it names."""
    if isinstance(iov, int):
        lengths = [-(-len(data) // max(iov, 1))] * max(iov, 1)
    else:
        lengths = list(iov or ())
    parts, rest = [], data
    for length in lengths:
        parts.append(rest[:length])
        rest = rest[length:]
    return [part for part in (*parts, rest) if part] or [b""]


def _unblocked(sock: socket.socket, call: Callable[[], _T]) -> _T:
    """A call that has no flags to say that it shall not wait."""
    os.set_blocking(sock.fileno(), False)
    try:
        return call()
    finally:
        os.set_blocking(sock.fileno(), True)


def _signed(flags: int) -> int:
    """As a C int, which the socket module takes."""
    return flags - (1 << 32) if flags >> 31 == 1 else flags


def _receive_one(sock: socket.socket, op: ops.Recv, flags: int) -> Datagram:
    size = DEFAULT_BUFSIZE if op.bufsize is None else op.bufsize
    if op.is_file_call:
        return _read_one(sock, op, size)
    buffer = bytearray(size)
    flags = _signed(flags if op.blocking else flags | socket.MSG_DONTWAIT)
    ancillary: list[tuple[int, int, bytes]] = []
    address, msg_flags = None, 0
    if op.via == "recv":
        length = libc.recv(sock.fileno(), buffer, flags)
    elif op.via == "recvfrom":
        length, address = sock.recvfrom_into(buffer, 0, flags)
    else:
        room = DEFAULT_CTRL if op.ctrl is None else op.ctrl
        length, ancillary, msg_flags, address = sock.recvmsg_into([buffer], room, flags)
    whole = Datagram(
        MaskedBytes(bytes(buffer[: min(length, size)])),
        sender=(address[0], address[1]) if address else (0, 0),
        msg_flags=msg_flags_names(msg_flags),
        cmsgs=tuple(Cmsg(level, kind, MaskedBytes(value)) for level, kind, value in ancillary),
    )
    return told_by(op, whole, length)


def _read_one(sock: socket.socket, op: ops.Recv, size: int) -> Datagram:
    """read(2), or readv(2) into pieces."""
    buffers = [bytearray(size)]
    if op.iov is not None:
        buffers = [bytearray(len(part)) for part in split_iov(bytes(size), op.iov)]

    def read() -> bytes:
        if op.via == "read":
            return os.read(sock.fileno(), size)
        length = os.readv(sock.fileno(), buffers)
        return b"".join(buffers)[:length]

    data = read() if op.blocking else _unblocked(sock, read)
    return told_by(op, Datagram(MaskedBytes(data)), len(data))


def _ask(calls: Calls, op: ops.Op) -> Outcome | None:
    """Operations that only look."""
    match op:
        case ops.GetSockOpt():
            value, optlen = libc.getsockopt(
                calls.fileno(op.sock), op.level, op.opt, 4 if op.len is None else op.len
            )
            number = int.from_bytes(value, sys.byteorder, signed=True) if len(value) == 4 else None
            return Outcome(result=number, value=value, optlen_out=optlen)
        case ops.ListMemberships():
            value, optlen = libc.getsockopt(
                calls.fileno(op.sock),
                SOL_NETLINK,
                NetlinkSockOpt.NETLINK_LIST_MEMBERSHIPS,
                4 if op.len is None else op.len,
            )
            return Outcome(value=value, optlen_out=optlen)
        case ops.GetSockName():
            return Outcome(result=list(libc.getsockname(calls.fileno(op.sock))))
        case ops.GetPeerName():
            return Outcome(result=list(libc.getpeername(calls.fileno(op.sock))))
        case ops.Poll():
            poll = select.poll()
            poll.register(calls.fileno(op.sock), POLL_ASKED)
            return Outcome(result=poll_names(dict(poll.poll(0)).get(calls.fileno(op.sock), 0)))
        case ops.EpollOrder():
            ready = calls.epoll.poll(0) if calls.epoll is not None else []
            return Outcome(result=[calls.watched[fd] for fd, _ in ready])
        case ops.ProcNetlink():
            return Outcome(result=_proc_row(calls.socks[op.sock]))
    return None


def _proc_row(sock: socket.socket) -> dict[str, str]:
    """The row of a socket in /proc/net/netlink; {} if there is none, as before it is bound.

    Read as bytes: a task without privileges may not be able to import a text encoding.
    """
    inode = str(os.fstat(sock.fileno()).st_ino)
    header, *lines = Path("/proc/self/net/netlink").read_bytes().decode().splitlines()
    for line in lines:
        row = dict(zip(header.split(), line.split(), strict=False))
        if row.get("Inode") == inode:
            return {column: row[column] for column in _PROC_COLUMNS}
    return {}


def _self(op: ops.Op) -> Outcome | None:
    """Changes of the calling task."""
    match op:
        case ops.SetIds():
            os.setresgid(op.gid, op.gid, op.gid)
            os.setresuid(op.uid, op.uid, op.uid)
        case ops.SetEuid():
            os.seteuid(op.uid)
        case ops.SetNice():
            os.setpriority(os.PRIO_PROCESS, 0, op.nice)
        case ops.SetPolicy():
            os.sched_setscheduler(0, POLICIES[op.policy], os.sched_param(op.priority or 0))
        case ops.SetComm():
            libc.set_comm(comm_bytes(op.comm))
        case ops.UsePrivilege():
            os.chroot("/")
        case ops.SetCpu():
            os.sched_setaffinity(0, {op.cpu})
        case ops.Chdir():
            os.chdir(op.path)
        case ops.RlimitCore():
            limit = resource.RLIM_INFINITY if op.bytes < 0 else op.bytes
            hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
            resource.setrlimit(resource.RLIMIT_CORE, (limit, hard))
        case _:
            return None
    return Outcome(result=0)
