"""The journal: what happened is there, questions find it, and say what comes near."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.kernel import Bench, make_bench

from netlink_emu.journal import Journal, UnknownName
from netlink_emu.journal.entries import (
    Bound,
    Closed,
    Dropped,
    Entry,
    Listener,
    Note,
    Opened,
    Overrun,
    Queued,
    Sent,
    TaskEvent,
)
from netlink_emu.kernel.trace import DropReason


@pytest.fixture
def bench() -> Bench:
    return make_bench()


@pytest.fixture
def journal(bench: Bench) -> Journal:
    return Journal(bench.kernel)


def kinds(journal: Journal) -> list[type[Entry]]:
    return [type(entry) for entry in journal]


class TestEntries:
    def test_an_exchange(self, bench: Bench, journal: Journal) -> None:
        sock = bench.sock(7)
        bench.ask(sock, bench.get(1, 4242, flags=4, seq=3))
        sock.release()
        assert kinds(journal) == [Opened, Bound, Sent, Queued, Queued, Closed]
        (request,) = journal.requests()
        assert (request.pid, request.comm, request.portid) == (4242, "client", 7)
        assert (request.cmd, request.attrs) == (
            "TASKSTATS_CMD_GET",
            {"TASKSTATS_CMD_ATTR_PID": 4242},
        )
        assert [(view.kind, view.answers) for view in journal.answers()] == [
            ("reply", "TASKSTATS_CMD_GET"),
            ("ack", "TASKSTATS_CMD_GET"),
        ]

    def test_several_requests_in_a_datagram(self, bench: Bench, journal: Journal) -> None:
        bench.ask(bench.sock(7), bench.get(1, 4242) + bench.get(1, 999) + bench.request(16, 77))
        assert [view.errno for view in journal.requests()] == [0, 3, 95]
        assert [view.answers for view in journal.answers()] == [
            "TASKSTATS_CMD_GET",
            "TASKSTATS_CMD_GET",
            "",
        ]

    def test_a_dump_answers_its_request_to_the_end(self, bench: Bench, journal: Journal) -> None:
        bench.ask(bench.sock(7), bench.request(16, 10, [(1, b"\x1f\0")], flags=0x300))
        kinds_seen = [view.kind for view in journal.answers(cmd="CTRL_CMD_GETPOLICY")]
        assert kinds_seen == ["dump"] * 7 + ["done"]

    def test_listeners_events_losses_and_prunes(self, bench: Bench, journal: Journal) -> None:
        sock = bench.sock(7)
        sock.setsockopt(bench.current, 1, 8, b"\1\0\0\0")  # SO_RCVBUF: room for one event
        bench.register(sock, "0")
        tasks = bench.machine.tasks
        for _ in range(3):
            tasks.do_group_exit(tasks.fork(comm="w"), 5 << 8)
        sock.release()
        tasks.do_group_exit(tasks.fork(comm="w"), 9)
        assert [(e.action, e.cpu) for e in journal.of(Listener)] == [
            ("registered", 0),
            ("pruned", 0),
        ]
        assert journal.prunes()[0].comm == "client"
        assert len(journal.events()) == 1
        assert [entry.reason for entry in journal.of(Dropped)] == [
            DropReason.NO_ROOM,
            DropReason.CONGESTED,
            DropReason.NOBODY,
        ]
        assert len(journal.overruns()) == 1
        assert journal.of(Overrun)[0].peer.portid == 7
        ended = [e for e in journal.of(TaskEvent) if e.exit_code is not None]
        assert [e.title().split(", ")[1] for e in ended] == ["code 5"] * 3 + ["signal 9"]
        # A task's end is told before its event.
        first_end, first_event = ended[0].number, journal.events()[0].entry.number
        assert first_end < first_event

    def test_a_socket_closed_with_datagrams_unread(self, bench: Bench, journal: Journal) -> None:
        sock = bench.sock(7)
        sock.sendmsg(bench.current, bench.get(1, 4242))
        sock.release()
        assert journal.of(Closed)[0].unread == 1

    def test_a_socket_that_was_there_before(self, bench: Bench) -> None:
        sock = bench.sock(7)
        journal = Journal(bench.kernel)
        bench.ask(sock, bench.get(1, 1))
        (request,) = journal.requests()
        assert (request.pid, request.portid) == (4242, 7)

    def test_only_the_newest_are_kept(self, bench: Bench) -> None:
        journal = Journal(bench.kernel, limit=3)
        bench.ask(bench.sock(7), bench.get(1, 1))
        journal.note("done")
        assert (len(journal), journal.forgotten, journal.number) == (3, 2, 5)

    def test_only_so_many_bytes_are_kept(self, bench: Bench) -> None:
        journal = Journal(bench.kernel, limit_bytes=2000)
        sock = bench.sock(7)
        for _ in range(10):
            bench.ask(sock, bench.get(1, 4242))
        kept = sum(entry.size for entry in journal)
        assert 1000 < kept <= 2000
        assert journal.number == journal.forgotten + len(journal)
        journal.clear()
        bench.ask(sock, bench.get(1, 4242))
        assert len(journal.answers()) == 1

    def test_a_long_datagram_is_decoded_each_time_it_is_looked_at(self, bench: Bench) -> None:
        """So that what is kept is its bytes, and not fifty times as much."""
        journal = Journal(bench.kernel)
        sock = bench.sock(7)
        sock.sendmsg(bench.current, bench.get(1, 998) * 300)
        sock.sendmsg(bench.current, bench.get(1, 999) * 300)
        first, second = (journal.requests(TASKSTATS_CMD_ATTR_PID=pid) for pid in (998, 999))
        assert (len(first), len(second)) == (300, 300)
        assert [view.index for view in second] == list(range(300))

    def test_what_is_closed_hears_no_more(self, bench: Bench, journal: Journal) -> None:
        journal.close()
        bench.ask(bench.sock(7), bench.get(1, 1))
        assert kinds(journal) == []
        assert bench.kernel.trace is None

    def test_two_journals(self, bench: Bench, journal: Journal) -> None:
        other = Journal(bench.kernel)
        bench.ask(bench.sock(7), bench.get(1, 1))
        assert kinds(other) == kinds(journal)
        other.close()
        bench.ask(bench.sock(8), bench.get(1, 1))
        assert len(journal) == 2 * len(other)


class TestQuestions:
    @pytest.fixture(autouse=True)
    def _exchange(self, bench: Bench, journal: Journal) -> None:
        sock = bench.sock(7)
        bench.ask(sock, bench.get(1, 4242))
        bench.ask(sock, bench.get(1, 999))
        bench.ask(sock, bench.get(2, 4242))

    def test_by_attribute(self, journal: Journal) -> None:
        assert len(journal.requests(TASKSTATS_CMD_ATTR_PID=999)) == 1
        assert len(journal.requests(attrs={"TASKSTATS_CMD_ATTR_PID": None})) == 2

    def test_by_errno(self, journal: Journal) -> None:
        (request,) = journal.requests(errno="ESRCH")
        assert request.attrs == {"TASKSTATS_CMD_ATTR_PID": 999}
        assert len(journal.answers(errno=3)) == 1

    def test_by_member_of_a_struct(self, journal: Journal) -> None:
        assert len(journal.answers(TASKSTATS_TYPE_STATS={"ac_comm": "client"})) == 1
        assert not journal.answers(TASKSTATS_TYPE_STATS={"ac_comm": "other"})

    def test_since_a_mark(self, bench: Bench, journal: Journal) -> None:
        mark = journal.number
        assert not journal.requests(since=mark)
        bench.ask(bench.sock(8), bench.get(1, 1))
        assert len(journal.requests(since=mark)) == 1

    def test_near_misses_are_named(self, journal: Journal) -> None:
        found = journal.requests(cmd="TASKSTATS_CMD_GET", comm="top", TASKSTATS_CMD_ATTR_PID=998)
        text = found.explain()
        assert text.startswith("no requests with cmd=TASKSTATS_CMD_GET comm=top")
        assert "Found 3 similar:" in text
        assert "but its comm is 'client', TASKSTATS_CMD_ATTR_PID is 999" in text
        assert "it has no TASKSTATS_CMD_ATTR_PID" in text
        assert repr(found).startswith("<no requests with cmd=TASKSTATS_CMD_GET comm=top")
        assert "; similar is #5 client[4242] portid 7 " in repr(found)

    def test_another_value_is_near_even_alone(self, journal: Journal) -> None:
        found = journal.requests(TASKSTATS_CMD_ATTR_PID=998)
        assert [missed for _, missed in found.similar()] == [
            ["TASKSTATS_CMD_ATTR_PID is 999"],
            ["TASKSTATS_CMD_ATTR_PID is 4242"],
        ]

    def test_nothing_near_shows_what_there_was(self, journal: Journal) -> None:
        text = journal.requests(cmd="CTRL_CMD_GETFAMILY").explain()
        assert "There were 3 others" in text

    def test_assertions(self, journal: Journal) -> None:
        journal.assert_request(cmd="TASKSTATS_CMD_GET", times=3)
        journal.assert_no_request(cmd="CTRL_CMD_GETFAMILY")
        with pytest.raises(AssertionError, match="wanted 1, found 3 requests"):
            journal.assert_request(cmd="TASKSTATS_CMD_GET", times=1)
        with pytest.raises(AssertionError, match="no requests with pid=1"):
            journal.assert_request(pid=1)
        with pytest.raises(AssertionError, match="wanted none"):
            journal.assert_no_request(cmd="TASKSTATS_CMD_GET")
        with pytest.raises(AssertionError, match=r"ESRCH \(to TASKSTATS_CMD_GET\)"):
            journal.assert_no_errors()

    @pytest.mark.parametrize(
        ("criteria", "said"),
        [
            ({"cmd": "TASKSTAT_CMD_GET"}, "there is no command .* did you mean TASKSTATS_CMD_GET"),
            ({"family": "taskstats"}, "there is no family 'taskstats'"),
            ({"kind": "event_"}, "did you mean event"),
            ({"errno": "ENOPE"}, "there is no errno 'ENOPE', did you mean"),
            ({"TASKSTATS_CMD_ATTR_PDI": 1}, "there is no attribute .* TASKSTATS_CMD_ATTR_PID"),
        ],
    )
    def test_a_slip_of_the_pen(
        self, journal: Journal, criteria: dict[str, Any], said: str
    ) -> None:
        with pytest.raises(UnknownName, match=said):
            journal.requests(**criteria)


def test_sinks_are_given_each_entry(bench: Bench, journal: Journal) -> None:
    seen: list[Entry] = []
    journal.sinks.append(seen.append)
    bench.ask(bench.sock(7), bench.get(1, 1))
    journal.note("that was it")
    assert seen == journal.entries
    assert isinstance(seen[-1], Note)
