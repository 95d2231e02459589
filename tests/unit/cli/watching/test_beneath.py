"""The output of a command beneath the view."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from netlink_emu.cli.output.errors import UserError
from netlink_emu.cli.running.ending import Ending
from netlink_emu.cli.watching import beneath


def test_what_a_command_writes_comes_unchanged_and_then_the_end() -> None:
    ours, theirs = beneath._output()
    assert os.isatty(theirs)
    os.write(theirs, b"one\ntwo\tthree\n")
    assert beneath._read(ours) == b"one\ntwo\tthree\n"
    os.close(theirs)
    assert beneath._read(ours) == b""
    os.close(ours)


def test_without_pseudo_terminals_it_is_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> tuple[int, int]:
        raise FileNotFoundError

    monkeypatch.setattr(os, "openpty", none)
    ours, theirs = beneath._output()
    os.write(theirs, b"one\n")
    assert beneath._read(ours) == b"one\n"
    os.close(theirs)
    assert beneath._read(ours) == b""
    os.close(ours)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"a\tb\r", "a       b"),
        (b"\x1b[1;31mred\x1b[0m\x1b[m", "red"),
        (b"\x1b]0;title\x07", "\x1b]0;title\x07"),  # escaped where it is drawn
        (b"\xff", "\ufffd"),
        (b"x" * 5000, "x" * 4000),
    ],
)
def test_a_line(line: bytes, text: str) -> None:
    assert beneath._text(line) == text


def test_a_copy_that_cannot_be_written_starts_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", f"open({str(tmp_path / 'ran')!r}, 'w')"]
    with (
        pytest.raises(UserError, match=r"--output \S*: Is a directory"),
        beneath.beneath([], command, tmp_path, Ending()),
    ):
        pass
    assert not (tmp_path / "ran").exists()
