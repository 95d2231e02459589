"""A stream of a cassette while it is played."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from netlink_emu.cassettes.match import Rewriter
from netlink_emu.cassettes.model import Event, Request, Stream


@dataclass(slots=True)
class Track:
    """A stream; ``blanked`` has its requests, blanked for comparison, by index."""

    number: int
    stream: Stream
    following: Mapping[int, Sequence[Event]]  # what came of each, by index
    portids: Sequence[int]
    blanked: dict[int, bytes] = field(default_factory=dict)
    _alike: dict[bytes, list[int]] = field(default_factory=dict)
    used: dict[int, int] = field(default_factory=dict)  # how often, by index
    at: int = 0  # the index behind what was matched last
    taken: bool = False
    rewriter: Rewriter | None = None

    def __post_init__(self) -> None:
        for index, key in self.blanked.items():
            self._alike.setdefault(key, []).append(index)

    def equal(self, key: bytes, start: int = 0) -> int | None:
        """The first unused request from ``start`` on that is equal."""
        alike = self._alike.get(key, [])
        for at in range(bisect_left(alike, start), len(alike)):
            if alike[at] not in self.used:
                return alike[at]
        return None

    def equal_again(self, key: bytes) -> int | None:
        """The last equal request, used or not."""
        alike = self._alike.get(key)
        return alike[-1] if alike else None

    @property
    def first(self) -> bytes | None:
        return next(iter(self.blanked.values()), None)


@dataclass(frozen=True, slots=True)
class Unused:
    """A recorded request that no client has made."""

    stream: int
    index: int
    request: Request

    @property
    def title(self) -> str:
        """A colon and the first line of the request's text."""
        line = self.request.text.partition("\n")[0]
        return f": {line}" if line else ""
