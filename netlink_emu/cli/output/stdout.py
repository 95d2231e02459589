"""A standard output that is closed, full, or read by nobody any more."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import Any, Final, TextIO, cast

from netlink_emu.cli.output.errors import EXIT_USER, say

EXIT_UNREAD: Final = 141  # 128 + SIGPIPE, as a shell reports it


class Output:
    """Stands for ``sys.stdout``, and remembers why it could not be written.

    ``stream`` is None where it was closed before we began.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream: Final = stream
        self.failure: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream or io.StringIO(), name)

    def write(self, text: str) -> int:
        with self._noted():
            if self._stream is None:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            return self._stream.write(text)

    def flush(self) -> None:
        with self._noted():
            if self._stream is not None:
                self._stream.flush()

    @contextlib.contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            self.failure = exc
            raise

    def finish(self, status: int) -> int:
        """Write the rest; the exit status, which tells if that could not be done."""
        if self.failure is None:
            with contextlib.suppress(OSError):
                self.flush()
        _settle(sys.stderr)
        if self.failure is None:
            return status
        if self._stream is not None:
            _forget(self._stream)
        if self.failure.errno == errno.EPIPE:  # as under head(1): the reader knows why
            return EXIT_UNREAD
        say(f"standard output cannot be written: {self.failure.strerror}")
        return status or EXIT_USER


@contextlib.contextmanager
def watched() -> Iterator[Output]:
    """Have ``sys.stdout`` watched, and take any name, while the context lasts."""
    before = sys.stdout
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Names need not be text in this locale, or text at all.
            stream.reconfigure(errors="backslashreplace")
    output = Output(before)
    sys.stdout = cast(TextIO, output)
    try:
        yield output
    finally:
        sys.stdout = before


def _settle(stream: TextIO | None) -> None:
    """Write what is left; what cannot be written would change the status as Python 3.13 ends."""
    if stream is not None:
        try:
            stream.flush()
        except (OSError, ValueError):
            _forget(stream)


def _forget(stream: TextIO) -> None:
    """The interpreter would try once more as it ends, and complain."""
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
