"""Dumps links by trio, and then waits for what never comes."""

import socket
import struct

import trio


def getlink(flags: int, seq: int, index: int) -> bytes:
    return struct.pack("=IHHIIBxHiII", 32, 18, flags, seq, 0, 0, 0, index, 0, 0)


async def main() -> None:
    sock = trio.socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    with sock:
        await sock.bind((0, 0))
        await sock.send(struct.pack("=IHHIIBxHiII", 32, 18, 0x301, 7, 0, 0, 0, 0, 0, 0))
        while True:
            data = await sock.recv(65536)
            kind, flags, seq = struct.unpack_from("=HHI", data, 4)
            print(kind, flags, seq, len(data))
            if kind == 3:
                break
        with trio.move_on_after(0.1):
            await sock.recv(100)
        print("silence")


trio.run(main)
