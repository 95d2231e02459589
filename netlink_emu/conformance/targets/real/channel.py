"""Pickled objects over a pair of pipes, between the runner, the driver and its tasks.

Pipes, because a task that waits in a pipe is plainly INTERRUPTIBLE; one that waits in a socket
is FREEZABLE as well, and CGROUPSTATS then counts it differently.
"""

from __future__ import annotations

import os
import pickle
import select
import struct
from typing import Any, Final

_LENGTH: Final = struct.Struct("=I")


class Channel:
    """One end. Both ends are closed by whoever holds them."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self.read_fd: Final = read_fd
        self.write_fd: Final = write_fd

    def send(self, message: Any) -> None:
        """Raises BrokenPipeError when the other end is gone."""
        data = pickle.dumps(message)
        view = memoryview(_LENGTH.pack(len(data)) + data)
        while view:
            view = view[os.write(self.write_fd, view) :]

    def receive(self, timeout: float | None = None) -> Any:
        """The next message; raises EOFError when the other end is gone, TimeoutError in time."""
        if timeout is not None and not select.select([self.read_fd], [], [], timeout)[0]:
            raise TimeoutError(f"no answer within {timeout:g} s")
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size))
        return pickle.loads(self._exactly(length))

    def _exactly(self, length: int) -> bytes:
        chunks = bytearray()
        while len(chunks) < length:
            chunk = os.read(self.read_fd, length - len(chunks))
            if not chunk:
                raise EOFError("the other end is gone")
            chunks += chunk
        return bytes(chunks)

    def close(self) -> None:
        os.close(self.read_fd)
        os.close(self.write_fd)


def channel_pair() -> tuple[Channel, Channel]:
    """Two connected ends."""
    a_read, b_write = os.pipe()
    b_read, a_write = os.pipe()
    return Channel(a_read, a_write), Channel(b_read, b_write)
