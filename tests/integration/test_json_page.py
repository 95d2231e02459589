"""docs/reference-json.md: each command's objects have the keys and types that it describes."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from helpers.interposed import NETLINK_EMU
from helpers.journals import everything
from helpers.kernel import make_bench
from helpers.nets import SECONDS
from helpers.serving import Client, register
from manual.tree import tree
from typer.testing import CliRunner

import netlink_emu.cli.conformance as conformance
from netlink_emu.conformance.targets.kernel import KernelTarget
from netlink_emu.conformance.targets.premises import missing_for_anything
from netlink_emu.journal.entries import ENTRY_CLASSES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference-json.md").read_text()
TYPES: dict[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "list": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "null": lambda value: value is None,
}


@dataclass(frozen=True)
class Key:
    types: frozenset[str]  # "absent" is one


def forms() -> dict[str, dict[str, Key]]:
    """The keys of each section with a table, by the command that it is about."""
    found = {}
    for title, text in re.findall(r"^## (.*)\n((?:(?!## ).*\n)*)", PAGE, re.MULTILINE):
        rows = re.findall(r"^\| `([\w-]+)` \| ([\w, ]+) \| .+ \|$", text, re.MULTILINE)
        assert rows, title
        assert len(rows) == len(dict(rows)) == text.count("\n| `")
        found[title] = {name: Key(frozenset(re.split(r", | or ", types))) for name, types in rows}
        for key in found[title].values():
            assert key.types <= {*TYPES, "absent"}, title
    return found


FORMS = forms()


def check(section: str, lines: str, *, at_least: int = 1) -> list[dict[str, Any]]:
    """The objects, which have what the section says."""
    rows = [json.loads(line) for line in lines.splitlines()]
    assert len(rows) >= at_least, section
    form = FORMS[section]
    for row in rows:
        assert row.keys() <= form.keys(), f"{section}: not described: {row.keys() - form.keys()}"
        for name, key in form.items():
            if name not in row:
                assert "absent" in key.types, f"{section}: {name} is not there"
                continue
            fits = any(TYPES[kind](row[name]) for kind in key.types - {"absent"})
            assert fits, f"{section}: {name} is {row[name]!r}"
    return rows


def run(*args: str | Path, status: int = 0) -> str:
    done = subprocess.run(
        [*NETLINK_EMU, *args], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == status, done.stderr
    return done.stdout


def test_every_command_is_described() -> None:
    """By a section with a table, or among those that print nothing, or by a link."""
    silent = re.findall(
        r"`([a-z ]+)`", PAGE.partition("Commands that change something")[2].split("\n")[0]
    )
    groups = re.search(r"nothing to tell \((.*?)\) print nothing", PAGE)
    assert groups
    named = set()
    for part in groups[1].split("; "):
        group, *names = re.findall(r"[a-z]+", part)
        named |= {f"{group} {name}" for name in names}
    named |= {"journal follow", "family objects", *silent}
    having = {
        command.name
        for command in tree().walk()
        if any("--json" in option.names for option in command.options)
    }
    assert having - FORMS.keys() - named == set()
    assert FORMS.keys() - having == {"conformance --list", "decode --diff"}


@pytest.mark.parametrize(
    "section", ["releases", "releases show 6.1", "releases diff 5.10 6.1", "files", "faults kinds"]
)
def test_what_needs_nothing(section: str) -> None:
    words = section.split()
    form = " ".join(word for word in words if word[0].isalpha())
    check(form, run(*words, "--json"), at_least=2)


def test_doctor() -> None:
    done = subprocess.run(
        [*NETLINK_EMU, "doctor", "--json"],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert {row["verdict"] for row in check("doctor", done.stdout)} <= {"ok", "missing", "absent"}


def test_conformance() -> None:
    check("conformance --list", run("conformance", "--list", "--json"), at_least=100)
    check("conformance", run("conformance", "--json", "-k", "framing"), at_least=5)
    text = run("conformance", "--json", "--release", "2.6.35", "-k", "ctrl_getfamily_id", status=1)
    failed = [row for row in check("conformance", text) if row["verdict"] == "failed"]
    assert failed
    for row in failed:
        for mismatch in row["mismatches"]:
            assert mismatch.keys() == {"step", "what", "text"}


@pytest.mark.real_kernel
def test_conformance_record(tmp_path: Path) -> None:
    with KernelTarget() as target:
        reason = missing_for_anything(target.family_id, frozenset({0, 1}))
    if reason is not None:
        pytest.skip(f"nothing to record: {reason}")
    out = str(tmp_path / "mine.json")
    arguments = ["record", "-k", "ctrl_getfamily_id", "--output", out, "--json"]
    check("conformance record", CliRunner().invoke(conformance.app, arguments).stdout)


def test_cassettes(tmp_path: Path) -> None:
    cassettes = sorted((ROOT / "tests/data/cassettes").rglob("*.cassette"))
    assert len(cassettes) > 1
    for path in cassettes:
        check("cassette show", run("cassette", "show", path, "--json"))
    one, other = cassettes[:2]
    check("cassette diff", run("cassette", "diff", one, other, "--json", status=1))
    assert run("cassette", "check", one, "--json") == ""
    edited = tmp_path / "edited.cassette"
    text = one.read_text()
    assert "REQUEST" in text
    edited.write_text(text.replace("REQUEST", "ECHO", 1))
    done = subprocess.run(
        [*NETLINK_EMU, "cassette", "check", edited, "--json"],
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    check("cassette check", done.stdout)


def test_families(tmp_path: Path) -> None:
    spec = ROOT / "tests/clients/programs/lamp.yaml"
    check("family show", run("family", "show", spec, "--json"))
    bad = tmp_path / "bad.yaml"
    bad.write_text("name: 3")
    _, failed = check("family check", run("family", "check", "--json", spec, bad, status=1))
    assert failed["sound"] is False


COMMANDS = """
tasks spawn a
tasks spawn b --thread-of 2
faults add drop count=1
faults list
faults release
faults enobufs
tasks exit 2 --zombie
tasks list
tasks cpus
tasks reap 2
journal show
journal listeners
journal wait --cpu 0
journal wait --cpu 1 --timeout 0
family list
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "run" / "nl"
    spec = ROOT / "tests/clients/programs/lamp.yaml"
    command = [*NETLINK_EMU, "serve", "--control", "--family", str(spec), "--socket", str(path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "ready" in process.stderr.readline()
        yield path
        process.terminate()


def test_what_controls_a_kernel(server: Path) -> None:
    with Client(server, "", connect=True) as client:
        assert client.ask(register("0"))
        for line in COMMANDS.strip().splitlines():
            words = shlex.split(line)
            name = " ".join(words[:2])
            done = subprocess.run(
                [*NETLINK_EMU, *words, "--socket", server, "--json"],
                capture_output=True, text=True, timeout=SECONDS, check=False,
            )  # fmt: skip
            late = "--cpu 1" in line  # for which nobody is registered
            assert done.returncode == (124 if late else 0), done.stderr
            if name == "tasks exit":
                assert done.stdout == ""
            else:
                rows = check(name, done.stdout)
                if name == "journal show":
                    assert all(0 < row["time"] < 1e9 for row in rows), "seconds"
                    assert any("bytes" in row and "messages" not in row for row in rows)


def test_entries_of_a_journal() -> None:
    journal = everything(make_bench(), "a line")
    lines = "\n".join(json.dumps(entry.json()) for entry in journal)
    rows = check("journal show", lines)
    assert {row["what"] for row in rows} == {kind.what for kind in ENTRY_CLASSES}
    used = {name for row in rows for name in row}
    assert used == FORMS["journal show"].keys(), "described, and in no entry"


def test_decode(tmp_path: Path) -> None:
    asked = "1c0000001f00010001000000000000000101000008000100c8000000"
    check("decode", run("decode", asked, "--json"))
    other = tmp_path / "other.hex"
    other.write_text(asked.replace("c8000000", "c9000000") + "\n" + asked)
    check("decode --diff", run("decode", asked, "--diff", other, "--json", status=1), at_least=2)
    capture = next((ROOT / "tests").rglob("*.pcapng"), None)
    if capture is not None:
        check("decode", run("decode", capture, "--json"))
