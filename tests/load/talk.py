"""Programs that take part, and talk in lines of JSON over their standard input and output."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final

TESTS: Final = Path(__file__).parents[1]
SECONDS: Final = 1200.0  # a net, not a pace: a storm takes minutes on a busy machine


class Gone(Exception):
    """The program has ended, or says nothing."""


class Talker:
    """A program of this package as a process of its own; killed at the end."""

    def __init__(
        self,
        module: str,
        *arguments: str,
        before: Sequence[str] = (),
        quiet: bool = False,
    ) -> None:
        """``before`` is a command that runs it, such as ``netlink-emu run --``.

        What it says on standard error is not seen if it shall be ``quiet``: it will fail.
        """
        self.name: Final = module
        self.process: Final = subprocess.Popen(
            [*before, sys.executable, "-m", f"load.{module}", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=TESTS,
            start_new_session=True,
            stderr=subprocess.DEVNULL if quiet else None,
        )
        self._rest = b""
        self.owed = 0  # answers that have not been read

    def __enter__(self) -> Talker:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _exc: BaseException | None,
        _tb: TracebackType | None,
    ) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        return self.process.pid

    def tell(self, do: str, **arguments: Any) -> None:
        """Have something done; the answer is read later."""
        assert self.process.stdin is not None
        line = json.dumps({"do": do} | arguments).encode() + b"\n"
        try:
            self.process.stdin.write(line)
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Gone(f"{self.name} has ended") from None
        self.owed += 1

    def answer(self, seconds: float = SECONDS) -> Any:
        """The next answer; raises Gone when none comes."""
        assert self.process.stdout is not None
        fd, deadline = self.process.stdout.fileno(), time.monotonic() + seconds
        while b"\n" not in self._rest:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([fd], [], [], left)[0]:
                raise Gone(f"{self.name} said nothing for {seconds} s")
            data = os.read(fd, 1 << 20)
            if not data:
                raise Gone(f"{self.name} has ended with {self.process.wait(SECONDS)}")
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        self.owed = max(0, self.owed - 1)
        return json.loads(line)

    def has_answered(self) -> bool:
        """Whether there is an answer to read."""
        assert self.process.stdout is not None
        return bool(self._rest or select.select([self.process.stdout], [], [], 0)[0])

    def ask(self, do: str, **arguments: Any) -> Any:
        self.tell(do, **arguments)
        return self.answer()

    def kill(self) -> None:
        self.process.kill()
        self.end()

    def end(self) -> int:
        """Its input ends, and so shall it; its status."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        status = self.process.wait(SECONDS)
        self.process.stdout.close()
        return status
