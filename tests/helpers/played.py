"""A cassette of one client that asks for addresses, and that client."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

from netlink_emu.cassettes import (
    Answer,
    Bound,
    Cassette,
    Event,
    Head,
    Request,
    Stream,
    write_cassette,
)
from netlink_emu.cassettes.text import texted

CLIENT = """
import socket, struct, sys

def addresses(family=2, group=0, count=1):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as sock:
        sock.settimeout(300)
        sock.bind((0, group))
        found = []
        for seq in range(count):
            sock.send(struct.pack("=IHHIIB3x", 20, 22, 0x301, 1234 + seq, 0, family))
            kind = 0
            while kind != 3:
                data = sock.recv(65536)
                while data:
                    size, kind, _, number, pid = struct.unpack_from("=IHHII", data)
                    assert (number, pid) == (1234 + seq, sock.getsockname()[0]), (number, pid)
                    if kind == 2:
                        return "refused"
                    if kind == 20:
                        found.append(data[20:24].hex())
                    data = data[size + 3 & ~3 :]
        return " ".join(found)

if __name__ == "__main__":
    print(addresses(int((sys.argv + ["2"])[1])))
"""


def nlmsg(kind: int, flags: int, seq: int, pid: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, seq, pid) + body


def request(family: int = 2) -> Request:
    return Request(nlmsg(22, 0x301, 9, 0, bytes([family, 0, 0, 0])))


def dump(address: bytes) -> tuple[Event, ...]:
    return (
        Answer(nlmsg(20, 2, 9, 777, bytes(4) + address)),
        Answer(nlmsg(3, 2, 9, 777, bytes(4))),
    )


ADDRESSES = (Bound(777), request(), *dump(b"\xfe\x80\x00\x01"))


def cassette(*events: Event, release: str = "6.12.1") -> Cassette:
    stream = Stream(0, 3, "client", events or ADDRESSES)
    return texted(Cassette(Head(release, os.uname().machine), (stream,)))


def write(path: Path, *events: Event) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(write_cassette(cassette(*events)))
    return path


def addresses(*args: int, **options: int) -> str:
    """The client's function, as it stands in CLIENT."""
    found: str = globals_of_client["addresses"](*args, **options)
    return found


globals_of_client: dict[str, Any] = {"__name__": "client"}
exec(CLIENT, globals_of_client)
