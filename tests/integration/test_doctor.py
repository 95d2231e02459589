"""``netlink-emu doctor``: what it says of this machine, and of a worse one."""

from __future__ import annotations

import re

from helpers.interposed import NETLINK_EMU, emulated, needs_interposer, netlink_emu


@needs_interposer
def test_all_is_well() -> None:
    done = netlink_emu("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    verdicts = [re.split(r"\s+", line)[0] for line in done.stdout.splitlines()]
    assert set(verdicts) <= {"ok", "absent"}
    assert "seccomp user notification (Linux" in done.stdout
    assert "a client's memory" in done.stdout
    assert "a client's descriptors" in done.stdout


@needs_interposer
def test_inside_a_supervisor_it_says_what_is_missing() -> None:
    done = emulated(*NETLINK_EMU, "doctor")
    assert done.returncode == 1
    (missing,) = [line for line in done.stdout.splitlines() if line.startswith("missing")]
    assert "another seccomp supervisor already answers" in missing
