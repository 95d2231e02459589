"""A datagram byte range by byte range: every byte of it is in one row."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ..attributes import NLA_F_NESTED, NLA_F_NET_BYTEORDER, NLA_HDRLEN, NLA_TYPE_MASK
from ..errors import errno_name
from ..genetlink import GENL_HDRLEN
from ..netlink import NLMSG_HDRLEN, NLMSGERR, nlmsg_align
from .decode import Attribute, Decoder, Message
from .describe import Kind
from .structs import STRUCTS, Place

HOLE: Final = "(hole)"  # bytes between the members of a struct
_MOST_HEX: Final = 24  # bytes shown in full
_MOST_TEXT: Final = 60


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


def rows(data: bytes, decoder: Decoder) -> list[Row]:
    """What the decoder finds in a datagram, and all else as bytes."""
    reader = _Reader(data, decoder)
    found: list[Row] = []
    end = 0
    for index, message in enumerate(decoder.datagram(data)):
        if not message.header.nlmsg_len:
            break
        prefix = f"#{index}/" if index else ""
        found += reader.message(message, prefix)
        end = message.offset + len(message.data)
        padded = min(nlmsg_align(end), len(data))
        found += reader.raw(end, padded, f"{prefix}padding")
        end = padded
    found += reader.raw(end, len(data), "left over")
    return found


class _Reader:
    """A datagram that is being put into rows."""

    def __init__(self, data: bytes, decoder: Decoder) -> None:
        self.data: Final = data
        self.order: Final = decoder.order

    def raw(self, start: int, end: int, name: str) -> Iterator[Row]:
        if start < end:
            yield Row(start, end - start, name, brief_hex(self.data[start:end]))

    def message(self, message: Message, prefix: str) -> Iterator[Row]:
        yield from _header(message, prefix)
        at, end = message.offset + NLMSG_HDRLEN, message.offset + len(message.data)
        if message.error is not None:
            yield Row(at, NLMSGERR.size, f"{prefix}error", error_text(message.error))
            at += NLMSGERR.size
        if message.about is not None:
            yield from self.message(message.about, f"{prefix}request/")
            at = message.about.offset + len(message.about.data)
            padded = min(nlmsg_align(at), end)
            yield from self.raw(at, padded, f"{prefix}request/padding")
            at = padded
        if message.cmd_number is not None:
            yield from self._genl_header(message, at, prefix)
            at += GENL_HDRLEN
        understood = message.cmd_number is not None or message.error is not None
        name = "left over" if understood else "payload"
        yield from self.attributes(message.attrs, at, end, prefix, name)

    def _genl_header(self, message: Message, at: int, prefix: str) -> Iterator[Row]:
        yield Row(at, 1, f"{prefix}cmd", f"{message.cmd_number} {message.cmd}".rstrip())
        yield Row(at + 1, 1, f"{prefix}version", str(self.data[at + 1]))
        yield Row(at + 2, 2, f"{prefix}reserved", str(self._number(at + 2, 2)))

    def _number(self, offset: int, size: int) -> int:
        return int.from_bytes(self.data[offset : offset + size], self.order.name)

    def attributes(
        self, attrs: Sequence[Attribute], at: int, end: int, prefix: str, rest: str = "left over"
    ) -> Iterator[Row]:
        """Attributes one after the other; ``rest`` is what bytes behind them are called."""
        for attr in attrs:
            number = attr.type & NLA_TYPE_MASK
            label = attr.desc.label if attr.desc is not None else ""
            name = f"{prefix}{label or f'[{number}]'}"
            length = NLA_HDRLEN + len(attr.payload)
            text = f"type {number}{_mark(attr.type)}, {length} bytes"
            yield Row(attr.offset, NLA_HDRLEN, name, text)
            stop = attr.offset + length
            yield from self._payload(attr, attr.offset + NLA_HDRLEN, stop, f"{name}/")
            at = min(nlmsg_align(stop), end)
            yield from self.raw(stop, at, f"{name}/padding")
        yield from self.raw(at, end, f"{prefix}{rest}")

    def _payload(self, attr: Attribute, start: int, end: int, prefix: str) -> Iterator[Row]:
        kind = attr.desc.kind if attr.desc is not None else Kind.BINARY
        if isinstance(attr.value, tuple):
            yield from self.attributes(attr.value, start, end, prefix)
        elif isinstance(attr.value, dict):
            yield from self._struct(attr, start, end, prefix)
        elif kind is Kind.STRING:
            if attr.payload:
                yield Row(start, end - start, f"{prefix}text", _quoted(attr.payload))
        elif end - start in (1, 2, 4, 8) and kind not in STRUCTS and kind is not Kind.NEST:
            number = self._number(start, end - start)
            values = attr.desc.values if attr.desc is not None else None
            yield Row(start, end - start, f"{prefix}value", _scalar(number, values))
        else:
            yield from self.raw(start, end, f"{prefix}payload")

    def _struct(self, attr: Attribute, start: int, end: int, prefix: str) -> Iterator[Row]:
        assert attr.desc is not None
        at = start
        for place in STRUCTS[attr.desc.kind].places(attr.payload, self.order):
            offset = start + place.offset
            yield from self.raw(at, offset, f"{prefix}{HOLE}")
            at = offset + place.size
            text = self._member(attr.value[place.name], place, offset)
            yield Row(offset, place.size, f"{prefix}{place.name}", text)
        yield from self.raw(at, end, f"{prefix}{HOLE}")

    def _member(self, value: int | str | bytes, place: Place, offset: int) -> str:
        if not isinstance(value, int):
            return repr(self.data[offset : offset + place.size].rstrip(b"\0"))
        if place.flags is None:
            return str(value)
        names = [flag.name or "" for flag in place.flags if value & flag]
        rest = value & ~sum(place.flags)
        return _flags(value, [*names, hex(rest)] if rest else names)


def _header(message: Message, prefix: str) -> Iterator[Row]:
    header, at = message.header, message.offset
    kind, name = str(header.nlmsg_type), message.type_name
    yield Row(at, 4, f"{prefix}nlmsg_len", str(header.nlmsg_len))
    yield Row(at + 4, 2, f"{prefix}nlmsg_type", kind if kind == name else f"{kind} {name}")
    yield Row(at + 6, 2, f"{prefix}nlmsg_flags", _flags(header.nlmsg_flags, message.flags))
    yield Row(at + 8, 4, f"{prefix}nlmsg_seq", str(header.nlmsg_seq))
    yield Row(at + 12, 4, f"{prefix}nlmsg_pid", str(header.nlmsg_pid))


def brief_hex(data: bytes) -> str:
    """The bytes in hex, the middle of many left out."""
    if len(data) <= _MOST_HEX:
        return data.hex(" ", 4)
    return f"{data[: _MOST_HEX - 4].hex(' ', 4)} ... ({len(data)} bytes)"


def error_text(error: int) -> str:
    """``-22 EINVAL`` for the error of an NLMSG_ERROR."""
    return f"{error} {errno_name(-error)}" if error else "0 (acknowledged)"


def _flags(value: int, names: Sequence[str]) -> str:
    return f"{value:#06x} {'|'.join(names)}".rstrip()


def _mark(nla_type: int) -> str:
    if nla_type & NLA_F_NESTED:
        return " nested"
    return " byteorder" if nla_type & NLA_F_NET_BYTEORDER else ""


def _quoted(data: bytes) -> str:
    if len(data) > _MOST_TEXT:
        return f"{data[:48]!r}... ({len(data)} bytes)"
    return repr(data)


def _scalar(value: int, values: type[enum.IntEnum] | type[enum.IntFlag] | None) -> str:
    try:
        return f"{value} {values(value).name or ''}" if values else str(value)
    except ValueError:
        return str(value)
