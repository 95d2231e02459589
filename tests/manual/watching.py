"""The terminal of ``netlink-emu watch`` in docs/howto-watch.md: what was to be seen in tmux."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path
from typing import Final

from helpers.tmux import Tmux

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs/howto-watch.md"
COMMAND: Final = (
    "netlink-emu watch --tasks none --scenario docs/examples/exits.toml -- "
    "python docs/examples/exits.py 0-3"
)
# What the picture needs beside us.
PROGRAMS: Final = ("tmux",)
_SIZE: Final = (96, 33)
_BLOCK: Final = re.compile(
    r"(?<=```text\n\$ netlink-emu watch )(.*?\n\n)(.*?)(?=^```)", re.S | re.M
)


def record() -> list[str]:
    """Watch the demonstration to its end; the lines of the terminal then."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with Tmux(*_SIZE, {"PATH": path, "LANG": "C.UTF-8"}) as shown:
        shown.run(f"cd {shlex.quote(str(ROOT))} && {COMMAND}")
        for last in ("the scenario is over", "Tasks 3", "→ .* pid 4300 ", "^ *4300  nightly"):
            shown.until(last)
        lines = shown.lines()
        shown.keys("q")
        shown.until("ready> *$")
    return [line.rstrip() for line in lines]


def shown() -> list[str]:
    """The lines of the picture that is there."""
    found = _BLOCK.search(PAGE.read_text())
    return found[2].splitlines() if found is not None else []


def page(lines: list[str]) -> str:
    """The page with another picture."""
    return _BLOCK.sub(lambda found: found[1] + "\n".join(lines) + "\n", PAGE.read_text(), count=1)


def masked(lines: list[str]) -> list[str]:
    """The lines without what is another at each run: times and pids, and so what is cut off."""
    words = (re.sub(r"\d+", "0", line).split() for line in lines)
    return [" ".join(line[:5] if line and line[-1].endswith("…") else line) for line in words]
