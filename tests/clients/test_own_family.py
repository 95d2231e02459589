"""Clients in C and Go of a family that no kernel has: it is made of a spec alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest
from helpers.building import go_program, libmnl_program
from helpers.sides import Side

PROGRAMS: Final = Path(__file__).parent / "programs"
LAMPS: Final = [
    {"name": "desk", "hours": 12, "mode": "steady", "colour": {"red": 255, "green": 7}},
    {"name": "hall", "hours": 12345678901, "mode": "off"},
]
# A change merges into the nest: red stays. The offset is that of green, in the nest.
SAID: Final = """\
family lamp 1
group changes
set
get: cmd 1 desk hours 1099511627776 blinking red 255 green 100
dump: cmd 1 desk hours 1099511627776 blinking red 255 green 100
dump: cmd 1 hall hours 12345678901 off
told: cmd 3 desk hours 1099511627776 blinking red 255 green 100
too green: errno 34, offset 56, "integer out of range"
"""

# The same family, changed over NETLINK_EMU.
CONTROLLED: Final = """\
family lamp 1
group changes
family NETLINK_EMU 1
group journal
told: cmd 3 attic hours 3 off
object: {"name": "desk", "hours": 12, "mode": "steady", "colour": {"red": 255, "green": 7}}
object: {"name": "hall", "hours": 12345678901, "mode": "off"}
object: {"name": "attic", "mode": "off", "hours": 3}
gone: errno 2, "lamp has no such lamp: name 'attic'"
misspelt: errno 22, "lamp: there is no attribute of lamp 'hour', did you mean hours or colour?"
told: cmd 3 cellar
canned: errno 16, offset 20, "it is hot"
canned: cmd 1 moon
"""


# Before operations without a policy reject, since then, the default, and the newest.
RELEASES: Final = ("5.10", "6.1", "6.18", "7.3")


def run(
    side: Side, program: Path, place: Path, release: str, *args: str, control: bool = False
) -> tuple[int, str, str]:
    state = place / "lamps.json"
    state.write_text(json.dumps({"lamp": LAMPS}))
    options = [
        "--release",
        release,
        "--family",
        f"{PROGRAMS / 'lamp.yaml'}:{state}",
        *["--control"] * control,
    ]
    done = side.run(program, *args, options=options)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def in_c(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return libmnl_program(PROGRAMS / "lamp.c", tmp_path_factory.mktemp("c"))


@pytest.fixture(scope="module")
def in_go(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return go_program(PROGRAMS / "lamp.go", tmp_path_factory.mktemp("go"))


@pytest.mark.parametrize("release", RELEASES)
def test_a_libmnl_program(emulated: Side, in_c: Path, tmp_path: Path, release: str) -> None:
    assert run(emulated, in_c, tmp_path, release) == (0, SAID, "")


@pytest.mark.parametrize("release", RELEASES)
def test_a_libmnl_program_that_controls_the_family(
    emulated: Side, in_c: Path, tmp_path: Path, release: str
) -> None:
    assert run(emulated, in_c, tmp_path, release, "control", control=True) == (0, CONTROLLED, "")


@pytest.mark.xdist_group("languages")  # Go builds one program at a time
@pytest.mark.parametrize("release", RELEASES)
def test_a_static_go_program(emulated: Side, in_go: Path, tmp_path: Path, release: str) -> None:
    assert run(emulated, in_go, tmp_path, release) == (0, SAID, "")
