"""What a big machine weighs: 1,000 listeners on all of 64 CPUs, and 100,000 tasks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bench.figure import Effort, Relation, Result
from bench.measure import repeated

CPUS, LISTENERS, TASKS = 64, 1_000, 100_000


def resident_mib() -> float:
    """VmRSS of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def build() -> None:
    """Print how much memory this process has in use with all that, and without."""
    from bench.machines import Emulated

    empty = resident_mib()
    emulated = Emulated(cpus=CPUS)
    listeners = [emulated.listener(f"0-{CPUS - 1}") for _ in range(LISTENERS)]
    for number in range(TASKS):
        emulated.fork(cpu=number % CPUS)
    assert len(listeners) == LISTENERS
    assert len(emulated.machine.tasks) >= TASKS
    sys.stdout.write(f"{resident_mib()} {empty}\n")


def figures(effort: Effort) -> list[Result]:
    def probe() -> float:
        done = subprocess.run(
            [sys.executable, "-c", "from bench import memory; memory.build()"],
            capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1],
        )  # fmt: skip
        return float(done.stdout.split()[0])

    found = repeated(probe, min(3, effort.rounds))
    return [
        Result(
            f"memory: {LISTENERS:,} listeners x {CPUS} CPUs, {TASKS:,} tasks",
            "the whole process, Python and imports included",
            "MiB", Relation.AT_MOST, 150, found, None, found,
        )
    ]  # fmt: skip


if __name__ == "__main__":
    build()
