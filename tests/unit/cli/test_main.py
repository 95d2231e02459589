"""The command line's root: what it lists, what it imports, how it ends."""

from __future__ import annotations

import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
from helpers.nets import SECONDS
from typer.testing import CliRunner

from netlink_emu import __version__
from netlink_emu.cli import main as root
from netlink_emu.cli.output.errors import UserError


def _run(*args: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(root.build(list(args)), args)
    return result.exit_code, result.stdout, result.stderr


def test_version() -> None:
    assert _run("--version") == (0, f"netlink-emu {__version__}\n", "")


def test_help_lists_every_command_that_is_there() -> None:
    code, out, _ = _run("--help")
    assert code == 0
    commands = out.split("Commands:")[1]
    assert re.search(r"^  serve +Serve an emulated kernel", commands, re.MULTILINE)


def test_wrong_usage_is_2() -> None:
    code, out, err = _run("nosuch")
    assert (code, out) == (2, "")
    assert "No such command 'nosuch'" in err


def test_no_arguments_is_help() -> None:
    code, out, err = _run()
    assert code == 2
    assert "Usage: netlink-emu" in out + err or "Usage: " in out + err


def test_a_missing_module_is_a_missing_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(root, "COMMANDS", ("serve", "absent"))
    code, out, _ = _run("--help")
    assert (code, "absent" in out) == (0, False)


def test_an_import_that_fails_inside_a_command_is_not_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(name: str) -> None:
        raise ModuleNotFoundError("No module named 'trio'", name="trio")

    monkeypatch.setattr(root, "importlib", SimpleNamespace(import_module=fails))
    with pytest.raises(ModuleNotFoundError, match="trio"):
        root.build(["serve"])


@pytest.mark.parametrize(
    ("exc", "status"), [(UserError("no"), 1), (KeyboardInterrupt(), 130), (KeyError("bug"), 70)]
)
def test_what_a_command_raises_becomes_the_status(
    exc: BaseException, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def command() -> None:
        raise exc

    class Module:
        releases = staticmethod(command)

    # Only for our module: typer imports more when its first command runs.
    only_ours = SimpleNamespace(import_module=lambda name: Module)
    monkeypatch.setattr(root, "importlib", only_ours)
    monkeypatch.setattr(sys, "argv", ["netlink-emu", "releases"])
    with pytest.raises(SystemExit) as ended:
        root.main()
    assert ended.value.code == status


def test_only_the_command_asked_for_is_imported() -> None:
    code = (
        "import sys; from netlink_emu.cli.main import build; build(['releases']); "
        "print([m for m in ('trio', 'rich', 'netlink_emu.cli.serve') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=SECONDS
    )
    assert done.stdout == "[]\n"
