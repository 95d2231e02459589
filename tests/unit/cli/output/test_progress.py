"""How far something is: a bar on a terminal, lines elsewhere, nothing with ``-q``."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fuzz.turns import in_turns
from helpers.nets import SECONDS
from helpers.terminal import Terminal

from netlink_emu.cli.output import loudness
from netlink_emu.cli.output.progress import progress, waiting
from netlink_emu.host import progress as lines

NETLINK_EMU = [sys.executable, "-m", "netlink_emu"]


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    loudness.forget()  # what a command that another test ran in this process has chosen
    yield
    loudness.forget()


def test_without_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lines, "SECONDS_BETWEEN", 0.0)
    with progress(3, "cases") as told:
        for name in "abc":
            told.advance(name)
    first, second = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"1 of 3 cases, \d+:\d\d left", first)
    assert re.fullmatch(r"2 of 3 cases, \d+:\d\d left", second)


def test_quiet_and_verbose(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lines, "SECONDS_BETWEEN", 0.0)
    loudness.choose(quiet=True, verbose=False)
    with progress(2, "cases") as told, waiting("waiting", 5):
        told.advance("a")
    assert capsys.readouterr().err == ""
    loudness.choose(quiet=False, verbose=True)
    with progress(1, "cases") as told:
        told.advance("a: fine")
    assert capsys.readouterr().err == "a: fine\n"


BAR = """
import sys, time
from netlink_emu.cli.output import progress
progress._REDRAW = 0.0
with progress.progress(3, "cases") as told:
    told.advance("first")
    sys.stderr.write("a line beside it\\n")
    print("what is printed")
    told.advance("second", by=2)
    sys.stdin.readline()
print("the end")
"""


def test_a_bar_on_a_terminal() -> None:
    terminal = Terminal(sys.executable, "-c", BAR, env={**os.environ, "TERM": "xterm"})
    try:
        seen = terminal.expect(
            r"(?s).*cases: first.*a line beside it\r\n.*what is printed\r\n.*second.*3/3"
        )
        assert "1/3" in seen
        terminal.type("\n")
        terminal.expect("the end")
        assert terminal.process.wait(SECONDS) == 0
    finally:
        terminal.close()


def test_what_is_printed_goes_where_it_should(tmp_path: Path) -> None:
    """The bar is on a terminal, the standard output in a file."""
    out = tmp_path / "out"
    shell = f"{sys.executable} -c '{BAR}' > {out}"
    terminal = Terminal("sh", "-c", shell, env={**os.environ, "TERM": "xterm"})
    try:
        terminal.expect(r"3/3")
        terminal.type("\n")
        assert terminal.process.wait(SECONDS) == 0
    finally:
        terminal.close()
    assert out.read_text() == "what is printed\nthe end\n"


@pytest.mark.parametrize(
    "command",
    [["serve", "--wait", str(SECONDS)], ["journal", "wait", "--timeout", str(SECONDS)]],
    ids=["serve", "journal"],
)
def test_a_wait_on_a_terminal(command: list[str], tmp_path: Path) -> None:
    path = tmp_path / "run" / "nl"
    server = None
    if command[0] == "journal":
        server = subprocess.Popen(
            [*NETLINK_EMU, "serve", "--control", "--socket", path],
            stderr=subprocess.PIPE,
            text=True,
        )
        assert server.stderr is not None
        assert "ready" in server.stderr.readline()
    terminal = Terminal(
        *NETLINK_EMU, *command, "--socket", str(path), env={**os.environ, "TERM": "xterm"}
    )
    try:
        terminal.expect(r"waiting for a (server|listener).*/300.*\d:\d\d left")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.process.wait(SECONDS) == 130
    finally:
        terminal.close()
        if server is not None:
            server.terminate()
            server.communicate()


def test_a_wait_without_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lines, "SECONDS_BETWEEN", 0.001)
    seen = ""
    with waiting("waiting for a friend", SECONDS):
        while "left" not in seen:
            seen += capfd.readouterr().err
    assert re.match(r"waiting for a friend for \d+ s, at most \d:\d\d left\n", seen)


def test_targets_in_turns(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    good = [sys.executable, "-c", "print('fine')"]
    bad = [sys.executable, "-c", "print('boom'); raise SystemExit(3)"]
    work = tmp_path / "work"
    loudness.choose(quiet=True, verbose=False)  # no line however slow the machine is
    assert in_turns({"one": good, "two": good}, 1, work) is None
    assert capfd.readouterr() == ("", "")
    assert in_turns({"one": good, "two": bad, "three": ["/nonexistent"]}, 1, work) == "two"
    assert capfd.readouterr().err == "boom\n"
    assert (work / "one.log").read_text() == "fine\n"
    loudness.choose(quiet=False, verbose=True)
    assert in_turns({"one": good}, 1, work) is None
    assert "fine" in capfd.readouterr().out
