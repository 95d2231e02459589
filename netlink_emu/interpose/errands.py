"""Things to do for a thread that polls, put there by any other."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable


class Errands:
    """A queue of calls; ``fileno`` is readable while some wait. They are carried out in order."""

    def __init__(self) -> None:
        self._fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._calls: deque[Callable[[], object]] = deque()

    def fileno(self) -> int:
        return self._fd

    def put(self, call: Callable[[], object]) -> None:
        """For any thread; without effect once closed."""
        self._calls.append(call)
        if self._fd >= 0:
            os.eventfd_write(self._fd, 1)

    def run(self) -> None:
        """Carry out what is there: for the thread that polls."""
        try:
            os.eventfd_read(self._fd)
        except BlockingIOError:
            return
        while self._calls:
            self._calls.popleft()()

    def close(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)
