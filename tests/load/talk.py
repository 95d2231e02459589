"""Programs that take part, and talk in lines of JSON over their standard input and output."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from load.lines import Lines

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
        assert self.process.stdout is not None
        self._said: Final = Lines(self.process.stdout.fileno())
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
        line = self._said.next(seconds)
        if line is None:
            if self._said.ended:
                raise Gone(f"{self.name} has ended with {self.process.wait(SECONDS)}")
            raise Gone(f"{self.name} said nothing for {seconds} s")
        self.owed = max(0, self.owed - 1)
        return json.loads(line)

    def has_answered(self) -> bool:
        """Whether there is an answer to read."""
        return self._said.ready()

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
