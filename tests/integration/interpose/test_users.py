"""Clients that are not root, or that may not be looked into."""

from __future__ import annotations

import os

import pytest
from helpers.interposed import Compile, emulated, needs_interposer, netlink_emu

pytestmark = [
    needs_interposer,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else"),
]
NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")


def test_as_nobody(program: Compile) -> None:
    done = netlink_emu("run", "--", program("threads"), "2", "5", "1", prefix=NOBODY)
    assert (done.stdout, done.stderr) == ("bad 0\n", "")


def test_a_client_becomes_nobody(program: Compile) -> None:
    done = emulated(*NOBODY, program("threads"), "2", "5", "1")
    assert (done.stdout, done.stderr) == ("bad 0\n", "")


def test_nobodys_set_user_id_programs_have_no_more_rights() -> None:
    done = netlink_emu("run", "--", "grep", "NoNewPrivs", "/proc/self/status", prefix=NOBODY)
    assert done.stdout == "NoNewPrivs:\t1\n"
