"""Whole programs: what they print in the emulated kernel is what they printed in a real one.

``expected`` holds what the programs printed on Linux 6.18.44, x86-64, run as root without the
interposer. Where this is such a machine, that is tested as well.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from helpers.interposed import Compile, needs_interposer, run_supervised
from helpers.nets import SECONDS

EXPECTED = Path(__file__).with_name("expected")
NAMES = sorted(path.stem for path in EXPECTED.iterdir())


def expected(name: str) -> list[str]:
    return (EXPECTED / f"{name}.txt").read_text().splitlines()


@needs_interposer
@pytest.mark.parametrize("native_waits", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_emulated_kernel(program: Compile, name: str, native_waits: bool) -> None:
    result = run_supervised([program(name)], native_waits=native_waits)
    assert result.stderr == ""
    assert result.stdout.splitlines() == expected(name)
    assert result.returncode == 0


@needs_interposer
@pytest.mark.parametrize("name", ["descriptors", "receive"])
def test_static_programs_are_no_different(program: Compile, name: str) -> None:
    result = run_supervised([program(name, "-static")])
    assert result.stdout.splitlines() == expected(name)


@pytest.mark.real_kernel
@pytest.mark.skipif(
    not os.uname().release.startswith("6.18.") or os.geteuid() != 0,
    reason="the transcripts are of Linux 6.18 and root",
)
@pytest.mark.parametrize("name", NAMES)
def test_real_kernel(program: Compile, name: str) -> None:
    done = subprocess.run(
        [program(name)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.stdout.splitlines() == expected(name)
