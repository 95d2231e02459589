"""Coverage-guided fuzzing with atheris: ``python -m fuzz [TARGET] [SECONDS]``, in tests/.

New inputs go to .fuzz/TARGET; ``python -m fuzz keep TARGET`` adds to the corpus those that reach
what it does not. An input that breaks something is left in .fuzz as crash-*.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["netlink_emu"]):
    from fuzz.targets import TARGETS

from fuzz import corpus

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


def main() -> None:
    if len(sys.argv) > 2 and sys.argv[1] == "keep":
        keep(sys.argv[2])
        return
    names = [argument for argument in sys.argv[1:] if argument in TARGETS] or list(TARGETS)
    seconds = [int(argument) for argument in sys.argv[1:] if argument.isdigit()] or [60]
    if len(names) == 1:
        fuzz(names[0], seconds[0])
    for name in names:
        done = subprocess.run([sys.executable, "-m", "fuzz", name, str(seconds[0])], check=False)
        if done.returncode:
            sys.exit(f"{name} is broken: {WORK} has the input")


if __name__ == "__main__":
    main()
