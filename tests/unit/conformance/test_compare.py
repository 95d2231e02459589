"""What counts as a difference between a step's record and its outcome."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import pytest

from netlink_emu.conformance.cases import bytes_text, ops
from netlink_emu.conformance.cases.case import Case, Cmsg, Datagram, Outcome, Step
from netlink_emu.conformance.cases.corpus import load_corpus
from netlink_emu.conformance.cases.masked import MaskedBytes, Symbol
from netlink_emu.conformance.cases.structure import stats_blocks
from netlink_emu.conformance.judge.bindings import Bindings
from netlink_emu.conformance.judge.compare import Mismatch, compare_step
from netlink_emu.conformance.targets.target import About
from netlink_emu.protocol.format import LITTLE

CASES = {case.name: case for case in load_corpus()}


class Knows:
    """A session that carries nothing out and knows some symbols."""

    def __init__(self, **values: int) -> None:
        self.values = values

    def execute(self, step: Step) -> Outcome:
        raise AssertionError("nothing is carried out here")

    def value_of(self, symbol: Symbol, about: About) -> int | None:
        return self.values.get(symbol.kind)


def compare(
    step: Step,
    outcome: Outcome,
    values: Mapping[str, int] | None = None,
    *,
    unordered: bool = False,
) -> list[Mismatch]:
    case = Case("x", "", "test", (step,), unordered=unordered)
    return list(compare_step(case, 0, step, outcome, Bindings(Knows(**(values or {})), LITTLE)))


def recv(*texts: str, error: str | None = None) -> Step:
    datagrams = tuple(Datagram(bytes_text.read(text, LITTLE)) for text in texts)
    return Step(ops.Recv(sock="a"), Outcome(datagrams=datagrams, error=error))


def got(*texts: str, error: str | None = None) -> Outcome:
    return Outcome(
        datagrams=tuple(Datagram(MaskedBytes(bytes.fromhex(t))) for t in texts), error=error
    )


def test_the_runners_nice_value_stands_for_0() -> None:
    """That of tasks which it has made: neither that of kthreadd, nor that of a group's sums."""
    for name, values, at in (
        ("get_pid_self", {"NICE": 7}, 45),
        ("get_pid_self", {}, None),
        ("get_pid_2_kthread", {"NICE": 7}, None),
        ("get_tgid_live", {"NICE": 7}, None),
    ):
        step = next(step for step in CASES[name].steps if has_block(step))
        (datagram, *_) = step.expect.datagrams or ()
        resolved = Bindings(Knows(**values), LITTLE).resolve(datagram.payload, "main")
        changed = [i for i, byte in enumerate(resolved.data) if byte != datagram.payload.data[i]]
        assert changed == ([] if at is None else [at]), name
        assert at is None or resolved.data[at] == 7


def has_block(step: Step) -> bool:
    return any(
        any(stats_blocks(datagram.payload.data, LITTLE))
        for datagram in step.expect.datagrams or ()
    )


def test_equal_bytes() -> None:
    assert compare(recv("0102"), got("0102")) == []


@pytest.mark.parametrize(
    ("came", "differing", "text"),
    [
        ("010203ff", ((3, 4),), "1 of 4 bytes differ, at 3"),
        ("ff02ffff", ((0, 1), (2, 4)), "3 of 4 bytes differ, at 0, 2-3"),
        ("0102", ((2, 4),), "4 bytes expected, 2 came"),
        ("0102030405", ((4, 5),), "4 bytes expected, 5 came"),
    ],
)
def test_bytes_that_differ(came: str, differing: tuple[tuple[int, int], ...], text: str) -> None:
    (mismatch,) = compare(recv("01020304"), got(came))
    assert (mismatch.what, mismatch.text) == ("datagram 0", text)
    assert mismatch.differing == differing


def test_a_symbol_is_checked_against_its_value() -> None:
    step = recv("01 FAMILY_ID(TASKSTATS)=1f00")
    assert compare(step, got("012a00"), {"FAMILY_ID": 42}) == []
    (mismatch,) = compare(step, got("011f00"), {"FAMILY_ID": 42})
    assert mismatch.differing == ((1, 2),)
    assert mismatch.expected == bytes.fromhex("012a00")


def test_a_symbol_that_nobody_knows_is_loose() -> None:
    assert compare(recv("01 WEATHER(tomorrow)=1f00"), got("01ffff")) == []


