"""A plain command line means to us what it means to typer."""

from __future__ import annotations

import inspect
import subprocess
import sys
from typing import Any

import pytest
import typer
from helpers.nets import SECONDS
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from netlink_emu.cli.run import CONTEXT_SETTINGS, run
from netlink_emu.cli.usage.declare import as_typer, parse_plain
from netlink_emu.cli.usage.options import TaskChoice

DEFAULTS = dict(
    zip(
        run.__code__.co_varnames[1 : run.__code__.co_argcount], run.__defaults__ or (), strict=True
    )
) | {"quiet": False, "verbose": False}  # of every command


def by_typer(args: list[str]) -> dict[str, Any] | None:
    """The parameters as typer understands them; None if it does not."""
    told: dict[str, Any] = {}
    declared = as_typer(run)

    def note(**parameters: Any) -> None:
        told.update(parameters)

    note.__annotations__ = declared.__annotations__
    note.__signature__ = inspect.signature(declared)  # type: ignore[attr-defined]
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(context_settings=CONTEXT_SETTINGS)(note)
    result = CliRunner().invoke(app, args)
    return told if result.exit_code == 0 and told else None


def plain(args: list[str]) -> dict[str, Any] | None:
    found = parse_plain(run, args)
    return None if found is None else DEFAULTS | found


@pytest.mark.parametrize(
    "args",
    [
        ["true"],
        ["--", "true", "--release", "5.10"],
        ["true", "--", "--help"],
        ["--release", "5.10", "--cpus=8", "--", "sh", "-c", "exit 3"],
        ["-r", "2.6.35", "--tasks", "none", "--speed", "2.5", "true"],
        ["--config", "nr_cpus=64", "--config", "rmem_max=1=2", "--summary", "true"],
        ["--no-live-exits", "--require-use", "--allow-io-uring", "--clients=themselves", "true"],
        ["--scenario", "a b.toml", "--journal", "x.jsonl", "--live-exits", "true"],
        ["--release", "5.10", "--release", "6.1", "true"],
    ],
    ids=" ".join,
)
def test_plain_lines_need_no_typer(args: list[str]) -> None:
    found = plain(args)
    assert found is not None
    assert found == by_typer(args)


@pytest.mark.parametrize(
    "args",
    [
        [], ["--help"], ["--nosuch", "true"], ["--cpus", "0", "true"], ["--cpus", "4097", "true"],
        ["--cpus", "many", "true"], ["--cpus", "-1", "true"], ["--tasks", "some", "true"],
        ["--release"], ["--summary=yes", "true"], ["--speed", "1e3", "true"], ["-r5.10", "true"],
        ["--rel", "5.10", "true"], ["--release", "", "true"], ["--summary"], ["-", "true"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_the_rest_is_typers(args: list[str]) -> None:
    assert parse_plain(run, args) is None


TOKENS = st.sampled_from(
    [
        "--release", "-r", "5.10", "--cpus", "--cpus=4", "7", "0", "--tasks", "none", "host",
        "--speed", "0.5", "--config", "nr_cpus=2", "--summary", "--no-live-exits", "--live-exits",
        "--control", "--", "-", "true", "--release=", "--scenario", "x", "--clients", "root",
        "--fault", "--journal", "--require-use", "-x", "--arch", "i386", "", "٣",
    ]
)  # fmt: skip


@given(st.lists(TOKENS, max_size=6))
@settings(max_examples=150)
def test_what_we_understand_typer_understands_so(args: list[str]) -> None:
    found = plain(args)
    if found is not None:
        assert found == by_typer(args)


def test_every_parameter_of_run_is_understood() -> None:
    found = parse_plain(run, ["true"])
    assert found == {"command": ["true"]}
    assert DEFAULTS["tasks"] is TaskChoice.HOST


def test_run_is_read_without_typer() -> None:
    code = (
        "import sys; from netlink_emu.cli import run; from netlink_emu.cli.usage import declare; "
        "declare.parse_plain(run.run, ['true']); "
        "print([m for m in ('typer', 'rich', 'pydantic', 'trio') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=SECONDS
    )
    assert done.stdout == "[]\n"
