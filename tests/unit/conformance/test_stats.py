"""What must hold of the members of struct taskstats that vary."""

from __future__ import annotations

import pytest

from netlink_emu.conformance.cases.volatile import LIVE, VOLATILE
from netlink_emu.conformance.judge.stats import violations

GOOD: dict[str, int | bytes] = {
    "cpu_count": 3,
    "cpu_delay_total": 300,
    "cpu_delay_max": 200,
    "cpu_delay_min": 50,
    "cpu_run_real_total": 8_000_000,
    "cpu_scaled_run_real_total": 8_000_000,
    "cpu_run_virtual_total": 7_654_321,
    "ac_btime": 1_700_000_000,
    "ac_btime64": 1_700_000_000,
    "ac_etime": 500,
    "ac_tgetime": 900,
    "ac_utime": 4000,
    "ac_utimescaled": 4000,
    "ac_stime": 4000,
    "ac_stimescaled": 4000,
    "hiwater_rss": 1000,
    "hiwater_vm": 2000,
    "ac_minflt": 20,
    "read_char": 3072,
    "read_syscalls": 0,
}


def test_nothing_wrong() -> None:
    assert list(violations(GOOD, GOOD, LIVE)) == []


@pytest.mark.parametrize(
    ("member", "value", "fault"),
    [
        ("ac_btime", 1_700_000_001, "differs from ac_btime64"),
        ("ac_utimescaled", 1, "differs from ac_utime"),
        ("ac_stimescaled", 1, "differs from ac_stime"),
        ("cpu_scaled_run_real_total", 1, "differs from cpu_run_real_total"),
        ("ac_tgetime", 499, "is less than ac_etime: a thread is older than its leader"),
        ("hiwater_vm", 999, "is less than hiwater_rss"),
        ("cpu_delay_min", 201, "is more than cpu_delay_max"),
        ("cpu_delay_max", 301, "is more than cpu_delay_total"),
        ("read_char", 3000, "is not a multiple of 1024"),
        ("read_syscalls", 12, "is not a multiple of 1024"),
        ("cpu_run_virtual_total", 0, "is 0, a task that has run has some"),
        ("ac_minflt", 0, "is 0, a task that has run has some"),
    ],
)
def test_one_thing_wrong(member: str, value: int, fault: str) -> None:
    assert list(violations({**GOOD, member: value}, GOOD, LIVE)) == [(member, fault)]


def test_recorded_zeros_may_stay_zero() -> None:
    recorded = {**GOOD, "hiwater_rss": 0, "hiwater_vm": 0}
    assert list(violations({**GOOD, "hiwater_rss": 0, "hiwater_vm": 0}, recorded, LIVE)) == []


def test_exact_members_are_not_judged_here() -> None:
    wrong = {**GOOD, "ac_btime": 1, "read_char": 5}
    assert list(violations(wrong, GOOD, frozenset())) == []


def test_sets_of_members_contain_one_another() -> None:
    assert VOLATILE["none"] < VOLATILE["group"] < VOLATILE["zombie"] < VOLATILE["live"]
