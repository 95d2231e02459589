"""Measure, and tell: see scripts/bench."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench import (
    busy,
    cassettes,
    commands,
    exits,
    fixture,
    growth,
    kernel_alone,
    memory,
    plot,
    report,
    traps,
    unix_server,
)
from bench.figure import Effort, Figure, Result
from netlink_emu.cli.output import loudness
from netlink_emu.cli.output.progress import progress

DOCS = Path(__file__).parents[2] / "docs"
PAGE, PLOT, DATA = DOCS / "performance.md", DOCS / "performance.svg", DOCS / "performance.json"
BEGIN, END = "<!-- scripts/bench writes from here -->", "<!-- to here -->"
FIGURES: dict[str, Figure] = {
    "server": unix_server.figures,
    "exits": exits.figures,
    "kernel": kernel_alone.figures,
    "interposer": traps.figures,
    "busy": busy.figures,
    "cassettes": cassettes.figures,
    "commands": commands.figures,
    "fixture": fixture.figures,
    "memory": memory.figures,
}
QUICK, THOROUGH = Effort(rounds=11, scale=0.5), Effort(rounds=41, scale=1.0)


def say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def arguments(args: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measure the emulator, each figure by turns with the limit of what it is "
        "built on.",
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds: half the time")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    parser.add_argument(
        "--write-docs", action="store_true",
        help="write the table, the plot and the data of docs/performance.md anew",
    )  # fmt: skip
    parser.add_argument(
        "only", nargs="*", metavar="FIGURES", choices=[*FIGURES, "growth", []],
        help="only these: " + ", ".join([*FIGURES, "growth"]),
    )  # fmt: skip
    loudness.add_arguments(parser)
    return parser.parse_args(args)


def write_docs(results: Sequence[Result], curves: Sequence[growth.Curve], told: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    figures = report.markdown(results, report.machine())
    PAGE.write_text(f"{before}{BEGIN}\n{figures}\n{END}{after}", encoding="utf-8")
    PLOT.write_text(plot.svg(results, curves), encoding="utf-8")
    DATA.write_text(told, encoding="utf-8")


def measure(wanted: Sequence[str], effort: Effort) -> tuple[list[Result], Sequence[growth.Curve]]:
    """Measure these; nothing is drawn meanwhile."""
    results: list[Result] = []
    curves: Sequence[growth.Curve] = []
    with progress(len(wanted), "figures") as told:
        for name, figure in FIGURES.items():
            if name in wanted:
                told.advance(name, by=0)
                results += figure(effort)
                told.advance()
        if "growth" in wanted:
            told.advance("growth", by=0)
            curves = growth.curves(effort)
    return results, curves


def main() -> None:
    options = arguments(sys.argv[1:])
    loudness.choose(quiet=options.quiet, verbose=options.verbose)
    effort = QUICK if options.quick else THOROUGH
    wanted = options.only or [*FIGURES, "growth"]
    started = time.monotonic()
    results, curves = measure(wanted, effort)
    if results:
        say(report.table(results))
    if curves:
        say("\nHow cost grows, in memory (medians):")
        say(report.growth_table(curves))
    say(f"\n{effort.rounds} rounds, {time.monotonic() - started:.0f} s")
    told = report.as_json(results, curves)
    if options.json is not None:
        options.json.write_text(told, encoding="utf-8")
    if options.write_docs:
        write_docs(results, curves, told)


if __name__ == "__main__":
    main()
