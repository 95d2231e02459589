"""Captures: what is written is read back, by both kinds of file; damage is named."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlink_emu.protocol.format import BIG, LITTLE, ByteOrder, DecodeError
from netlink_emu.protocol.pcapng import Packet, PcapngWriter, read_capture

NOW = 1_767_225_600_123_456_789
PACKETS = st.builds(
    Packet,
    time_ns=st.integers(0, (1 << 63) - 1),
    data=st.binary(max_size=80),
    to_kernel=st.booleans(),
    family=st.integers(0, 31),
    comments=st.lists(st.text(max_size=10), max_size=3).map(tuple),
)


def write(packets: list[Packet], order: ByteOrder = LITTLE) -> bytes:
    writer = PcapngWriter(order)
    return writer.header() + b"".join(map(writer.packet, packets))


@given(st.lists(PACKETS, max_size=4), st.sampled_from([LITTLE, BIG]))
def test_written_is_read(packets: list[Packet], order: ByteOrder) -> None:
    read = list(read_capture(write(packets, order)))
    assert [(p.time_ns, p.data, p.to_kernel, p.family, p.comments) for p in read] == [
        (p.time_ns, p.data, p.to_kernel, p.family, p.comments) for p in packets
    ]
    assert all(packet.order is order for packet in read)


def test_bytes_of_one_packet() -> None:
    data = PcapngWriter().packet(Packet(NOW, b"\x10\0\0\0", True, comments=("hi",)))
    assert data.hex(" ", 4) == (
        "06000000 48000000 00000000 51728618 15cd55f5 14000000 14000000"  # enhanced packet
        " 00070338 00000000 00000000 00000010 10000000"  # cooked header, big endian; the data
        " 02000400 02000000"  # epb_flags: outbound
        " 01000200 68690000"  # the comment
        " 00000000 48000000"
    )


@pytest.mark.parametrize("magic", [0xA1B2C3D4, 0xA1B23C4D])
@pytest.mark.parametrize("char", ["<", ">"])
def test_classic_pcap_of_an_nlmon_device(magic: int, char: str) -> None:
    cooked = struct.pack(">HH10xH", 6, 824, 16) + b"abcd"
    header = struct.pack(char + "IHHiIII", magic, 2, 4, 0, 0, 65535, 253)
    packet = struct.pack(char + "IIII", 5, 7, len(cooked), len(cooked)) + cooked
    (read,) = read_capture(header + packet)
    assert read.time_ns == 5 * 10**9 + (7 if magic == 0xA1B23C4D else 7000)
    assert (read.data, read.to_kernel, read.family) == (b"abcd", False, 16)


def test_time_resolutions_of_others() -> None:
    data = write([Packet(3_000_000, b"x", False)])
    microseconds = data.replace(b"\x09\0\x01\0\x09\0\0\0", b"\x09\0\x01\0\x06\0\0\0")
    assert next(read_capture(microseconds)).time_ns == 3_000_000_000
    binary = data.replace(b"\x09\0\x01\0\x09\0\0\0", b"\x09\0\x01\0\x94\0\0\0")
    assert next(read_capture(binary)).time_ns == 3_000_000 * 10**9 // 2**20


def test_packets_of_other_links_are_left_out() -> None:
    data = write([Packet(1, b"x", False)]).replace(b"\xfd\0\0\0\0\0\0\0", b"\x01\0\0\0\0\0\0\0")
    assert list(read_capture(data)) == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "neither a pcapng nor a pcap file"),
        (b"\x7fELF" + bytes(40), "neither a pcapng nor a pcap file"),
        (write([])[:20], "says that it has"),
        (struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0, 1), "link type 1, netlink is 253"),
        (write([])[:8] + bytes(4) + write([])[12:], "no byte-order magic"),
    ],
)
def test_damage_is_named(data: bytes, said: str) -> None:
    with pytest.raises(DecodeError, match=said):
        list(read_capture(data))


@given(st.binary(max_size=60), st.integers(0, 200))
def test_damage_gives_no_other_error(junk: bytes, where: int) -> None:
    data = bytearray(write([Packet(NOW, b"\x10\0\0\0" * 4, True)]))
    data[where : where + len(junk)] = junk
    with suppress(DecodeError):
        list(read_capture(bytes(data)))
