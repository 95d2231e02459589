"""When a fault comes in: criteria, and how often."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from netlink_emu.faults.fault import Fault, FaultError
from netlink_emu.journal.entries import MessageView
from netlink_emu.journal.match import Match

_ALWAYS: Final = 1 << 24  # probabilities are compared at this resolution


class Rule:
    """A fault, its criteria, and how often it applies: after ``skip`` matches, ``count`` times.

    With ``count`` None there is no limit. ``probability`` is the share of matches that count.
    ``applied`` is how often the fault has applied, ``seen`` how many messages have matched.
    """

    def __init__(
        self,
        number: int,
        fault: Fault,
        match: Match,
        *,
        count: int | None,
        skip: int,
        probability: float,
        below: Callable[[int], int],
    ) -> None:
        if not 0 < probability <= 1:
            raise FaultError(f"a probability of {probability} is not above 0 and at most 1")
        self.number: Final = number
        self.fault: Final = fault
        self.match: Final = match
        self.count: Final = count
        self.skip: Final = skip
        self.probability: Final = probability
        self.below: Final = below
        self.seen = 0
        self.applied = 0

    @property
    def exhausted(self) -> bool:
        """Whether it will never apply again."""
        return self.count is not None and self.applied >= self.count

    def takes(self, views: Sequence[MessageView]) -> bool:
        """Whether it comes in now; counts if so."""
        if self.exhausted or not any(map(self.match, views)):
            return False
        self.seen += 1
        if self.seen <= self.skip:
            return False
        if self.probability < 1 and self.below(_ALWAYS) >= self.probability * _ALWAYS:
            return False
        self.applied += 1
        return True

    def __str__(self) -> str:
        parts = [str(self.fault), str(self.match)]
        if self.count != 1:
            parts.append(f"count={'always' if self.count is None else self.count}")
        if self.skip:
            parts.append(f"skip={self.skip}")
        if self.probability < 1:
            parts.append(f"probability={self.probability}")
        return " ".join(filter(None, parts))

    def __repr__(self) -> str:
        return f"<rule {self.number}: {self}, applied {self.applied} times>"
