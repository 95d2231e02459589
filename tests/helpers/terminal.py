"""A pseudo-terminal, and what runs in it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

from helpers.nets import SECONDS


class Terminal:
    """A pseudo-terminal of ``size`` (rows, columns) and its session's leader, a command."""

    def __init__(
        self, *command: str, env: dict[str, str] | None = None, size: tuple[int, int] = (24, 80)
    ) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("=4H", *size, 0, 0))

        def control() -> None:
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=env,
            preexec_fn=control,
        )
        os.close(slave)
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def expect(self, pattern: str) -> str:
        """Read until ``pattern`` is there; what came up to its end is not looked at again."""
        deadline = time.monotonic() + SECONDS
        while (match := re.search(pattern, self.seen)) is None:
            left = deadline - time.monotonic()
            if left < 0 or not select.select([self.master], [], [], left)[0]:
                raise AssertionError(f"{pattern!r} is not in {self.seen!r}")
            self.seen += os.read(self.master, 4096).decode(errors="replace")
        self.seen = self.seen[match.end() :]
        return match.group()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.master)
