"""struct cgroupstats, and the numbers around it."""

from __future__ import annotations

from netlink_emu.protocol.cgroupstats import (
    CGROUPSTATS,
    Cgroupstats,
    CgroupstatsCmd,
    CgroupstatsCmdAttr,
    CgroupstatsType,
)
from netlink_emu.protocol.format import BIG, LITTLE
from netlink_emu.protocol.taskstats import TaskstatsCmd


def test_struct() -> None:
    stats = Cgroupstats(
        nr_sleeping=1, nr_running=2, nr_stopped=3, nr_uninterruptible=4, nr_io_wait=2**64 - 1
    )
    wire = bytes.fromhex(
        "0100000000000000 0200000000000000 0300000000000000 0400000000000000 ffffffffffffffff"
    )
    assert CGROUPSTATS.size == 40
    assert CGROUPSTATS[LITTLE].encode(stats) == wire
    assert CGROUPSTATS[LITTLE].decode(wire) == stats
    assert CGROUPSTATS[BIG].encode(stats)[:16] == bytes.fromhex(
        "0000000000000001 0000000000000002"
    )


def test_numbers_follow_those_of_taskstats() -> None:
    assert min(CgroupstatsCmd) == max(TaskstatsCmd) + 1
    assert [*map(int, CgroupstatsCmd)] == [3, 4, 5]
    assert [*map(int, CgroupstatsType)] == [*map(int, CgroupstatsCmdAttr)] == [0, 1]
