"""What a task has used and waited for: kernel/delayacct.c, kernel/tsacct.c, fs/proc's sources.

Counters only; how an era reports them is :mod:`netlink_emu.families.tsacct`'s business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DELAYS: Final = ("blkio", "swapin", "freepages", "thrashing", "compact", "wpcopy", "irq")


@dataclass(slots=True)
class Delay:
    """One kind of waiting, in nanoseconds; ``max_at_ns`` is the wall clock when max was set."""

    count: int = 0
    total: int = 0
    max: int = 0
    min: int = 0
    max_at_ns: int = 0

    def add(self, duration_ns: int, now_ns: int) -> None:
        """delayacct_end(): one more wait; an interval of 0 or less is not one."""
        if duration_ns <= 0:
            return
        self.count += 1
        self.total += duration_ns
        if duration_ns > self.max:
            self.max, self.max_at_ns = duration_ns, now_ns
        if self.min == 0 or duration_ns < self.min:
            self.min = duration_ns


@dataclass(slots=True)
class IoAccounting:
    """struct task_io_accounting; bytes, and numbers of system calls."""

    rchar: int = 0
    wchar: int = 0
    syscr: int = 0
    syscw: int = 0
    read_bytes: int = 0
    write_bytes: int = 0
    cancelled_write_bytes: int = 0


@dataclass(slots=True)
class Mm:
    """Of the address space: high-water marks in KiB, and the executable's device and inode."""

    hiwater_rss_kb: int = 0
    hiwater_vm_kb: int = 0
    exe_dev: int = 0
    exe_inode: int = 0
