"""``--family``: what stands behind a colon, Python files, and what is said of mistakes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from netlink_emu.cli.output.errors import UserError
from netlink_emu.cli.running.families import load_described_family, load_family
from netlink_emu.cli.running.sandbox import build_sandbox
from netlink_emu.families.own import Family

SPEC = """\
name: lamps
attribute-sets:
  - {name: lamp, attributes: [{name: id, type: u32}]}
operations:
  list:
    - name: lamp-get
      attribute-set: lamp
      do: {request: {attributes: [id]}, reply: {attributes: [id]}}
"""
MODULE = """\
from netlink_emu.families.own import Family
lamps = Family("lamps")
number = 3

def make():
    return Family("made")

def fail():
    raise KeyError("no")
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lamps.yaml").write_text(SPEC)
    (tmp_path / "with:colon.yaml").write_text(SPEC)
    (tmp_path / "desk.json").write_text('{"lamp": [{"id": 7}]}')
    (tmp_path / "wrong.json").write_text('{"lamp": [{"di": 7}]}')
    (tmp_path / "drivers.py").write_text(MODULE)
    (tmp_path / "broken.py").write_text("import nosuch\n")
    (tmp_path / "raw.yaml").write_text("name: x\nprotocol: netlink-raw\nprotonum: 0\n")
    return tmp_path


@pytest.mark.parametrize("spec", ["lamps.yaml", "with:colon.yaml"])
def test_a_spec_and_what_it_has_at_first(place: Path, spec: str) -> None:
    assert load_family(spec).store.objects("lamp") == []
    assert load_family(f"{spec}:desk.json").store.objects("lamp") == [{"id": 7}]


def test_a_family_in_python(place: Path) -> None:
    assert load_family("drivers.py:lamps").name == "lamps"
    assert load_family("drivers.py:make").name == "made"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nosuch.yaml", "nosuch.yaml cannot be read: No such file"),
        ("nosuch.yaml:desk.json", "nosuch.yaml cannot be read: No such file"),
        ("lamps.yaml:nosuch.json", "nosuch.json cannot be read: No such file"),
        ("lamps.yaml:wrong.json", "wrong.json:1:11: lamp: there is no attribute of lamp 'di'"),
        ("desk.json", "desk.json:1:1: name is missing"),
        ("raw.yaml", "raw.yaml: x is a raw protocol"),
        (".", "cannot be read: Is a directory"),
        ("drivers.py", "say which family it is: drivers.py:NAME"),
        ("drivers.py:number", "drivers.py has no family 'number'; it has lamps"),
        ("drivers.py:fail", "drivers.py cannot be used: KeyError: 'no'"),
        ("broken.py:x", "broken.py cannot be used: ModuleNotFoundError"),
        ("nosuch.py:x", "nosuch.py cannot be read"),
    ],
)
def test_mistakes(place: Path, text: str, said: str) -> None:
    with pytest.raises(UserError) as raised:
        load_family(text)
    assert said in str(raised.value)


def test_a_kernel_has_it(place: Path) -> None:
    sandbox = build_sandbox(families=["lamps.yaml", "drivers.py:make"])
    assert [family.name for family in sandbox.families] == ["lamps", "made"]
    assert sandbox.kernel.genl.by_name("made") is not None


def test_a_name_that_is_taken(place: Path) -> None:
    with pytest.raises(UserError, match="there is a family lamps already"):
        build_sandbox(families=["lamps.yaml", "lamps.yaml"])


def test_a_scenario_has_families_beside_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "s.toml").write_text('families = ["lamps.yaml:desk.json"]\n')
    monkeypatch.chdir("/")
    (family,) = build_sandbox(scenario=place / "s.toml").families
    assert isinstance(family, Family)
    assert family.store.objects("lamp") == [{"id": 7}]


def test_a_slip_of_a_function_is_shown(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (family,) = build_sandbox(families=["lamps.yaml"]).families
    failed = family.genl.failed
    assert failed is not None
    failed(KeyError("level"))
    assert "a function of family lamps raised KeyError: 'level'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (
            "lamps.py:LAMP",
            "a scenario can only have families from specs: give lamps.py with --family",
        ),
        ("/etc/passwd", "/etc/passwd is outside of the scenario's directory"),
        ("../lamps.yaml", "../lamps.yaml is outside of the scenario's directory"),
        ("lamps.yaml:../desk.json", "../desk.json is outside of the scenario's directory"),
    ],
)
def test_a_scenario_runs_no_python_and_reads_nothing_elsewhere(
    place: Path, names: str, said: str
) -> None:
    """It may be anybody's: docs/security.md."""
    (place / "lamps.py").write_text("raise AssertionError('it ran')\n")
    (place / "lamps.yaml").write_text("name: x\n")
    with pytest.raises(UserError, match=re.escape(said)):
        load_described_family(names, place)
