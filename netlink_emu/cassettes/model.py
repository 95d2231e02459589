"""The contents of a cassette."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

VERSION: Final = 1

# include/uapi/linux/netlink.h, by the names that a cassette has for them.
PROTOCOLS: Final[Mapping[str, int]] = {
    "route": 0, "usersock": 2, "sock-diag": 4, "nflog": 5, "xfrm": 6, "selinux": 7, "iscsi": 8,
    "audit": 9, "fib-lookup": 10, "connector": 11, "netfilter": 12, "dnrtmsg": 14,
    "kobject-uevent": 15, "generic": 16, "scsitransport": 18, "ecryptfs": 19, "rdma": 20,
    "crypto": 21, "smc": 22,
}  # fmt: skip
NAMES: Final[Mapping[int, str]] = {number: name for name, number in PROTOCOLS.items()}


@dataclass(frozen=True, slots=True)
class RecordedFamily:
    """A generic netlink family of the recorded kernel: its number, and its groups' numbers."""

    id: int
    groups: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Head:
    """The origin of a recording. ``redacted`` names the attributes whose values were blanked.

    ``status`` is the command's exit status as in a shell; None if it is unknown.
    """

    release: str = ""
    arch: str = ""
    recorder: str = ""  # the version of netlink-emu
    command: tuple[str, ...] = ()
    families: Mapping[str, RecordedFamily] = field(default_factory=dict)
    redacted: tuple[str, ...] = ()
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Bound:
    """From here on the socket has a portid, and is in these groups (1 to 32)."""

    portid: int
    groups: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Connected:
    """connect(2)."""

    portid: int
    group: int = 0


@dataclass(frozen=True, slots=True)
class Option:
    """setsockopt(2)."""

    level: int
    name: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """A datagram that the client sent: to the kernel, or to ``portid`` and ``group``."""

    data: bytes
    portid: int = 0
    group: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A datagram that arrived.

    ``portid`` and ``group`` are the sender's address: 0 and 0 for the kernel's answers. For a
    multicast message, ``after`` is the time in milliseconds since the previous request, or since
    the socket was made.
    """

    data: bytes
    portid: int = 0
    group: int = 0
    after: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """A system call of this name failed with this errno."""

    call: str
    errno: int


Event = Bound | Connected | Option | Request | Answer | Failed


@dataclass(frozen=True, slots=True)
class Stream:
    """The events on one socket, in order. ``comm`` is the name of the program that made it."""

    protocol: int
    type: int
    comm: str = ""
    events: tuple[Event, ...] = ()

    @property
    def protocol_name(self) -> str:
        return NAMES.get(self.protocol, str(self.protocol))


@dataclass(frozen=True, slots=True)
class Cassette:
    """A recording."""

    head: Head = Head()
    streams: tuple[Stream, ...] = ()

    @property
    def protocols(self) -> frozenset[int]:
        """The netlink protocols of its sockets."""
        return frozenset(stream.protocol for stream in self.streams)
