"""The server's own message, against bytes written down by hand."""

from __future__ import annotations

import sys

import pytest

from netlink_emu.protocol.format import BIG, HOST_ORDER, LITTLE, ByteOrder
from netlink_emu.protocol.netlink import nlmsg_walk
from netlink_emu.protocol.ours.hello import (
    MAGIC,
    Hello,
    answer_hello,
    decode_hello,
    encode_hello,
    is_hello,
)

WIRE = bytes.fromhex(
    "00 00 00 00" "6e 65 74 6c" "69 6e 6b 2d" "65 6d 75 00"  # magic
    "01 00 00 00" "62 00 00 00"  # version, error
    "92 10 00 00" "01 00 00 00"  # portid, groups
    "00 08 00 00" "00 00 01 00"  # options, rcvbuf
)  # fmt: skip
HELLO = Hello(error=98, portid=4242, groups=1, options=1 << 11, rcvbuf=65536)


@pytest.mark.skipif(sys.byteorder != "little", reason="the vector is of a little-endian host")
def test_the_bytes_are_these() -> None:
    assert encode_hello(HELLO) == WIRE
    assert decode_hello(WIRE) == HELLO


def test_nothing_but_what_is_said_is_in_it() -> None:
    assert Hello() == Hello(MAGIC, 1, 0, 0, 0, 0, 0)


def test_a_kernel_would_drop_it_without_an_answer() -> None:
    assert list(nlmsg_walk(encode_hello(HELLO), HOST_ORDER)) == []


@pytest.mark.parametrize("wire", [b"", WIRE[:15], b"\x01" + WIRE[1:]])
def test_what_is_none_of_ours(wire: bytes) -> None:
    assert not is_hello(wire)


@pytest.mark.parametrize(
    "wire", [WIRE[:16], WIRE[:-1], WIRE + b"\0", WIRE[:16] + b"\2\0\0\0" + WIRE[20:]]
)
def test_what_is_ours_and_cannot_be_read(wire: bytes) -> None:
    assert is_hello(wire)
    assert decode_hello(wire) is None


@pytest.mark.parametrize("order", [LITTLE, BIG])
def test_an_answer_tells_the_kernels_byte_order(order: ByteOrder) -> None:
    answer = decode_hello(answer_hello(order, error=98, portid=4242))
    assert answer is not None
    assert (answer.order, answer.error, answer.portid) == (order, 98, 4242)


def test_an_answer_in_the_hosts_byte_order_has_no_options() -> None:
    assert answer_hello(HOST_ORDER, portid=7) == encode_hello(Hello(portid=7))
    other = decode_hello(answer_hello(BIG if HOST_ORDER is LITTLE else LITTLE))
    assert other == Hello(options=1)
