"""Opens netlink sockets under the interposer: ``python -m load.opener``.

Commands and answers are lines of JSON.
"""

from __future__ import annotations

import errno
import json
import socket
import sys

from load.wire import ask_own, open_socket

socks: list[socket.socket] = []


def attempt() -> str:
    """Open a socket that is kept, and ask."""
    try:
        sock = open_socket("netlink", "")
        ask_own(sock, "netlink", "")
        sock.recv(4096)
    except OSError as exc:
        return errno.errorcode[exc.errno or 0]
    socks.append(sock)
    return "works"


def main() -> None:
    print("true", flush=True)  # noqa: T201
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "close":
            socks.clear()
        print(json.dumps(attempt() if order["do"] == "open" else True), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
