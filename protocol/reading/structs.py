"""Structs in attributes, member by member, for those who read them."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from ..cgroupstats import CGROUPSTATS
from ..format import LITTLE, ByteOrder
from ..taskstats import AcFlag, TaskstatsLayout, taskstats_layout
from .describe import Kind

Values = dict[str, int | str | bytes]


class Place(NamedTuple):
    """Where a member stands in its struct; ``flags`` names the bits of a number."""

    name: str
    offset: int
    size: int
    flags: type[enum.IntFlag] | None = None


class StructDesc(NamedTuple):
    """A kind of struct: its members' values by name, and where they stand.

    ``values`` is None for bytes that are no such struct, for which ``places`` is not asked.
    """

    values: Callable[[bytes, ByteOrder], Values | None]
    places: Callable[[bytes, ByteOrder], list[Place]]


def text_of(payload: bytes) -> str | bytes:
    """A string, its NUL taken off; the bytes where they are no text."""
    try:
        text = payload.removesuffix(b"\0").decode()
    except UnicodeDecodeError:
        return payload
    return text if text.replace("\n", "").isprintable() else payload


def layout_of(data: bytes, order: ByteOrder = LITTLE) -> TaskstatsLayout | None:
    """The layout of a STATS payload: of the version that it begins with, if the size is right.

    Blocks of thread groups have version 0 up to 7.0; their size tells, but for 15 and 16.
    """
    version = int.from_bytes(data[:2], order.name)
    for number in (version, 16, 17, 14, 13, 11, 10, 9, 8, 6, 5, 4, 3, 2, 1):
        if (number == version or not version) and 1 <= number <= 17:
            for align in (8, 4):
                layout = taskstats_layout(number, align)
                if layout.size == len(data):
                    return layout
    return None


def _taskstats_values(data: bytes, order: ByteOrder) -> Values | None:
    layout = layout_of(data, order)
    if layout is None:
        return None
    # Texts end at their first NUL.
    return {
        name: text_of(value.partition(b"\0")[0]) if isinstance(value, bytes) else value
        for name, value in layout.codec(order).decode(data).items()
    }


_FLAGS: Final = {"ac_flag": AcFlag}


def _taskstats_places(data: bytes, order: ByteOrder) -> list[Place]:
    layout = layout_of(data, order)
    assert layout is not None
    return [
        Place(name, member.offset, member.size, _FLAGS.get(name))
        for name, member in layout.fields.items()
    ]


def _cgroupstats_values(data: bytes, order: ByteOrder) -> Values | None:
    codec = CGROUPSTATS[order]
    if len(data) != codec.size:
        return None
    return dict(zip(codec.names, codec.unpack_from(data), strict=True))


def _cgroupstats_places(_data: bytes, order: ByteOrder) -> list[Place]:
    return [Place(name, 8 * index, 8) for index, name in enumerate(CGROUPSTATS[order].names)]


STRUCTS: Final[Mapping[Kind, StructDesc]] = {
    Kind.TASKSTATS: StructDesc(_taskstats_values, _taskstats_places),
    Kind.CGROUPSTATS: StructDesc(_cgroupstats_values, _cgroupstats_places),
}
