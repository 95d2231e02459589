"""The emulated kernel by itself: a GET answered in memory."""

from __future__ import annotations

import time

from construct import Struct

from bench.figure import Effort, Relation, Result, compared
from bench.machines import Emulated
from bench.measure import Probe, by_turns
from bench.messages import get_pid
from netlink_emu.protocol.attributes import NLATTR
from netlink_emu.protocol.format import LITTLE, chain
from netlink_emu.protocol.genetlink import GENLMSGHDR
from netlink_emu.protocol.netlink import NLMSGHDR
from netlink_emu.protocol.taskstats import taskstats_layout


def timed(action: Probe, count: int) -> Probe:
    """A probe: microseconds for each of ``count`` actions."""

    def probe() -> float:
        start = time.perf_counter_ns()
        for _ in range(count):
            action()
        return (time.perf_counter_ns() - start) / count / 1000

    return probe


def figures(effort: Effort) -> list[Result]:
    emulated = Emulated()
    request = get_pid(emulated.task.pid)
    sock, current = emulated.socket(), emulated.current

    def answered() -> float:
        sock.sendmsg(current, request)
        return len(sock.recvmsg(65536).data)

    sock.sendmsg(current, request)
    answer = sock.recvmsg(65536).data
    # One struct for each message: as fast as Python gets at these bytes.
    headers = (NLMSGHDR[LITTLE].construct, GENLMSGHDR[LITTLE].construct)
    attr = NLATTR[LITTLE].construct
    number = (attr, Struct("nr" / LITTLE.u32))
    asked = chain("<", *headers, *number)
    told = chain("<", *headers, attr, *number, attr, taskstats_layout(16).construct(LITTLE))
    asked_values, told_values = asked.unpack(request), told.unpack(answer)
    assert asked.pack(*asked_values) == request
    assert told.pack(*told_values) == answer

    def bare() -> float:
        asked.pack(*asked_values)
        asked.unpack(request)
        told.unpack(told.pack(*told_values))
        return 0.0

    count = effort.times(4000)
    comparison = by_turns(timed(answered, count), timed(bare, count), effort.rounds)
    return [
        compared(
            "emulated kernel alone: GET answered, in memory",
            "struct pack and unpack of the same bytes, one Struct a message",
            "µs", Relation.AT_MOST_TIMES, 12, comparison,
        )
    ]  # fmt: skip
