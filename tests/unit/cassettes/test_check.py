"""What is wrong with a cassette that can be read."""

from __future__ import annotations

import struct

import pytest

from netlink_emu.cassettes import (
    Answer,
    Bound,
    Cassette,
    Event,
    Failed,
    Head,
    RecordedFamily,
    Request,
    Stream,
)
from netlink_emu.cassettes.check import Finding, check
from netlink_emu.cassettes.text import texted

ROUTE, GENERIC = 0, 16
DUMP, ACK, MULTI = 0x301, 5, 2


def nlmsg(kind: int, flags: int, seq: int = 1, body: bytes = b"", order: str = "<") -> bytes:
    return struct.pack(f"{order}IHHII", 16 + len(body), kind, flags, seq, 0) + body


def of(*events: Event, protocol: int = ROUTE, head: Head | None = None) -> list[Finding]:
    stream = Stream(protocol, 3, events=events)
    return check(Cassette(head or Head("6.18", "x86_64"), (stream,)))


LINKS = Request(nlmsg(18, DUMP, body=bytes(16)))
LINK = Answer(nlmsg(16, MULTI, body=bytes(16)))
DONE = Answer(nlmsg(3, MULTI, body=bytes(4)))
ADD = Request(nlmsg(20, ACK, 2, bytes(8)))
SINGLE = Answer(nlmsg(20, 0, 2, bytes(8)))
ACKED = Answer(nlmsg(2, 0, 2, bytes(20)))


def test_a_whole_one() -> None:
    cassette = Cassette(
        Head("6.18", "x86_64"), (Stream(0, 3, events=(Bound(7), LINKS, LINK, DONE, ADD, ACKED)),)
    )
    assert check(cassette) == check(texted(cassette)) == []


@pytest.mark.parametrize(
    ("events", "at", "grave", "said"),
    [
        pytest.param((LINKS, LINK), 0, True, "NLMSG_DONE is missing", id="a dump cut off"),
        pytest.param((ADD,), 0, True, "it wants an ack, and has none", id="no ack"),
        pytest.param((ADD, SINGLE), 0, False, "wants an ack, which nobody has read", id="unread"),
        pytest.param((LINKS,), 0, False, "it has no answer", id="no answer"),
        pytest.param((DONE,), 0, False, "it answers no request", id="no request"),
        pytest.param((LINKS, Answer(LINK.data[:30]), DONE), 1, True, "its last 30 bytes are no",
                     id="half a message"),
        pytest.param((LINKS, Answer(b""), DONE), 1, True, "it has no bytes", id="nothing"),
        pytest.param((Request(nlmsg(18, DUMP, order=">")),), 0, True,
                     "its bytes are big-endian, and the head's arch is not", id="byte order"),
    ],
)  # fmt: skip
def test_what_is_missing(events: tuple[Event, ...], at: int, grave: bool, said: str) -> None:
    found = of(*events)
    assert (found[0].stream, found[0].event, found[0].grave) == (0, at, grave)
    assert said in found[0].said


def test_a_call_that_failed_is_an_answer() -> None:
    assert of(ADD, Failed("sendmsg", 1)) == []


def test_bytes_win_over_text() -> None:
    mtu = struct.pack("<HHI", 8, 4, 1500)
    asked = Request(nlmsg(18, 1, body=bytes(16) + mtu))
    [edited] = texted(Cassette(streams=(Stream(0, 3, events=(asked,)),))).streams[0].events
    assert isinstance(edited, Request)
    wrong = Request(edited.data, text=edited.text.replace("1500", "9000"))
    [finding] = of(wrong)
    assert finding == Finding(
        "its text says 'IFLA_MTU 9000', its bytes 'IFLA_MTU 1500'; the bytes are played", 0, 0
    )


def test_families_that_the_head_does_not_name() -> None:
    asked = Request(nlmsg(34, 1, body=bytes(4)))
    [finding] = of(asked, protocol=GENERIC)
    assert (finding.said, finding.grave) == ("the head does not name the families 34", False)
    known = Head("6.18", "x86_64", families={"nl80211": RecordedFamily(34)})
    assert of(asked, protocol=GENERIC, head=known) == []


def test_a_machine_that_nobody_knows() -> None:
    [finding] = of(LINKS, LINK, DONE, head=Head(arch="pdp11"))
    assert "unknown architecture 'pdp11'" in finding.said
