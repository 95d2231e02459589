"""Coverage-guided fuzzing with atheris: ``python -m fuzz [TARGET]... [SECONDS]``, in tests/.

New inputs go to .fuzz/TARGET; ``python -m fuzz keep TARGET`` adds to the corpus those that reach
what it does not. An input that breaks something is left in .fuzz as crash-*. What atheris says
goes to .fuzz/TARGET.log; with -v, or of a target that is broken, it is shown.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["netlink_emu"]):
    from fuzz.targets import TARGETS

from fuzz import corpus
from fuzz.turns import in_turns
from netlink_emu.cli.output import loudness

WORK = Path(__file__).parents[2] / ".fuzz"
LONGEST = 600  # bytes of a new input


def fuzz(name: str, seconds: int) -> None:
    """Fuzz one target for so long; ends the process."""
    work = WORK / name
    work.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(corpus.load(name)):
        (work / f"seed-{number}").write_bytes(data)
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST}",
        "-rss_limit_mb=2048",
        "-timeout=10",
        f"-artifact_prefix={WORK}/",
        "-print_final_stats=1",
    ]
    atheris.Setup([name, str(work), *options], TARGETS[name])
    atheris.Fuzz()


def keep(name: str) -> None:
    """Make the smallest of what was found, and of what was there, the corpus."""
    found = [path.read_bytes() for path in (WORK / name).glob("*")]
    corpus.save(name, corpus.smallest(TARGETS[name], [*corpus.load(name), *found]))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("words", nargs="*", metavar="[keep] TARGET... SECONDS", help="as above")
    parser.add_argument("--here", action="store_true", help="in this process: one target")
    loudness.add_arguments(parser)
    given = parser.parse_args()
    known = {"keep", *TARGETS}
    for word in given.words:
        if word not in known and not word.isdigit():
            parser.error(f"there is no target {word!r}; there are {', '.join(TARGETS)}")
    return given


def main() -> None:
    given = arguments()
    loudness.choose(quiet=given.quiet, verbose=given.verbose)
    names = [word for word in given.words if word in TARGETS]
    if "keep" in given.words:
        for name in names:
            keep(name)
        return
    seconds = ([int(word) for word in given.words if word.isdigit()] or [60])[0]
    if given.here:
        fuzz(names[0], seconds)
    commands = {
        name: [sys.executable, "-m", "fuzz", "--here", name, str(seconds)]
        for name in names or TARGETS
    }
    broken = in_turns(commands, seconds, WORK)
    if broken is not None:
        sys.exit(f"{broken} is broken: {WORK} has the input")


if __name__ == "__main__":
    main()
