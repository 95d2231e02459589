"""Captures: what is written is read; whatever is read, only DecodeError is raised."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlink_emu.protocol.format import BIG, LITTLE, ByteOrder, DecodeError
from netlink_emu.protocol.reading.pcapng import Packet, PcapngWriter, read_capture

ORDERS = st.sampled_from([LITTLE, BIG])


def packets(order: ByteOrder) -> st.SearchStrategy[Packet]:
    return st.builds(
        Packet,
        time_ns=st.integers(0, (1 << 64) - 1),
        data=st.binary(max_size=40),
        to_kernel=st.booleans(),
        family=st.integers(0, 31),
        order=st.just(order),
        comments=st.lists(st.text(max_size=10), max_size=2).map(tuple),
    )


def capture(order: ByteOrder, sent: list[Packet]) -> bytes:
    writer = PcapngWriter(order)
    body = b"".join(writer.packet(packet) for packet in sent)
    return writer.header() + body + writer.end(7, ["the end"])


@given(data=st.data(), order=ORDERS)
def test_what_is_written_is_read(data: st.DataObject, order: ByteOrder) -> None:
    sent = data.draw(st.lists(packets(order), max_size=4))
    assert [*read_capture(capture(order, sent))] == sent


@given(data=st.data(), first=ORDERS, second=ORDERS)
def test_sections_follow_one_another(
    data: st.DataObject, first: ByteOrder, second: ByteOrder
) -> None:
    before = data.draw(st.lists(packets(first), max_size=2))
    behind = data.draw(st.lists(packets(second), max_size=2))
    assert [*read_capture(capture(first, before) + capture(second, behind))] == before + behind


@given(data=st.data(), order=ORDERS)
def test_a_damaged_capture(data: st.DataObject, order: ByteOrder) -> None:
    whole = bytearray(capture(order, data.draw(st.lists(packets(order), max_size=2))))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    with contextlib.suppress(DecodeError):
        assert all(isinstance(packet, Packet) for packet in read_capture(bytes(whole[:cut])))


MAGICS = [b"\x0a\x0d\x0d\x0a", b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\x3c\x4d"]


@given(start=st.sampled_from([b"", *MAGICS]), junk=st.binary(max_size=100))
def test_junk(start: bytes, junk: bytes) -> None:
    with contextlib.suppress(DecodeError):
        assert all(isinstance(packet, Packet) for packet in read_capture(start + junk))


def test_nothing_is_no_capture() -> None:
    with pytest.raises(DecodeError, match="neither a pcapng nor a pcap file"):
        list(read_capture(b""))
