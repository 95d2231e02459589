"""Captures: what is written is read back, by both kinds of file; damage is named."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlink_emu.protocol.format import BIG, LITTLE, ByteOrder, DecodeError
from netlink_emu.protocol.reading.pcapng import Packet, PcapngWriter, read_capture

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
        (write([])[:4], "no byte-order magic"),
        (write([])[:3], "neither a pcapng nor a pcap file"),
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


def block(kind: int, body: bytes, char: str = "<") -> bytes:
    length = 12 + len(body)
    return struct.pack(char + "II", kind, length) + body + struct.pack(char + "I", length)


def section(char: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(char + "IHHq", 0x1A2B3C4D, 1, 0, -1), char)


def interface(link: int = 253, options: bytes = b"", char: str = "<") -> bytes:
    return block(1, struct.pack(char + "HHI", link, 0, 0) + options, char)


def enhanced(data: bytes, rest: bytes = b"") -> bytes:
    head = struct.pack("<IIIII", 0, 0, 5, len(data), len(data))
    return block(6, head + data + bytes(-len(data) % 4) + rest)


COOKED = struct.pack(">HH10xH", 7, 824, 16)


def test_the_header_and_the_end_byte_by_byte() -> None:
    writer = PcapngWriter(application="me")
    assert writer.header() == (
        block(
            0x0A0D0D0A,
            struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + b"\4\0\2\0me\0\0" + bytes(4),
        )
        + interface(options=b"\2\0\x0b\0netlink-emu\0" + b"\x09\0\1\0\x09\0\0\0" + bytes(4))
    )
    assert writer.end(7 << 32 | 9, ["so"]) == block(
        5, struct.pack("<III", 0, 7, 9) + b"\1\0\2\0so\0\0" + bytes(4)
    )


def test_the_direction_is_the_clients() -> None:
    for to_kernel, direction in ((True, 2), (False, 1)):
        data = PcapngWriter().packet(Packet(0, b"", to_kernel))
        assert data[-16:-8] == struct.pack("<HHI", 2, 4, direction)


def test_a_comment_longer_than_an_option() -> None:
    text = "x" * 65540
    (packet,) = read_capture(write([Packet(0, b"data", True, comments=(text,))]))
    assert packet.comments == (text[:65535],)
    (packet,) = read_capture(write([Packet(0, b"data", True, comments=(text[:65535],))]))
    assert packet.comments == (text[:65535],)
    (packet,) = read_capture(write([Packet(0, b"data", True, comments=(text, "next"))]))
    assert packet.comments == (text[:65535], "next")


@pytest.mark.parametrize("char", ["<", ">"])
def test_simple_packets(char: str) -> None:
    def simple(data: bytes, length: int) -> bytes:
        return block(3, struct.pack(char + "I", length) + data + bytes(-len(data) % 4), char)

    begin = section(char) + interface(char=char)
    packets = [*read_capture(begin + simple(COOKED + b"abcde", 21) + simple(COOKED, 16))]
    assert [(p.time_ns, p.data, p.to_kernel) for p in packets] == [
        (0, b"abcde", True),
        (0, b"", True),
    ]
    # Cut within the cooked header, of another link, of no interface, of another kind.
    assert [*read_capture(begin + simple(COOKED, 15))] == []
    assert [*read_capture(section(char) + interface(1, char=char) + simple(COOKED, 16))] == []
    assert [*read_capture(section(char) + simple(COOKED, 16))] == []
    other = struct.pack(char + "I", 16) + COOKED
    assert [*read_capture(begin + block(9, other, char))] == []


def test_packets_of_a_device_that_are_not_netlink() -> None:
    begin = section() + interface()
    assert [*read_capture(begin + enhanced(COOKED[:15]))] == []
    assert [*read_capture(begin + enhanced(struct.pack(">HH10xH", 7, 825, 16) + b"abcd"))] == []
    (packet,) = read_capture(begin + enhanced(COOKED + b"abcd"))
    assert (packet.data, packet.time_ns) == (b"abcd", 5000)


def test_the_default_resolution_is_a_microsecond_and_an_empty_option_is_none() -> None:
    for options in (b"", b"\x09\0\0\0" + bytes(4), b"\x08\0\1\0\3\0\0\0"):
        (packet,) = read_capture(section() + interface(options=options) + enhanced(COOKED))
        assert packet.time_ns == 5000


def test_options_end_where_they_say_so_or_where_the_block_does() -> None:
    begin = section() + interface()
    comment = b"\1\0\2\0hi\0\0"
    for rest, comments in (
        (comment + bytes(4) + comment, ("hi",)),
        (comment + comment, ("hi", "hi")),
        (b"\1\0\0\0", ("",)),
        (b"\1\0\1\0\xff\0\0\0", ("�",)),
    ):
        (packet,) = read_capture(begin + enhanced(COOKED + b"abcd", rest))
        assert packet.comments == comments
        # What follows the block is no option: an interface would read as an empty comment.
        (packet,) = read_capture(begin + enhanced(COOKED + b"abcd", rest) + interface())
        assert packet.comments == comments


def test_the_length_of_the_last_block() -> None:
    whole = section() + interface() + enhanced(COOKED)
    for wrong in (whole[:-4], whole + block(9, b"")[:-4], whole + struct.pack("<II", 9, 8)):
        with pytest.raises(DecodeError, match="the block at byte"):
            list(read_capture(wrong))
    assert len([*read_capture(whole + block(9, b""))]) == 1
    assert [*read_capture(section())] == []


def test_a_pcap_file_cut_within_a_packet() -> None:
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 253)
    one = struct.pack("<IIII", 5, 7, 20, 20) + COOKED + b"abcd"
    other = struct.pack("<IIII", 5, 7, 15, 15) + COOKED[:15]
    assert [p.data for p in read_capture(header + one + other + one)] == [b"abcd", b"abcd"]
    with pytest.raises(DecodeError, match="the packet at byte 76 is cut short"):
        list(read_capture(header + one + one[:-1]))
