"""Formats: a declaration, its record and the derived codec hang together."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import pytest
from construct import Array, Byte, Bytes, Int24ul, Padding, VarInt

from netlink_emu.protocol.format import BIG, LITTLE, ByteOrder, DecodeError, Format


@dataclass(frozen=True, slots=True)
class Sample:
    """One member of each kind."""

    small: int
    text: bytes
    big: int
    signed: int


SAMPLE = Format(
    Sample,
    lambda o: (
        "small" / o.u8,
        Padding(1),
        "text" / Bytes(2),
        Padding(4),
        "big" / o.u64,
        "signed" / o.s32,
    ),
)
RECORD = Sample(1, b"hi", 2, -3)


@pytest.mark.parametrize(
    ("order", "wire"),
    [
        (LITTLE, "01 00 6869 00000000 0200000000000000 fdffffff"),
        (BIG, "01 00 6869 00000000 0000000000000002 fffffffd"),
    ],
    ids=["little", "big"],
)
def test_both_byte_orders(order: ByteOrder, wire: str) -> None:
    codec = SAMPLE[order]
    data = bytes.fromhex(wire)
    assert SAMPLE.size == codec.size == len(data) == 20
    assert codec.encode(RECORD) == data
    assert codec.decode(data) == RECORD
    assert codec.decode(b"??" + data + b"??", 2) == RECORD
    assert codec.decode(memoryview(data)) == RECORD
    assert codec.pack(1, b"hi", 2, -3) == data
    assert codec.unpack_from(data) == (1, b"hi", 2, -3)
    buffer = bytearray(22)
    codec.pack_into(buffer, 2, 1, b"hi", 2, -3)
    assert buffer == b"\0\0" + data
    assert codec.names == ("small", "text", "big", "signed")


def test_padding_is_written_as_zeros_and_not_read() -> None:
    data = bytearray(SAMPLE[LITTLE].encode(RECORD))
    assert data[1] == 0
    data[1] = data[5] = 0xFF
    assert SAMPLE[LITTLE].decode(data) == RECORD


@pytest.mark.parametrize(
    ("length", "offset", "message"),
    [
        (19, 0, "Sample needs 20 bytes at 0, found 19"),
        (22, 3, "Sample needs 20 bytes at 3, found 19"),
        (0, 0, "Sample needs 20 bytes at 0, found 0"),
        (4, 9, "Sample needs 20 bytes at 9, found 0"),
    ],
)
def test_too_few_bytes(length: int, offset: int, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        SAMPLE[LITTLE].decode(bytes(length), offset)


def test_what_does_not_fit_its_member() -> None:
    with pytest.raises(struct.error):
        SAMPLE[LITTLE].encode(Sample(256, b"hi", 2, -3))


def test_record_and_declaration_must_agree() -> None:
    @dataclass
    class Other:
        a: int
        b: int

    with pytest.raises(TypeError, match=r"Other has \('a', 'b'\), declared are \('a',\)"):
        Format(Other, lambda o: ("a" / o.u8,))


@pytest.mark.parametrize(
    "member", [VarInt, Int24ul, Array(2, Byte)], ids=["VarInt", "three bytes", "array"]
)
def test_only_what_struct_can_do(member: Any) -> None:
    @dataclass
    class One:
        a: int

    with pytest.raises(TypeError, match="no struct code for"):
        Format(One, lambda _: ("a" / member,))


def test_a_declaration_may_have_one_order_for_all_hosts() -> None:
    @dataclass
    class Network:
        a: int
        b: int

    network = Format(Network, lambda o: ("a" / BIG.u16, "b" / o.u8))
    for order in (LITTLE, BIG):
        assert network[order].encode(Network(0x102, 3)) == bytes.fromhex("0102 03")
        assert network[order].decode(bytes.fromhex("0102 03")) == Network(0x102, 3)


def test_but_not_two_orders() -> None:
    @dataclass
    class Mixed:
        a: int
        b: int

    with pytest.raises(TypeError, match="in 2 byte orders has no struct codec"):
        Format(Mixed, lambda _: ("a" / BIG.u16, "b" / LITTLE.u32))
