"""The clocks of the emulated machine. Injected: nothing here or above reads the host's time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

NSEC_PER_SEC = 1_000_000_000
NSEC_PER_USEC = 1_000


class Clock(Protocol):
    """What the emulated kernel asks for the time, in nanoseconds."""

    def monotonic_ns(self) -> int:
        """Time since the machine booted (CLOCK_MONOTONIC)."""
        ...

    def realtime_ns(self) -> int:
        """Time since the epoch (CLOCK_REALTIME)."""
        ...


class VirtualClock:
    """A clock that stands still until it is advanced: for tests."""

    def __init__(
        self,
        monotonic_ns: int = 100 * NSEC_PER_SEC,
        realtime_ns: int = 1_767_225_600 * NSEC_PER_SEC,  # 2026-01-01 00:00:00 UTC
    ) -> None:
        self._monotonic_ns = monotonic_ns
        self._realtime_ns = realtime_ns

    def monotonic_ns(self) -> int:
        return self._monotonic_ns

    def realtime_ns(self) -> int:
        return self._realtime_ns

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass; raises ValueError for a negative number."""
        self.advance_ns(round(seconds * NSEC_PER_SEC))

    def advance_ns(self, nanoseconds: int) -> None:
        """Let nanoseconds pass; raises ValueError for a negative number."""
        if nanoseconds < 0:
            raise ValueError(f"time does not run backwards: {nanoseconds} ns")
        self._monotonic_ns += nanoseconds
        self._realtime_ns += nanoseconds


class PlannedClock:
    """A clock that does not pass what is planned before it has happened.

    ``horizon`` gives the time up to which all has been done, None when nothing is planned. Whoever
    does what is planned may be late; on this clock it happens when it was planned, and nobody has
    seen a later time before.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.horizon: Callable[[], int | None] = lambda: None

    def monotonic_ns(self) -> int:
        now, horizon = self._clock.monotonic_ns(), self.horizon()
        return now if horizon is None or now < horizon else horizon

    def realtime_ns(self) -> int:
        now, horizon = self._clock.monotonic_ns(), self.horizon()
        behind = 0 if horizon is None else max(0, now - horizon)
        return self._clock.realtime_ns() - behind
