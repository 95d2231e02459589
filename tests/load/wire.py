"""The bytes of clients, and their sockets of each kind. Light: programs start with it often."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable

from bench.messages import FAMILY, get_pid, register

HELLO = struct.pack("=16sIiIIII", b"\0\0\0\0netlink-emu\0", 1, 0, 0, 0, 0, 0)
KINDS = ("connected", "unconnected", "channel")
CPUS = 64
NLMSG_ERROR = 2
# struct nlmsghdr: len, type, flags, seq, pid; genlmsghdr; nlattr AGGR_PID; nlattr PID; the pid
_EVENT = struct.Struct("=4xH2xII4x4x4xI")


def deregister(cpulist: str) -> bytes:
    """TASKSTATS_CMD_ATTR_DEREGISTER_CPUMASK, with NLM_F_ACK."""
    request = bytearray(register(cpulist))
    request[22:24] = b"\4\0"
    return bytes(request)


def parse_event(datagram: bytes) -> tuple[int, int] | None:
    """(sequence number, pid) of an exit event; None for what is something else."""
    if len(datagram) < _EVENT.size:
        return None
    kind, seq, portid, pid = _EVENT.unpack_from(datagram)
    return None if kind != FAMILY or portid else (seq, pid)


def open_socket(kind: str, path: str) -> socket.socket:
    """A client's socket: to the server at ``path``, or a netlink socket for the interposer."""
    if kind == "netlink":
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
        sock.bind((0, 0))
        return sock
    if kind == "channel":
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
            way.connect(path)
            socket.send_fds(way, [HELLO], [theirs.fileno()])
        return mine
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind("")
    if kind == "connected":
        sock.connect(path)
    return sock


def send(sock: socket.socket, kind: str, path: str, datagram: bytes) -> None:
    if kind == "unconnected":
        sock.sendto(datagram, path)
    else:
        sock.send(datagram)


def receive(sock: socket.socket, overrun: Callable[[], None] = lambda: None) -> bytes:
    """The next datagram; ENOBUFS, which may come at any time to who is registered, is told."""
    while True:
        try:
            return sock.recv(4096)
        except OSError as exc:
            if exc.errno != errno.ENOBUFS:
                raise
            overrun()


def ask_own(sock: socket.socket, kind: str, path: str) -> None:
    """A question of no consequence: who has no socket in the kernel yet has one then."""
    send(sock, kind, path, get_pid(os.getpid()))
