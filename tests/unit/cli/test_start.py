"""Ctrl-C before the command line is there."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from helpers.nets import SECONDS

# Somebody presses Ctrl-C as soon as Python looks for the module of that name.
INTERRUPTED = """
import os, signal, sys
class Press:
    def find_spec(self, name, *rest):
        if name == "netlink_emu.cli.main":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Press())
sys.argv = ["netlink-emu", "--version"]
from netlink_emu.cli.start import main
main()
"""
AFTERWARDS = """
import signal
import netlink_emu.cli.main as real
from netlink_emu.cli.start import main
def told():
    print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
real.main = told
main()
"""


@pytest.mark.parametrize(("ignored", "status"), [(False, -signal.SIGINT), (True, 0)])
def test_an_interrupt_while_it_is_imported_says_nothing(ignored: bool, status: int) -> None:
    """Who ignores interrupts, as a shell's background job, is not interrupted."""
    trap = "trap '' INT; " if ignored else ""
    command = ["sh", "-c", f'{trap}exec "$@"', "sh", sys.executable, "-c", INTERRUPTED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert (done.returncode, done.stderr) == (status, "")
    assert done.stdout.startswith("netlink-emu ") is ignored


def test_afterwards_an_interrupt_is_pythons_again() -> None:
    done = subprocess.run(
        [sys.executable, "-c", AFTERWARDS],
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")
