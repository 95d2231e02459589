"""A wait that takes long says what it waits for, and how much longer it will."""

from __future__ import annotations

import io
import re
import sys
import threading
from collections.abc import Iterator

import pytest
from helpers.interposed import needs_interposer
from helpers.nets import SECONDS

from netlink_emu.host import progress
from netlink_emu.testing import EmulatedKernel


class Told(io.StringIO):
    """A standard error that tells when something is said."""

    def __init__(self) -> None:
        super().__init__()
        self.said = threading.Event()

    def write(self, text: str) -> int:
        written = super().write(text)
        self.said.set()
        return written


def hear(monkeypatch: pytest.MonkeyPatch) -> Told:
    """To be called by the test itself: pytest sets the standard error before each."""
    told = Told()
    monkeypatch.setattr(sys, "stderr", told)
    monkeypatch.setattr(progress, "SECONDS_BETWEEN", 0.001)
    return told


@pytest.fixture
def kernel() -> Iterator[EmulatedKernel]:
    with EmulatedKernel(allow_unused=True) as kernel:
        yield kernel


def test_a_condition_that_comes_true_late(
    kernel: EmulatedKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    stderr = hear(monkeypatch)

    def something_was_said(_: EmulatedKernel) -> bool:
        return stderr.said.is_set()

    def nudge() -> None:
        stderr.said.wait(SECONDS)
        kernel.journal.note("now")  # what a wait looks again for

    nudger = threading.Thread(target=nudge, daemon=True)
    nudger.start()
    assert kernel.wait_until(something_was_said, timeout=SECONDS)
    nudger.join()
    line = r"waiting for something_was_said for \d+ s, at most \d:\d\d left\n"
    assert re.match(line, stderr.getvalue())


@needs_interposer
def test_the_end_of_a_program(kernel: EmulatedKernel, monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = hear(monkeypatch)

    client = kernel.popen(["cat"], stdin=-1)

    def end_it() -> None:
        stderr.said.wait(SECONDS)
        client.stdin.close()

    ender = threading.Thread(target=end_it, daemon=True)
    ender.start()
    assert client.wait(SECONDS) == 0
    ender.join()
    assert re.match(r"waiting for the end of cat for \d+ s, at most \d:\d\d", stderr.getvalue())
