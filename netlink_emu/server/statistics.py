"""What a server has done so far."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass


class Drop(enum.Enum):
    """Why a datagram went no further. Errnos of the emulated sendmsg(2) count by their names."""

    UNNAMED = "from a client without an address"
    TOO_LONG = "longer than a netlink socket's send buffer"
    BAD_HELLO = "a hello of another version or size"
    NO_DESCRIPTORS = "no descriptor was left for a channel"
    TOO_MANY_RELAYS = "there are as many supervisors elsewhere as may be"
    CLIENT_GONE = "the client was gone"
    OVERRUN = "the client's receive buffer was full"
    UNSENDABLE = "longer than the client's channel takes"


@dataclass(frozen=True, slots=True)
class Statistics:
    """A server's figures at one time.

    ``dropped`` counts by reason: a Drop's name, or an errno's. ``sockets`` are the clients known
    (``channels`` of them with one of their own), ``listeners`` the entries of all CPUs' lists of
    TASKSTATS, ``backlogged`` the clients for whom something waits.
    """

    datagrams_in: int
    datagrams_out: int
    dropped: Mapping[str, int]
    sockets: int
    channels: int
    listeners: int
    backlogged: int

    def __str__(self) -> str:
        dropped = ", ".join(f"{count} {name}" for name, count in sorted(self.dropped.items()))
        return (
            f"{self.datagrams_in} datagrams in, {self.datagrams_out} out, "
            f"dropped: {dropped or 'none'}; {self.sockets} sockets "
            f"({self.channels} with a channel), {self.listeners} listeners, "
            f"{self.backlogged} backlogged"
        )


class Counters:
    """The figures that only grow."""

    def __init__(self) -> None:
        self.datagrams_in = 0
        self.datagrams_out = 0
        self.dropped: Counter[str] = Counter()

    def drop(self, reason: Drop, count: int = 1) -> None:
        if count:
            self.dropped[reason.name] += count
