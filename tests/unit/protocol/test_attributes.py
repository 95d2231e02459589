"""Attributes: writing, nesting, walking."""

from __future__ import annotations

import pytest

from netlink_emu.protocol.attributes import (
    NLA_F_NESTED,
    NLA_HDRLEN,
    NLATTR,
    AttrWriter,
    NlAttr,
    nla_total_size,
    nla_walk,
)
from netlink_emu.protocol.format import BIG, LITTLE


def test_header() -> None:
    header = NlAttr(nla_len=8, nla_type=0x8001)
    assert NLATTR[LITTLE].encode(header) == bytes.fromhex("0800 0180")
    assert NLATTR[BIG].decode(bytes.fromhex("0008 8001")) == header
    assert NLA_HDRLEN == 4


@pytest.mark.parametrize(("payload", "size"), [(0, 4), (1, 8), (4, 8), (5, 12), (560, 564)])
def test_total_size(payload: int, size: int) -> None:
    assert nla_total_size(payload) == size


@pytest.mark.parametrize(
    ("order", "wire"),
    [
        pytest.param(
            LITTLE,
            "06000100 1f000000"  # the family id, padded
            "08000300 01000000"
            "0c000400 ffff000000000000"
            "0e000200 5441534b53544154 53000000"  # with its NUL
            "04000500"
            "05000600 ab000000",
            id="little",
        ),
        pytest.param(
            BIG,
            "00060001 001f0000"
            "00080003 00000001"
            "000c0004 000000000000ffff"
            "000e0002 5441534b53544154 53000000"
            "00040005"
            "00050006 ab000000",
            id="big",
        ),
    ],
)
def test_writer(order: object, wire: str) -> None:
    attrs = AttrWriter(BIG if order is BIG else LITTLE)
    attrs.put_u16(1, 0x1F)
    attrs.put_u32(3, 1)
    attrs.put_u64(4, 0xFFFF)
    attrs.put_string(2, "TASKSTATS")
    attrs.put(5)
    attrs.put(6, b"\xab")
    assert bytes(attrs.data) == bytes.fromhex(wire)


def test_nests_have_their_length_and_only_the_flag_that_was_asked_for() -> None:
    attrs = AttrWriter()
    with attrs.nest(6):
        with attrs.nest(1):
            attrs.put_u32(1, 1)
            attrs.put(2, b"ab")
        with attrs.nest(2 | NLA_F_NESTED):
            pass
    attrs.put_u32(7, 9)
    assert bytes(attrs.data) == bytes.fromhex(
        "1c000600  14000100    08000100 01000000    06000200 61620000  0400028008000700 09000000"
    )


def test_writer_goes_on_behind_what_is_there() -> None:
    data = bytearray(b"head")
    attrs = AttrWriter(data=data)
    with attrs.nest(1):
        attrs.put(2)
    assert data == b"head" + bytes.fromhex("08000100 04000200")


@pytest.mark.parametrize(
    ("wire", "found"),
    [
        pytest.param("", [], id="nothing"),
        pytest.param("040001", [], id="less than a header"),
        pytest.param("04000100", [(1, 4, 0)], id="no payload"),
        pytest.param("05000100 ff000000 04000200", [(1, 4, 1), (2, 12, 0)], id="padded"),
        pytest.param("05000100 ff", [(1, 4, 1)], id="the last one without its padding"),
        pytest.param("05000100 ff0000", [(1, 4, 1)], id="with a part of it"),
        pytest.param("03000100 04000200", [], id="shorter than its header"),
        pytest.param("00000100 04000200", [], id="length 0"),
        pytest.param("09000100 00000000", [], id="longer than the rest"),
        pytest.param("ffff0100 00000000", [], id="the longest"),
        pytest.param("04000180 04000240", [(0x8001, 4, 0), (0x4002, 8, 0)], id="flags are kept"),
        pytest.param("04000000 04000100 0102", [(0, 4, 0), (1, 8, 0)], id="bytes left over"),
    ],
)
def test_walk(wire: str, found: list[tuple[int, int, int]]) -> None:
    data = bytes.fromhex(wire)
    assert [*nla_walk(data, 0, len(data))] == found
    # The bounds count, not the buffer's.
    around = b"\x04\0\x09\0" + data + b"\x04\0\x09\0"
    shifted = [(nla_type, offset + 4, length) for nla_type, offset, length in found]
    assert [*nla_walk(around, 4, 4 + len(data))] == shifted
    assert [*nla_walk(memoryview(around), 4, 4 + len(data))] == shifted


def test_walk_in_big_endian() -> None:
    data = bytes.fromhex("0005 0001 ff000000")
    assert [*nla_walk(data, 0, 8, BIG)] == [(1, 4, 1)]
    assert [*nla_walk(data, 0, 8, LITTLE)] == []


def test_walk_between_bounds_that_cross() -> None:
    assert [*nla_walk(bytes(8), 8, 4)] == []
