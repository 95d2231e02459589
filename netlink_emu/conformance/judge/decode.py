"""Datagrams in words, byte range by byte range, for people who read reports.

Never fails: what it does not know it shows as bytes, so every byte of a datagram is in some row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from netlink_emu.protocol.attributes import NLA_F_NESTED, NLA_HDRLEN, NLA_TYPE_MASK
from netlink_emu.protocol.cgroupstats import CGROUPSTATS
from netlink_emu.protocol.errors import errno_name
from netlink_emu.protocol.format import ByteOrder
from netlink_emu.protocol.genetlink import GENL_HDRLEN, GENL_ID_CTRL
from netlink_emu.protocol.netlink import (
    NLM_F_CAPPED,
    NLMSG_DONE,
    NLMSG_ERROR,
    NLMSG_HDRLEN,
    NlMsgType,
    nlmsg_align,
)
from netlink_emu.protocol.reading.describe import (
    ANY,
    EXTACK,
    NLCTRL,
    TASKSTATS,
    AttrDesc,
    AttrSet,
    FamilyDesc,
    Kind,
)
from netlink_emu.protocol.taskstats import AcFlag

from .stats import layout_of

_DEEPEST: Final = 16  # nests in nests; real ones have four
HOLE: Final = "(hole)"  # bytes between the members of a struct

_REQUEST_FLAGS: Final = {
    0x01: "REQUEST",
    0x02: "MULTI",
    0x04: "ACK",
    0x08: "ECHO",
    0x10: "DUMP_INTR",
    0x20: "DUMP_FILTERED",
    0x100: "ROOT",
    0x200: "MATCH",
    0x400: "ATOMIC",
    0x800: "APPEND",
}
_ERROR_FLAGS: Final = _REQUEST_FLAGS | {0x100: "CAPPED", 0x200: "ACK_TLVS"}


@dataclass(frozen=True, slots=True)
class Row:
    """A range of bytes and what it says. ``name`` is a path: ``AGGR_PID/STATS/ac_flag``."""

    offset: int
    size: int
    name: str
    text: str

    @property
    def depth(self) -> int:
        return self.name.count("/")

    @property
    def label(self) -> str:
        return self.name.rpartition("/")[2]


class _Reader:
    """A datagram being read; knows what the family id means."""

    def __init__(self, data: bytes, family_id: int | None, order: ByteOrder) -> None:
        self.data = data
        self.order = order
        self.family_id = family_id

    def family(self, kind: int) -> FamilyDesc | None:
        """What is known of the family with this id."""
        if kind == GENL_ID_CTRL:
            return NLCTRL
        return TASKSTATS if self.family_id in (None, kind) else None

    def number(self, offset: int, size: int, *, signed: bool = False) -> int:
        return int.from_bytes(self.data[offset : offset + size], self.order.name, signed=signed)

    def raw(self, offset: int, end: int, name: str) -> Iterator[Row]:
        if offset < end:
            yield Row(offset, end - offset, name, brief_hex(self.data[offset:end]))


def decode(data: bytes, family_id: int | None, order: ByteOrder) -> list[Row]:
    """Every byte of a datagram in rows; ``family_id`` is that of TASKSTATS."""
    reader = _Reader(data, family_id, order)
    rows: list[Row] = []
    offset, count = 0, 0
    while len(data) - offset >= NLMSG_HDRLEN:
        length = reader.number(offset, 4)
        end = min(offset + max(length, NLMSG_HDRLEN), len(data))
        prefix = "" if count == 0 else f"#{count}/"
        rows += _message(reader, offset, end, prefix)
        count += 1
        if not NLMSG_HDRLEN <= length <= len(data) - offset:
            offset = end
            break
        padded = min(offset + nlmsg_align(length), len(data))
        rows += reader.raw(end, padded, f"{prefix}padding")
        offset = padded
    rows += reader.raw(offset, len(data), "left over")
    return rows


def brief_hex(data: bytes, most: int = 24) -> str:
    """The bytes in hex, the middle of many left out."""
    if len(data) <= most:
        return data.hex(" ", 4)
    return f"{data[: most - 4].hex(' ', 4)} ... ({len(data)} bytes)"


def flag_names(value: int, names: Mapping[int, str]) -> str:
    found = [name for bit, name in names.items() if value & bit]
    rest = value & ~sum(bit for bit in names if value & bit)
    if rest:
        found.append(hex(rest))
    return f"{value:#06x} {'|'.join(found)}".rstrip()


def error_text(value: int) -> str:
    """``-22 EINVAL`` for the error of an NLMSG_ERROR."""
    if value == 0:
        return "0 (acknowledged)"
    return f"{value} {errno_name(-value)}"


def _type_text(reader: _Reader, kind: int) -> str:
    if kind == GENL_ID_CTRL:
        return f"{kind} nlctrl"
    if reader.family_id is not None and kind == reader.family_id:
        return f"{kind} TASKSTATS"
    try:
        return f"{kind} {NlMsgType(kind).name}"
    except ValueError:
        return str(kind)


def _header(reader: _Reader, offset: int, prefix: str, flags: Mapping[int, str]) -> Iterator[Row]:
    yield Row(offset, 4, f"{prefix}nlmsg_len", str(reader.number(offset, 4)))
    kind = reader.number(offset + 4, 2)
    yield Row(offset + 4, 2, f"{prefix}nlmsg_type", _type_text(reader, kind))
    text = flag_names(reader.number(offset + 6, 2), flags)
    yield Row(offset + 6, 2, f"{prefix}nlmsg_flags", text)
    yield Row(offset + 8, 4, f"{prefix}nlmsg_seq", str(reader.number(offset + 8, 4)))
    yield Row(offset + 12, 4, f"{prefix}nlmsg_pid", str(reader.number(offset + 12, 4)))


def _message(reader: _Reader, offset: int, end: int, prefix: str) -> Iterator[Row]:
    kind = reader.number(offset + 4, 2)
    ours = kind in (NLMSG_ERROR, NLMSG_DONE)
    yield from _header(reader, offset, prefix, _ERROR_FLAGS if ours else _REQUEST_FLAGS)
    body = offset + NLMSG_HDRLEN
    if kind == NLMSG_ERROR and end - body >= 4:
        yield from _error(reader, body, end, prefix, reader.number(offset + 6, 2))
    elif kind == NLMSG_DONE and end - body >= 4:
        yield Row(body, 4, f"{prefix}error", error_text(reader.number(body, 4, signed=True)))
        yield from _attributes(reader, body + 4, end, prefix, EXTACK)
    elif kind >= GENL_ID_CTRL and end - body >= GENL_HDRLEN:
        yield from _genl(reader, body, end, prefix, kind)
    else:
        yield from reader.raw(body, end, f"{prefix}payload")


def _error(reader: _Reader, body: int, end: int, prefix: str, flags: int) -> Iterator[Row]:
    yield Row(body, 4, f"{prefix}error", error_text(reader.number(body, 4, signed=True)))
    request = body + 4
    if end - request < NLMSG_HDRLEN:
        yield from reader.raw(request, end, f"{prefix}request")
        return
    inner = f"{prefix}request/"
    yield from _header(reader, request, inner, _REQUEST_FLAGS)
    tail = request + NLMSG_HDRLEN
    if not flags & NLM_F_CAPPED:  # the request's payload follows
        stop = min(request + nlmsg_align(reader.number(request, 4)), end)
        if stop > tail:
            kind = reader.number(request + 4, 2)
            if kind >= GENL_ID_CTRL and stop - tail >= GENL_HDRLEN:
                yield from _genl(reader, tail, stop, inner, kind)
            else:
                yield from reader.raw(tail, stop, f"{inner}payload")
            tail = stop
    yield from _attributes(reader, tail, end, prefix, EXTACK)


def _genl(reader: _Reader, body: int, end: int, prefix: str, kind: int) -> Iterator[Row]:
    cmd = reader.number(body, 1)
    family = reader.family(kind)
    command = family.commands.get(cmd, "") if family is not None else ""
    yield Row(body, 1, f"{prefix}cmd", f"{cmd} {command}".rstrip())
    yield Row(body + 1, 1, f"{prefix}version", str(reader.number(body + 1, 1)))
    yield Row(body + 2, 2, f"{prefix}reserved", str(reader.number(body + 2, 2)))
    attrs = family.attrs_of(cmd) if family is not None else {}
    yield from _attributes(reader, body + GENL_HDRLEN, end, prefix, attrs)


# --- attributes, by the families' own descriptions

_UNKNOWN: Final = AttrDesc("", Kind.BINARY)
_PREFIXES: Final = (
    "TASKSTATS_CMD_ATTR_",
    "TASKSTATS_TYPE_",
    "CGROUPSTATS_CMD_ATTR_",
    "CGROUPSTATS_TYPE_",
    "CTRL_ATTR_MCAST_GRP_",
    "CTRL_ATTR_",
    "NLMSGERR_ATTR_",
    "NL_POLICY_TYPE_ATTR_",
)


def short_name(name: str) -> str:
    """An attribute's name without what all names of its enum begin with."""
    for prefix in _PREFIXES:
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name


