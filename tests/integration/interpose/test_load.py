"""Under signals and many threads: nothing is lost, nothing is done twice, nothing is left open."""

from __future__ import annotations

import gc
import os

import pytest
from helpers.interposed import Compile, needs_interposer, run_supervised

pytestmark = needs_interposer


@pytest.mark.parametrize("restart", [0, 1], ids=["EINTR", "SA_RESTART"])
@pytest.mark.parametrize("period", [1000, 300], ids=["1kHz", "3.3kHz"])
def test_a_storm_of_signals(program: Compile, period: int, restart: int) -> None:
    questions = 1000
    result = run_supervised([program("storm"), str(period), str(questions), str(restart)])
    assert result.stdout == "twice 0, wrong 0, signals came\n"
    assert result.summary.sent == result.summary.received == questions
    assert result.summary.sockets == 101


@pytest.mark.parametrize(
    ("threads", "questions", "waiting"), [(8, 50, 0), (4, 50, 16)], ids=["busy", "some wait"]
)
def test_threads(program: Compile, threads: int, questions: int, waiting: int) -> None:
    result = run_supervised([program("threads"), str(threads), str(questions), str(waiting)])
    assert result.stdout == "bad 0\n"
    assert result.summary.sockets == threads + waiting


def test_many_threads_under_signals_leave_nothing_behind(program: Compile) -> None:
    """16 that ask, 4 that wait, a signal each millisecond; the client counts its descriptors."""
    gc.collect()
    before = os.listdir("/proc/self/fd")
    result = run_supervised([program("threads"), "16", "50", "4", "1000"])
    assert result.stdout == "bad 0\n"
    assert result.summary.sent == result.summary.received == 16 * 50
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= len(before)


def test_no_descriptor_is_left_open(program: Compile) -> None:
    run_supervised([program("threads"), "2", "2", "2"])
    gc.collect()
    before = os.listdir("/proc/self/fd")
    for _ in range(3):
        run_supervised([program("threads"), "2", "2", "2"])
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == len(before)
