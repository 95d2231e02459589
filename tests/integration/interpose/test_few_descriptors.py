"""Where netlink-emu itself has few descriptors: what has a socket is served, to the end."""

from __future__ import annotations

import subprocess

import pytest
from helpers.interposed import NETLINK_EMU, Compile, needs_interposer
from helpers.nets import SECONDS

pytestmark = needs_interposer


@pytest.mark.parametrize(("limit", "threads"), [(256, 75), (256, 110), (128, 60)])
def test_all_who_wait_are_woken(program: Compile, limit: int, threads: int) -> None:
    """Each takes descriptors of ours; a socket that is made is one that can be waited on."""
    command = [*NETLINK_EMU, "run", "--", str(program("few_descriptors")), str(threads)]
    done = subprocess.run(
        ["sh", "-c", 'ulimit -n "$0" && exec "$@"', str(limit), *command],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert lines[-1] == "all woken: 1, failed 0"
    # A kernel's socket() may say so; its bind() and send() never do.
    assert set(lines[:-1]) <= {"enough sockets", "socket: ENFILE", "socket: EMFILE"}
    if limit == 256:
        assert "enough sockets" in lines
    assert done.stderr == ""
