"""Datagrams in words, for people who read reports."""

from __future__ import annotations

from netlink_emu.protocol.format import ByteOrder
from netlink_emu.protocol.reading.decode import Decoder
from netlink_emu.protocol.reading.describe import TASKSTATS
from netlink_emu.protocol.reading.rows import Row, rows


def rows_of(data: bytes, family_id: int | None, order: ByteOrder) -> list[Row]:
    """Every byte of a datagram in rows; ``family_id`` is that of TASKSTATS."""
    ids = {} if family_id is None else {family_id: TASKSTATS.name}
    return rows(data, Decoder(order, ids, torn=True))


def summary(data: bytes, family_id: int | None, order: ByteOrder) -> str:
    """A datagram in one line."""
    texts = {row.name: row.text for row in rows_of(data, family_id, order)}
    parts = [f"{len(data)} bytes", texts.get("nlmsg_type", "").partition(" ")[2] or "?"]
    for name in ("cmd", "error", "FAMILY_NAME/text", "AGGR_PID/PID/value", "MSG/text"):
        if name in texts:
            parts.append(f"{name.partition('/')[0]} {texts[name]}")
    parts.append(f"seq {texts.get('nlmsg_seq', '?')}")
    return ", ".join(parts)
