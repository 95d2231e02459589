"""The mutants of scripts/mutate: they are what they say, and those explained still exist."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from helpers.nets import SECONDS
from mutation.explained import FILE, explained
from mutation.mutants import mutants_of

PROTOCOL = Path(__file__).parents[2] / "protocol"
FILES = sorted(str(path.relative_to(PROTOCOL)) for path in PROTOCOL.rglob("*.py"))
SOURCE = '''
"""A docstring."""
LIMIT = 3

@cache(4)
def walk(data: "bytes", most: int = 5) -> list:
    """Another."""
    if len(data) <= most and data:
        raise Error(f"{1 + 2}")
    return [x[1:] for x in data if x]
'''


def test_all_mutants_of_a_source() -> None:
    assert [mutant.name for mutant in mutants_of(SOURCE)] == [
        "module: 3 -> 4",
        "module: 5 -> 6",
        "walk: if len(data) <= most and data -> if True",
        "walk: if len(data) <= most and data -> if False",
        "walk: len(data) <= most and data -> len(data) <= most or data",
        "walk: len(data) <= most -> len(data) < most",
        "walk: raise Error(f'{1 + 2}') -> pass",
        "walk: return [x[1:] for x in data if x] -> return None",
        "walk: 1: -> :",
        "walk: 1 -> 2",
        "walk: if x -> if True",
    ]


def test_each_is_the_source_with_one_change() -> None:
    whole = ast.unparse(ast.parse(SOURCE)).splitlines()
    for mutant in mutants_of(SOURCE):
        changed = ast.unparse(mutant.apply()).splitlines()
        assert len(changed) == len(whole)
        assert sum(a != b for a, b in zip(whole, changed, strict=True)) == 1
        compile(mutant.apply(), "source", "exec")


def test_where_a_mutant_is() -> None:
    outside, default, *inside = mutants_of(SOURCE)
    assert (outside.function, default.function) == (None, None)
    # By its first decorator, as code objects say it.
    assert {mutant.function for mutant in inside} == {("walk", 5)}
    assert inside[0].lines == range(8, 9)


@pytest.mark.parametrize("file", FILES)
def test_explained_survivors_are_mutants(file: str) -> None:
    names = [mutant.name for mutant in mutants_of((PROTOCOL / file).read_text("utf-8"))]
    assert len(names) == len(set(names))
    assert explained(file).keys() <= set(names)
    assert all(explained(file).values())


def test_explained_files_exist() -> None:
    files = tomllib.loads(FILE.read_text("utf-8"))
    assert files.keys() <= {*FILES}


LOOK = """
import ast
from pathlib import Path
from mutation.mutants import Mutant
from mutation.slow import survives_import

file = Path("protocol/errors.py").resolve()
for name, more in (("none", ""), ("one", "def errno_name(error): return 'EMUTANT'")):
    module = ast.parse(file.read_text("utf-8") + "\\n" + more)
    mutant = Mutant(name, range(0), None, lambda: module)
    print(name, survives_import(file, mutant, [["tests/unit/protocol/test_errors.py"]]))
"""


def test_the_second_look_sees_the_mutant() -> None:
    """From the checkout, where pytest knows all modules as those of a plugin."""
    ran = subprocess.run(
        [sys.executable, "-c", LOOK], check=True, capture_output=True, text=True, timeout=SECONDS,
        cwd=PROTOCOL.parent, env=os.environ | {"PYTHONPATH": "tests"},
    )  # fmt: skip
    assert ran.stdout.splitlines() == ["none True", "one False"]
