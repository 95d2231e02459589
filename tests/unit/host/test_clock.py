"""The host's clock, and faster ones."""

from __future__ import annotations

import time

import pytest

from netlink_emu.host.clock import RealClock


def test_it_is_the_hosts_clock() -> None:
    before = time.monotonic_ns(), time.time_ns()
    clock = RealClock()
    now = clock.monotonic_ns(), clock.realtime_ns()
    after = time.monotonic_ns(), time.time_ns()
    assert before[0] <= now[0] <= after[0]
    assert before[1] <= now[1] <= after[1]


def test_a_faster_clock_starts_at_the_hosts_time_and_runs_ahead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host_ns = 50_000_000_000
    monkeypatch.setattr(time, "monotonic_ns", lambda: host_ns)
    monkeypatch.setattr(time, "time_ns", lambda: 7_000_000_000)
    clock = RealClock(speed=4)
    assert (clock.monotonic_ns(), clock.realtime_ns()) == (50_000_000_000, 7_000_000_000)
    host_ns += 1_000_000_000
    assert (clock.monotonic_ns(), clock.realtime_ns()) == (54_000_000_000, 11_000_000_000)
    assert clock.seconds_until(56_000_000_000) == 0.5
    assert clock.seconds_until(54_000_000_000) == 0
    assert clock.seconds_until(1) == 0


@pytest.mark.parametrize("speed", [0, -1, float("nan")])
def test_a_clock_does_not_stand_or_run_backwards(speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        RealClock(speed)
