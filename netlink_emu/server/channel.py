"""A client's private channel: the other end of a SEQPACKET pair that it handed over.

It shares no buffer with other clients, holds as much as the pair does, and tells at once when
the client closes: the emulated kernel's close(2) follows the client's.
"""

from __future__ import annotations

import errno
import fcntl
import select
import struct
from collections.abc import Callable, Sequence
from socket import MSG_DONTWAIT, MSG_NOSIGNAL, SO_PASSCRED, SO_SNDBUF, SOL_SOCKET, socket
from termios import FIONREAD
from typing import Final

import trio

from netlink_emu.protocol.ours.hello import is_hello
from netlink_emu.server.receive import MAX_DATAGRAM, Receiver
from netlink_emu.server.service import Service, Ucred
from netlink_emu.server.statistics import Drop

BATCH: Final = 64
MOST_HELLOS: Final = 16
_SEND_FLAGS: Final = int(MSG_DONTWAIT | MSG_NOSIGNAL)  # once: MsgFlag's "or" takes 0.5 us


class Channel:
    """One private channel; ``run`` serves it until the client closes, and closes our end."""

    def __init__(
        self,
        service: Service,
        end: socket,
        ucred: Ucred,
        buffer: memoryview,
        gone: Callable[[Channel, socket], None],
    ) -> None:
        self.sock: Final = service.socket(ucred)
        self._service: Final = service
        self._end: Final = end
        self._ucred: Final = ucred
        self._gone: Final = gone
        self._full = trio.Event()
        self._buffer: Final = buffer
        self._hellos = 0
        end.settimeout(0)
        end.setsockopt(SOL_SOCKET, SO_PASSCRED, 1)
        # What the client has not read is ours: not as much of it as the client likes.
        end.setsockopt(SOL_SOCKET, SO_SNDBUF, MAX_DATAGRAM)
        service.serve(self)

    async def run(self) -> None:
        """Serve the channel; returns when the client has closed."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write)
                await self._read()
                nursery.cancel_scope.cancel()
        finally:
            self._gone(self, self._end)
            trio.lowlevel.notify_closing(self._end)
            self._end.close()
            self._service.release(self)

    async def _read(self) -> None:
        receiver = Receiver(self._end, self._buffer)
        while True:
            await trio.lowlevel.wait_readable(self._end)
            for _ in range(BATCH):
                try:
                    message = receiver.receive()
                except BlockingIOError:
                    break
                except OSError:  # ECONNRESET: closed with answers unread
                    return
                message.close_fds()
                if not message.data:
                    if self._closed():
                        return
                    continue  # netlink takes no notice of empty datagrams
                # Without credentials, as before SO_PASSCRED was on, it is nobody's. A pid of 0
                # says no more than that the sender's pid namespace is not below ours.
                ucred = message.ucred
                if not ucred.pid:
                    self._service.number(self.sock, self._ucred)
                if message.truncated:
                    self._service.counters.drop(Drop.TOO_LONG)
                    continue
                if is_hello(message.data) and self._is_one_hello_too_many():
                    return
                self._service.counters.datagrams_in += 1
                self._service.receive(self, ucred, message.data)

    def _is_one_hello_too_many(self) -> bool:
        """Whether whoever is there does nothing else: the other end may be ours, too.

        A client that hands over both ends of a pair would have us answer ourselves for ever.
        """
        self._hellos += 1
        return self._hellos > MOST_HELLOS

    def sweep(self) -> None:
        """Release the netlink socket if the client has closed; ``run`` will find out, too."""
        if self._closed():
            self._service.release(self)

    def _closed(self) -> bool:
        """Whether the client has closed, and there is nothing more to read."""
        poll = select.poll()
        poll.register(self._end, select.POLLRDHUP)
        if not poll.poll(0):
            return False
        left: int = struct.unpack("=i", fcntl.ioctl(self._end, FIONREAD, bytes(4)))[0]
        return left == 0

    async def _write(self) -> None:
        """Go on when the client has made room."""
        while True:
            await self._full.wait()
            while self.sock.receive_queue:
                await trio.lowlevel.wait_writable(self._end)
                self.flush()
            self._full = trio.Event()

    @property
    def post(self) -> Channel:
        """The channel sends for itself."""
        return self

    def flush_all(self, peers: Sequence[Channel]) -> None:
        for peer in peers:
            peer.flush()

    def flush(self) -> None:
        while self.sock.receive_queue:
            try:
                self._end.send(self.sock.receive_queue[0].data, _SEND_FLAGS)
            except BlockingIOError:
                self._full.set()
                return
            except OSError as exc:
                if exc.errno == errno.EMSGSIZE:
                    self._service.counters.drop(Drop.UNSENDABLE)
                    self.sock.take_datagram()
                    continue
                # EPIPE, ECONNRESET: closed; the reader sees that, too.
                self._service.release(self)
                return
            self.sock.take_datagram()
            self._service.counters.datagrams_out += 1

    def answer(self, datagram: bytes) -> None:
        try:
            self._end.send(datagram, _SEND_FLAGS)
        except OSError:
            return
