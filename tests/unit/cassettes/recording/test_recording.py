"""What is noted of a client's sockets, and what becomes of it."""

from __future__ import annotations

import struct

import pytest

from netlink_emu.cassettes import (
    Answer,
    Bound,
    Cassette,
    Head,
    Option,
    RecordedFamily,
    Request,
    Stream,
    read_cassette,
    write_cassette,
)
from netlink_emu.cassettes.recording.finish import Incompatible, appended, finished
from netlink_emu.cassettes.recording.recording import Recording
from netlink_emu.protocol.format import LITTLE


def message(kind: int, flags: int, body: bytes = b"") -> bytes:
    return struct.pack("<IHHII", 16 + len(body), kind, flags, 9, 77) + body


def test_a_portid_is_noted_when_it_is_news() -> None:
    sock = Recording().open(0, 3, "ip", 10.0)
    for portid, groups in ((0, ()), (7, ()), (7, ()), (7, (1, 5)), (7, (1, 5))):
        sock.is_bound(portid, groups)
    assert sock.events == [Bound(7), Bound(7, (1, 5))]


def test_news_have_the_time_since_the_last_request() -> None:
    recording = Recording()
    sock = recording.open(0, 3, "ip", 10.0)
    sock.answer(b"one", 0, 1, 10.5)
    sock.request(b"two", 0, 0, 11.0)
    sock.answer(b"three", 0, 0, 12.0)
    sock.answer(b"four", 0, 1, 12.25)
    [stream] = recording.streams
    assert [getattr(event, "after", None) for event in stream.events] == [500, None, 0, 1250]


@pytest.mark.parametrize(
    ("flags", "portid", "answered", "unheard"),
    [(5, 0, False, 1), (0x301, 0, False, 1), (1, 0, False, 0), (5, 0, True, 0), (5, 8, False, 0)],
)
def test_answers_that_nobody_saw(flags: int, portid: int, answered: bool, unheard: int) -> None:
    recording = Recording()
    sock = recording.open(0, 3, "ip", 0)
    sock.request(message(16, flags), portid, 0, 0)
    if answered:
        sock.answer(b"", 0, 0, 0)
    assert recording.unheard == unheard


FAMILIES = {
    "asked": RecordedFamily(30),
    "joined": RecordedFamily(31, {"events": 9}),
    "neither": RecordedFamily(32, {"events": 10}),
}


def test_the_head_has_the_families_that_are_used() -> None:
    events = (Option(270, 1, struct.pack("<I", 9)), Request(message(30, 5, bytes(4))))
    route = Stream(0, 3, "ip", (Request(message(32, 5)),))
    cassette = finished(Head(families=FAMILIES), (Stream(16, 3, "x", events), route), LITTLE)
    assert [*cassette.head.families] == ["asked", "joined"]


def test_text_of_junk_can_be_written_and_read() -> None:
    name = "\x07\x1b\x85\ufffe\u2028\n\t|%".encode()
    getfamily = b"\x01\x02\0\0" + struct.pack("<HH", 4 + len(name), 2) + name + bytes(2)
    datas = [b"", b"\xff" * 40, message(16, 1, getfamily), message(16, 1, bytes(70_000))]
    streams = tuple(
        Stream(protocol, 3, "x", tuple(Request(data) for data in datas))
        for protocol in (0, 6, 12, 15, 16)
    )
    cassette = finished(Head("6.18"), streams, LITTLE)
    assert read_cassette(write_cassette(cassette), "x") == cassette


ONE = Cassette(Head("6.18", "x86_64", families={"a": RecordedFamily(30)}), (Stream(0, 3),))


def test_two_recordings_in_one() -> None:
    head = Head("6.18", "x86_64", families={"b": RecordedFamily(31)}, redacted=("b.1",))
    both = appended(ONE, Cassette(head, (Stream(16, 2, "", (Answer(b"x"),)),)))
    assert [stream.protocol for stream in both.streams] == [0, 16]
    assert [*both.head.families] == ["a", "b"]
    assert both.head.redacted == ("b.1",)


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (Head("6.1", "x86_64"), "it was recorded on Linux 6.18, this is 6.1"),
        (Head("6.18", "aarch64"), "it was recorded on x86_64, this is aarch64"),
        (
            Head("6.18", "x86_64", families={"a": RecordedFamily(31)}),
            "a has another number by now",
        ),
        (
            Head("6.18", "x86_64", families={"b": RecordedFamily(30)}),
            "b has the number that a had",
        ),
    ],
)
def test_recordings_of_two_kernels_are_not_one(head: Head, why: str) -> None:
    with pytest.raises(Incompatible, match=why):
        appended(ONE, Cassette(head))
