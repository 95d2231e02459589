"""The long run: ``scripts/differential --requests 20000 --seed 1``."""

from __future__ import annotations

import argparse
import sys
from typing import TextIO

from netlink_emu.cli.output import loudness
from netlink_emu.cli.output.progress import progress
from netlink_emu.conformance.targets.kernel import KernelTarget
from netlink_emu.conformance.targets.premises import missing_for_anything

from .fuzz import Figures, Fuzzer
from .report import figures_text
from .sequences import CPUS


def main() -> int:
    """Run, print the figures and every difference; the exit status is 1 if there are any."""
    parser = argparse.ArgumentParser(prog="scripts/differential")
    parser.add_argument("--requests", type=int, default=20000, help="how many to compare")
    parser.add_argument("--seed", type=int, default=1, help="of the first sequence")
    parser.add_argument("--length", type=int, default=40, help="steps of a sequence")
    parser.add_argument("--stop-after", type=int, default=10, help="differences")
    loudness.add_arguments(parser)
    options = parser.parse_args()
    loudness.choose(quiet=options.quiet, verbose=options.verbose)
    with KernelTarget() as kernel:
        reason = missing_for_anything(kernel.family_id, CPUS)
        if reason is not None:
            _say(f"cannot compare with this machine's kernel: {reason}", sys.stderr)
            return 2
        with Fuzzer(kernel) as fuzzer, progress(options.requests, "requests") as told:

            def tell(figures: Figures) -> None:
                seed = options.seed + figures.sequences - 1
                told.to(figures.requests, f"seed {seed}, {len(figures.differences)} differences")

            figures = fuzzer.run(
                options.requests, options.seed, options.length, tell, options.stop_after
            )
    _say("\n".join(figures_text(figures, kernel.family_id)), sys.stdout)
    return 1 if figures.differences else 0


def _say(text: str, to: TextIO) -> None:
    to.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
