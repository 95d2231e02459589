"""The client of the corpus cannot tell that it is recorded: each transcript is what it was."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from helpers.interposed import NETLINK_EMU, needs_interposer
from helpers.nets import SECONDS

from netlink_emu.cassettes import Request, read_cassette

pytestmark = [pytest.mark.real_kernel, pytest.mark.slow, needs_interposer]


def conformance(group: str, *before: str | Path) -> tuple[int, str]:
    done = subprocess.run(
        [*before, *NETLINK_EMU, "conformance", "--target", "kernel", "-k", group],
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    return done.returncode, re.sub(r" in [0-9.]+ s ", " ", done.stdout)


def record(file: Path) -> tuple[str | Path, ...]:
    return (*NETLINK_EMU, "record", "-o", file, "--")


@pytest.mark.parametrize("group", ["frame", "attr", "ctrl", "error", "get"])
def test_the_same_with_and_without(group: str, tmp_path: Path) -> None:
    """Others' exits may disturb either, and are told of: what differs always is our doing."""
    file = tmp_path / "x.cassette"
    tries = 0
    while True:
        recorded, plain = conformance(group, *record(file)), conformance(group)
        tries += 1
        if recorded == plain or tries == 5:
            break
    assert recorded == plain
    assert " 0 failed" in recorded[1]
    cassette = read_cassette(file.read_text(), str(file))
    made = [event for stream in cassette.streams for event in stream.events]
    assert sum(isinstance(event, Request) for event in made) > (40 if os.geteuid() == 0 else 15)
