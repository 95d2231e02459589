"""What the command imports, and when; and what it says where curses is missing."""

from __future__ import annotations

import subprocess
import sys

import pytest
from helpers.imports import brought_by_construct
from helpers.nets import SECONDS

from netlink_emu.cli.output.errors import UserError
from netlink_emu.cli.watching.screen import NoTerminal, need_terminal


class Teletype:
    """A stream that says whether it is a terminal."""

    def __init__(self, *, is_one: bool = True) -> None:
        self._is_one = is_one

    def isatty(self) -> bool:
        return self._is_one

    def fileno(self) -> int:
        return 1


def pretend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a terminal, in a test's own time: pytest has other streams before."""
    monkeypatch.setattr(sys, "stdin", Teletype())
    monkeypatch.setattr(sys, "stdout", Teletype())


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("netlink_emu.cli.watch", ["curses", "typer", "rich", "trio", "netlink_emu.cli.watching"]),
        ("netlink_emu.cli.watching.screen", ["curses", "typer", "rich", "trio"]),
        ("netlink_emu.cli.watching.show", ["curses", "typer", "rich", "trio", "asyncio"]),
        ("netlink_emu.cli.watching.beneath", ["curses", "typer", "rich", "trio", "asyncio"]),
    ],
)
def test_nothing_is_imported_before_it_is_needed(module: str, unwanted: list[str]) -> None:
    program = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, check=True, timeout=SECONDS,
    )  # fmt: skip
    assert not (set(unwanted) - brought_by_construct()) & set(done.stdout.split())


def test_the_command_line_is_read_without_typer() -> None:
    program = (
        "import sys\n"
        "from netlink_emu.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([m for m in ('curses', 'typer', 'rich', 'trio') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "watch", "/nosuch/nl"], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=True, timeout=SECONDS,
    )  # fmt: skip
    assert done.stdout == "[]\n"
    assert done.stderr == "netlink-emu: no server at /nosuch/nl: No such file or directory\n"


def test_without_curses_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)
    monkeypatch.setitem(sys.modules, "curses", None)
    with pytest.raises(UserError, match=r"needs Python's module curses.*: install") as caught:
        need_terminal()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("term", "why"), [("nosuch", "not known here"), ("dumb", "moves no cursor"), (None, "TERM is")]
)
def test_a_terminal_that_cannot(
    term: str | None, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a process of its own: curses reads TERM once."""
    program = (
        "import sys\n"
        "from netlink_emu.cli.watching.screen import need_terminal, NoTerminal\n"
        "sys.stdin.isatty = sys.stdout.isatty = lambda: True\n"
        "try: need_terminal()\n"
        "except NoTerminal as exc: print(exc)\n"
    )
    if term is None:
        monkeypatch.delenv("TERM", raising=False)
    else:
        monkeypatch.setenv("TERM", term)
    done = subprocess.run(
        [sys.executable, "-c", program], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=True, timeout=SECONDS,
    )  # fmt: skip
    assert why in done.stdout


@pytest.mark.parametrize("stream", ["stdin", "stdout"])
@pytest.mark.parametrize("there", [False, True])
def test_no_terminal(stream: str, there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)
    monkeypatch.setattr(sys, stream, Teletype(is_one=False) if there else None)
    with pytest.raises(NoTerminal, match=f"standard {stream[3:]}put is no terminal"):
        need_terminal()
