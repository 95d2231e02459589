"""Which members of struct taskstats may vary from run to run, and what must hold of them.

A member outside these sets is compared exactly. A varying one is still held to what it stands
for: units, sums, and what else was recorded with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

Stats = Mapping[str, int | bytes]

# What any task that has run has: recorded as nonzero, it has to be nonzero.
_ALWAYS: Final = frozenset(
    {"cpu_run_virtual_total", "ac_btime", "ac_btime64", "ac_etime", "ac_tgetime"}
    | {"hiwater_rss", "hiwater_vm", "ac_minflt"}
)
# Rounded down to KiB since 3.1: kernel/tsacct.c, xacct_add_tsk().
_KIB: Final = frozenset(
    {"read_char", "write_char", "read_syscalls", "write_syscalls"}
    | {"read_bytes", "write_bytes", "cancelled_write_bytes"}
)


def _number(stats: Stats, name: str) -> int | None:
    value = stats.get(name)
    return value if isinstance(value, int) else None


def violations(got: Stats, recorded: Stats, volatile: frozenset[str]) -> Iterator[tuple[str, str]]:
    """What the varying members of a block have wrong: (member, what must hold of it).

    ``recorded`` is the block of the transcript, ``volatile`` the members that are masked.
    """
    for name in sorted(volatile & got.keys()):
        value = _number(got, name)
        if value is None:
            continue
        if name in _ALWAYS and not value and _number(recorded, name):
            yield name, "is 0, a task that has run has some"
        if name in _KIB and value % 1024:
            yield name, "is not a multiple of 1024"
    yield from _sums(got, volatile)


def _sums(got: Stats, volatile: frozenset[str]) -> Iterator[tuple[str, str]]:
    def both(a: str, b: str) -> tuple[int, int] | None:
        if not {a, b} <= volatile:
            return None
        x, y = _number(got, a), _number(got, b)
        return None if x is None or y is None else (x, y)

    if (pair := both("ac_btime", "ac_btime64")) and pair[0] != min(pair[1], 0xFFFF_FFFF):
        yield "ac_btime", "differs from ac_btime64"
    for part in ("utime", "stime"):
        if (pair := both(f"ac_{part}scaled", f"ac_{part}")) and pair[0] != pair[1]:
            yield f"ac_{part}scaled", f"differs from ac_{part}"
    if (pair := both("cpu_scaled_run_real_total", "cpu_run_real_total")) and pair[0] != pair[1]:
        yield "cpu_scaled_run_real_total", "differs from cpu_run_real_total"
    if (pair := both("ac_tgetime", "ac_etime")) and pair[0] < pair[1]:
        yield "ac_tgetime", "is less than ac_etime: a thread is older than its leader"
    if (pair := both("hiwater_vm", "hiwater_rss")) and pair[0] < pair[1]:
        yield "hiwater_vm", "is less than hiwater_rss"
    low, high = _number(got, "cpu_delay_min"), _number(got, "cpu_delay_max")
    if {"cpu_delay_min", "cpu_delay_max"} <= volatile and low is not None and high is not None:
        if low > high:
            yield "cpu_delay_min", "is more than cpu_delay_max"
        total = _number(got, "cpu_delay_total")
        if total is not None and high > total:
            yield "cpu_delay_max", "is more than cpu_delay_total"
