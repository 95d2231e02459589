"""Note what passes on clients' sockets; at the end it becomes a cassette.

A :class:`Keeper` can save each event at once, so that a killed recorder loses nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol

from netlink_emu.cassettes.model import (
    Answer,
    Bound,
    Connected,
    Event,
    Failed,
    Option,
    Request,
    Stream,
)
from netlink_emu.protocol.format import HOST_ORDER
from netlink_emu.protocol.netlink import NLM_F_ACK, NLM_F_DUMP


class Keeper(Protocol):
    """Saves events as they happen; sockets are numbered from 0."""

    def socket(self, protocol: int, type: int, comm: str, pid: int) -> None: ...

    def event(self, socket: int, event: Event) -> None: ...


@dataclass(slots=True, eq=False)
class RecordedSocket:
    """One socket of a client. Times are in seconds of any monotonic clock."""

    protocol: int
    type: int
    comm: str
    asked_at: float  # when the last request was made, or the socket itself
    events: list[Event] = field(default_factory=list)
    keep: Callable[[Event], None] | None = None
    _bound: Bound | None = None

    def _note(self, event: Event) -> None:
        self.events.append(event)
        if self.keep is not None:
            self.keep(event)

    def is_bound(self, portid: int, groups: tuple[int, ...]) -> None:
        """Note the result of getsockname(2) if it has changed."""
        bound = Bound(portid, groups)
        if portid and bound != self._bound:
            self._bound = bound
            self._note(bound)

    def connected(self, portid: int, group: int) -> None:
        """connect(2)."""
        self._note(Connected(portid, group))

    def option(self, level: int, name: int, value: bytes) -> None:
        """setsockopt(2)."""
        self._note(Option(level, name, value))

    def request(self, data: bytes, portid: int, group: int, now: float) -> None:
        """A datagram that the client sends."""
        self.asked_at = now
        self._note(Request(data, portid, group))

    def answer(self, data: bytes, portid: int, group: int, now: float) -> None:
        """A datagram that the client took."""
        after = round((now - self.asked_at) * 1000) if group else 0
        self._note(Answer(data, portid, group, after))

    def failed(self, call: str, errno: int) -> None:
        """A call of this name failed."""
        self._note(Failed(call, errno))


class Recording:
    """All sockets of the clients, in the order in which they were made."""

    def __init__(self, keeper: Keeper | None = None) -> None:
        self.sockets: Final[list[RecordedSocket]] = []
        self._keeper: Final = keeper

    def open(
        self, protocol: int, type: int, comm: str, now: float, pid: int = 0
    ) -> RecordedSocket:
        """socket(2), by a process whose own getpid() is ``pid``."""
        sock = RecordedSocket(protocol, type, comm, now)
        if self._keeper is not None:
            self._keeper.socket(protocol, type, comm, pid)
            sock.keep = partial(self._keeper.event, len(self.sockets))
        self.sockets.append(sock)
        return sock

    @property
    def streams(self) -> tuple[Stream, ...]:
        return tuple(
            Stream(sock.protocol, sock.type, sock.comm, tuple(sock.events))
            for sock in self.sockets
        )

    @property
    def unheard(self) -> int:
        """How many sockets asked for an answer, of which none was seen to be read."""
        return sum(
            any(isinstance(event, Request) and _is_answered(event) for event in sock.events)
            and not any(isinstance(event, Answer | Failed) for event in sock.events)
            for sock in self.sockets
        )


def _is_answered(request: Request) -> bool:
    flags = int.from_bytes(request.data[6:8], HOST_ORDER.name)
    to_kernel = not request.portid and not request.group
    return to_kernel and bool(flags & (NLM_F_ACK | NLM_F_DUMP))
