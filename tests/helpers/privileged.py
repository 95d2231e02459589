"""Clients for which it matters who they are in the kernel."""

from __future__ import annotations

# Asks for its own statistics; says the answer's type, or the error.
ASKS = """
import errno, os, socket, struct
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
s.send(struct.pack("=IHHII BBxx HHI", 28, 0x1f, 1, 1, 0, 1, 1, 8, 1, os.getpid()))
answer = s.recv(4096)
kind, error = struct.unpack_from("=H10xi", answer, 4)
print(errno.errorcode[-error] if kind == 2 else "answered")
"""
# Sends to another socket of its own, and says as whom it came from.
SENDER = """
import socket, struct
a, b = (socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16) for _ in range(2))
b.bind((77, 0))
b.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
a.sendto(struct.pack("=IHHII", 16, 0x1f, 1, 1, 0), (77, 0))
_, control, _, _ = b.recvmsg(100, 100)
print(*struct.unpack("=iII", control[0][2])[1:])
"""