def test_a_loose_range_has_its_length() -> None:
    assert compare(recv("01 STATS(nvcsw)=0000"), got("0100")) != []


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"sender": (7, 0)}, "datagram 0: sender"),
        ({"sender": (0, 1)}, "datagram 0: sender"),
        ({"msg_flags": "TRUNC"}, "datagram 0: msg_flags"),
        ({"returned_length": 9}, "datagram 0: returned_length"),
        ({"cmsgs": (Cmsg(270, 3, MaskedBytes(bytes(4))),)}, "datagram 0: control messages"),
    ],
)
def test_what_comes_with_a_datagram(change: dict[str, object], what: str) -> None:
    outcome = got("0102")
    assert outcome.datagrams is not None
    changed = dataclasses.replace(outcome.datagrams[0], **change)  # type: ignore[arg-type]
    (mismatch,) = compare(recv("0102"), Outcome(datagrams=(changed,)))
    assert mismatch.what == what


def test_the_bytes_of_a_control_message() -> None:
    def with_cmsg(text: str) -> Datagram:
        return Datagram(MaskedBytes(b""), cmsgs=(Cmsg(1, 2, bytes_text.read(text, LITTLE)),))

    step = Step(ops.Recv(sock="a"), Outcome(datagrams=(with_cmsg("PID(c1)=01000000 00"),)))
    assert compare(step, Outcome(datagrams=(with_cmsg("09000000 00"),)), {"PID": 9}) == []
    (mismatch,) = compare(step, Outcome(datagrams=(with_cmsg("09000000 01"),)), {"PID": 9})
    assert mismatch.what == "datagram 0: control message 0"
    assert mismatch.differing == ((4, 5),)


def test_too_few_and_too_many_datagrams() -> None:
    (mismatch,) = compare(recv("01", "02"), got("01"))
    assert mismatch.text == "2 datagrams expected, 1 came"
    (mismatch,) = compare(recv("01"), got("01", "02"))
    assert mismatch.text == "1 datagrams expected, 2 came"


def test_order_counts() -> None:
    assert len(compare(recv("01", "02"), got("02", "01"))) == 2


def test_unordered_compares_count_lengths_and_senders() -> None:
    assert compare(recv("01", "0203"), got("ffff", "ff"), unordered=True) == []
    (mismatch,) = compare(recv("01", "0203"), got("ff", "ff"), unordered=True)
    assert mismatch.what == "lengths"


@pytest.mark.parametrize(
    ("expected", "came", "differs"),
    [
        (None, None, False),
        ("EAGAIN (nothing within 200ms)", "EAGAIN", False),
        ("ENOBUFS", "EAGAIN", True),
        ("EAGAIN (nothing within 200ms)", None, True),
        (None, "EAGAIN", True),
    ],
)
def test_errors(expected: str | None, came: str | None, *, differs: bool) -> None:
    mismatches = compare(recv("01", error=expected), got("01", error=came))
    assert [m.what for m in mismatches] == (["error"] if differs else [])


@pytest.mark.parametrize(
    ("expected", "came", "differs"),
    [
        ("0", "0", False),
        ("TRUNC|CTRUNC", "CTRUNC|TRUNC", False),
        ("MSG_CMSG_CLOEXEC", "CMSG_CLOEXEC", False),
        ("0x40000000", "CMSG_CLOEXEC", False),
        ("1073741856", "TRUNC|CMSG_CLOEXEC", False),
        ("TRUNC", "0", True),
        ("SURPRISE", "TRUNC", True),
    ],
)
def test_flags_are_compared_whoever_spelled_them(
    expected: str, came: str, *, differs: bool
) -> None:
    def outcome(flags: str) -> Outcome:
        return Outcome(datagrams=(Datagram(MaskedBytes(b"x"), msg_flags=flags),))

    mismatches = compare(Step(ops.Recv(sock="a"), outcome(expected)), outcome(came))
    assert [m.what for m in mismatches] == (["datagram 0: msg_flags"] if differs else [])


PORTID, PID, GROUPS = Symbol("PORTID", "a"), Symbol("PID", "c"), Symbol("NGROUPS_BYTES", "")


