"""What TASKSTATS answers with: mk_reply() of kernel/taskstats.c, and a struct derived from it."""

from __future__ import annotations

import struct
from functools import partial
from typing import TYPE_CHECKING, Final

from construct import Bytes, Padding, Struct

from netlink_emu.kernel.profile import TaskstatsPad
from netlink_emu.protocol.attributes import AttrWriter
from netlink_emu.protocol.format import chain
from netlink_emu.protocol.taskstats import (
    TASKSTATS_TYPE_AGGR_PID,
    TASKSTATS_TYPE_AGGR_TGID,
    TASKSTATS_TYPE_NULL,
    TASKSTATS_TYPE_PID,
    TASKSTATS_TYPE_STATS,
    TaskstatsLayout,
    TaskstatsType,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netlink_emu.protocol.format import ByteOrder


def mk_reply(
    attrs: AttrWriter, pad: TaskstatsPad, kind: TaskstatsType, nr: int, stats: bytes, position: int
) -> None:
    """mk_reply(): AGGR_PID{PID, STATS} or AGGR_TGID{TGID, STATS}, padded where it must be.

    ``position`` is where in the message ``attrs`` begin.
    """
    aggr = TASKSTATS_TYPE_AGGR_PID if kind == TASKSTATS_TYPE_PID else TASKSTATS_TYPE_AGGR_TGID
    if pad is TaskstatsPad.BEFORE_AGGR:
        attrs.put(TASKSTATS_TYPE_NULL)
    with attrs.nest(aggr):
        attrs.put_u32(kind, nr)
        if pad is TaskstatsPad.BEFORE_STATS and (position + len(attrs.data)) % 8 == 0:
            attrs.put(TASKSTATS_TYPE_NULL)
        attrs.put(TASKSTATS_TYPE_STATS, stats)


class Reply:
    """mk_reply() of one kind at one position in a message, as a single struct.

    Of these attributes only the number and the statistics change. Where they lie, and the bytes
    around them, are taken from what :func:`mk_reply` writes. Packing all at once takes 1.5 us,
    writing attribute by attribute 7.
    """

    def __init__(
        self,
        layout: TaskstatsLayout,
        order: ByteOrder,
        pad: TaskstatsPad,
        kind: TaskstatsType,
        position: int,
    ) -> None:
        low, high = AttrWriter(order), AttrWriter(order)
        mk_reply(low, pad, kind, 0, bytes(layout.size), position)
        mk_reply(high, pad, kind, 0xFFFFFFFF, b"\xff" * layout.size, position)
        varying = [at for at, byte in enumerate(low.data) if byte != high.data[at]]
        nr_at, stats_at = varying[0], varying[4]
        head, middle = bytes(low.data[:nr_at]), bytes(low.data[nr_at + 4 : stats_at])
        codec = layout.codec(order)
        whole = chain(
            order.char,
            Struct("head" / Bytes(len(head)), "nr" / order.u32, "middle" / Bytes(len(middle))),
            codec.construct,
            Struct(Padding(len(low.data) - stats_at - layout.size)),
        )
        self.size: Final = whole.size
        self._codec: Final = codec
        self._middle: Final = middle
        self._pack: Final = partial(whole.pack, head)

    def pack(self, nr: int, stats: Mapping[str, int | bytes]) -> bytes:
        """The attributes. ``stats`` has all members; what a member has no room for wraps."""
        try:
            return self._pack(nr, self._middle, *self._codec.row(stats))
        except struct.error:
            return self._pack(nr, self._middle, *self._codec.row(self._codec.wrapped(stats)))
