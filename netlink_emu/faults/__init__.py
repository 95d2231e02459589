"""Faults on demand: things that a real kernel rarely does, done to chosen messages.

This package does no I/O: a fault changes what the emulated kernel queues for a client, or makes a
request fail. Delays use the machine's clock; whoever drives that asks :attr:`Faults.next_ns`.
"""

from __future__ import annotations

from netlink_emu.faults.fault import Fault, FaultError
from netlink_emu.faults.faults import Faults
from netlink_emu.faults.kinds import (
    FAULTS,
    Corrupt,
    Delay,
    Drop,
    DumpIntr,
    Duplicate,
    Enobufs,
    Errno,
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
from netlink_emu.faults.rules import Rule

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
