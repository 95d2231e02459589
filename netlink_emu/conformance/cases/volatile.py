"""Which members of struct taskstats may vary from run to run, by the kind of a block.

A member outside these sets is compared exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# What the AGGR_TGID block sums up; its other members are exact (0).
GROUP: Final = frozenset(
    {
        "cpu_count",
        "cpu_delay_total",
        "cpu_run_real_total",
        "cpu_run_virtual_total",
        "ac_etime",
        "ac_utime",
        "ac_stime",
        "nvcsw",
        "nivcsw",
        "cpu_scaled_run_real_total",
        "cpu_delay_max",
        "cpu_delay_min",
        "cpu_delay_max_ts_sec",
        "cpu_delay_max_ts_nsec",
    }
)
# A zombie has no memory any more, so its high-water marks are exact (0).
ZOMBIE: Final = GROUP | {
    "ac_btime",
    "ac_minflt",
    "ac_majflt",
    "coremem",
    "virtmem",
    "read_char",
    "write_char",
    "read_syscalls",
    "write_syscalls",
    "read_bytes",
    "write_bytes",
    "cancelled_write_bytes",
    "ac_utimescaled",
    "ac_stimescaled",
    "ac_btime64",
    "ac_tgetime",
}
LIVE: Final = ZOMBIE | {"hiwater_rss", "hiwater_vm"}
VOLATILE: Final[Mapping[str, frozenset[str]]] = {
    "live": LIVE,
    "zombie": ZOMBIE,
    "group": GROUP,
    "none": frozenset(),
}
