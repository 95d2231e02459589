"""A supervisor of clients elsewhere, whose system calls are carried out in our kernel.

netlink_emu/backends/remote.py is at the other end (netlink_emu/protocol/ours/relay.py): that of
``netlink-emu run --connect``, or of a test's own threads. It may have many sockets; all are
closed when it closes the stream.
"""

from __future__ import annotations

import time
from collections import deque
from socket import MSG_DONTWAIT, MSG_NOSIGNAL, socket
from typing import Final

import trio

from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.protocol.format import DecodeError
from netlink_emu.protocol.ours.relay import (
    Frames,
    RelayHello,
    RelayReport,
    ReportKind,
    decode_call,
    encode_report,
)
from netlink_emu.server.linger import STRETCH, Linger
from netlink_emu.server.relay_calls import RelayedSocks
from netlink_emu.server.service import Service, Ucred

_CHUNK: Final = 1 << 18
# Of answers alone: a supervisor asks, and then waits for the answer.
_MOST_UNREAD: Final = 1 << 20
_SEND_FLAGS: Final = int(MSG_DONTWAIT | MSG_NOSIGNAL)
# Each holds a descriptor, and up to _MOST_UNREAD of memory.
MOST_RELAYS: Final = 256
# Of frames that are not whole yet, from all supervisors together: the longest datagram is half.
MOST_UNFINISHED: Final = 32 << 20


class Relays:
    """All supervisors of a server: how many there may be, and what they may leave unfinished."""

    def __init__(self) -> None:
        self._relays: set[Relay] = set()

    def socks(self) -> list[NetlinkSock]:
        """The sockets of their clients."""
        return [sock for relay in self._relays for sock in relay.socks.all()]

    @property
    def full(self) -> bool:
        """Whether there is no place for one more."""
        return len(self._relays) >= MOST_RELAYS

    def add(self, relay: Relay) -> None:
        self._relays.add(relay)

    def discard(self, relay: Relay) -> None:
        self._relays.discard(relay)

    def bound_unfinished(self) -> None:
        """Give up the worst of them while together they leave too much unfinished."""
        while sum(relay.unfinished for relay in self._relays) > MOST_UNFINISHED:
            max(self._relays, key=lambda relay: relay.unfinished).give_up()


class Relay:
    """One such supervisor; ``run`` serves it until it closes, and closes our end.

    ``linger`` waits a moment for the next call; ``relays`` are all of the same server.
    """

    def __init__(
        self,
        service: Service,
        end: socket,
        ucred: Ucred,
        hello: RelayHello,
        linger: Linger | None = None,
        relays: Relays | None = None,
    ) -> None:
        self._end: Final = end
        self._linger: Final = linger
        self._relays: Final = Relays() if relays is None else relays
        self._frames = Frames()
        # What the stream does not take yet: reports, with the socket that they came to, or 0.
        self._out: deque[tuple[int, bytes]] = deque()
        self._unread = 0  # bytes of it
        self._cut = False  # a part of the first has been sent
        self._look_at = _MOST_UNREAD
        self._full = trio.Event()
        self._served = trio.CancelScope()
        self._given_up = False
        self.socks: Final = RelayedSocks(service, ucred, hello, self._report)
        end.settimeout(0)
        self._relays.add(self)
        if linger is not None:
            linger.add(end)
        profile = service.kernel.profile
        protocols = ",".join(map(str, sorted(service.kernel.answered)))
        welcome = f"{profile.release}\0{profile.arch.name}\0{protocols}".encode()
        self._report(RelayReport(ReportKind.WELCOME, data=welcome))

    async def run(self) -> None:
        """Serve until the supervisor has closed, says what nobody understands, or is given up."""
        try:
            with self._served:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write)
                    await self._read()
                    nursery.cancel_scope.cancel()
        finally:
            self._relays.discard(self)
            if self._linger is not None:
                self._linger.remove(self._end)
            trio.lowlevel.notify_closing(self._end)
            self._end.close()
            self.socks.close()

    @property
    def unfinished(self) -> int:
        """How many bytes of a frame are here whose end is not."""
        return self._frames.unfinished

    def give_up(self) -> None:
        """Serve it no more, and forget at once what it left unfinished."""
        self._given_up = True
        self._frames = Frames()
        self._served.cancel()

    async def _read(self) -> None:
        more = True
        while more:
            await trio.lowlevel.wait_readable(self._end)
            end = time.monotonic() + STRETCH
            more = self._serve_some()
            if self._linger is None:
                continue
            # The next call comes at once, most often: see linger.
            while more and time.monotonic() < end and self._linger.wait(self._end):
                more = self._serve_some()

    def _serve_some(self) -> bool:
        """Serve the calls that are there; False at the end of the stream, or of our patience."""
        try:
            data = self._end.recv(_CHUNK)
        except BlockingIOError:
            return True
        except OSError:  # ECONNRESET
            return False
        try:
            for frame in self._frames.feed(data):
                self.socks.serve(decode_call(frame))
                if self._never_reads():
                    return False
        except DecodeError:
            return False
        if self.unfinished >= _CHUNK:
            self._relays.bound_unfinished()
        return bool(data) and not self._given_up

    def _never_reads(self) -> bool:
        """Whether more is unread than a supervisor leaves that waits for its answers.

        What has arrived at its sockets still waits in them, bounded by their receive buffers.
        """
        if self._unread <= self._look_at:
            return False
        self._purge()
        waiting = sum(sock.rmem_alloc for sock in self.socks.all())
        if self._unread > waiting + _MOST_UNREAD:
            return True
        self._look_at = self._unread + _MOST_UNREAD  # not at each call, for there may be much
        return False

    def _purge(self) -> None:
        """Forget what has arrived at sockets that are closed by now."""
        first = [self._out.popleft()] if self._cut else []
        left = [each for each in self._out if not each[0] or each[0] in self.socks]
        self._out = deque(first + left)
        self._unread = sum(len(report) for _, report in self._out)

    async def _write(self) -> None:
        """Go on when the supervisor has made room."""
        while True:
            await self._full.wait()
            while self._out:
                await trio.lowlevel.wait_writable(self._end)
                self._send()
            self._full = trio.Event()

    def _report(self, report: RelayReport) -> None:
        data = encode_report(report)
        arrived = report.kind in (ReportKind.ARRIVED, ReportKind.FAILED)
        self._out.append((report.sock if arrived else 0, data))
        self._unread += len(data)
        self._send()

    def _send(self) -> None:
        try:
            while self._out:
                number, data = self._out[0]
                sent = self._end.send(data, _SEND_FLAGS)
                self._unread -= sent
                self._cut = sent < len(data)
                if self._cut:
                    self._out[0] = number, data[sent:]
                else:
                    self._out.popleft()
            self._look_at = _MOST_UNREAD
        except BlockingIOError:
            self._full.set()
        except OSError:  # EPIPE: the reader sees that, too
            self._out.clear()
            self._unread, self._cut = 0, False
