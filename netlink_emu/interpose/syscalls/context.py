"""What the handlers of system calls share, and one call on an emulated socket."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from errno import ENFILE
from socket import MSG_DONTWAIT, MSG_NOSIGNAL
from typing import Final

from netlink_emu.backends.interface import Backend, Socket
from netlink_emu.interpose.carrier import Carrier
from netlink_emu.interpose.client import fds
from netlink_emu.interpose.client.clients import Clients
from netlink_emu.interpose.client.memory import ClientGone, ClientMemory
from netlink_emu.interpose.filter.seccomp import Listener
from netlink_emu.interpose.sockets import EmulatedSocket
from netlink_emu.interpose.syscalls.blocking import TICK, WaitingRoom
from netlink_emu.interpose.syscalls.copies import Copies
from netlink_emu.interpose.syscalls.stopped import StoppedCall
from netlink_emu.interpose.syscalls.trap import Outcome
from netlink_emu.kernel.current import Current
from netlink_emu.kernel.msghdr import MSG_OOB, MSG_PEEK, RecvMsg
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.netlink import SOCKADDR_NL

# Trace a thread no more, and say when that is so; False if we do not trace it.
LetGo = Callable[[int, Callable[[], object]], bool]
# A signal that stops or continues is being sent, to a process or (None) to several.
Signalled = Callable[[int | None, int], object]

# Of a receive that the pair may do: it waits or not by itself, and no signal comes of it.
_PLAIN: Final = int(MSG_DONTWAIT | MSG_NOSIGNAL)
# A receive that leaves the queue as it is.
_TAKES_NOTHING: Final = MSG_PEEK | MSG_OOB
# So many descriptors of ours are left for what takes one for a moment.
_SPARE: Final = 16


def _nobody_is_traced(_tid: int, _gone: Callable[[], object]) -> bool:
    return False


class Context(Carrier):
    """One supervisor's state: a listener, its clients, and their sockets in ``backend``.

    ``high`` is the lowest descriptor number that the filter looks at. Nothing here waits.
    """

    def __init__(
        self,
        backend: Backend,
        listener: Listener,
        clients: Clients,
        high: int,
        *,
        native_waits: bool = False,
    ) -> None:
        super().__init__(backend)
        self._native_waits: Final = native_waits
        self.sockaddr_nl: Final = SOCKADDR_NL[backend.arch.order]
        self.listener: Final = listener
        self.clients: Final = clients
        self.numbers: Final = fds.Numbers(high)
        self.memory: Final = ClientMemory()
        self.copies: Final = Copies[EmulatedSocket]()
        self.waiting: Final = WaitingRoom(listener, self.summary.failed)
        self.wake = self.waiting.wake
        self.let_go: LetGo = _nobody_is_traced
        self.tracing: Final[dict[int, int]] = {}  # by thread, its call until another is let go
        self.signalled: Signalled = lambda _tgid, _number: None

    def close(self) -> None:
        """Close every socket as if its client had; the clients' descriptors read end of file."""
        self.waiting.close()
        self.copies.close()
        super().close()
        self.clients.close()

    # --- sockets

    def give_back(self, sock: EmulatedSocket) -> None:
        self.numbers.give_back(sock.given)

    def current_of(self, sock: EmulatedSocket, tid: int) -> Current:
        if tid:
            with contextlib.suppress(ClientGone):
                return self.clients.current(tid)
        return sock.opener

    def notice_end(self, nl: Socket, portid: int) -> None:
        """Before ``nl`` takes ``portid``, or sends to it: whether its holder has closed by now."""
        if portid and nl.portid_in_use(portid):
            self.waiting.sweep()
            self.serve_ends()

    def rest(self) -> None:
        """No call follows at once: what was kept for it is closed."""
        self.copies.close()

    def serve_ends(self) -> None:
        """Take note of what clients have closed, and of what they sent past the filter."""
        self.copies.close()
        super().serve_ends()

    def need_descriptors(self) -> None:
        """Before a socket is made: descriptors must be left for all that is done on it later.

        A call that waits on it takes one; others take some for a moment. Raises
        NetlinkError(ENFILE).
        """
        if self._lacks_descriptors():
            self.give_up_descriptors()
            self.serve_ends()  # what clients have closed by now
            if self._lacks_descriptors():
                raise NetlinkError(ENFILE)

    def _lacks_descriptors(self) -> bool:
        return fds.room() < _SPARE + len(self.sockets) - self.waiting.copies

    def give_up_descriptors(self) -> None:
        """Close what is merely remembered."""
        self.copies.close()
        self.clients.close()
        self.waiting.close_statuses()

    # --- time

    def tick(self) -> None:
        """Look after the calls that wait: signals, room elsewhere, threads that were killed."""
        self.waiting.sweep()
        self.waiting.poll()
        self.waiting.interrupt()
        super().tick()

    def may_wait_natively(self, sock: EmulatedSocket) -> bool:
        """Whether a receive on an empty queue may wait in the host's kernel.

        Nothing but a datagram, a signal or time ends it there: no error may come to an empty
        queue. Where others wait here, it is behind them.
        """
        return self._native_waits and not self.waiting.waits_on(sock)

    @property
    def needs_ticks(self) -> bool:
        return self.is_behind or len(self.waiting) > 0

    def pace(self, now: float) -> float:
        """Seconds until the next :meth:`tick`."""
        return TICK if self.is_behind else self.waiting.pace(now)


@dataclass(slots=True)
class SocketCall(StoppedCall[EmulatedSocket]):
    """A stopped call on an emulated socket."""

    context: Context

    @property
    def nl(self) -> Socket:
        return self.sock.nl

    @property
    def waiting(self) -> WaitingRoom:
        return self.context.waiting

    def current(self) -> Current:
        return self.context.clients.current(self.trap.tid)

    def receive(self, size: int, flags: int) -> RecvMsg:
        """Take what the model's queue holds, and show poll what is left."""
        sock = self.sock
        taken = not flags & _TAKES_NOTHING and sock.take_head(self.copy)
        if not taken:
            sock.settle(held=True)
        received = sock.nl.recvmsg(size, flags)
        if not flags & MSG_PEEK:
            if not taken:
                sock.mirror.take(self.copy)
            if sock.nl.receive_queue or sock.nl.sk_err:
                self.context.fill(sock)
            self.context.summary.received += 1
        return received

    def left_to_pair(self, size: int, flags: int, /) -> bool:
        """Whether the host's kernel may receive from the pair: its answer can be no other.

        The pair has a datagram, a length and errors of memory; it waits, and ends for signals and
        time-outs, as netlink does. It has no names, no pending errors, and learns no dump's size.
        """
        sock = self.sock
        if flags & ~_PLAIN or not sock.asked:
            return False
        sock.settle(held=True)
        sock.awaiting.discard(self.trap.tid)
        if sock.nl.sk_err or sock.nl.dumping or sock.mirror.marked:
            return False
        if len(sock.mirror):
            self.context.summary.received += 1
        elif sock.nl.receive_queue or not self.context.may_wait_natively(sock):
            return False
        else:
            sock.awaiting.add(self.trap.tid)
        sock.read_size = max(sock.read_size, size)
        return True


Handler = Callable[[SocketCall], int | Outcome]
