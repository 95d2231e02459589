"""A program that makes pairs of system calls: reads how many, prints how long each pair took.

    python pair_client.py netlink FAMILY PID    a named sendmsg and a recvmsg on AF_NETLINK
    python pair_client.py plain FAMILY PID      sendto and recv on AF_NETLINK, without names
    python pair_client.py unix                  sendmsg and recvmsg on a socket pair
    python pair_client.py getppid               two calls that do nothing

Stands alone: it is run where the package is not, and must not know of it.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import time
from collections.abc import Callable

NETLINK_GENERIC = 16
KERNEL = (0, 0)


def netlink_pair(family: int, pid: int) -> Callable[[], object]:
    request = get_pid(family, pid)
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
    sendmsg, recvmsg, pieces = sock.sendmsg, sock.recvmsg, [request]

    def pair() -> object:
        sendmsg(pieces, [], 0, KERNEL)
        return recvmsg(8192)

    answer, _, _, name = recvmsg_once(sock, request)
    assert struct.unpack_from("=H", answer, 4)[0] == family, answer
    assert name == KERNEL
    return pair


def get_pid(family: int, pid: int) -> bytes:
    return struct.pack("=IHHIIBBHHHI", 28, family, 1, 1, 0, 1, 1, 0, 8, 1, pid)


def plain_pair(family: int, pid: int) -> Callable[[], object]:
    request = get_pid(family, pid)
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
    sendto, recv = sock.sendto, sock.recv

    def pair() -> object:
        sendto(request, KERNEL)
        return recv(8192)

    return pair


def recvmsg_once(sock: socket.socket, request: bytes) -> tuple[bytes, object, int, object]:
    sock.sendmsg([request], [], 0, KERNEL)
    return sock.recvmsg(8192)


def unix_pair() -> Callable[[], object]:
    near, far = socket.socketpair()
    pieces = [bytes(28)]

    def pair() -> object:
        near.sendmsg(pieces)
        return far.recvmsg(8192)

    return pair


def getppid_pair() -> Callable[[], object]:
    getppid = os.getppid

    def pair() -> object:
        getppid()
        return getppid()

    return pair


PAIRS: dict[str, Callable[..., Callable[[], object]]] = {
    "netlink": netlink_pair,
    "plain": plain_pair,
    "unix": unix_pair,
    "getppid": getppid_pair,
}


def main() -> None:
    kind, *numbers = sys.argv[1:]
    pair = PAIRS[kind](*map(int, numbers))
    for line in sys.stdin:
        count = int(line)
        start = time.perf_counter_ns()
        for _ in range(count):
            pair()
        taken = time.perf_counter_ns() - start
        sys.stdout.write(f"{taken / count / 1000}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
