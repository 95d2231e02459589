"""Fixed-size wire formats: declared once in construct, coded at the speed of ``struct``.

A :class:`Format` binds a construct declaration to a record. The declaration is a function of
a :class:`ByteOrder`, because netlink speaks the byte order of its host and the emulated host
need not be ours. From the declaration a ``struct.Struct`` codec is derived at import; property
tests hold both equal on every input.
"""

from __future__ import annotations

import dataclasses
import struct
import sys
from collections.abc import Callable
from typing import Any, Final, Generic, Literal, TypeVar

from construct import (
    Bytes,
    BytesInteger,
    Construct,
    FormatField,
    Int8ub,
    Int16ub,
    Int16ul,
    Int32sb,
    Int32sl,
    Int32ub,
    Int32ul,
    Int64sb,
    Int64sl,
    Int64ub,
    Int64ul,
    Padded,
    Renamed,
    Struct,
)

T = TypeVar("T")


class DecodeError(ValueError):
    """The bytes are not what the format says they should be."""


class EncodeError(ValueError):
    """A value does not fit where the format wants to put it."""


@dataclasses.dataclass(frozen=True, slots=True)
class ByteOrder:
    """The scalars of one byte order, as construct knows them; ``char`` is struct's prefix."""

    name: Literal["little", "big"]
    char: str
    u8: Construct[int, int]
    u16: Construct[int, int]
    u32: Construct[int, int]
    u64: Construct[int, int]
    s32: Construct[int, int]
    s64: Construct[int, int]


LITTLE: Final = ByteOrder("little", "<", Int8ub, Int16ul, Int32ul, Int64ul, Int32sl, Int64sl)
BIG: Final = ByteOrder("big", ">", Int8ub, Int16ub, Int32ub, Int64ub, Int32sb, Int64sb)
# Of what is said between processes of one host, whatever machine is emulated there.
HOST_ORDER: Final = LITTLE if sys.byteorder == "little" else BIG


def _struct_code(sub: Construct[Any, Any]) -> str:
    """struct's code for one member of a declaration, padding included."""
    inner = sub.subcon if isinstance(sub, Renamed) else sub
    if isinstance(inner, FormatField):
        return str(inner.fmtstr[-1])
    if isinstance(inner, Bytes) and not isinstance(inner, BytesInteger):
        return f"{inner.length}s"
    if isinstance(inner, Padded):
        return f"{inner.length}x"
    raise TypeError(f"no struct code for {inner!r}: fixed-size scalars, Bytes and Padding only")


def _byte_orders(construct: Struct) -> set[str]:
    """The byte orders that a declaration's members have, as struct's prefixes."""
    members = [sub.subcon if isinstance(sub, Renamed) else sub for sub in construct.subcons]
    scalars = [sub for sub in members if isinstance(sub, FormatField) and sub.sizeof() > 1]
    return {str(scalar.fmtstr[0]) for scalar in scalars}


def derive(construct: Struct, char: str) -> struct.Struct:
    """Make the ``struct`` codec that is equal to a declaration.

    ``char`` is the byte order's prefix; a declaration that has the same order for all hosts
    keeps that.
    """
    orders = _byte_orders(construct) or {char}
    if len(orders) != 1:
        raise TypeError(f"a declaration in {len(orders)} byte orders has no struct codec")
    return struct.Struct(orders.pop() + "".join(map(_struct_code, construct.subcons)))


def chain(char: str, *constructs: Struct) -> struct.Struct:
    """As :func:`derive`, for declarations whose bytes stand directly behind one another."""
    return derive(Struct(*[sub for construct in constructs for sub in construct.subcons]), char)


class Codec(Generic[T]):
    """The derived codec of a :class:`Format` in one byte order.

    ``pack(*values)`` and ``unpack_from(buffer, offset)`` are struct's own, for hot paths; the
    values stand in the order of the record's fields.
    """

    def __init__(self, record: type[T], construct: Struct, char: str) -> None:
        self.record: Final = record
        self.construct: Final = construct
        self._struct = derive(construct, char)
        self.size: Final = self._struct.size
        self.pack: Final = self._struct.pack
        self.pack_into: Final = self._struct.pack_into
        self.unpack_from: Final = self._struct.unpack_from
        self.names: Final = tuple(sub.name for sub in construct.subcons if sub.name)

    def decode(self, data: bytes | bytearray | memoryview, offset: int = 0) -> T:
        """Decode the record at ``offset``; raises DecodeError when the bytes do not suffice."""
        if len(data) - offset < self.size:
            raise DecodeError(
                f"{self.record.__name__} needs {self.size} bytes at {offset}, "
                f"found {max(0, len(data) - offset)}"
            )
        return self.record(*self._struct.unpack_from(data, offset))

    def encode(self, value: T) -> bytes:
        """Encode a record; raises struct.error when a value does not fit its field."""
        return self._struct.pack(*[getattr(value, name) for name in self.names])


class Format(Generic[T]):
    """A record and its declaration: ``FORMAT[LITTLE].decode(data)``."""

    def __init__(
        self,
        record: type[T],
        declare: Callable[[ByteOrder], tuple[Construct[Any, Any], ...]],
    ) -> None:
        self._codecs: dict[str, Codec[T]] = {}
        for order in (LITTLE, BIG):
            codec = Codec(record, Struct(*declare(order)), order.char)
            fields = tuple(field.name for field in dataclasses.fields(record))  # type: ignore[arg-type]
            if codec.names != fields:
                raise TypeError(f"{record.__name__} has {fields}, declared are {codec.names}")
            self._codecs[order.char] = codec
        self.size: Final = self._codecs["<"].size

    def __getitem__(self, order: ByteOrder) -> Codec[T]:
        return self._codecs[order.char]
