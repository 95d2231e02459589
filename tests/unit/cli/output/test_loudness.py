"""``-q`` and ``-v``: in every command, and the same in each."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.interposed import needs_interposer
from helpers.nets import SECONDS
from manual.tree import Command, tree

from netlink_emu.cli.output import loudness
from netlink_emu.cli.output.loudness import QUIET, VERBOSE, Loudness

TESTS = Path(__file__).parents[3]
COMMANDS = [command for command in tree().walk() if command.path]


def netlink_emu(*args: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "netlink_emu", *args],
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("command", [c for c in COMMANDS if not c.commands], ids=lambda c: c.name)
def test_every_command_has_both(command: Command) -> None:
    told = {option.names: option.help for option in command.options}
    for _, names, text in (QUIET, VERBOSE):
        assert told.pop(names) == text
        for others in told:
            assert not {*names} & {*others}


def test_both_at_once_are_a_mistake() -> None:
    for args in (["files", "-q", "-v"], ["releases", "-qv"], ["doctor", "--quiet", "--verbose"]):
        done = netlink_emu(*args)
        assert (done.returncode, done.stdout) == (2, "")
        assert "-q and -v exclude each other" in done.stderr
    with pytest.raises(ValueError, match="exclude"):
        loudness.choose(quiet=True, verbose=True)


@pytest.mark.parametrize("args", [["files"], ["releases"], ["releases", "show", "6.1"]])
def test_what_is_printed_is_the_same(args: list[str]) -> None:
    usual, quiet, verbose = (netlink_emu(*args, *option) for option in ([], ["-q"], ["-v"]))
    assert usual.stdout == quiet.stdout == verbose.stdout != ""
    assert (usual.stderr, quiet.stderr) == ("", "")
    assert f"command line: netlink-emu {' '.join(args)} -v\n" in verbose.stderr
    assert "netlink-emu: took " in verbose.stderr


@pytest.mark.parametrize("args", [["cassette", "check"], ["family", "show"]])
def test_errors_are_said_however_quiet(args: list[str], tmp_path: Path) -> None:
    for option in ([], ["-q"]):
        done = netlink_emu(*args, *option, tmp_path / "none")
        assert done.returncode == 1
        assert "cannot be read: No such file or directory" in done.stderr


def test_a_group_hands_it_down() -> None:
    """``releases -v show`` is ``releases show -v``."""
    assert "netlink-emu: took " in netlink_emu("releases", "-v", "show", "6.1").stderr


@needs_interposer
def test_a_command_that_is_run() -> None:
    run = ["run", "--tasks", "none", "--scenario", "docs/examples/exits.toml"]
    usual, quiet, verbose = (netlink_emu(*run, *o, "true") for o in ([], ["-q"], ["-v"]))
    assert usual.stderr.startswith("netlink-emu: the scenario has not begun")
    assert quiet.stderr == ""
    assert "netlink-emu: 0 generic netlink sockets" in verbose.stderr
    assert "netlink-emu: emulated kernel: Linux 6.18" in verbose.stderr
    assert "secret" not in netlink_emu("run", "-v", "true", "secret").stderr


def test_a_server_says_less_and_all_that_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "run" / "nl"
    done = netlink_emu("serve", "-q", "--socket", path, "--", "true")
    assert (done.returncode, done.stderr) == (0, "")
    done = netlink_emu("serve", "-q", "--socket", path, "--", "/nonexistent")
    assert (done.returncode, done.stderr) == (
        127,
        "netlink-emu: /nonexistent: command not found\n",
    )


def test_cases_are_named() -> None:
    done = netlink_emu("conformance", "-v", "-k", "frame_datagram_4")
    assert re.search(r"^passed .*frame_datagram_4$", done.stderr, re.MULTILINE)


def test_what_is_chosen_stays_until_it_is_forgotten(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        loudness.choose(quiet=True, verbose=False)
        loudness.choose(quiet=False, verbose=False)
        assert loudness.loudness() is Loudness.QUIET
        loudness.remark("a remark")
        assert capsys.readouterr().err == ""
    finally:
        loudness.forget()
    loudness.remark("a remark")
    loudness.detail("a detail")
    assert capsys.readouterr().err == "netlink-emu: a remark\n"


@pytest.mark.parametrize("script", ["bench", "differential", "load", "mutation", "validation"])
def test_long_runs_take_them(script: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", script, "-h"],
        cwd=TESTS, capture_output=True, text=True, timeout=SECONDS, check=True,
    )  # fmt: skip
    told = " ".join(done.stdout.split())
    for _, (long, short), text in (QUIET, VERBOSE):
        assert f"{short}" in told
        assert f"{long}" in told
        assert text in told


def test_scripts_have_them_too() -> None:
    parser = argparse.ArgumentParser()
    loudness.add_arguments(parser)
    assert vars(parser.parse_args(["-q"])) == {"quiet": True, "verbose": False}
    assert vars(parser.parse_args(["--verbose"])) == {"quiet": False, "verbose": True}
    with pytest.raises(SystemExit):
        parser.parse_args(["-q", "-v"])
