"""Messages of two journals that correspond, and the fields in which they differ."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from helpers.kernel import make_bench

from netlink_emu.journal import Journal, pairs
from netlink_emu.journal.entries import Entry
from netlink_emu.journal.pairs import Pair, pair


def session(*pids: int, comm: str = "postgres") -> list[Entry]:
    """A client that asks for tasks, one after the other; 5000 is there."""
    bench = make_bench()
    journal = Journal(bench.kernel)
    bench.machine.tasks.fork(pid=5000, comm=comm)
    sock = bench.sock(7)
    for pid in pids:
        bench.ask(sock, bench.request(0x1F, 1, [(1, pid.to_bytes(4, "little"))]))
    return list(journal)


def names(found: Sequence[Pair]) -> list[tuple[bool, bool, list[str]]]:
    return [(p.a is not None, p.b is not None, [f.name for f in p.fields]) for p in found]


def test_the_same_session_twice() -> None:
    found = pair(session(5000, 99), session(5000, 99))
    assert len(found) == 4
    assert not any(each.differs for each in found)


def test_a_field_that_differs() -> None:
    found = pair(session(5000), session(5000, comm="mysqld"))
    [answer] = [each for each in found if each.differs]
    assert {field.name.rpartition("/")[2] for field in answer.fields} == {"ac_comm"}
    [field] = answer.fields
    assert (field.a, field.b) == ("b'postgres'", "b'mysqld'")


def test_another_value_in_a_request_is_no_other_request() -> None:
    request, answer = pair(session(98), session(99))
    assert [field.a for field in request.fields] == ["98"]
    assert [field.b for field in request.fields] == ["99"]
    assert answer.a is not None
    assert answer.b is not None


def test_an_error_instead_of_an_answer_is_alone_on_either_side() -> None:
    found = pair(session(5000), session(99))
    assert sorted(names(found)[1:]) == [(False, True, []), (True, False, [])]


def test_one_request_more() -> None:
    found = pair(session(5000), session(5000, 99))
    assert [(a, b) for a, b, _ in names(found)] == [(True, True)] * 2 + [(False, True)] * 2


def test_fields_are_ignored_by_name() -> None:
    one, other = session(5000), session(5000, comm="mysqld")
    assert not any(each.differs for each in pair(one, other, ["ac_comm"]))


def test_what_is_too_long_to_be_aligned(monkeypatch: pytest.MonkeyPatch) -> None:
    aligned = names(pair(session(5000, 99, 5000), session(5000, 99, 5000, 98)))
    monkeypatch.setattr(pairs, "_MOST_COMPARED", 0)
    assert names(pair(session(5000, 99, 5000), session(5000, 99, 5000, 98))) == aligned


def test_an_empty_journal() -> None:
    assert pair([], []) == []
    assert [(a, b) for a, b, _ in names(pair([], session(99)))] == [(False, True)] * 2
