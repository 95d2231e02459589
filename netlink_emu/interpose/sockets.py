"""Emulated sockets: a socket of the backend, and what stands for it in a client."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Final

from netlink_emu.backends.interface import Socket
from netlink_emu.interpose.client.fds import Given
from netlink_emu.interpose.mirror import Mirror
from netlink_emu.kernel.current import Current
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.format import HOST_ORDER
from netlink_emu.protocol.netlink import NLMSG_HDRLEN, NLMSGHDR, NlMsgType

# "Data lost", for who reads past us and cannot be told ENOBUFS.
_LOST: Final = NLMSGHDR[HOST_ORDER].pack(NLMSG_HDRLEN, NlMsgType.NLMSG_OVERRUN, 0, 0, 0)


class EmulatedSocket:
    """One socket of a client; ``opener`` is who made it.

    ``given`` are the descriptors, by process and number, that we made of it; ``peer`` is the
    portid that it is connected to. ``asked`` says that the backend asks what has been received.
    ``read_size`` is the largest buffer of receives that the pair has answered (0: unknown),
    ``awaiting`` the threads that have been left to wait there, ``received`` how many datagrams
    such threads have had. ``closed``: it is not served any more.
    """

    def __init__(self, nl: Socket, mirror: Mirror, opener: Current) -> None:
        self.nl: Final = nl
        self.mirror: Final = mirror
        self.opener: Final = opener
        self.peer = 0
        self.asked = False
        self.read_size = 0
        self.awaiting: Final[set[int]] = set()
        self.received = 0
        self.closed = False
        self.given: Final[set[Given]] = set()

    def settle(self, *, held: bool = False) -> None:
        """Let the model forget what the client has read past us; dumps go on by that.

        ``held``: we have a duplicate of the client's descriptor, so that it is not closed.
        """
        if not self.mirror.charges:
            return
        count, marked = self.mirror.taken(held=held)
        for _ in range(count):
            self.nl.take_datagram(self.read_size)
            if self.awaiting:
                self.awaiting.pop()
                self.received += 1
        if marked and self.nl.sk_err:
            with contextlib.suppress(NetlinkError):  # which it has been told of
                self.nl.recvmsg(0)

    def take_head(self, client_fd: int) -> bool:
        """Take the head of the model's queue off the pair, if nothing else lies there.

        That nobody has read it past us shows by that; otherwise :meth:`settle` has to ask.
        """
        queue = self.nl.receive_queue
        if not queue or not queue[0].data or self.nl.sk_err:
            return False
        return self.mirror.take_only(client_fd)

    def fill(self) -> None:
        """Put into the pair what the model has queued and the pair has room for."""
        queue = self.nl.receive_queue
        mirror = self.mirror
        there = len(mirror.charges) - mirror.marked
        if there < len(queue):
            for index in range(there, len(queue)):
                if not mirror.push(queue[index].data):
                    return
        if self.nl.sk_err:
            mirror.mark(_LOST)

    def unmark(self, client_fd: int) -> None:
        """After a call: there may be no error any more that poll(2) should show."""
        if not self.nl.sk_err:
            self.mirror.unmark(client_fd)


class Sockets:
    """All emulated sockets of one listener, found by what a client's descriptor refers to."""

    def __init__(self) -> None:
        self._by_identity: dict[tuple[int, int], EmulatedSocket] = {}
        self._by_fileno: dict[int, EmulatedSocket] = {}

    def __len__(self) -> int:
        return len(self._by_identity)

    def __iter__(self) -> Iterator[EmulatedSocket]:
        return iter(list(self._by_identity.values()))

    def add(self, sock: EmulatedSocket) -> None:
        self._by_identity[sock.mirror.identity] = sock
        self._by_fileno[sock.mirror.fileno()] = sock

    def remove(self, sock: EmulatedSocket) -> None:
        del self._by_identity[sock.mirror.identity]
        del self._by_fileno[sock.mirror.fileno()]

    def of_descriptor(self, fd: int) -> EmulatedSocket | None:
        """The socket that ``fd``, a duplicate of a client's descriptor, refers to."""
        status = os.fstat(fd)
        return self._by_identity.get((status.st_dev, status.st_ino))

    def of_server_end(self, fileno: int) -> EmulatedSocket | None:
        return self._by_fileno.get(fileno)
