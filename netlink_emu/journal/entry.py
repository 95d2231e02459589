"""What all entries of a journal have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from netlink_emu.machine.clock import NSEC_PER_SEC
from netlink_emu.protocol.reading.printable import printable


@dataclass(slots=True, eq=False)
class Peer:
    """A client's socket, as the journal knows it. ``portid`` is 0 until it is bound."""

    number: int
    protocol: int
    portid: int = 0
    pid: int = 0
    comm: str = ""

    def __str__(self) -> str:
        who = f"{self.comm}[{self.pid}]" if self.pid else f"socket {self.number}"
        if self.portid and self.portid != self.pid:
            who += f" portid {self.portid}"
        return printable(who)

    def json(self) -> dict[str, Any]:
        return {
            "socket": self.number,
            "portid": self.portid,
            "pid": self.pid,
            "comm": self.comm,
        }


@dataclass(slots=True, kw_only=True)
class Entry:
    """The ``number``-th thing that happened, at ``time_ns`` (the machine's monotonic clock)."""

    what: ClassVar[str] = ""
    number: int
    time_ns: int

    @property
    def size(self) -> int:
        """The size of its datagram, if it is one."""
        return 0

    def title(self) -> str:
        """The entry in one line, without number and time."""
        raise NotImplementedError

    def body(self) -> Iterator[str]:
        """Lines that follow."""
        return iter(())

    def details(self) -> dict[str, Any]:
        """What JSON has beside number, time and ``what``."""
        raise NotImplementedError

    def json(self) -> dict[str, Any]:
        """The entry as plain values."""
        return {
            "number": self.number,
            "time": self.time_ns / NSEC_PER_SEC,
            "what": self.what,
            **self.details(),
        }
