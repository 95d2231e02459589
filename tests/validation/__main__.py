"""``python -m validation``: the long run."""

from __future__ import annotations

import argparse
import sys

from netlink_emu.cli.output import loudness
from netlink_emu.cli.output.progress import progress

from .compare import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m validation", description=__doc__)
    parser.add_argument("--requests", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    loudness.add_arguments(parser)
    arguments = parser.parse_args()
    loudness.choose(quiet=arguments.quiet, verbose=arguments.verbose)
    with progress(arguments.requests, "requests") as told:
        figures = run(
            arguments.requests, arguments.seed, told=lambda found: told.to(found.requests)
        )
    sys.stdout.write(figures.text() + "\n")
    return 1 if figures.differences else 0


if __name__ == "__main__":
    sys.exit(main())
