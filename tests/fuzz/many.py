"""``python -m fuzz.many TARGET COUNT [SEED]``: so many inputs without a guide, and the memory."""

from __future__ import annotations

import random
import resource
import sys
import time

from fuzz import corpus
from fuzz.targets import TARGETS
from fuzz.test_targets import mutate


def main() -> None:
    name, count = sys.argv[1], int(sys.argv[2])
    dice = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    target, inputs = TARGETS[name], corpus.load(name)
    begun, before = time.monotonic(), _peak()
    for number in range(count):
        data = dice.choice(inputs)
        for _ in range(1 + number % 4):
            data = mutate(data, inputs, dice)
        target(dice.randbytes(dice.randrange(200)) if number % 8 == 0 else data)
    seconds = time.monotonic() - begun
    sys.stdout.write(
        f"{name}: {count} inputs in {seconds:.0f} s, nothing but what is documented; "
        f"{_peak() - before} KiB more memory at the peak\n"
    )


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
