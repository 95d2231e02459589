"""Which signals to stop are those that a SIGCONT has removed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from netlink_emu.interpose.live.stops import Stops

# Blocked, a signal to stop stays pending, as SIGSTOP does while a process executes.
CHILD = """
import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTSTP})
print(flush=True)
sys.stdin.read()
"""
STOP, CONT = signal.SIGTSTP, signal.SIGCONT


@pytest.fixture
def pid() -> Iterator[int]:
    """A process with a signal to stop that is pending."""
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.kill(process.pid, STOP)
        yield process.pid
        process.kill()


@pytest.mark.parametrize(
    ("sent", "stale"),
    [
        pytest.param("this STOP, this CONT", True, id="continued"),
        pytest.param("this STOP, all CONT", True, id="continued with its group"),
        pytest.param("this CONT, this STOP", False, id="stopped"),
        pytest.param("this CONT, all STOP", False, id="stopped with its group"),
        pytest.param("other STOP, this CONT, other STOP", True, id="others do not count"),
        pytest.param("other CONT", False, id="nobody told it to go on"),
        pytest.param("", False, id="sent by somebody whom we do not see"),
    ],
)
def test_the_last_word_counts(pid: int, sent: str, stale: bool) -> None:
    stops = Stops()
    targets = {"this": pid, "other": 1, "all": None}
    for who, what in (word.split() for word in sent.split(", ") if word):
        stops.sent(targets[who], STOP if what == "STOP" else CONT)
    stops.executed(pid)
    assert not stops.is_stale(pid, signal.SIGTERM)
    assert stops.is_stale(pid, signal.SIGSTOP) is stale
    assert not stops.is_stale(pid, signal.SIGSTOP), "once"


def test_a_stop_that_is_sent_after_the_exec_stops(pid: int) -> None:
    stops = Stops()
    stops.sent(pid, CONT)
    stops.executed(pid)
    stops.sent(pid, STOP)
    assert not stops.is_stale(pid, STOP)


def test_without_a_signal_that_is_pending_there_is_nothing_stale() -> None:
    stops = Stops()
    stops.sent(os.getpid(), CONT)
    stops.executed(os.getpid())
    assert not stops.is_stale(os.getpid(), STOP)


def test_who_has_ended_is_forgotten(pid: int) -> None:
    stops = Stops()
    stops.sent(pid, CONT)
    stops.executed(pid)
    stops.forget(pid)
    assert not stops.is_stale(pid, STOP)
    stops.executed(pid)
    assert not stops.is_stale(pid, STOP)
