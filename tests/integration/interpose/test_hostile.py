"""Clients with any pointers and lengths: programs/hostile.c, from a seed.

Where the host is the kernel that the transcripts are of, each call is compared with what it does
there: its result, and every byte of memory that it could have written to. Elsewhere the digests
of what was seen there must come out.
"""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
from pathlib import Path

import pytest
from helpers.interposed import Compile, needs_interposer, run_supervised
from helpers.nets import SECONDS

CALLS = 400
# Of what hostile.c printed for these seeds on Linux 6.18.44, x86-64, as root.
SEEDS = [line.split() for line in Path(__file__).with_name("hostile.txt").read_text().splitlines()]


@needs_interposer
@pytest.mark.skipif(os.geteuid() != 0, reason="the digests are of what root may do")
@pytest.mark.parametrize(("seed", "expected"), SEEDS)
def test_any_pointers_and_lengths(program: Compile, seed: str, expected: str) -> None:
    command = [str(program("hostile")), seed, str(CALLS)]
    result = run_supervised(command)
    assert (result.stderr, result.returncode) == ("", 0)
    if os.uname().release.startswith("6.18.") and _has_generic_netlink():
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
        assert result.stdout.splitlines() == done.stdout.splitlines()
    assert hashlib.sha256(result.stdout.encode()).hexdigest()[:16] == expected


def _has_generic_netlink() -> bool:
    try:
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16).close()
    except OSError:
        return False
    return True
