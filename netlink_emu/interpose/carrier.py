"""Carries what a backend queues to clients' sockets, and what they send past us to the backend."""

from __future__ import annotations

import contextlib
import select
from collections.abc import Callable
from functools import partial
from typing import Final

from netlink_emu.backends.interface import Backend
from netlink_emu.interpose.sockets import EmulatedSocket, Sockets
from netlink_emu.interpose.summary import Summary
from netlink_emu.kernel.current import Current
from netlink_emu.kernel.skbuff import MAX_DATAGRAM
from netlink_emu.protocol.errors import NetlinkError


def _nobody_waits(_sock: EmulatedSocket) -> None:
    return


class Carrier:
    """The sockets of some clients in ``backend``. Nothing here waits.

    ``wake`` is called when something has arrived on a socket: calls may be waiting for it.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend: Final = backend
        self.sockets: Final = Sockets()
        self.summary: Final = Summary()
        # Readable when a client has closed a socket, or has sent past us.
        self.ends: Final = select.epoll()
        self.wake: Callable[[EmulatedSocket], None] = _nobody_waits
        self._ready: dict[EmulatedSocket, None] = {}
        self._behind: set[EmulatedSocket] = set()
        self._dumping: set[EmulatedSocket] = set()
        self.on_ready: Callable[[], None] | None = None

    def close(self) -> None:
        """Close every socket as if its client had; the clients' descriptors read end of file."""
        for sock in self.sockets:
            self.close_socket(sock)
        self.ends.close()

    # --- of a certain kind of clients

    def give_back(self, sock: EmulatedSocket) -> None:
        """The descriptors that we made of ``sock`` are closed."""

    def current_of(self, sock: EmulatedSocket, tid: int) -> Current:
        """Who has sent past us on ``sock``: thread ``tid``, or 0 where that is not known."""
        raise NotImplementedError

    # --- sockets

    def add_socket(self, sock: EmulatedSocket) -> None:
        sock.asked = sock.nl.watch(partial(self._became_ready, sock), sock.settle)
        self.sockets.add(sock)
        self.ends.register(sock.mirror.fileno(), select.EPOLLIN | select.EPOLLRDHUP)
        self.summary.sockets += 1

    def lose_kernel(self) -> None:
        """The kernel was in another process, and is gone: calls fail, polls end."""
        for sock in self.sockets:
            self.ends.unregister(sock.mirror.fileno())
            sock.mirror.break_off()
        self.flush()

    def close_socket(self, sock: EmulatedSocket) -> None:
        """The client's last descriptor is closed."""
        sock.closed = True
        self._ready.pop(sock, None)
        self._behind.discard(sock)
        self._dumping.discard(sock)
        with contextlib.suppress(OSError):  # the kernel was lost; and what is closed leaves it
            self.ends.unregister(sock.mirror.fileno())
        self.sockets.remove(sock)
        self.summary.received += sock.received + min(len(sock.awaiting), len(sock.mirror))
        sock.nl.watch(None)
        self.give_back(sock)
        sock.nl.release()
        sock.mirror.close()

    def _became_ready(self, sock: EmulatedSocket) -> None:
        """A datagram or an error came: in the midst of the backend, so only note it."""
        self._ready[sock] = None
        if self.on_ready is not None:
            self.on_ready()

    def flush(self) -> None:
        """Carry what has arrived to the clients: answer who waits, show the rest to poll."""
        while self._ready:
            sock = next(iter(self._ready))
            del self._ready[sock]
            sock.settle()
            self.wake(sock)
            self.fill(sock)

    def fill(self, sock: EmulatedSocket) -> None:
        """Show poll what the model has queued.

        :meth:`tick` tries again what fails; and it looks whether a read past us has taken the
        mark of an error, for a kernel elsewhere queues nothing until it knows.
        """
        sock.fill()
        self.note_dump(sock)
        if sock.mirror.behind or (sock.nl.sk_err and not sock.asked):
            self._behind.add(sock)

    def serve_ends(self) -> None:
        """Take note of what clients have closed, and of what they sent past the filter."""
        try:
            ends = self.ends.poll(0)
        except OSError as exc:
            self.summary.failed(exc)
            return  # they are there the next time
        for fileno, _ in ends:
            sock = self.sockets.of_server_end(fileno)
            if sock is not None:
                self._serve_end(sock)

    def _serve_end(self, sock: EmulatedSocket) -> None:
        while True:
            try:
                received = sock.mirror.receive(min(max(sock.nl.sndbuf, 1 << 16), MAX_DATAGRAM))
            except BlockingIOError:
                return
            except OSError as exc:
                self.summary.failed(exc)
                return
            if received is None:
                self.close_socket(sock)
                return
            data, tid = received
            self.summary.past_us += 1
            sock.settle()
            # The sender has long been told that all is well.
            try:
                sock.nl.sendmsg(self.current_of(sock, tid), data)
            except NetlinkError:
                pass
            except OSError as exc:
                self.summary.failed(exc)
            self.note_dump(sock)
            self.flush()

    # --- what has to be tried again

    @property
    def is_behind(self) -> bool:
        """Whether :meth:`tick` has something to do."""
        return bool(self._behind or self._dumping)

    def tick(self) -> None:
        """Try again what there was no room for; let dumps go on."""
        behind, self._behind = self._behind, set()
        for sock in behind:
            sock.settle()
            self.fill(sock)
        self.settle_dumps()

    def note_dump(self, sock: EmulatedSocket) -> None:
        """After a call on a socket: a dump may have begun, with no datagram where none fits."""
        if sock.nl.dumping:
            self._dumping.add(sock)

    def settle_dumps(self) -> None:
        """Let dumps go on that a client reads past us."""
        for sock in list(self._dumping):
            sock.settle()
            if not sock.nl.dumping:
                self._dumping.discard(sock)
        self.flush()
