"""The nursery as a program; see :mod:`.nursery`."""

from __future__ import annotations

import sys

from .channel import Channel
from .nursery import main

if __name__ == "__main__":
    main(Channel(int(sys.argv[1]), int(sys.argv[2])))
