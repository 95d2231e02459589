"""The corpus: inputs that reached something new, one a line in hex, a file for each target."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

HERE = Path(__file__).with_name("corpus")


def load(name: str) -> list[bytes]:
    """The inputs for a target."""
    path = HERE / f"{name}.hex"
    return [bytes.fromhex(line) for line in path.read_text().splitlines()] if path.exists() else []


def save(name: str, inputs: Iterable[bytes]) -> None:
    """Keep these inputs, the shortest first."""
    lines = sorted({data.hex() for data in inputs}, key=lambda line: (len(line), line))
    (HERE / f"{name}.hex").write_text("".join(f"{line}\n" for line in lines))


Jump = tuple[str, int, int]


def jumps(target: Callable[[bytes], None], data: bytes) -> set[Jump]:
    """From which line to which the target goes in our own modules, for one input."""
    found: set[Jump] = set()

    def trace(frame: FrameType, _event: str, _arg: object) -> Any:
        file = frame.f_code.co_filename
        if "netlink_emu" not in file and "/protocol/" not in file:
            return None
        last = 0

        def line(inner: FrameType, event: str, _arg: object) -> Any:
            nonlocal last
            if event == "line":
                found.add((file, last, inner.f_lineno))
                last = inner.f_lineno
            return line

        return line

    sys.settrace(trace)
    try:
        target(data)
    finally:
        sys.settrace(None)
    return found


def smallest(target: Callable[[bytes], None], inputs: Iterable[bytes]) -> list[bytes]:
    """Of the inputs those that reach something which shorter ones do not."""
    kept: list[bytes] = []
    reached: set[Jump] = set()
    for data in sorted(set(inputs), key=lambda data: (len(data), data)):
        new = jumps(target, data) - reached
        if new:
            kept.append(data)
            reached |= new
    return kept
