"""Two cassettes: what a client asked and heard otherwise."""

from __future__ import annotations

import struct

from netlink_emu.cassettes import (
    Answer,
    Bound,
    Cassette,
    Connected,
    Event,
    Failed,
    Head,
    Option,
    Request,
    Stream,
)
from netlink_emu.cassettes.compare import compare


def nlmsg(kind: int, seq: int, pid: int, body: bytes = b"", flags: int = 1) -> bytes:
    return struct.pack("<IHHII", 16 + len(body), kind, flags, seq, pid) + body


def mtu(value: int) -> bytes:
    return bytes(16) + struct.pack("<HHI", 8, 4, value)


def tape(*events: Event, protocol: int = 0) -> Cassette:
    return Cassette(Head(arch="x86_64"), (Stream(protocol, 3, events=events),))


def links(seq: int, portid: int, value: int = 1500) -> tuple[Event, ...]:
    asked = nlmsg(18, seq, 0, bytes(16))
    refused = nlmsg(2, seq, portid, struct.pack("<i", -19) + asked)
    return (
        Bound(portid, (1,)), Request(asked), Answer(nlmsg(16, seq, portid, mtu(value))),
        Answer(refused),
    )  # fmt: skip


def test_what_no_two_recordings_have_alike_does_not_count() -> None:
    assert [*compare(tape(*links(5, 777)), tape(*links(6, 888)))] == []
    assert [*compare(tape(Connected(0)), tape(Connected(0)))] == []


def test_an_attribute() -> None:
    lines = [*compare(tape(*links(5, 777)), tape(*links(5, 777, 9000)))]
    assert lines == [
        "socket 1 (route)",
        "  answer 1: RTM_NEWLINK REQUEST",
        "  -  IFLA_MTU 1500",
        "  +  IFLA_MTU 9000",
    ]
    assert [*compare(tape(*links(5, 777)), tape(*links(5, 777, 9000)), ["4"])] == []
    assert [*compare(tape(*links(5, 777)), tape(*links(5, 777, 9000)), ["IFLA_MTU"])] == []


def test_more_and_less() -> None:
    more = (Option(270, 11, b"\1\0\0\0"), *links(5, 777), Failed("recvmsg", 105))
    assert [*compare(tape(*links(5, 777)), tape(*more))] == [
        "socket 1 (route)",
        "+ option: level 270, name 11, value 01000000",
        "+ recvmsg: ENOBUFS",
    ]
    assert [*compare(tape(*more), tape(*links(5, 777)[:-1]))][-2:] == [
        "- answer 2: NLMSG_ERROR ENODEV REQUEST",
        "- recvmsg: ENOBUFS",
    ]


def test_sockets() -> None:
    two = Cassette(streams=(*tape(*links(1, 2)).streams, Stream(16, 3)))
    assert [*compare(tape(*links(1, 2)), two)] == ["+ socket 2 (generic)"]
    assert [*compare(tape(), tape(protocol=16))] == [
        "- socket 1 (route, type 3)",
        "+ socket 1 (generic, type 3)",
    ]


def test_bytes_without_names_have_their_place() -> None:
    one, other = (
        Answer(nlmsg(16, 1, 0, bytes(16) + tail)) for tail in (b"\5\0\1\0a", b"\5\0\1\0b")
    )
    [*_, minus, plus] = compare(tape(one), tape(other))
    assert (minus, plus) == ("  -  IFLA_ADDRESS 61", "  +  IFLA_ADDRESS 62")
    padded = [
        Answer(nlmsg(16, 1, 0, bytes(16) + b"\5\0\1\0a" + pad)) for pad in (b"\0xx", b"\0yy")
    ]
    assert [*compare(tape(padded[0]), tape(padded[1]))][-1] == (
        "  its bytes differ: byte 38 is 0x79, was 0x78"
    )