@pytest.mark.parametrize(
    ("expect", "outcome", "whats"),
    [
        (Outcome(result=28), Outcome(result=28), []),
        (Outcome(result=28), Outcome(result=27), ["result"]),
        (Outcome(result=28), Outcome(), ["result"]),
        (Outcome(result=[5, 1]), Outcome(result=[5, 2]), ["result 1"]),
        (Outcome(result=[5, 1]), Outcome(result=[5]), ["result"]),
        (Outcome(result=[5, 1], symbols={0: PORTID}), Outcome(result=[9, 1]), []),
        (Outcome(result={"status": 9}), Outcome(result={"status": 137}), ["result status"]),
        (Outcome(result={"pid": 9}, symbols={"pid": PID}), Outcome(result={"pid": 1}), []),
        (Outcome(optlen_out=8), Outcome(optlen_out=4), ["optlen"]),
        (Outcome(optlen_out=8, symbols={"optlen_out": GROUPS}), Outcome(optlen_out=4), []),
        (Outcome(value=b"\1"), Outcome(value=b"\2"), ["option value"]),
        (Outcome(value=b"\1"), Outcome(), ["option value"]),
    ],
)
def test_results(expect: Outcome, outcome: Outcome, whats: list[str]) -> None:
    step = Step(ops.GetSockName(sock="a"), expect)
    assert [m.what for m in compare(step, outcome)] == whats


def test_a_member_of_stats_that_cannot_be() -> None:
    case = CASES["event_exit_0"]
    step = case.steps[-1]
    (datagram,) = step.expect.datagrams or ()
    data = bytearray(datagram.payload.data)
    at = 36 + 216  # read_char
    data[at] = 1
    outcome = Outcome(
        error="EAGAIN",
        datagrams=(dataclasses.replace(datagram, payload=MaskedBytes(bytes(data))),),
    )
    values = {m.symbol.kind: datagram.payload.value(m, LITTLE) for m in datagram.payload.masks}
    values = {kind: v for kind, v in values.items() if kind not in ("STATS", "SEQ_EVENT")}
    (mismatch,) = compare(step, outcome, values)
    assert mismatch.text == "read_char is not a multiple of 1024"
    assert mismatch.differing == ((at, at + 8),)


def test_flatten_compares_messages_and_leaves_out_foreign_families() -> None:
    case = CASES["ctrl_dump_families_plain"]
    step = case.steps[-1]
    datagrams = step.expect.datagrams or ()
    everything = b"".join(datagram.payload.data for datagram in datagrams)

    def plain(*parts: bytes) -> Outcome:
        made = tuple(Datagram(MaskedBytes(part)) for part in parts)
        return Outcome(datagrams=made, error="EAGAIN")

    # In one datagram, in which there are only the families that every kernel has.
    ours = everything[:136] + everything[-20 - 112 :]
    assert compare(step, plain(ours), {"FAMILY_ID": 31}) == []
    assert compare(step, plain(everything), {"FAMILY_ID": 31}) == []
    without_done = everything[:136] + everything[-20 - 112 : -20]
    (mismatch,) = compare(step, plain(without_done), {"FAMILY_ID": 31})
    assert mismatch.text == "3 messages expected, 2 came"


SPOILED: dict[str, Callable[[bytes], bytes]] = {
    "shorter": lambda data: data[:-1],
    "longer": lambda data: data + b"\0",
    "another length in it": lambda data: b"\xff" + data[1:],
}


@pytest.mark.parametrize("how", SPOILED)
def test_spoiling_any_recorded_datagram_is_noticed(how: str) -> None:
    spoil = SPOILED[how]
    for case in CASES.values():
        if case.unordered:
            continue
        for index, step in enumerate(case.steps):
            datagrams = step.expect.datagrams or ()
            op = step.op
            if not datagrams or (isinstance(op, ops.Recv) and op.flatten):
                continue
            if any(m.symbol.kind == "FOREIGN_FAMILY" for m in datagrams[0].payload.masks):
                continue  # the whole of it may vary
            if not datagrams[0].payload.data:
                continue  # a read of no bytes has nothing to spoil
            spoiled = dataclasses.replace(
                datagrams[0], payload=MaskedBytes(spoil(datagrams[0].payload.data))
            )
            outcome = dataclasses.replace(step.expect, datagrams=(spoiled, *datagrams[1:]))
            bindings = Bindings(Knows(), LITTLE)
            found = list(compare_step(case, index, step, outcome, bindings))
            assert found, (case.name, index)
