"""A client of a server behind a Unix datagram socket, and the fence behind its requests."""

from __future__ import annotations

import contextlib
import select
import socket
from pathlib import Path
from typing import Final

from netlink_emu.backends.unix_paths import connectable, fits
from netlink_emu.conformance.cases.names import DEFAULT_BUFSIZE
from netlink_emu.protocol.format import ByteOrder
from netlink_emu.protocol.netlink import NLMSG_HDRLEN
from netlink_emu.protocol.ours.hello import Hello, decode_hello, encode_hello

from .real.probe import getfamily_request

PATIENCE: Final = 5.0  # seconds for an answer
FENCE: Final = 0xFE4CE  # nlmsg_seq of the request behind which nothing older can come


class UnixClient:
    """A bound Unix datagram socket that is connected to the server.

    ``order`` is that of the server's kernel.
    """

    def __init__(self, server: Path, own: Path, order: ByteOrder) -> None:
        self.order: Final = order
        self._own: Final = own
        self.sock: Final = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.settimeout(PATIENCE)
        try:
            self.sock.bind(str(own) if fits(own) else "")  # a name that Linux gives out
            with connectable(server) as name:
                self.sock.connect(name)
        except OSError:
            self.sock.close()
            raise

    def wait(self, seconds: float) -> bool:
        """Whether something can be read before the time is over."""
        return bool(select.select([self.sock], [], [], seconds)[0])

    def ask(self, datagram: bytes) -> bytes | None:
        """Send, and wait for one datagram; None if there is none."""
        self.sock.send(datagram)
        return self.sock.recv(DEFAULT_BUFSIZE) if self.wait(PATIENCE) else None

    def hello(self, hello: Hello) -> Hello | None:
        """The answer to a hello; None from a server that does not know it.

        A kernel's answer to the fence behind it tells that there will be none.
        """
        self.sock.send(encode_hello(hello))
        self.sock.send(getfamily_request("nlctrl", self.order, FENCE))
        answer = None
        while self.wait(PATIENCE):
            datagram = self.sock.recv(DEFAULT_BUFSIZE)
            if self.is_fence(datagram):
                break
            answer = decode_hello(datagram) or answer
        return answer

    def close(self) -> None:
        self.sock.close()
        with contextlib.suppress(OSError):
            self._own.unlink()

    def is_fence(self, datagram: bytes) -> bool:
        """Whether this is the answer to the fence."""
        fence = FENCE.to_bytes(4, self.order.name)
        return len(datagram) >= NLMSG_HDRLEN and datagram[8:12] == fence
