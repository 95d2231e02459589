"""Attributes of NETLINK_EMU as Python values, both ways."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

from netlink_emu.protocol.attributes import NLA_F_NESTED, AttrWriter
from netlink_emu.protocol.format import ByteOrder
from netlink_emu.protocol.reading.decode import Decoder
from netlink_emu.protocol.reading.describe import INTEGER_SIZES, AttrSet, Kind

# The longest text of an attribute: with others it must fit a message of one page.
TEXT_MAX: Final = 2000


class Values:
    """A request's attributes: what is there, by member."""

    def __init__(self, payloads: Mapping[int, bytes], attrs: AttrSet, order: ByteOrder) -> None:
        self._payloads = payloads
        self._attrs = attrs
        self._order = order

    def __contains__(self, member: enum.IntEnum) -> bool:
        return int(member) in self._payloads

    def number(self, member: enum.IntEnum, default: int | None = None) -> int:
        """An integer; ValueError where it is missing and there is no default."""
        payload = self._payloads.get(int(member))
        if payload is None:
            if default is None:
                raise ValueError(f"{member.name} is missing")
            return default
        size = INTEGER_SIZES[self._attrs[member].kind]
        return int.from_bytes(payload[:size], self._order.name)

    def maybe(self, member: enum.IntEnum) -> int | None:
        """An integer, None where it is missing."""
        return self.number(member) if member in self else None

    def text(self, member: enum.IntEnum, default: str | None = None) -> str:
        """A string; ValueError where it is missing and there is no default."""
        payload = self._payloads.get(int(member))
        if payload is None:
            if default is None:
                raise ValueError(f"{member.name} is missing")
            return default
        return payload.partition(b"\0")[0].decode("utf-8", "replace")

    def nest(self, member: enum.IntEnum) -> dict[str, int]:
        """The integers of a nest by the names of their attributes."""
        payload = self._payloads.get(int(member), b"")
        inner = Decoder(self._order).attributes(payload, self._attrs[member].attrs)
        return {attr.name: attr.value for attr in inner if isinstance(attr.value, int)}


Value = int | str | bytes | Mapping[enum.IntEnum, int] | None


def write(attrs: AttrSet, values: Mapping[enum.IntEnum, Value], order: ByteOrder) -> bytes:
    """Attributes from values; those that are None are left out, a flag is ``b""``."""
    writer = AttrWriter(order)
    for member, value in values.items():
        if value is None:
            continue
        desc = attrs[member]
        if isinstance(value, str):
            data = (
                value.encode(errors="surrogateescape")[:TEXT_MAX]
                .decode("utf-8", "ignore")
                .encode()
                + b"\0"
            )
            writer.put(int(member), data)
        elif isinstance(value, bytes):
            writer.put(int(member), value)
        elif isinstance(value, Mapping):
            writer.put(int(member) | NLA_F_NESTED, write(desc.attrs, value, order))
        elif desc.kind is Kind.U64:
            writer.put_u64(int(member), value & 0xFFFFFFFFFFFFFFFF)
        else:
            writer.put_u32(int(member), value & 0xFFFFFFFF)
    return bytes(writer.data)


def check(attrs: AttrSet, values: Mapping[enum.IntEnum, Value]) -> None:
    """ValueError for a number, signed or not, of which :func:`write` would make another one."""
    for member, value in values.items():
        desc = attrs[member]
        if isinstance(value, Mapping):
            check(desc.attrs, value)
        elif isinstance(value, int):
            bits = 64 if desc.kind is Kind.U64 else 32
            if not -(1 << (bits - 1)) <= value < 1 << bits:
                raise ValueError(f"{member.name} has {bits} bits: {value} does not fit")
