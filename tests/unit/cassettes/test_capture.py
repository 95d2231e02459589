"""Cassettes as captures, and back."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from netlink_emu.cassettes import Answer, Bound, Cassette, Failed, Head, Option, Request, Stream
from netlink_emu.cassettes.capture import CaptureError, from_capture, to_capture
from netlink_emu.cassettes.text import texted
from netlink_emu.protocol.format import BIG
from netlink_emu.protocol.reading.pcapng import Packet, PcapngWriter, read_capture


def nlmsg(kind: int, seq: int, pid: int, body: bytes = b"") -> bytes:
    return struct.pack("<IHHII", 16 + len(body), kind, 1, seq, pid) + body


ROUTE = Stream(
    0, 3, "", (
        Bound(777, (1,)), Request(nlmsg(18, 5, 0)), Answer(nlmsg(16, 5, 777)),
        Answer(nlmsg(16, 0, 0, b"news"), group=1, after=250),
    ),
)  # fmt: skip
GENERIC = Stream(16, 3, "", (Bound(778), Request(nlmsg(16, 5, 778)), Answer(nlmsg(16, 5, 778))))
HEAD = Head("6.18.44", "x86_64")


def test_there_and_back() -> None:
    cassette = texted(Cassette(HEAD, (ROUTE, GENERIC)))
    data, lost = to_capture(cassette)
    assert [packet.family for packet in read_capture(data)] == [0, 0, 0, 16, 16]
    assert lost == [
        "the 2 sockets stand one after the other; comments say whose is what",
        "2 events are comments only (bound)",
    ]
    back, missing = from_capture(read_capture(data), release="6.18.44", arch="x86_64")
    assert back == cassette
    assert missing == ["options, errnos of calls, the types of sockets, names of programs"]


def test_what_is_no_datagram_is_a_comment() -> None:
    events = (Option(270, 11, b"\1"), *ROUTE.events, Failed("recvmsg", 105))
    data, _ = to_capture(Cassette(HEAD, (replace(ROUTE, events=events),)))
    first = next(read_capture(data))
    assert first.comments == (
        "Linux 6.18.44 x86_64",
        "socket 1 option: level 270, name 11, value 01",
        "socket 1 bind: portid 777, groups 1",
        "socket 1",
    )
    assert b"socket 1 recvmsg: ENOBUFS" in data


def test_of_an_nlmon_device_sockets_are_told_apart_by_portids() -> None:
    """Requests have nlmsg_pid 0 mostly; the answer of that nlmsg_seq has the portid."""
    packets = [
        Packet(1, nlmsg(18, 5, 0), to_kernel=True, family=0),
        Packet(2, nlmsg(18, 6, 0), to_kernel=True, family=0),
        Packet(3, nlmsg(16, 6, 800), to_kernel=False, family=0),
        Packet(4, nlmsg(16, 5, 700), to_kernel=False, family=0),
        Packet(5, nlmsg(16, 0, 0), to_kernel=False, family=0),
    ]
    cassette, lost = from_capture(packets)
    assert [[type(e) for e in stream.events] for stream in cassette.streams] == [
        [Bound, Request, Answer]
    ] * 2
    assert [stream.events[0] for stream in cassette.streams] == [Bound(700), Bound(800)]
    assert "1 multicast messages: a capture does not say to which group" in lost


def test_captures_that_cannot_be_converted() -> None:
    with pytest.raises(CaptureError, match="no netlink"):
        from_capture(read_capture(PcapngWriter().header()))
    writer = PcapngWriter(BIG)
    packet = Packet(1, nlmsg(18, 5, 0), to_kernel=True, family=0, order=BIG)
    data = writer.header() + writer.packet(packet)
    with pytest.raises(CaptureError, match=r"big-endian: say which .* --arch"):
        from_capture(read_capture(data))
    with pytest.raises(CaptureError, match="big-endian: x86_64 is not"):
        from_capture(read_capture(data), arch="x86_64")
    assert from_capture(read_capture(data), arch="s390x")[0].head.arch == "s390x"
