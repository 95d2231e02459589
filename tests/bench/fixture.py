"""The pytest plugin: what it costs who does not use it, and how soon a kernel is ready."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from bench.commands import environment, seconds
from bench.figure import Effort, Relation, Result, compared
from bench.measure import by_turns, difference, repeated
from netlink_emu.testing import EmulatedKernel

PLAIN = """
import pytest


@pytest.mark.parametrize("n", range(50))
def test_sums(n):
    assert n + n == 2 * n
"""


def _ready(count: int) -> float:
    """Milliseconds from a call of the fixture until a test has its kernel; each is closed."""
    taken = 0
    for _ in range(count):
        start = time.perf_counter_ns()
        kernel = EmulatedKernel("6.18", cpus=4)
        taken += time.perf_counter_ns() - start
        kernel.close()
    return taken / count / 1e6


def figures(effort: Effort) -> list[Result]:
    with tempfile.TemporaryDirectory() as folder:
        env = environment(str(Path(folder) / "cache")) | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        tests = Path(folder) / "test_plain.py"
        tests.write_text(PLAIN)
        collect = [
            sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider",
            f"--rootdir={folder}", str(tests),
        ]  # fmt: skip
        collected = by_turns(
            lambda: seconds([*collect, "-p", "netlink_emu.testing.plugin"], env) * 1000,
            lambda: seconds(collect, env) * 1000,
            effort.rounds,
            difference,
        )
    ready = repeated(lambda: _ready(effort.times(50)), effort.rounds)
    return [
        compared(
            "pytest --collect-only of 50 tests of somebody else's", "without our plugin",
            "ms", Relation.AT_MOST_MORE, 10, collected,
        ),
        Result(
            "a kernel for a test is ready", "the fixture's call",
            "ms", Relation.AT_MOST, 5, ready, None, ready,
        ),
    ]  # fmt: skip
