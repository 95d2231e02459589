"""The state of a recorder: its clients, their sockets by inode, and the calls that wait."""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from errno import EAGAIN
from typing import Final

from netlink_emu.cassettes.recording.recording import RecordedSocket, Recording
from netlink_emu.interpose.client import fds
from netlink_emu.interpose.client.fds import Given
from netlink_emu.interpose.client.memory import ClientGone, ClientMemory
from netlink_emu.interpose.client.threads import Threads
from netlink_emu.interpose.filter.seccomp import Listener
from netlink_emu.interpose.recording.host import Buffers, HostSocket, numbers_of
from netlink_emu.interpose.summary import Summary
from netlink_emu.interpose.syscalls.blocking import TICK, WaitingRoom
from netlink_emu.interpose.syscalls.stopped import StoppedCall
from netlink_emu.kernel.msghdr import MSG_PEEK, RecvMsg
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.format import HOST_ORDER
from netlink_emu.protocol.netlink import SOCKADDR_NL

# Seconds for which a socket is looked at after its bind(2), which its client makes by itself.
_LOOKED_AT: Final = 1.0


@dataclass(slots=True, eq=False)
class Tapped:
    """A client's socket: what is noted of it, and the way to it during a call."""

    recorded: RecordedSocket
    host: HostSocket = field(default_factory=HostSocket)
    given: set[Given] = field(default_factory=set)

    def note_name(self, copy: int) -> None:
        """What came of bind(2), of an automatic one, and of memberships meanwhile."""
        self.host.fd = copy
        with contextlib.suppress(OSError):
            portid, groups = self.host.name()
            self.recorded.is_bound(portid, tuple(numbers_of(groups)))


@dataclass(frozen=True, slots=True)
class _Binding:
    """bind(2) that was let go, of a thread's descriptor."""

    tid: int
    fd: int
    until: float


class RecordingContext:
    """One recorder's state. Nothing here waits.

    ``protocols`` are those that are recorded, all where it is empty. ``unseen`` counts sockets
    that could not be made in the client's place, so that they are its own.
    """

    def __init__(
        self, recording: Recording, listener: Listener, high: int, protocols: frozenset[int]
    ) -> None:
        self.recording: Final = recording
        self.protocols: Final = protocols
        self.listener: Final = listener
        self.clients: Final = Threads()
        self.numbers: Final = fds.Numbers(high)
        self.memory: Final = ClientMemory()
        self.buffers: Final = Buffers()
        self.summary: Final = Summary()
        # Readable when a call that waits may go on.
        self.ends: Final = select.epoll()
        self.waiting: Final = WaitingRoom(listener, self.summary.failed, self._forget)
        self.on_ready: Callable[[], None] | None = None
        self.unseen = 0
        self._sockets: Final[dict[int, Tapped]] = {}
        self._watched: Final[dict[int, Tapped]] = {}
        self._binding: Final[dict[Tapped, _Binding]] = {}

    # --- sockets

    def add(self, fd: int, sock: Tapped) -> None:
        """Know the socket that ``fd`` refers to from now on: numbers of inodes do not return."""
        self._sockets[os.fstat(fd).st_ino] = sock

    def of_descriptor(self, fd: int) -> Tapped | None:
        """The socket that ``fd``, a duplicate of a client's descriptor, refers to."""
        return self._sockets.get(os.fstat(fd).st_ino)

    def binds(self, sock: Tapped, tid: int, fd: int) -> None:
        """A thread is about to bind ``sock``: what comes of it is looked at for a while."""
        self._binding[sock] = _Binding(tid, fd, time.monotonic() + _LOOKED_AT)

    def _note_names(self) -> None:
        now = time.monotonic()
        for sock, binding in [*self._binding.items()]:
            if now > binding.until or not self._note_name(sock, binding):
                del self._binding[sock]

    def _note_name(self, sock: Tapped, binding: _Binding) -> bool:
        """Whether the client still has the socket there."""
        try:
            copy = self.clients.duplicate(binding.tid, binding.fd)
        except (OSError, ClientGone):
            return False
        try:
            if self.of_descriptor(copy) is not sock:
                return False
            sock.note_name(copy)
            return True
        finally:
            os.close(copy)

    # --- see Serving

    def watch(self, copy: int, sock: Tapped) -> None:
        """Try the calls that wait on ``sock`` again when something is there."""
        if copy not in self._watched:
            self._watched[copy] = sock
            self.ends.register(copy, select.EPOLLIN)

    def _forget(self, copy: int) -> None:
        # Not by closing: the client has the socket open, and so epoll would keep it.
        if self._watched.pop(copy, None) is not None:
            self.ends.unregister(copy)

    def serve_ends(self) -> None:
        """Try the calls that something has arrived for."""
        try:
            ready = self.ends.poll(0)
        except OSError as exc:
            self.summary.failed(exc)
            return
        for copy, _ in ready:
            sock = self._watched.get(copy)
            if sock is not None:
                self.waiting.wake(sock)

    def rest(self) -> None:
        """Nothing is kept from one call to the next."""

    def flush(self) -> None:
        """What arrives lies in the clients' own sockets."""

    def tick(self) -> None:
        """Signals, and threads that were killed."""
        self.waiting.sweep()
        self.waiting.interrupt()
        self._note_names()

    @property
    def needs_ticks(self) -> bool:
        return bool(len(self.waiting) or self._binding)

    def pace(self, now: float) -> float:
        """Seconds until the next :meth:`tick`."""
        return TICK if self._binding else self.waiting.pace(now)

    def close(self) -> None:
        self.waiting.close()
        self.clients.close()
        self.ends.close()


@dataclass(slots=True)
class RecordedCall(StoppedCall[Tapped]):
    """A stopped call on a socket; ``name`` is the system call's."""

    context: RecordingContext
    name: str

    @property
    def nl(self) -> HostSocket:
        self.sock.host.fd = self.copy
        return self.sock.host

    @property
    def waiting(self) -> WaitingRoom:
        return self.context.waiting

    def note_name(self) -> None:
        """See Tapped."""
        self.sock.note_name(self.copy)

    def receive(self, size: int, flags: int) -> RecvMsg:
        """One datagram, which is noted unless it stays there (MSG_PEEK); raises NetlinkError."""
        if self.nl.sk_err:
            raise NetlinkError(self.nl.take_error())
        try:
            received = self.context.buffers.receive(self.copy, size, flags)
        except NetlinkError as exc:
            if exc.errno != EAGAIN:
                self.note_name()
                self.sock.recorded.failed(self.name, exc.errno)
            raise
        if not flags & MSG_PEEK:
            self.note_name()
            self._note(received)
        return received

    def left_to_pair(self, _size: int, _flags: int) -> bool:
        """All that is received is noted, and so done here."""
        return False

    def _note(self, received: RecvMsg) -> None:
        portid = group = 0
        if len(received.name) >= SOCKADDR_NL.size:
            sender = SOCKADDR_NL[HOST_ORDER].decode(received.name)
            portid, group = sender.nl_pid, self._group(sender.nl_groups)
        # Of what the client's buffer had no room for, the length alone is known.
        data = received.data.ljust(received.length, b"\0")
        self.sock.recorded.answer(data, portid, group, time.monotonic())
        self.context.summary.received += 1

    def _group(self, mask: int) -> int:
        """The group that an address stands for: it has the number modulo 32."""
        if not mask:
            return 0
        bit = mask.bit_length()
        with contextlib.suppress(OSError):
            for group in self.nl.memberships():
                if (group - bit) % 32 == 0:
                    return group
        return bit

    def waits(self) -> None:
        self.context.watch(self.copy, self.sock)
