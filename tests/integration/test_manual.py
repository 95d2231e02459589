"""The manual page, the reference of commands, the scripts for shells: current, and of use."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.interposed import needs_interposer
from helpers.tmux import needs_tmux
from manual import terminal
from manual.__main__ import draw, watch, write
from manual.tree import tree
from typer.main import get_command

from netlink_emu.cli.main import build
from netlink_emu.cli.usage.examples import EXAMPLES

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "netlink_emu/cli/completion-scripts"
PAGE = ROOT / "docs/man/netlink-emu.1"


def test_all_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert write(check=True) == 0, f"run scripts/write-docs: {capsys.readouterr().out}"


@needs_interposer
@pytest.mark.slow
@pytest.mark.skipif(
    any(shutil.which(program) is None for program in terminal.PROGRAMS),
    reason="a program of the picture is not installed",
)
def test_the_picture_shows_what_happens() -> None:
    assert draw(check=True) == 0, "run scripts/write-docs"


@needs_interposer
@needs_tmux
@pytest.mark.slow
def test_the_picture_of_watch_shows_what_is_to_be_seen() -> None:
    assert watch(check=True) == 0, "run scripts/write-docs"


def test_it_is_of_a_real_command() -> None:
    names = {command.name for command in tree().walk()}
    assert set(EXAMPLES) <= names
    spawn = next(command for command in tree().walk() if command.name == "tasks spawn")
    assert spawn.synopsis() == "netlink-emu tasks spawn [OPTIONS] COMM [AMOUNT=NUMBER]..."


@pytest.mark.parametrize(
    "example", sorted({line for lines in EXAMPLES.values() for line in lines})
)
def test_examples_are_understood(example: str) -> None:
    """They are parsed as they would be, and nothing is done."""
    args = shlex.split(example)[1:]
    if ">" in args:
        args = args[: args.index(">")]
    command, context = get_command(build(args)), None
    while True:
        # A file that a command reads need not be here.
        context = command.make_context(args[0] if args else "", args, parent=context)
        below = getattr(command, "commands", None)
        rest = [*getattr(context, "_protected_args", []), *context.args]
        if not below or not rest:
            return
        command, args = below[rest[0]], rest[1:]


def test_every_option_is_explained() -> None:
    said = PAGE.read_text().replace("\\", "")
    for command in tree().walk():
        for option in command.options if command.path else ():
            assert all(name in said for name in option.names)
            assert option.help, f"{command.name} {option.names[0]} says nothing"


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_the_page_is_formatted_without_a_warning() -> None:
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-z", PAGE], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


COMPLETIONS = [
    ("r", ["run", "record", "replay", "releases"]),
    ("tasks s", ["set", "spawn", "storm"]),
    ("tasks spawn --po", ["--policy"]),
    ("tasks spawn x ut", ["utime="]),
    ("run --release 2.6.38", ["2.6.38"]),
    ("run --release 5.10 --tasks ", ["any", "host", "none"]),
    ("faults add dr", ["drop"]),
    ("releases --arch aarch64 di", ["diff"]),
    ("decode fi", ["file.pcapng"]),
    ("completion ", ["bash", "fish", "zsh"]),
    ("run --release 5.10 -- cat fi", ["file.pcapng"]),
]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "file.pcapng").touch()
    (tmp_path / "other").touch()
    return tmp_path


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(("line", "expected"), COMPLETIONS)
def test_bash_completes(line: str, expected: list[str], directory: Path) -> None:
    words = ["netlink-emu", *line.split(" ")]
    script = f"""
        . {SCRIPTS}/netlink-emu
        COMP_WORDS=({shlex.join(words)}) COMP_CWORD={len(words) - 1}
        _netlink_emu
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", script], cwd=directory, capture_output=True, text=True, check=True
    )
    assert (sorted(done.stdout.split()), done.stderr) == (sorted(expected), "")


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
@pytest.mark.parametrize(("line", "expected"), COMPLETIONS)
def test_fish_completes(line: str, expected: list[str], directory: Path) -> None:
    script = f"source {SCRIPTS}/netlink-emu.fish; complete -C 'netlink-emu {line}'"
    done = subprocess.run(
        ["fish", "--no-config", "-c", script],
        cwd=directory, env={"PATH": "/usr/bin:/bin", "HOME": str(directory)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = [word.partition("\t")[0] for word in done.stdout.splitlines()]
    assert (sorted(found), done.stderr) == (sorted(expected), "")


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_can_read_its_script() -> None:
    done = subprocess.run(
        ["zsh", "-n", SCRIPTS / "_netlink-emu"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("shell", "name"),
    [("bash", "netlink-emu"), ("zsh", "_netlink-emu"), ("fish", "netlink-emu.fish")],
)
def test_the_command_prints_them(shell: str, name: str) -> None:
    command = [sys.executable, "-m", "netlink_emu.cli.main", "completion", shell]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == (SCRIPTS / name).read_text()
