"""The messages that all figures use, as a client in any language writes them."""

from __future__ import annotations

import os
import struct

FAMILY = 0x1F  # TASKSTATS in an emulated 6.18
ANSWER_SIZE = 596  # TASKSTATS_CMD_NEW with AGGR_PID of version 16


def get_pid(pid: int, *, family: int = FAMILY, seq: int = 1) -> bytes:
    """TASKSTATS_CMD_GET with TASKSTATS_CMD_ATTR_PID: 28 bytes."""
    return struct.pack("=IHHIIBBHHHI", 28, family, 1, seq, 0, 1, 1, 0, 8, 1, pid)


def register(cpulist: str, *, family: int = FAMILY) -> bytes:
    """TASKSTATS_CMD_ATTR_REGISTER_CPUMASK, with NLM_F_ACK."""
    text = cpulist.encode() + b"\0"
    attr = struct.pack("=HH", 4 + len(text), 3) + text + bytes(-len(text) % 4)
    return struct.pack("=IHHIIBBH", 20 + len(attr), family, 5, 1, 0, 1, 1, 0) + attr


def cpu_count() -> int:
    return len(os.sched_getaffinity(0))
