"""Carries out a scenario in real time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from netlink_emu.host.clock import RealClock

if TYPE_CHECKING:  # `netlink-emu run` imports this also when there is no scenario
    from netlink_emu.machine.timeline import Timeline

# After so many steps everybody else has a turn.
BATCH: Final = 64


async def play(timeline: Timeline, clock: RealClock) -> None:
    """Do each thing when the machine's clock says so; returns when there is nothing more to do.

    A scenario that asks for too much lags, and holds nobody else up. Raises ScenarioError when a
    step cannot be done.
    """
    while timeline.next_ns is not None:
        await trio.sleep(clock.seconds_until(timeline.next_ns))
        timeline.run_due(BATCH)
