"""A reply packed at once is the reply written attribute by attribute."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlink_emu.families.mk_reply import Reply, mk_reply
from netlink_emu.kernel.profile import TaskstatsPad
from netlink_emu.protocol.attributes import AttrWriter
from netlink_emu.protocol.format import BIG, LITTLE, ByteOrder
from netlink_emu.protocol.taskstats import (
    BLANK,
    NEWEST_VERSION,
    TASKSTATS_TYPE_PID,
    TASKSTATS_TYPE_TGID,
    TaskstatsType,
    taskstats_layout,
)

FIRST = 20  # behind nlmsghdr and genlmsghdr
MEMBERS = st.one_of(st.integers(0, 0xFF), st.just(0x7FFF_FFFF), st.just(0))


@pytest.mark.parametrize("kind", [TASKSTATS_TYPE_PID, TASKSTATS_TYPE_TGID])
@pytest.mark.parametrize("pad", [*TaskstatsPad])
@pytest.mark.parametrize("order", [LITTLE, BIG], ids=lambda order: order.name)
@pytest.mark.parametrize("u64_align", [4, 8])
@pytest.mark.parametrize("version", range(1, NEWEST_VERSION + 1))
def test_it_is_what_mk_reply_writes(
    version: int, u64_align: int, order: ByteOrder, pad: TaskstatsPad, kind: TaskstatsType
) -> None:
    layout = taskstats_layout(version, u64_align)
    stats = BLANK | {name: 3 + at for at, name in enumerate(BLANK)} | {"ac_comm": b"worker"}
    first = Reply(layout, order, pad, kind, FIRST)
    for position in (FIRST, FIRST + first.size, FIRST + 4):
        attrs = AttrWriter(order)
        mk_reply(attrs, pad, kind, 4242, layout.codec(order).encode(stats), position)
        reply = Reply(layout, order, pad, kind, position)
        assert reply.pack(4242, stats) == bytes(attrs.data)
        assert reply.size == len(attrs.data)


@given(
    values=st.fixed_dictionaries(
        {name: MEMBERS if name not in ("ac_flag", "ac_nice", "ac_sched", "version")
         else st.integers(0, 0xFF) for name in BLANK if name != "ac_comm"}
    ),
    comm=st.binary(max_size=15),
    nr=st.integers(0, 0xFFFF_FFFF),
)  # fmt: skip
def test_with_any_statistics(values: dict[str, int], comm: bytes, nr: int) -> None:
    layout = taskstats_layout(16)
    stats: dict[str, int | bytes] = {**values, "ac_comm": comm}
    attrs = AttrWriter(LITTLE)
    pad = TaskstatsPad.BEFORE_STATS
    mk_reply(attrs, pad, TASKSTATS_TYPE_PID, nr, layout.codec(LITTLE).encode(stats), FIRST)
    reply = Reply(layout, LITTLE, pad, TASKSTATS_TYPE_PID, FIRST)
    assert reply.pack(nr, stats) == bytes(attrs.data)


def test_what_a_member_has_no_room_for_wraps() -> None:
    layout = taskstats_layout(17)
    reply = Reply(layout, LITTLE, TaskstatsPad.NEVER, TASKSTATS_TYPE_PID, FIRST)
    stats = BLANK | {"ac_utime": (1 << 64) + 5, "ac_uid": -1, "ac_nice": -20, "ac_sched": 256 + 3}
    stats |= {"cpu_delay_max_ts_sec": 1 << 63}
    data = reply.pack(1, stats)
    found = layout.codec(LITTLE).decode(data, len(data) - layout.size)
    assert (found["ac_utime"], found["ac_uid"]) == (5, 0xFFFF_FFFF)
    assert (found["ac_nice"], found["ac_sched"]) == (236, 3)
    assert found["cpu_delay_max_ts_sec"] == -(1 << 63)
