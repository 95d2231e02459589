"""Mutation testing of protocol/: ``scripts/mutate [FILE...]``.

Says for each file how many mutants there are and how many the tests find, and names those that
survive. survivors.toml has those that may, with a reason; a survivor that is not there, and an
entry that is found by now, make the status 1. By default what functions do is changed; with
``--module`` what stands outside of them is, too: each such mutant takes seconds, for all is
imported anew. ``--survivors`` looks only at those that were unexplained the last time (.mutation).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Final

import hypothesis

from mutation import slow
from mutation.explained import explained
from mutation.fast import FirstLook
from mutation.mutants import Mutant, mutants_of
from netlink_emu.cli.output import loudness
from netlink_emu.cli.output.progress import Progress, progress

ROOT: Final = Path(__file__).parents[2]
PROTOCOL: Final = ROOT / "protocol"
MEMORY: Final = ROOT / ".mutation"
# What has to notice a change of protocol/.
TESTS: Final = (
    "tests/unit/protocol",
    "tests/property",
    "tests/unit/families",
    "tests/unit/kernel",
)


def main() -> int:
    arguments = argparse.ArgumentParser(prog="scripts/mutate", description=__doc__)
    arguments.add_argument(
        "files", nargs="*", help="as attributes.py, reading/decode.py; all by default"
    )
    arguments.add_argument("--module", action="store_true", help="outside of functions, too")
    arguments.add_argument("--survivors", action="store_true", help="the last time's only")
    loudness.add_arguments(arguments)
    given = arguments.parse_args()
    loudness.choose(quiet=given.quiet, verbose=given.verbose)
    _settle_hypothesis()
    os.chdir(ROOT)
    MEMORY.mkdir(exist_ok=True)
    names = given.files or [_name(path) for path in sorted(PROTOCOL.rglob("*.py"))]
    mutants = {
        PROTOCOL / name: [
            mutant
            for mutant in _wanted(name, survivors_only=given.survivors)
            if given.module or mutant.function is not None
        ]
        for name in names
    }
    alive = _first_look(mutants)
    count = sum(len(alive[file] - explained(_name(file)).keys()) for file in mutants)
    with progress(count, "survivors looked at again") as told:
        looks = [_second_look(file, mutants[file], alive[file], told) for file in mutants]
    return max(looks, default=0)


def _settle_hypothesis() -> None:
    """The same examples each time; what fails is not made smaller."""
    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    hypothesis.settings.register_profile(
        "mutation", derandomize=True, database=None, deadline=None, phases=phases, max_examples=40,
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    hypothesis.settings.load_profile("mutation")


def _name(file: Path) -> str:
    return str(file.relative_to(PROTOCOL))


def _memory(name: str) -> Path:
    return MEMORY / f"{name.replace('/', '.')}.json"


def _wanted(name: str, *, survivors_only: bool) -> list[Mutant]:
    mutants = mutants_of((PROTOCOL / name).read_text("utf-8"))
    if survivors_only:
        last = set(json.loads(_memory(name).read_text("utf-8")))
        mutants = [mutant for mutant in mutants if mutant.name in last]
    return mutants


def _first_look(mutants: dict[Path, list[Mutant]]) -> dict[Path, set[str]]:
    """Which mutants need a second look, by name: a process of its own finds out."""
    inner = {f: [m for m in found if m.function is not None] for f, found in mutants.items()}
    alive = {f: {m.name for m in found if m.function is None} for f, found in mutants.items()}
    reader, writer = os.pipe()
    if (pid := os.fork()) == 0:
        with open(writer, "w", encoding="utf-8", buffering=1) as out:

            def tell(file: Path, mutant: Mutant, survived: bool) -> None:
                out.write(json.dumps([str(file), mutant.name, survived]) + "\n")

            status = slow.run(TESTS, [FirstLook(inner, tell)])
        os._exit(status)
    os.close(writer)
    count = sum(map(len, inner.values()))
    with open(reader, encoding="utf-8") as lines, progress(count, "mutants") as told:
        for line in lines:
            file, name, survived = json.loads(line)
            told.advance(f"{_name(Path(file))}: {name}")
            if survived:
                alive[Path(file)].add(name)
                sys.stderr.write(f"{_name(Path(file))}: {name}: no test fails\n")
    if status := os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        sys.exit(f"the tests fail without any mutant, or cannot run: {status}")
    return alive


def _second_look(file: Path, mutants: list[Mutant], alive: set[str], told: Progress) -> int:
    """Look at those again that nobody has explained; print what became of all."""
    own = f"tests/unit/protocol/test_{file.stem}.py"
    stages = [*([[own]] if (ROOT / own).exists() else []), TESTS[:1], TESTS[1:]]
    name = _name(file)
    reasons = explained(name)
    new = []
    for mutant in mutants:
        if mutant.name in alive - reasons.keys():
            if slow.survives_import(file, mutant, stages):
                new.append(mutant.name)
            told.advance(f"{name}: {mutant.name}")
    _memory(name).write_text(json.dumps(new, indent=1), "utf-8")
    known = [mutant.name for mutant in mutants if mutant.name in reasons]
    gone = [name for name in known if name not in alive]
    found = len(mutants) - len(new) - len(known) + len(gone)
    lines = [f"{name}: {len(mutants)} mutants, {found} found, {len(known)} explained"]
    lines[0] += f", {len(new)} survive unexplained" if new else ""
    lines += [f"    survives: {name}" for name in new]
    lines += [f"    explained, but found: {name}" for name in gone]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
    return 1 if new or gone else 0


if __name__ == "__main__":
    sys.exit(main())
