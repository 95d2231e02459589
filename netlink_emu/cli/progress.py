"""How far something is that takes long, where no terminal could show a bar."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Final

SECONDS_BETWEEN: Final = 10.0


class TimedLines:
    """A line on stderr at most every ten seconds, with the time left; a short run prints none."""

    def __init__(self, total: int, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._total = total
        self._what = what
        self._clock = clock
        self._done = 0
        self._began = self._said = clock()

    def advance(self) -> None:
        """One more is done."""
        self._done += 1
        now = self._clock()
        if now - self._said < SECONDS_BETWEEN or self._done >= self._total:
            return
        self._said = now
        left = (now - self._began) / self._done * (self._total - self._done)
        print(f"{self._done} of {self._total} {self._what}, {left:.0f} s left", file=sys.stderr)