def _attributes(
    reader: _Reader, start: int, end: int, prefix: str, attrs: AttrSet
) -> Iterator[Row]:
    while end - start >= NLA_HDRLEN:
        length, kind = reader.number(start, 2), reader.number(start + 2, 2)
        if not NLA_HDRLEN <= length <= end - start:
            break
        number = kind & NLA_TYPE_MASK
        desc = attrs.get(number) or attrs.get(ANY) or _UNKNOWN
        name = f"{prefix}{short_name(desc.name) or f'[{number}]'}"
        mark = " nested" if kind & NLA_F_NESTED else " byteorder" if kind & 0x4000 else ""
        yield Row(start, NLA_HDRLEN, name, f"type {number}{mark}, {length} bytes")
        payload, stop = start + NLA_HDRLEN, start + length
        yield from _payload(reader, payload, stop, f"{name}/", desc)
        start = min(start + nlmsg_align(length), end)
        yield from reader.raw(stop, start, f"{name}/padding")
    yield from reader.raw(start, end, f"{prefix}left over")


def _payload(reader: _Reader, start: int, end: int, prefix: str, desc: AttrDesc) -> Iterator[Row]:
    size = end - start
    if desc.kind is Kind.NEST and prefix.count("/") < _DEEPEST:
        yield from _attributes(reader, start, end, prefix, desc.attrs)
    elif desc.kind is Kind.TASKSTATS:
        yield from _taskstats(reader, start, end, prefix)
    elif desc.kind is Kind.CGROUPSTATS and size == CGROUPSTATS.size:
        counts = CGROUPSTATS[reader.order].decode(reader.data, start)
        for index, name in enumerate(CGROUPSTATS[reader.order].names):
            yield Row(start + 8 * index, 8, f"{prefix}{name}", str(getattr(counts, name)))
    elif desc.kind is Kind.STRING:
        if size:
            yield Row(start, size, f"{prefix}text", _quoted(reader.data[start:end]))
    elif size in (1, 2, 4, 8):
        yield Row(start, size, f"{prefix}value", _scalar(reader.number(start, size), desc))
    else:
        yield from reader.raw(start, end, f"{prefix}payload")


