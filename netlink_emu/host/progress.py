"""How far something is that takes long, in lines: where no terminal could show a bar."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final

SECONDS_BETWEEN: Final = 10.0


def clock_text(seconds: float) -> str:
    """``0:07``, ``12:30``, ``1:02:03``."""
    minutes, seconds = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


class TimedLines:
    """A line on stderr at most every ten seconds, with the time left; a short run prints none."""

    def __init__(
        self, total: float, what: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._total = total
        self._what = what
        self._clock = clock
        self._done = 0.0
        self._began = self._said = clock()

    def advance(self, by: float = 1) -> None:
        """So much more is done."""
        self.to(self._done + by)

    def to(self, done: float) -> None:
        """So much is done in all."""
        self._done = done
        now = self._clock()
        if now - self._said < SECONDS_BETWEEN or not 0 < done < self._total:
            return
        self._said = now
        left = clock_text((now - self._began) / done * (self._total - done))
        _write(f"{done:.0f} of {self._total:.0f} {self._what}, {left} left\n")


class WaitingLines:
    """A line on stderr every ten seconds of a wait of at most ``limit`` seconds."""

    def __init__(
        self, what: str, limit: float | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._what = what
        self._limit = limit
        self._clock = clock
        self._began = clock()
        self._said = 0.0

    def until_next(self) -> float:
        """Seconds until the next line is due."""
        return max(0.0, self._said + SECONDS_BETWEEN - self._waited())

    def look(self) -> None:
        """Say it if it is due."""
        waited = self._waited()
        over = self._limit is not None and waited >= self._limit
        if waited - self._said < SECONDS_BETWEEN or over:
            return
        self._said = waited
        left = "" if self._limit is None else f", at most {clock_text(self._limit - waited)} left"
        _write(f"{self._what} for {waited:.0f} s{left}\n")

    def pieces(self) -> Iterator[float]:
        """Seconds to wait at a time, until the limit is reached; tells in between."""
        while True:
            left = math.inf if self._limit is None else self._limit - self._waited()
            if left <= 0:
                return
            yield min(left, self.until_next())
            self.look()

    def _waited(self) -> float:
        return self._clock() - self._began


def _write(line: str) -> None:
    if sys.stderr is None:
        return
    with contextlib.suppress(OSError, ValueError):  # closed, or full: that changes nothing else
        sys.stderr.write(line)
        sys.stderr.flush()
