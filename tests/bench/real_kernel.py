"""The real kernel, asked by the same clients: for the reader's sense of scale."""

from __future__ import annotations

import os
import socket
import struct
import time
from typing import Self

from bench.measure import Probe
from bench.messages import get_pid

NETLINK_GENERIC = 16
BUFFER = 65536


def family_id() -> int | None:
    """The id of TASKSTATS in the host's kernel; None where there is none, or no netlink."""
    name = b"TASKSTATS\0"
    attr = struct.pack("=HH", 4 + len(name), 2) + name + bytes(-len(name) % 4)
    message = struct.pack("=IHHIIBBH", 20 + len(attr), 16, 1, 1, 0, 3, 2, 0) + attr
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC) as sock:
            sock.settimeout(5)
            sock.send(message)
            answer = sock.recv(BUFFER)
    except OSError:
        return None
    if struct.unpack_from("=H", answer, 4)[0] != 16:  # NLMSG_ERROR: no such family
        return None
    at = 20
    while at + 4 <= len(answer):
        size, kind = struct.unpack_from("=HH", answer, at)
        if kind == 1:  # CTRL_ATTR_FAMILY_ID
            found: int = struct.unpack_from("=H", answer, at + 4)[0]
            return found
        at += size + 3 & ~3
    return None


def available() -> bool:
    """Whether the host's kernel answers GET here; it takes CAP_NET_ADMIN."""
    family = family_id()
    if family is None:
        return False
    with Client() as client:
        return client.answers()


class Client:
    """A netlink socket of the host's kernel."""

    def __init__(self) -> None:
        self.family = family_id() or 0
        self.request = get_pid(os.getpid(), family=self.family)
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.sock.close()

    def answers(self) -> bool:
        self.sock.send(self.request)
        answer = self.sock.recv(BUFFER)
        kind: int = struct.unpack_from("=H", answer, 4)[0]
        return kind == self.family

    def one_by_one(self, count: int) -> Probe:
        """Microseconds from a request to its answer."""

        def probe() -> float:
            send, recv, request = self.sock.send, self.sock.recv, self.request
            start = time.perf_counter_ns()
            for _ in range(count):
                send(request)
                recv(BUFFER)
            return (time.perf_counter_ns() - start) / count / 1000

        return probe
