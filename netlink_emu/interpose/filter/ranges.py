"""The descriptor numbers that emulated sockets have, and at which the filter looks.

A kernel gives out the lowest number that is free, so a program's own descriptors reach these
last: its calls on all others do not stop, however many it has.
"""

from __future__ import annotations

from typing import Final

Range = tuple[int, int]  # the first number, and the first beyond

# select() can watch what is below.
FD_SETSIZE: Final = 1024
SLOTS: Final = 256
# Sockets of a client whose limit is higher, and that has filled what is below, go on at the top
# of the next power of two: most of what lies below any limit is the program's own.
_POWERS: Final = range(11, 20)
_SHARE: Final = 8


def ranges(high: int) -> tuple[Range, ...]:
    """All numbers for clients whose lowest is ``high``, in ascending order."""
    end = max(FD_SETSIZE, high + SLOTS)
    found = [(high, end)]
    for power in _POWERS:
        first = (1 << power) - (1 << power) // _SHARE
        if first >= end:
            found.append((first, 1 << power))
    return tuple(found)
