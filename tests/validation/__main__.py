"""``python -m validation``: the long run."""

from __future__ import annotations

import argparse
import sys

from .compare import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m validation", description=__doc__)
    parser.add_argument("--requests", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    figures = run(arguments.requests, arguments.seed)
    sys.stdout.write(figures.text() + "\n")
    return 1 if figures.differences else 0


if __name__ == "__main__":
    sys.exit(main())
