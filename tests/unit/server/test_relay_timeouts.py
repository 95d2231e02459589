"""What a supervisor elsewhere may set, and a report must be able to say."""

from __future__ import annotations

import pytest

from netlink_emu.server.relay_calls import _nanoseconds


@pytest.mark.parametrize(
    ("seconds", "nanoseconds"),
    [(None, -1), (0.0, 0), (0.5, 500_000_000), (9.2e9, 9_200_000_000_000_000_000)],
)
def test_timeouts(seconds: float | None, nanoseconds: int) -> None:
    assert _nanoseconds(seconds) == nanoseconds


def test_a_timeout_longer_than_a_long_long() -> None:
    """MAX_SCHEDULE_TIMEOUT stopped the server with a traceback."""
    assert _nanoseconds(9.3e15) == (1 << 63) - 1
