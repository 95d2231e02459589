"""Faults on demand: what a true kernel does seldom, done to chosen messages.

Pure: a fault changes what the emulated kernel queues for a client, or makes a request fail.
Delays are by the machine's clock; whoever drives that asks :attr:`Faults.next_ns`.
"""

from __future__ import annotations

from netlink_emu.faults.faults import Faults, Rule
from netlink_emu.faults.kinds import (
    FAULTS,
    Corrupt,
    Delay,
    Drop,
    DumpIntr,
    Duplicate,
    Enobufs,
    Errno,
    Fault,
    FaultError,
    LateDone,
    LongStruct,
    MissingDone,
    Reorder,
    SendErrno,
    ShortStruct,
    Truncate,
    Unaligned,
    UnknownAttribute,
    WrongPortid,
    WrongSeq,
)

__all__ = [
    "FAULTS",
    "Corrupt",
    "Delay",
    "Drop",
    "DumpIntr",
    "Duplicate",
    "Enobufs",
    "Errno",
    "Fault",
    "FaultError",
    "Faults",
    "LateDone",
    "LongStruct",
    "MissingDone",
    "Reorder",
    "Rule",
    "SendErrno",
    "ShortStruct",
    "Truncate",
    "Unaligned",
    "UnknownAttribute",
    "WrongPortid",
    "WrongSeq",
]
