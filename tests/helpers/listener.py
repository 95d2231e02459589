"""A client that registers for exits and prints one line for each; python3 listener.py [CPUS]."""

# ruff: noqa: T201

import socket
import struct
import sys

NAME = b"\x0e\0\x02\0TASKSTATS\0\0\0"

sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)  # NETLINK_GENERIC
sock.bind((0, 0))
sock.send(struct.pack("=IHHIIBBH", 36, 16, 1, 1, 0, 3, 1, 0) + NAME)
reply = sock.recv(65536)
(family,) = struct.unpack_from("=H", reply, 20 + 16 + 4)
cpus = (sys.argv[1] if len(sys.argv) > 1 else "0").encode() + b"\0"
attr = struct.pack("=HH", 4 + len(cpus), 3) + cpus + bytes(-len(cpus) % 4)
sock.send(struct.pack("=IHHIIBBH", 20 + len(attr), family, 5, 2, 0, 1, 1, 0) + attr)
error = struct.unpack_from("=i", sock.recv(65536), 16)[0]
if error:
    sys.exit(f"cannot register: errno {-error}")
print("registered", flush=True)
while True:
    try:
        event = sock.recv(65536)
    except OSError as exc:
        print(f"errno {exc.errno}", flush=True)
        continue
    (pid,) = struct.unpack_from("=I", event, 28)
    version, code = struct.unpack_from("=HxxI", event, 36)
    print(f"pid {pid} code {code >> 8} version {version}", flush=True)
