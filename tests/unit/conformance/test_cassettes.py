"""Cassettes as cases: their steps, other numbers of families, and what is told of answers."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

from netlink_emu.cassettes import Answer, Cassette, Failed, Head, RecordedFamily, Request, Stream
from netlink_emu.cassettes.fields import Fields
from netlink_emu.conformance.cassettes.answers import Answers
from netlink_emu.conformance.cassettes.numbers import FamilyNumbers
from netlink_emu.conformance.cassettes.run import Machine, cases_of
from netlink_emu.conformance.runner import Verdict
from netlink_emu.protocol.format import HOST_ORDER


def message(kind: int, body: bytes, *, flags: int = 0, seq: int = 1, pid: int = 0) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, seq, pid) + body


def link(mtu: int, **more: int) -> bytes:
    """RTM_NEWLINK with IFLA_MTU."""
    return message(16, bytes(16) + struct.pack("=HHI", 8, 4, mtu), **more)


DONE = message(3, bytes(4), flags=2)


def differences(
    recorded: Sequence[Answer | Failed], found: Sequence[Answer | Failed], *ignore: str
) -> list[str]:
    return [*Answers(Cassette(), ignore).differences(0, recorded, found)]


def test_what_differs_in_every_run_does_not() -> None:
    assert differences([Answer(link(1, seq=1, pid=1))], [Answer(link(1, seq=2, pid=2))]) == []


def test_how_a_dump_is_cut_does_not_matter() -> None:
    one = [Answer(link(1, flags=2) + link(2, flags=2)), Answer(DONE)]
    other = [Answer(link(1, flags=2)), Answer(link(2, flags=2) + DONE)]
    assert differences(one, other) == []


def test_news_are_not_answers() -> None:
    assert differences([Answer(link(1), group=1)], []) == []


def test_a_value() -> None:
    said = differences([Answer(link(1))], [Answer(link(2))])
    assert said == ["RTM_NEWLINK: IFLA_MTU is 2, recorded is 1"]
    assert differences([Answer(link(1))], [Answer(link(2))], "4") == []
    assert differences([Answer(link(1))], [Answer(link(2))], "IFLA_MTU") == []


def test_messages_that_are_more_or_fewer() -> None:
    assert differences([Answer(link(1)), Answer(DONE)], [Answer(DONE)]) == [
        "RTM_NEWLINK did not come"
    ]
    assert differences([Answer(DONE)], [Answer(link(1)), Answer(DONE)]) == [
        "RTM_NEWLINK came, and was not recorded"
    ]


def test_an_error_instead() -> None:
    refused = message(2, struct.pack("=i", -1) + message(18, b"")[:16])
    assert differences([Answer(link(1))], [Answer(refused)]) == [
        "NLMSG_ERROR EPERM came, recorded is RTM_NEWLINK"
    ]
    assert differences([Failed("sendto", 1)], [Failed("sendto", 13)]) == [
        "sendto: EACCES came, recorded is sendto: EPERM"
    ]


def test_families_have_other_numbers() -> None:
    there = {"a": RecordedFamily(30), "b": RecordedFamily(31)}
    here = {"b": RecordedFamily(30), "c": RecordedFamily(31)}
    numbers = FamilyNumbers(there, here, Fields(Cassette(Head(families=there)), HOST_ORDER))
    body = bytes((1, 1, 0, 0))
    assert numbers.translate(16, message(31, body)) == message(30, body)
    assert numbers.translate(16, message(30, body)) == message(30, body)  # which is not here
    assert numbers.translate(0, message(31, body)) == message(31, body)
    # In CTRL_ATTR_FAMILY_ID, and in what an error quotes.
    ask = bytes((3, 2, 0, 0))
    attribute = struct.pack("=HHHxx", 6, 1, 31)
    assert numbers.translate(16, message(16, ask + attribute)) == message(
        16, ask + struct.pack("=HHHxx", 6, 1, 30)
    )
    quoted = bytes(4) + message(31, body)
    assert numbers.translate(16, message(2, quoted)) == message(2, bytes(4) + message(30, body))


def test_a_case_for_each_socket() -> None:
    stream = Stream(0, 3, "ip", (Request(link(1)), Answer(DONE)))
    cases = [
        taped.case for taped in cases_of(Path("x/a.cassette"), Cassette(Head(), (stream,) * 2))
    ]
    assert [case.name for case in cases] == ["a-1", "a-2"]
    assert {case.group for case in cases} == {"a"}
    assert cases[0].title == "what ip asked by a route socket: 1 request"
    assert [step.label for step in cases[0].steps] == ["RTM_NEWLINK"]


def test_what_cannot_be_asked() -> None:
    """No socket is made for these."""
    harmful = Stream(0, 3, "", (Request(link(1)),))
    silent = Stream(0, 3, "", (Answer(link(1), group=1),))
    odd = Stream(0, 1 << 70, "", (Request(message(18, bytes(16))),))
    asks = Stream(16, 3, "", (Request(message(31, bytes((1, 1, 0, 0)))),))
    families = {"no such family": RecordedFamily(31)}
    here = Cassette(Head(families=families), (harmful, silent, asks, odd))
    there = Cassette(Head(arch="s390x"), (harmful,))
    taped = [*cases_of(Path("x"), here), *cases_of(Path("y"), there)]
    machine = Machine()
    report = machine.run(taped, {}, lambda _result: None)
    assert [result.reason for result in report.results] == [
        "it sends route RTM_NEWLINK, which no cassette may on a real machine",
        "it asks nothing",
        "this kernel has no family no such family",
        f"a netlink socket is raw or dgram, not of type {1 << 70}",
        "its bytes are big-endian",
    ]
    assert {result.verdict for result in report.results} == {Verdict.SKIPPED}
    assert machine.streams == []
