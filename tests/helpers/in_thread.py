"""What the function of a thread does that is a client of its kernel."""

from __future__ import annotations

import socket

from helpers.messages import decode, get, stats_of


def generic(portid: int = 0) -> socket.socket:
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
    try:
        sock.bind((portid, 0))
    except OSError:
        sock.close()
        raise
    return sock


def ask(pid: int) -> dict[str, object]:
    with generic() as sock:
        sock.send(get(pid))
        return stats_of(decode(sock.recv(65536)))
