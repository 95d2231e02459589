"""The lines that a program says, as they come."""

from __future__ import annotations

import os
import select
import time


class Lines:
    """Of a pipe that nobody else reads, or reads when ``rest`` is done with."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.rest = b""
        self.ended = False

    def next(self, seconds: float) -> bytes | None:
        """The next line, without its end; None if none comes in time, or it has ended."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self.rest:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._fd], [], [], left)[0]:
                return None
            data = os.read(self._fd, 1 << 20)
            if not data:
                self.ended = True
                return None
            self.rest += data
        line, _, self.rest = self.rest.partition(b"\n")
        return line

    def ready(self) -> bool:
        """Whether there is something to read."""
        return bool(self.rest or select.select([self._fd], [], [], 0)[0])
