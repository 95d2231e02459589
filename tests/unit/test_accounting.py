"""Process accounting that a killed run of the suite has left on is switched off by the next."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.accounting import OWNER, accounting_is_ours
from helpers.nets import SECONDS

HELPERS = Path(__file__).parents[1]
# Switches it on, says so, and waits to be killed.
OTHER = """
import ctypes, sys
from helpers.accounting import accounting_is_ours

with accounting_is_ours():
    failed = ctypes.CDLL(None, use_errno=True).acct(sys.argv[1].encode())
    print("failed" if failed else "on", flush=True)
    sys.stdin.read()
"""


def grows(file: Path) -> bool:
    """Whether the end of a process is written down."""
    before = file.stat().st_size
    subprocess.run(["true"], check=True)
    return file.stat().st_size > before


@pytest.mark.skipif(os.geteuid() != 0, reason="acct(2) is root's")
@pytest.mark.xdist_group("monitors")  # of process accounting there is one
def test_the_next_run_switches_it_off(tmp_path: Path) -> None:
    file = tmp_path / "pacct"
    file.touch()
    with subprocess.Popen(
        [sys.executable, "-c", OTHER, file],
        env={**os.environ, "PYTHONPATH": str(HELPERS)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        said = other.stdout.readline()
        other.kill()
        other.wait(SECONDS)
    if said != "on\n":
        pytest.skip("process accounting cannot be switched on here, or is somebody else's")
    assert grows(file)
    assert OWNER.exists()
    with accounting_is_ours():
        assert not grows(file)
        assert OWNER.read_text().split()[1] == str(os.getpid())
    assert not OWNER.exists()
