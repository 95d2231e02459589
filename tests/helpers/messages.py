"""Requests as a client in any language would write them, and how to read answers."""

from __future__ import annotations

import socket
import struct
from typing import Any

from helpers.nets import SECONDS

from netlink_emu.protocol.reading.decode import Decoder, Message

FAMILY = 0x1F


def request(
    cmd: int, *attrs: tuple[int, bytes], flags: int = 1, seq: int = 1, family: int = FAMILY
) -> bytes:
    """A generic netlink request."""
    body = b"".join(
        struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)
        for kind, payload in attrs
    )
    return struct.pack("=IHHIIBBH", 20 + len(body), family, flags, seq, 0, cmd, 1, 0) + body


def get(pid: int, **options: int) -> bytes:
    """TASKSTATS_CMD_GET of a task."""
    return request(1, (1, struct.pack("=I", pid)), **options)


def register(cpulist: str, *, kind: int = 3, **options: int) -> bytes:
    """TASKSTATS_CMD_GET that registers for exits, and wants an ack."""
    return request(1, (kind, cpulist.encode() + b"\0"), **{"flags": 5, **options})


def decode(data: bytes) -> Message:
    """The first message of a datagram from a kernel whose TASKSTATS is 0x1f."""
    return Decoder(ids={FAMILY: "TASKSTATS"}).datagram(data)[0]


def receive(sock: socket.socket) -> Message:
    """Read one datagram."""
    sock.settimeout(SECONDS)
    return decode(sock.recv(1 << 16))


def attrs(message: Message | None) -> dict[str, Any]:
    """The attributes of a message of NETLINK_EMU, by the names of its spec."""
    assert message is not None
    return {a.name.split("_", 3)[3].lower(): a.value for a in message.attrs}


def stats_of(message: Message) -> dict[str, Any]:
    """The members of the first struct taskstats."""
    stats = message.find("TASKSTATS_TYPE_STATS")
    assert stats is not None, message
    return dict(stats.value)


def waiting(sock: socket.socket) -> list[bytes]:
    """All datagrams that lie in the socket's queue."""
    sock.setblocking(False)
    datagrams = []
    while True:
        try:
            datagrams.append(sock.recv(1 << 16))
        except BlockingIOError:
            return datagrams
