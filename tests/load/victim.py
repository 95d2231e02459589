"""Registers, receives, deregisters, closes, for ever: ``python -m load.victim KIND PATH``.

To be killed at any point of it.
"""

from __future__ import annotations

import socket
import sys
from itertools import count

from bench.messages import register
from helpers.nets import SECONDS

from load.wire import CPUS, HELLO, deregister, open_socket, parse_event, receive, send


def until_ack(sock: socket.socket) -> None:
    while parse_event(receive(sock)) is not None:
        pass


def once(kind: str, path: str, cpulist: str) -> None:
    with open_socket(kind, path) as sock:
        sock.settimeout(SECONDS)
        if kind == "channel":
            sock.recv(len(HELLO))
        send(sock, kind, path, register(cpulist))
        until_ack(sock)
        for _ in range(3):
            receive(sock)
        send(sock, kind, path, deregister(cpulist))
        until_ack(sock)


def main() -> None:
    _, kind, path = sys.argv
    print("true", flush=True)  # noqa: T201
    for number in count():
        once(kind, path, str(number % CPUS))


if __name__ == "__main__":
    main()
