"""Targets that are fuzzed one after the other: atheris ends its process, so each has its own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from netlink_emu.cli.output.loudness import Loudness, loudness
from netlink_emu.cli.output.progress import Progress, progress

_LOOK: Final = 0.2  # seconds
_TAIL: Final = 40  # lines of a log that tell why


def in_turns(commands: Mapping[str, Sequence[str]], seconds: int, work: Path) -> str | None:
    """Run each target's command, which takes so long; the first target that is broken."""
    work.mkdir(exist_ok=True)
    with progress(seconds * len(commands), "seconds") as told:
        for turn, (name, command) in enumerate(commands.items()):
            if not _passes(name, command, work / f"{name}.log", turn * seconds, seconds, told):
                return name
    return None


def _passes(
    name: str, command: Sequence[str], log: Path, before: int, seconds: int, told: Progress
) -> bool:
    told.to(before, name)
    with log.open("wb") as file:
        out = None if loudness() is Loudness.VERBOSE else file
        process = subprocess.Popen(command, stdout=out, stderr=out)
        began = time.monotonic()
        try:
            while not _ended(process):
                told.to(before + min(seconds, time.monotonic() - began))
        finally:
            process.kill()
            process.wait()
    if process.returncode and out is not None:
        lines = log.read_text("utf-8", "replace").splitlines()
        sys.stderr.write("\n".join([*lines[-_TAIL:], ""]))
    return process.returncode == 0


def _ended(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(_LOOK)
    except subprocess.TimeoutExpired:
        return False
    return True
