"""The clock of a sandbox: the host's own, at its own speed or another."""

from __future__ import annotations

import time
from typing import Final


class RealClock:
    """CLOCK_MONOTONIC and CLOCK_REALTIME.

    With a ``speed`` other than 1, both run that many times faster from now on; raises
    ValueError for a speed of 0 or less.
    """

    def __init__(self, speed: float = 1.0) -> None:
        if not speed > 0:
            raise ValueError(f"a clock's speed is more than 0, not {speed}")
        self.speed: Final = speed
        self._start_ns: Final = time.monotonic_ns()
        self._start_realtime_ns: Final = time.time_ns()

    def monotonic_ns(self) -> int:
        if self.speed == 1.0:
            return time.monotonic_ns()
        return self._start_ns + self._elapsed_ns()

    def realtime_ns(self) -> int:
        if self.speed == 1.0:
            return time.time_ns()
        return self._start_realtime_ns + self._elapsed_ns()

    def _elapsed_ns(self) -> int:
        return round((time.monotonic_ns() - self._start_ns) * self.speed)

    def seconds_until(self, when_ns: int) -> float:
        """How long the host must wait until :meth:`monotonic_ns` is ``when_ns``; 0 if it is."""
        return max(0.0, (when_ns - self.monotonic_ns()) / 1e9 / self.speed)
