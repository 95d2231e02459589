"""Observers are told what happens, in the order in which it does."""

from __future__ import annotations

import inspect
from errno import EAGAIN, ECONNREFUSED

import pytest
from helpers.kernel import Bench, fails

from netlink_emu.kernel.trace import DropReason, Observer, Observers


class Notes(Observer):
    """Writes down the name of whatever it is told, and what tells one from another."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, object]] = []


def _noting(name: str) -> object:
    def note(self: Notes, *args: object) -> None:
        self.notes.append((name, args[-1]))

    return note


KINDS = [name for name, value in vars(Observer).items() if inspect.isfunction(value)]
for _name in KINDS:
    setattr(Notes, _name, _noting(_name))


@pytest.fixture
def notes(bench: Bench) -> Notes:
    notes = Notes()
    bench.kernel.observe(notes)
    return notes


def names(notes: Notes) -> list[str]:
    return [name for name, _ in notes.notes]


def test_a_request_and_its_end(bench: Bench, notes: Notes) -> None:
    sock = bench.sock()
    sock.sendmsg(bench.current, bench.get(1, 99, flags=4), addr=bench.address(0))
    before, after = ["socket_opened", "socket_bound", "sent", "stats_wanted"], ["queued"]
    assert names(notes) == [*before, *after, "request_done"]
    assert notes.notes[-1] == ("request_done", 3)
    sock.release()
    assert names(notes)[-1] == "socket_closed"


def test_listeners_and_tasks(bench: Bench, notes: Notes) -> None:
    sock = bench.sock(7)
    bench.register(sock, "0-1")
    task = bench.machine.tasks.fork(cpu=0)
    bench.register(sock, "1", kind=4)
    sock.release()
    notes.notes.clear()
    bench.machine.tasks.do_exit(task, 0)
    assert names(notes) == ["task_exited", "dropped", "listener_pruned"]
    assert notes.notes[1] == ("dropped", DropReason.NOBODY)


def test_registrations(bench: Bench, notes: Notes) -> None:
    sock = bench.sock(7)
    for kind in (3, 3, 4, 4):
        bench.register(sock, "0-1", kind=kind)
    told = [note for note in notes.notes if note[0].startswith("listener")]
    assert told == [
        ("listener_registered", 0), ("listener_registered", 1),
        ("listener_deregistered", 0), ("listener_deregistered", 1),
    ]  # fmt: skip


def test_losses(bench: Bench, notes: Notes) -> None:
    sender, full, other = bench.sock(1), bench.sock(2), bench.sock(3)
    full.setsockopt(bench.current, 1, 8, bytes(4))
    other.connect(bench.current, bench.address(9))
    notes.notes.clear()
    for _ in range(2):
        sender.sendmsg(bench.current, bytes(100), addr=bench.address(2))
    with fails(EAGAIN):
        for _ in range(10):
            sender.sendmsg(bench.current, bytes(100), addr=bench.address(2))
    for portid in (3, 4):
        with fails(ECONNREFUSED):
            sender.sendmsg(bench.current, bytes(100), addr=bench.address(portid))
    lost = [note for note in notes.notes if note[0] == "dropped"]
    assert lost == [
        ("dropped", DropReason.NO_ROOM),
        ("dropped", DropReason.NOT_PEER),
        ("dropped", DropReason.NOBODY),
    ]


def test_an_overrun_and_what_follows(bench: Bench, notes: Notes) -> None:
    sock = bench.sock(7)
    sock.setsockopt(bench.current, 1, 8, bytes(4))
    bench.register(sock, "0")
    for _ in range(4):
        bench.machine.tasks.do_exit(bench.machine.tasks.fork(cpu=0), 0)
    told = [note for note in notes.notes if note[0] in ("queued", "dropped", "overrun")]
    assert [name for name, _ in told] == [
        "queued",
        "queued",
        "dropped",
        "overrun",
        "dropped",
        "dropped",
    ]
    reasons = [what for name, what in told if name == "dropped"]
    assert reasons == [DropReason.NO_ROOM, DropReason.CONGESTED, DropReason.CONGESTED]
    assert sock.drops == 3


def test_what_a_filter_swallows(bench: Bench, notes: Notes) -> None:
    sender, receiver = bench.sock(1), bench.sock(2)
    receiver.attach_filter([(6, 0, 0, 0)])
    sender.sendmsg(bench.current, b"x" * 16, addr=bench.address(2))
    assert notes.notes[-1] == ("dropped", DropReason.FILTER)
    bench.kernel.unobserve(notes)
    sender.sendmsg(bench.current, b"x" * 16, addr=bench.address(2))
    assert not receiver.receive_queue


def test_a_filter_on_a_dump(bench: Bench, notes: Notes) -> None:
    sock = bench.sock(1)
    sock.attach_filter([(6, 0, 0, 0)])
    sock.sendmsg(bench.current, bench.request(16, 3, flags=0x300), addr=bench.address(0))
    assert ("dropped", DropReason.FILTER) in notes.notes
    bench.kernel.unobserve(notes)
    assert not bench.ask(sock, bench.request(16, 3, flags=0x300))


class TestSeveral:
    def test_each_is_told_everything(self, bench: Bench) -> None:
        first, second = Notes(), Notes()
        bench.kernel.observe(first)
        bench.kernel.observe(second)
        sock = bench.sock(7)
        bench.register(sock, "0")
        bench.machine.tasks.do_exit(bench.machine.tasks.fork(cpu=0), 0)
        assert first.notes == second.notes != []
        bench.kernel.unobserve(first)
        seen = len(first.notes)
        sock.release()
        assert (len(first.notes), names(second)[-1]) == (seen, "socket_closed")
        bench.kernel.unobserve(second)
        assert bench.kernel.trace is None
        bench.machine.tasks.fork()
        assert names(second)[-1] == "socket_closed"
        with pytest.raises(ValueError, match="does not observe"):
            bench.kernel.unobserve(second)

    @pytest.mark.parametrize("kind", KINDS)
    def test_whatever_there_is_to_tell(self, kind: str) -> None:
        both = Notes(), Notes()
        arity = len(inspect.signature(getattr(Observer, kind)).parameters) - 1
        getattr(Observers(both), kind)(*range(arity))
        assert [notes.notes for notes in both] == [[(kind, arity - 1)]] * 2
        assert getattr(Observer(), kind)(*range(arity)) is None
