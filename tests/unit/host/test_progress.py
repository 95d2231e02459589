"""Lines that tell how far something is, on a clock of the test's."""

from __future__ import annotations

import itertools
import sys

import pytest

from netlink_emu.host import progress
from netlink_emu.host.progress import TimedLines, WaitingLines, clock_text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (7.4, "0:07"), (59.6, "1:00"), (754, "12:34"), (3723, "1:02:03"), (-1, "0:00")],
)
def test_a_time(seconds: float, text: str) -> None:
    assert clock_text(seconds) == text


def test_lines_of_what_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    lines = TimedLines(10, "cases", lambda: now)
    for _ in range(10):
        now += 4
        lines.advance()
    assert capsys.readouterr().err.splitlines() == [
        "3 of 10 cases, 0:28 left",
        "6 of 10 cases, 0:16 left",
        "9 of 10 cases, 0:04 left",
    ]


def test_nothing_done_yet_has_no_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    now = itertools.count(0, 30)
    TimedLines(10, "cases", lambda: next(now)).to(0)
    assert capsys.readouterr().err == ""


def test_lines_of_a_wait(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    lines = WaitingLines("waiting for a listener", 25, lambda: now)
    waits = []
    for piece in lines.pieces():
        waits.append(piece)
        now += piece
    assert waits == [10, 10, 5]
    assert capsys.readouterr().err.splitlines() == [
        "waiting for a listener for 10 s, at most 0:15 left",
        "waiting for a listener for 20 s, at most 0:05 left",
    ]


def test_a_wait_that_is_woken_often(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    pieces = WaitingLines("waiting", 12, lambda: now).pieces()
    for _ in range(11):
        assert next(pieces) > 0
        now += 1
    assert capsys.readouterr().err == "waiting for 10 s, at most 0:02 left\n"
    now += 1
    assert next(pieces, None) is None


def test_a_wait_without_a_limit(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    pieces = WaitingLines("waiting", None, lambda: now).pieces()
    for _ in range(3):
        now += next(pieces)
    next(pieces)
    assert capsys.readouterr().err.splitlines() == [f"waiting for {n} s" for n in (10, 20, 30)]


@pytest.mark.parametrize("stream", [None, "closed"])
def test_a_standard_error_that_is_none(
    stream: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN", 0.0)
    if stream is None:
        monkeypatch.setattr(sys, "stderr", None)
    else:
        monkeypatch.setattr(sys, "stderr", open("/dev/null", "w", encoding="utf-8"))  # noqa: SIM115
        sys.stderr.close()
    TimedLines(3, "cases").advance()
