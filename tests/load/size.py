"""How much of everything: the whole of it, and what the tests have time for."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Final

from load.audit import MIB

NETLINK_EMU: Final = (sys.executable, "-m", "netlink_emu.cli.main")


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    sockets: int
    listeners: int
    exits: int
    vanishing: int
    interposed: int  # listeners in each of two interposed processes
    stamped: int  # single exits, whose latency is measured
    kills: int  # clients that are killed
    signals: int  # commands that are ended by signals
    flood: float  # seconds for which one client sends as fast as it can


FULL: Final = Size(5000, 1000, 100_000, 10_000, 100, 2000, 200, 100, 2.0)
SMALL: Final = Size(300, 60, 4000, 300, 10, 50, 5, 8, 0.1)
# What a server may have more at the end than at the start, in bytes: Python keeps memory that it
# once had, by and large that of the most sockets at a time.
GROWTH: Final = 32 * MIB
GROWTH_SOCKET: Final = 16 * 1024
