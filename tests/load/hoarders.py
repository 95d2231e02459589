"""One client alone: what it can make the server hold."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from bench.messages import get_pid, register

from load.audit import MIB, Audit
from load.place import Place, until
from load.size import GROWTH, Size
from load.wire import CPUS, HELLO, KINDS, open_socket, send

# A netlink socket's receive buffer is 208 KiB, and takes one datagram more than fits. On top of
# that come the journal of this server, which keeps 1 MiB, and what Python does not give back.
MOST: Final = 8 * MIB
# CTRL_CMD_GETFAMILY with NLM_F_DUMP
DUMP: Final = struct.pack("=IHHIIBBH", 20, 16, 0x301, 7, 0, 3, 1, 0)


def _never_reads(place: Place, sock: socket.socket, kind: str, size: Size) -> None:
    send(sock, kind, str(place.path), register(f"0-{CPUS - 1}"))
    until(lambda: place.figures()["listeners"] > 0)
    place.storm(size.exits, burst=256)


def _sends(place: Place, sock: socket.socket, kind: str, size: Size) -> None:
    _flood(place, sock, kind, get_pid(1), size.flood)


def _dumps(place: Place, sock: socket.socket, kind: str, size: Size) -> None:
    _flood(place, sock, kind, DUMP, size.flood)


def _longest(place: Place, sock: socket.socket, kind: str, size: Size) -> None:
    """Requests of 200 KiB, each of which comes back in an error."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    longest = struct.pack("=IHHII", 200_000, 0x3FF, 1, 1, 0) + bytes(199_984)
    _flood(place, sock, kind, longest, size.flood)


def _flood(place: Place, sock: socket.socket, kind: str, datagram: bytes, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            send(sock, kind, str(place.path), datagram)
        except BlockingIOError:
            time.sleep(0.0001)


WAYS: Final[dict[str, Callable[[Place, socket.socket, str, Size], None]]] = {
    "never reads, and hears of all exits": _never_reads,
    "sends as fast as it can": _sends,
    "makes dumps": _dumps,
    "sends the longest requests": _longest,
}


def hoarders(size: Size, seed: int) -> Audit:
    """A client that reads nothing, by each way to make the server hold something for it."""
    audit = Audit("memory")
    with Place.prepared() as place:
        with _quiet(place, "channel") as sock:  # what is kept after the first is no client's
            _dumps(place, sock, "channel", size)
        place.gone(audit)
        before = place.resources()
        for what, way in WAYS.items():
            for kind in KINDS:
                start = place.resources().rss
                with _quiet(place, kind) as sock:
                    way(place, sock, kind, size)
                    held = place.resources().rss - start
                audit.figures[f"{what}, {kind}"] = f"{held / MIB:.1f} MiB held"
                audit.check(held <= MOST, f"{what}, {kind}: {held:,} bytes are held for it")
        # This process lives on: those of its sockets to which nothing more was sent are noticed
        # as gone when there are many clients.
        with place.herd(sockets=300, kind="unconnected") as many:
            many.answer()
            many.end()
        place.end(audit, before, most_growth=GROWTH)
    return audit


@contextmanager
def _quiet(place: Place, kind: str) -> Iterator[socket.socket]:
    with open_socket(kind, str(place.path)) as sock:
        if kind == "channel":
            sock.recv(len(HELLO))
        sock.setblocking(False)
        yield sock
