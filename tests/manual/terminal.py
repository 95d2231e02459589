"""docs/terminal.svg: a terminal with commands that were run, and what they printed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from html import escape, unescape
from pathlib import Path
from typing import Final

from helpers.nets import SECONDS

ROOT: Final = Path(__file__).parents[2]
PICTURE: Final = ROOT / "docs/terminal.svg"
COMMANDS: Final = (
    "netlink-emu run --tasks none --scenario docs/examples/exits.toml -- "
    "python docs/examples/exits.py 0-3 5",
    "netlink-emu run --release 2.6.35 --journal - -- genl ctrl get name TASKSTATS",
)
# What the picture needs beside us.
PROGRAMS: Final = ("genl",)
_WIDTH: Final = 92
_CHAR, _LINE, _PAD, _BAR = 7.85, 18, 16, 34
_STYLE: Final = (
    "text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;"
    "fill:#c9d1d9;white-space:pre}.command{fill:#fff;font-weight:600}.prompt{fill:#7ee787}"
)


def record() -> list[str]:
    """Run the commands; the lines of the terminal."""
    lines: list[str] = []
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for command in COMMANDS:
        done = subprocess.run(
            shlex.split(command), cwd=ROOT, env=os.environ | {"PATH": path, "LANG": "C.UTF-8"},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True,
            timeout=SECONDS,
        )  # fmt: skip
        lines += [*_shell(command), *(line.expandtabs() for line in done.stdout.splitlines()), ""]
    return [line.rstrip() for line in lines[:-1]]


def _shell(command: str) -> list[str]:
    """The command as it is typed, on several lines if it is long."""
    if len(command) + 2 <= _WIDTH:
        return [f"$ {command}"]
    before, dashes, after = command.partition(" -- ")
    return [f"$ {before} {dashes.strip()} \\", f"    {after}"]


def svg(lines: list[str]) -> str:
    """The picture."""
    width = round(_WIDTH * _CHAR + 2 * _PAD)
    height = _BAR + len(lines) * _LINE + _PAD
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" aria-label="netlink-emu in a terminal">',
        "<!-- Made by scripts/write-docs from a real run. -->",
        f"<style>{_STYLE}</style>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>',
        *(
            f'<circle cx="{_PAD + 4 + 18 * number}" cy="17" r="5.5" fill="{colour}"/>'
            for number, colour in enumerate(("#ff5f57", "#febc2e", "#28c840"))
        ),
    ]
    typed = False
    for number, line in enumerate(lines):
        y = _BAR + _LINE * (number + 0.7)
        typed, text = line.startswith("$ ") or (typed and lines[number - 1].endswith("\\")), line
        kind = ' class="command"' if typed else ""
        prompt = ""
        if line.startswith("$ "):
            prompt, text = '<tspan class="prompt">$ </tspan>', line[2:]
        place = f'x="{_PAD}" y="{y:.1f}" xml:space="preserve"'
        parts.append(f"<text {place}{kind}>{prompt}{escape(text)}</text>")
    return "\n".join([*parts, "</svg>"]) + "\n"


def shown() -> list[str]:
    """The lines of the picture that is there."""
    if not PICTURE.exists():
        return []
    found = re.findall(r"<text[^>]*>(.*)</text>", PICTURE.read_text())
    return [unescape(re.sub(r"<[^>]+>", "", line)) for line in found]


def masked(lines: list[str]) -> list[str]:
    """What is the same at each run, and with each version of the programs.

    Without times and process ids, and without the capabilities of a command, which genl(8)
    prints in two lines and an empty one since iproute2 6.13.
    """
    text = "\n".join(line.strip() for line in lines)
    text = re.sub(r"Capabilities \(.*\):\n.*\n\n?", "", text)
    return re.sub(r"\d+", "0", text).strip().splitlines()
