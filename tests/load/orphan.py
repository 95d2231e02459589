"""A client whose server is killed: ``python -m load.orphan KIND PATH``.

One socket waits in recv(2). Commands and answers are lines of JSON.
"""

from __future__ import annotations

import errno
import json
import socket
import sys
import threading
import time
from typing import Any

from helpers.nets import SECONDS

from load.wire import HELLO, ask_own, open_socket

# A datagram socket is not told of its server's end: who waits must set a time-out.
TIMEOUT = 0.5
OWN_TIMEOUT = "the client's own time-out"


def outcome(sock: socket.socket) -> str:
    """What recv() comes to."""
    try:
        return "an answer" if sock.recv(4096) else "end of file"
    except TimeoutError:
        return OWN_TIMEOUT
    except OSError as exc:
        return errno.errorcode[exc.errno or 0]


class Orphan:
    """Two sockets: one waits, one asks."""

    def __init__(self, kind: str, path: str) -> None:
        self.kind, self.path = kind, path
        self.waiting, self.asking = (self._open() for _ in range(2))
        self.found: dict[str, tuple[str, float]] = {}
        self.thread = threading.Thread(target=self._wait)

    def _open(self) -> socket.socket:
        sock = open_socket(self.kind, self.path)
        sock.settimeout(SECONDS)
        if self.kind == "channel":
            sock.recv(len(HELLO))
        ask_own(sock, self.kind, self.path)
        sock.recv(4096)
        return sock

    def _wait(self) -> None:
        if self.kind in ("connected", "unconnected"):
            self.waiting.settimeout(TIMEOUT)
        self.found["recv() that waits"] = outcome(self.waiting), time.monotonic()

    def do(self, order: dict[str, Any]) -> object:
        match order:
            case {"do": "wait"}:
                self.thread.start()
                return True
            case {"do": "ask"}:
                try:
                    ask_own(self.asking, self.kind, self.path)
                    said = outcome(self.asking)
                except OSError as exc:
                    said = errno.errorcode[exc.errno or 0]
                self.found["a question"] = said, time.monotonic()
                self.thread.join()
                return self.found
            case {"do": "come again"}:
                ask_own(sock := self._open(), self.kind, self.path)
                return outcome(sock)
        raise ValueError(f"what is {order}?")


def main() -> None:
    orphan = Orphan(*sys.argv[1:])
    print("true", flush=True)  # noqa: T201
    for line in sys.stdin:
        print(json.dumps(orphan.do(json.loads(line))), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
