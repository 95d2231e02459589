"""Entries of what happens to a socket, beside its datagrams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from netlink_emu.journal.entry import Entry, Peer
from netlink_emu.protocol.errors import errno_name
from netlink_emu.protocol.netlink import NETLINK_GENERIC


@dataclass(slots=True, kw_only=True)
class SocketEvent(Entry):
    """A socket came, got its portid, lost something, or went."""

    peer: Peer
    happened: ClassVar[str] = ""

    def title(self) -> str:
        return f"{self.peer} {self.happened}"

    def details(self) -> dict[str, Any]:
        return self.peer.json()


@dataclass(slots=True, kw_only=True)
class Opened(SocketEvent):
    """socket(2)."""

    what: ClassVar[str] = "opened"
    happened: ClassVar[str] = "opened a socket"


@dataclass(slots=True, kw_only=True)
class Bound(SocketEvent):
    """The socket got its portid."""

    what: ClassVar[str] = "bound"
    happened: ClassVar[str] = ""

    def title(self) -> str:
        return f"{self.peer.comm}[{self.peer.pid}] bound to portid {self.peer.portid}"


@dataclass(slots=True, kw_only=True)
class Closed(SocketEvent):
    """The last descriptor was closed; ``unread`` datagrams were in the queue."""

    what: ClassVar[str] = "closed"
    unread: int = 0

    def title(self) -> str:
        unread = f" with {self.unread} unread" if self.unread else ""
        return f"{self.peer} closed its socket{unread}"

    def details(self) -> dict[str, Any]:
        return {**self.peer.json(), "unread": self.unread}


@dataclass(slots=True, kw_only=True)
class OptionSet(SocketEvent):
    """setsockopt(2), with the errno or 0 as ``err``.

    ``value`` is a number, the seconds of a time-out, or the bytes that optval points to.
    """

    what: ClassVar[str] = "option"
    option: str
    value: float | bytes
    err: int = 0

    def title(self) -> str:
        value = self.value.hex(" ", -4) if isinstance(self.value, bytes) else str(self.value)
        to = f" to {value}" if value else ""
        failed = f": {errno_name(self.err)}" if self.err else ""
        return f"{self.peer} set {self.option}{to}{failed}"

    def details(self) -> dict[str, Any]:
        value = self.value.hex() if isinstance(self.value, bytes) else self.value
        return {**self.peer.json(), "option": self.option, "value": value, "errno": self.err}


@dataclass(slots=True, kw_only=True)
class Membership(SocketEvent):
    """A socket joined or left a multicast group; ``name`` is empty if no family has the group."""

    what: ClassVar[str] = "membership"
    group: int
    joined: bool
    name: str = ""

    def title(self) -> str:
        whose = f" ({self.name})" if self.name else ", which no family has"
        if self.peer.protocol != NETLINK_GENERIC:
            whose = ""
        return f"{self.peer} {'joined' if self.joined else 'left'} group {self.group}{whose}"

    def details(self) -> dict[str, Any]:
        return {
            **self.peer.json(),
            "group": self.group,
            "joined": self.joined,
            "name": self.name,
        }


@dataclass(slots=True, kw_only=True)
class Remark(SocketEvent):
    """A line of the kernel's log about a request; a real kernel limits the rate of such lines."""

    what: ClassVar[str] = "remark"
    text: str

    def title(self) -> str:
        return f"kernel log: {self.text}"

    def details(self) -> dict[str, Any]:
        return {**self.peer.json(), "text": self.text}


@dataclass(slots=True, kw_only=True)
class Overrun(SocketEvent):
    """The socket has a pending ENOBUFS."""

    what: ClassVar[str] = "overrun"
    happened: ClassVar[str] = "has lost something: ENOBUFS at its next receive"
