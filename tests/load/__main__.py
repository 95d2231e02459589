"""Carry out scenarios, and tell: see scripts/load."""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from helpers.dispositions import let_children_hear_signals

from load import hoarders, kills, moments, storms
from load.audit import Audit
from load.chaos import chaos
from load.size import FULL, SMALL, Size
from netlink_emu.cli.output import loudness
from netlink_emu.cli.output.progress import Progress, progress

Scenario = Callable[[Size, int], Audit]
SCENARIOS: Final[dict[str, Scenario]] = {
    "kernel": storms.kernel_alone,
    "server": storms.server,
    "vanishing": storms.vanishing,
    "connect": storms.connect,
    "latency": storms.latency,
    "memory": hoarders.hoarders,
    "clients": kills.killed_clients,
    "servers": kills.killed_server,
    "descriptors": kills.descriptors,
    "signals": moments.signals,
    "clocks": moments.clocks,
}


def arguments(args: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/load",
        description="Load and faults, each with an audit at its end: status 1 if one fails.",
    )
    parser.add_argument("--small", action="store_true", help="as the tests do: a minute")
    parser.add_argument("--seed", type=int, default=1, help="what chance is drawn from [1]")
    parser.add_argument("--seconds", type=float, default=600, help="how long chaos lasts [600]")
    parser.add_argument(
        "only", nargs="*", metavar="SCENARIO", choices=[*SCENARIOS, "chaos", []],
        help="only these: " + ", ".join([*SCENARIOS, "chaos"]) + "; all but chaos by default",
    )  # fmt: skip
    loudness.add_arguments(parser)
    return parser.parse_args(args)


def attempt(name: str, run: Callable[[], Audit]) -> Audit:
    """The audit of a scenario, also of one that could not go on."""
    try:
        return run()
    except Exception as exc:
        traceback.print_exc()
        return Audit(name, failures=[f"it could not go on: {exc!r}"])


def main() -> None:
    options = arguments(sys.argv[1:])
    loudness.choose(quiet=options.quiet, verbose=options.verbose)
    let_children_hear_signals()
    names = options.only or list(SCENARIOS)
    with progress(len(names), "scenarios") as told:
        failed = carry_out(names, options, told)
    for again in failed:
        sys.stdout.write(f"to repeat what failed: scripts/load {again}\n")
    sys.exit(bool(failed))


def carry_out(names: Sequence[str], options: argparse.Namespace, told: Progress) -> list[str]:
    """Carry them out; arguments that repeat those that failed."""
    failed = []
    for name in names:
        told.advance(name, by=0)
        start = time.monotonic()
        if name == "chaos":
            again = f"chaos --seconds {options.seconds:g} --seed {options.seed}"
            run = partial(chaos, options.seconds, options.seed)
        else:
            again = f"{name} --seed {options.seed}" + " --small" * options.small
            run = partial(SCENARIOS[name], SMALL if options.small else FULL, options.seed)
        audit = attempt(name, run)
        lines = [*audit.lines(), f"{audit.name}: {time.monotonic() - start:.0f} s in all"]
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
        told.advance()
        if audit.failures:
            failed.append(again)
    return failed


if __name__ == "__main__":
    main()
