"""A terminal that a person could sit at: tmux, with real keys and the screen as text."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Final

import pytest
from helpers.nets import SECONDS

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
# What a shell says of itself when it is ready for a command.
PROMPT: Final = "ready> "


class Tmux:
    """A tmux server with one window of so many cells and lines, in which a shell runs."""

    def __init__(self, width: int, height: int, env: dict[str, str]) -> None:
        # Not in the test's own directory, whose path may be too long for a socket.
        self._directory: Final = tempfile.TemporaryDirectory(prefix="tmux-")
        self._socket: Final = Path(self._directory.name) / "s"
        variables = [word for name, value in env.items() for word in ("-e", f"{name}={value}")]
        self._tmux(
            "-u", "-f", "/dev/null", "new-session", "-d", "-x", str(width), "-y", str(height),
            *variables, "env", f"PS1={PROMPT}", "bash", "--norc", "--noprofile", "-i",
        )  # fmt: skip
        self._tmux("set-option", "status", "off")
        self.resize(width, height)
        self.until(re.escape(PROMPT.strip()))

    def __enter__(self) -> Tmux:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _exc: BaseException | None,
        _tb: TracebackType | None,
    ) -> None:
        self._tmux("kill-server")
        self._directory.cleanup()

    def _tmux(self, *args: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", self._socket, *args],
            capture_output=True, text=True, check=True, timeout=SECONDS,
        )  # fmt: skip
        return done.stdout

    def resize(self, width: int, height: int) -> None:
        self._tmux("resize-window", "-x", str(width), "-y", str(height))

    def keys(self, *keys: str) -> None:
        """Press keys by tmux's names: Enter, Tab, PageUp, C-c..."""
        self._tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-l", text)

    def run(self, command: str) -> None:
        """Type a command to the shell."""
        self.type(command)
        self.keys("Enter")

    def screen(self, *, colours: bool = False) -> str:
        """What is to be seen; with ``colours`` the escapes of each line's looks, too."""
        return self._tmux("capture-pane", "-p", *(["-e"] if colours else []))

    def lines(self) -> list[str]:
        return self.screen().splitlines()

    def until(self, pattern: str) -> str:
        """Wait until the screen has a match; returns the screen."""
        deadline = time.monotonic() + SECONDS
        while not re.search(pattern, screen := self.screen(), re.MULTILINE):
            assert time.monotonic() < deadline, f"{pattern!r} is not on the screen:\n{screen}"
            time.sleep(0.02)
        return screen
