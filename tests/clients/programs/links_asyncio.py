"""Dumps links by asyncio, and asks for one that is not there."""

import asyncio
import socket
import struct


def getlink(flags: int, seq: int, index: int) -> bytes:
    return struct.pack("=IHHIIBxHiII", 32, 18, flags, seq, 0, 0, 0, index, 0, 0)


async def main() -> None:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as sock:
        sock.setblocking(False)
        sock.bind((0, 0))
        await loop.sock_sendall(
            sock, struct.pack("=IHHIIBxHiII", 32, 18, 0x301, 7, 0, 0, 0, 0, 0, 0)
        )
        while True:
            data = await loop.sock_recv(sock, 65536)
            kind, flags, seq = struct.unpack_from("=HHI", data, 4)
            print(kind, flags, seq, len(data))
            if kind == 3:
                break
        await loop.sock_sendall(sock, getlink(1, 8, 99999))
        print(struct.unpack_from("=HHIIi", await loop.sock_recv(sock, 65536), 4)[::4])


asyncio.run(main())
