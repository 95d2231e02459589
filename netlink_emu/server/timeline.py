"""Carries out a scenario in real time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from netlink_emu.host.clock import RealClock
from netlink_emu.host.tasks import Stat, read_stat
from netlink_emu.protocol.netlink import NETLINK_GENERIC
from netlink_emu.protocol.reading.printable import printable

if TYPE_CHECKING:  # `netlink-emu run` imports this also when there is no scenario
    from netlink_emu.families import BootedKernel
    from netlink_emu.kernel.af_netlink import NetlinkSock
    from netlink_emu.machine.timeline import Timeline

# After so many steps everybody else has a turn.
BATCH: Final = 64
# Seconds in which a client that waits does nothing at all, however slow the machine is.
STILL: Final = 1.0


async def play(timeline: Timeline, clock: RealClock) -> None:
    """Do each thing when the machine's clock says so; returns when there is nothing more to do.

    A scenario that asks for too much lags, and holds nobody else up. Raises ScenarioError when a
    step cannot be done.
    """
    begun = trio.Event()
    timeline.when_begun(begun.set)
    await begun.wait()
    while timeline.next_ns is not None:
        await trio.sleep(clock.seconds_until(timeline.next_ns))
        timeline.run_due(BATCH)


async def who_still_listens(kernel: BootedKernel) -> list[str]:
    """Wait until all clients that are registered for exits sit there: their names and pids.

    They sleep, and have used no CPU time for a while. A client that is about to end, on a machine
    however busy, does not.
    """
    before: dict[NetlinkSock, Stat | None] = {}
    while True:
        await trio.sleep(STILL)
        now = {sk: read_stat(_thread(sk)) for sk in _listeners(kernel)}
        waiting = [sk for sk in now if sk in before and _sits(before[sk], now[sk])]
        if waiting and len(waiting) == len(now):
            return sorted(
                {f"{printable(sk.creator.comm())} (pid {sk.creator.tgid_vnr})" for sk in waiting}
            )
        before = now


def _listeners(kernel: BootedKernel) -> list[NetlinkSock]:
    listeners = kernel.taskstats.listeners if kernel.taskstats is not None else {}
    portids = {portid for registered in listeners.values() for portid in registered}
    table = kernel.netlink.sockets(kernel.machine.init_net, NETLINK_GENERIC)
    return [table[portid] for portid in portids if portid in table]


def _thread(sk: NetlinkSock) -> int:
    return sk.creator.tid or sk.creator.tgid_vnr


def _sits(before: Stat | None, now: Stat | None) -> bool:
    """Whether a thread has slept meanwhile. One that is gone has left its socket to others."""
    if before is None or now is None:
        return before is now
    idle = before.utime == now.utime and before.stime == now.stime
    return idle and now.state in (b"S", b"T", b"t")
