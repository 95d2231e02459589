"""What a task has used and waited for: kernel/delayacct.c, kernel/tsacct.c, fs/proc's sources.

Counters only; how an era reports them is :mod:`netlink_emu.families.tsacct`'s business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

TICK_NSEC: Final = 4_000_000  # with CONFIG_HZ=250
DELAYS: Final = ("blkio", "swapin", "freepages", "thrashing", "compact", "wpcopy", "irq")


@dataclass(slots=True)
class Delay:
    """One kind of waiting, in nanoseconds; ``max_at_ns`` is the wall clock when max was set.

    ``zeros`` are waits that took no time, which kernels before 3.18 count, too.
    """

    count: int = 0
    total: int = 0
    max: int = 0
    min: int = 0
    max_at_ns: int = 0
    zeros: int = 0

    def add(self, duration_ns: int, now_ns: int) -> None:
        """delayacct_end(): one more wait; an interval of less than 0 is not one."""
        if duration_ns <= 0:
            self.zeros += duration_ns == 0
            return
        self.count += 1
        self.total += duration_ns
        if duration_ns > self.max:
            self.max, self.max_at_ns = duration_ns, now_ns
        if self.min == 0 or duration_ns < self.min:
            self.min = duration_ns


class Delays(dict[str, Delay]):
    """A task's delays by kind (one of DELAYS); a kind that never occurred costs no memory."""

    __slots__ = ()

    def __missing__(self, name: str) -> Delay:
        if name not in DELAYS:
            raise KeyError(name)
        delay = self[name] = Delay()
        return delay


@dataclass(slots=True)
class MemUse:
    """Memory summed over CPU time, in KiB and nanoseconds: acct_update_integrals().

    ``system`` is the part over system time; ``ticked`` is the whole as it was when the last
    whole tick of CPU time, ``tick_ns``, had passed.
    """

    whole: int = 0
    system: int = 0
    ticked: int = 0
    since_tick_ns: int = 0
    tick_ns: int = TICK_NSEC

    def add(self, kib: int, user_ns: int, system_ns: int) -> None:
        """``kib`` were in use while CPU time passed."""
        self.whole += kib * (user_ns + system_ns)
        self.system += kib * system_ns
        self.since_tick_ns += user_ns + system_ns
        if self.since_tick_ns >= self.tick_ns:
            self.ticked, self.since_tick_ns = self.whole, 0


def mb_usec(kib_ns: int) -> int:
    """MB times microseconds, the unit of coremem and virtmem."""
    return kib_ns // (1024 * 1000)


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
    """Of the address space: high-water marks in KiB, and the executable's device and inode.

    ``dumpable`` is get_dumpable(): a process that changed its ids leaves no core.
    """

    hiwater_rss_kb: int = 0
    hiwater_vm_kb: int = 0
    exe_dev: int = 0
    exe_inode: int = 0
    dumpable: bool = True
