"""The per-CPU counters of exit events, and facts across datagrams."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Mapping
from typing import Any

import pytest

from netlink_emu.conformance.cases import ops
from netlink_emu.conformance.cases.case import Case, Datagram, Outcome, Relation, Step
from netlink_emu.conformance.cases.corpus import load_corpus
from netlink_emu.conformance.cases.masked import MaskedBytes, Symbol
from netlink_emu.conformance.judge.bindings import Bindings
from netlink_emu.conformance.judge.compare import DISTURBED
from netlink_emu.conformance.judge.relations import Relations
from netlink_emu.conformance.judge.sequence import Sequence
from netlink_emu.conformance.targets.target import About
from netlink_emu.protocol.format import LITTLE

SEQ_CASE = next(case for case in load_corpus() if case.name == "event_seq_per_cpu")
RECV = SEQ_CASE.steps[-1]
CPUS = {"c1": 0, "c2": 0, "c3": 1, "c4": 0, "c5": 1}


class Nobody:
    def execute(self, step: Step) -> Outcome:
        raise AssertionError("nothing is carried out here")

    def value_of(self, symbol: Symbol, about: About) -> int | None:
        return {"PORTID": 0x90000000, "PID": 77}.get(symbol.kind)


def with_counters(*counters: int) -> Outcome:
    datagrams = []
    for datagram, counter in zip(RECV.expect.datagrams or (), counters, strict=True):
        data = bytearray(datagram.payload.data)
        struct.pack_into("<I", data, 8, counter & 0xFFFFFFFF)
        datagrams.append(dataclasses.replace(datagram, payload=MaskedBytes(bytes(data))))
    return Outcome(datagrams=tuple(datagrams), error="EAGAIN")


def faults(*counters: int, exact: bool = True) -> list[str]:
    bindings = Bindings(Nobody(), LITTLE)
    bindings.cpus = dict(CPUS)
    check = Sequence(exact)
    return [m.text for m in check.check(0, RECV, with_counters(*counters), bindings)]


@pytest.mark.parametrize(
    "counters",
    [(0, 1, 0, 2, 1), (500, 501, 7, 502, 8), (0xFFFFFFFF, 0x100000000, 3, 0x100000001, 4)],
)
def test_each_cpu_counts_for_itself_from_anywhere(counters: tuple[int, ...]) -> None:
    assert faults(*counters) == []


@pytest.mark.parametrize(
    "counters", [(0, 0, 0, 2, 1), (0, 2, 0, 3, 1), (1, 0, 0, 2, 1), (0, 1, 2, 3, 4)]
)
def test_a_counter_that_is_wrong(counters: tuple[int, ...]) -> None:
    assert any(text.startswith("nlmsg_seq of CPU") for text in faults(*counters))


def test_others_exits_may_come_between_on_a_real_machine() -> None:
    assert faults(0, 5, 0, 9, 1, exact=False) == []
    assert faults(0, 0, 0, 9, 1, exact=False) != []  # but it always counts
    assert faults(5, 4, 0, 9, 1, exact=False) != []


def relation(kind: str, **args: Any) -> list[str]:
    case = dataclasses.replace(SEQ_CASE, relations=(Relation(kind, "so it is", args),))
    outcomes = [Outcome()] * (len(case.steps) - 1) + [RECV.expect]
    return [m.text for m in Relations(case, outcomes, Bindings(Nobody(), LITTLE)).check()]


@pytest.mark.parametrize(
    ("kind", "args"),
    [
        ("seq_delta", {"a": ["e", 0], "b": ["e", 1], "value": 1}),
        ("same_bytes", {"a": ["e", 0], "b": ["e", 0]}),
        ("field_zero", {"a": ["e", 0], "fields": ["blkio_count"]}),
        ("field_nonzero", {"a": ["e", 0], "fields": ["version", "nvcsw"]}),
        ("fields_equal", {"a": ["e", 0], "x": "ac_btime", "y": "ac_btime64"}),
        ("field_ge", {"a": ["e", 0], "b": ["e", 0], "field": "nvcsw"}),
        ("portid_in", {"sock": "a", "low": 0x80000000, "high": 0xFFFFEFFF}),
        ("seq_delta", {"a": ["e", 0], "b": ["e", 99], "value": 7}),  # no such datagram came
        # Members that another version of the struct has.
        ("field_nonzero", {"a": ["e", 0], "fields": ["irq_delay_max_ts"]}),
        ("fields_equal", {"a": ["e", 0], "x": "version", "y": "ac_unheard_of"}),
        ("field_ge", {"a": ["e", 0], "b": ["e", 0], "field": "ac_unheard_of"}),
        ("field_equals_stat", {"a": ["e", 0], "field": "ac_unheard_of", "path": "/bin/true"}),
    ],
)
def test_relations_that_hold(kind: str, args: Mapping[str, Any]) -> None:
    assert relation(kind, **args) == []


@pytest.mark.parametrize(
    ("kind", "args", "text"),
    [
        ("seq_delta", {"a": ["e", 0], "b": ["e", 1], "value": 2}, "so it is: it is 1"),
        ("field_zero", {"a": ["e", 0], "fields": ["version"]}, "so it is: version are not 0"),
        ("field_nonzero", {"a": ["e", 0], "fields": ["ac_majflt"]}, "so it is: ac_majflt are 0"),
        ("fields_equal", {"a": ["e", 0], "x": "version", "y": "nvcsw"}, "so it is: 16 and 2"),
        ("portid_is_pid", {"sock": "a", "task": "c1"}, "so it is: 2415919104, the pid is 77"),
        ("portid_in", {"sock": "a", "low": 1, "high": 2}, "so it is: 0x90000000"),
        ("levitation", {}, "so it is: there is no relation levitation"),
    ],
)
def test_relations_that_do_not(kind: str, args: Mapping[str, Any], text: str) -> None:
    assert relation(kind, **args) == [text]


def test_what_did_not_hold_says_nothing() -> None:
    fact = Relation("seq_delta", "two", {"a": ["e", 0], "b": ["e", 1], "value": 5}, holds=False)
    case = dataclasses.replace(SEQ_CASE, relations=(fact,))
    outcomes = [Outcome()] * (len(case.steps) - 1) + [RECV.expect]
    assert Relations(case, outcomes, Bindings(Nobody(), LITTLE)).check() == []


def test_a_counter_may_go_further_where_others_listen() -> None:
    facts = (
        Relation("seq_delta", "one", {"a": ["e", 0], "b": ["e", 1], "value": 0}),
        Relation("seq_delta", "two", {"a": ["e", 0], "b": ["e", 1], "value": 5}),
    )
    case = dataclasses.replace(SEQ_CASE, relations=facts)
    outcomes = [Outcome()] * (len(case.steps) - 1) + [RECV.expect]
    relations = Relations(case, outcomes, Bindings(Nobody(), LITTLE), exact_sequence=False)
    assert [m.what for m in relations.check()] == [DISTURBED, "relation"]


def test_same_bytes_that_are_not() -> None:
    (text,) = relation("same_bytes", a=["e", 0], b=["e", 1])
    assert text.startswith("so it is: 54020000")


def test_a_case_without_labels_has_its_relations_at_the_end() -> None:
    case = Case(
        "x", "", "t", (Step(ops.Close(sock="a")),), relations=(Relation("nothing", "t", {}),)
    )
    (mismatch,) = Relations(
        case, [Outcome(datagrams=(Datagram(MaskedBytes(b"")),))], Bindings(Nobody(), LITTLE)
    ).check()
    assert mismatch.step == 0
