"""Whole commands: how soon `netlink-emu run` runs something, and the conformance corpus."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.figure import Effort, Relation, Result, compared
from bench.measure import by_turns, difference, repeated

NETLINK_EMU = str(Path(sys.executable).with_name("netlink-emu"))


def environment(cache: str) -> dict[str, str]:
    """With compiled modules kept, as an installed program has them, but not in the checkout."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": cache}


def seconds(command: Sequence[str], env: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=env)
    return time.perf_counter() - start


def figures(effort: Effort) -> list[Result]:
    with tempfile.TemporaryDirectory() as cache:
        env = environment(cache)
        start_up = by_turns(
            lambda: seconds([NETLINK_EMU, "run", "--", "true"], env) * 1000,
            lambda: seconds([sys.executable, "-c", "pass"], env) * 1000,
            effort.rounds,
            difference,
        )
        corpus = repeated(
            lambda: seconds([NETLINK_EMU, "conformance"], env), min(5, effort.rounds)
        )
    return [
        compared(
            "netlink-emu run -- true", "python -c pass",
            "ms", Relation.AT_MOST_MORE, 250, start_up,
        ),
        Result(
            "conformance corpus, emulator", "the whole command",
            "s", Relation.AT_MOST, 10, corpus, None, corpus,
        ),
    ]  # fmt: skip