def _quoted(data: bytes) -> str:
    if len(data) > 60:
        return f"{data[:48]!r}... ({len(data)} bytes)"
    return repr(data)


def _scalar(value: int, desc: AttrDesc) -> str:
    try:
        return f"{value} {desc.values(value).name or ''}" if desc.values else str(value)
    except ValueError:
        return str(value)


def _taskstats(reader: _Reader, start: int, end: int, prefix: str) -> Iterator[Row]:
    layout = layout_of(reader.number(start, 2), end - start)
    if layout is None:
        yield from reader.raw(start, end, f"{prefix}struct taskstats")
        return
    at = start
    for name, field in layout.fields.items():
        offset = start + field.offset
        yield from reader.raw(at, offset, f"{prefix}{HOLE}")
        if name == "ac_comm":
            text = repr(reader.data[offset : offset + field.size].rstrip(b"\0"))
        else:
            value = reader.number(offset, field.size)
            text = str(value)
            if name == "ac_flag":
                text = flag_names(value, {flag.value: flag.name or "" for flag in AcFlag})
        yield Row(offset, field.size, f"{prefix}{name}", text)
        at = offset + field.size
    yield from reader.raw(at, end, f"{prefix}{HOLE}")


def summary(data: bytes, family_id: int | None, order: ByteOrder) -> str:
    """A datagram in one line."""
    rows = {row.name: row.text for row in decode(data, family_id, order)}
    parts = [f"{len(data)} bytes", rows.get("nlmsg_type", "").partition(" ")[2] or "?"]
    for name in ("cmd", "error", "FAMILY_NAME/text", "AGGR_PID/PID/value", "MSG/text"):
        if name in rows:
            parts.append(f"{name.partition('/')[0]} {rows[name]}")
    parts.append(f"seq {rows.get('nlmsg_seq', '?')}")
    return ", ".join(parts)
