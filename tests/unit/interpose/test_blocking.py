"""Which waiting calls a pending signal ends."""

from __future__ import annotations

import os
from errno import EFAULT

import pytest

from netlink_emu.host.proc import Status
from netlink_emu.interpose.client.memory import ClientGone, ClientMemory, ClientSealed
from netlink_emu.interpose.filter.seccomp import Notification
from netlink_emu.interpose.syscalls import blocking
from netlink_emu.interpose.syscalls.blocking import (
    Interruption,
    Waiting,
    WaitingRoom,
    find_interruptions,
    leader_takes,
)
from netlink_emu.interpose.syscalls.trap import Trap
from netlink_emu.protocol.errors import NetlinkError

ALARM = 1 << 13


def waiting(tid: int) -> Waiting:
    trap = Trap(Notification(tid, tid, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), ClientMemory(64))
    return Waiting(trap, sock=None, copy=-1, attempt=int)


def status(
    tgid: int, *, thread: int = 0, process: int = 0, blocked: int = 0, ignored: int = 0
) -> Status:
    return Status(
        tgid=tgid,
        ns_tgid=tgid,
        nested=False,
        zombie=False,
        uids=(0, 0, 0, 0),
        gids=(0, 0, 0, 0),
        cap_eff=0,
        threads=1,
        thread_pending=thread,
        process_pending=process,
        blocked=blocked,
        ignored=ignored,
    )


def test_a_signal_for_the_thread_ends_its_call() -> None:
    leader, other = waiting(10), waiting(11)
    calls = [(leader, status(10)), (other, status(10, thread=ALARM))]
    assert find_interruptions(calls) == [Interruption(other, certain=True)]


def test_a_signal_for_the_process_ends_the_leaders_call() -> None:
    leader, other = waiting(10), waiting(11)
    calls = [(other, status(10, process=ALARM)), (leader, status(10, process=ALARM))]
    assert find_interruptions(calls) == [Interruption(leader, certain=True)]


@pytest.mark.parametrize("how", ["blocked", "ignored"])
@pytest.mark.parametrize("whose", ["thread", "process"])
def test_signals_that_are_not_taken_end_nothing(how: str, whose: str) -> None:
    call = waiting(10)
    pending = status(10, **{whose: ALARM, how: ALARM})
    for _ in range(3):
        assert find_interruptions([(call, pending)]) == []


@pytest.mark.parametrize(("blocked", "takes"), [(0, True), (ALARM, False)])
def test_a_signal_is_the_leaders_also_when_it_has_just_taken_it(
    monkeypatch: pytest.MonkeyPatch, blocked: int, takes: bool
) -> None:
    monkeypatch.setattr(blocking, "read_status", lambda _tid: status(10, blocked=blocked))
    assert leader_takes(status(10, process=ALARM)) is takes


def test_a_signal_that_only_other_threads_take_is_given_time() -> None:
    """The leader runs elsewhere and may be about to take it: at the second look one is chosen."""
    calls = [(waiting(tid), status(10, process=ALARM)) for tid in (11, 12)]
    assert find_interruptions(calls) == []
    found = find_interruptions(calls)
    assert found == [Interruption(calls[0][0], certain=False)]
    # Were it the wrong one, the next is tried.
    calls = calls[1:]
    assert find_interruptions(calls) == [Interruption(calls[0][0], certain=False)]


def test_a_leader_that_is_elsewhere_takes_it_however_long_that_is() -> None:
    """On a busy machine it may not run for long; nobody else is to be woken for it."""
    calls = [(waiting(11), status(10, process=ALARM))]
    for _ in range(5):
        assert find_interruptions(calls, lambda _status: True) == []


def test_a_signal_that_was_taken_meanwhile_is_forgotten() -> None:
    call = waiting(11)
    assert find_interruptions([(call, status(10, process=ALARM))]) == []
    assert find_interruptions([(call, status(10))]) == []
    assert find_interruptions([(call, status(10, process=ALARM))]) == []


def test_a_leader_that_blocks_the_signal_is_not_woken() -> None:
    leader, other = waiting(10), waiting(11)
    calls = [
        (leader, status(10, process=ALARM, blocked=ALARM)),
        (other, status(10, process=ALARM)),
    ]
    assert find_interruptions(calls) == []
    assert find_interruptions(calls) == [Interruption(other, certain=False)]


def test_processes_are_apart() -> None:
    ten, twenty = waiting(10), waiting(20)
    calls = [(ten, status(10, process=ALARM)), (twenty, status(20, process=ALARM))]
    assert {found.call.trap.tid for found in find_interruptions(calls)} == {10, 20}


class Answers:
    """A listener that notes what is answered."""

    def __init__(self) -> None:
        self.given: list[tuple[int, int, int]] = []

    def answer(self, id: int, value: int = 0, error: int = 0) -> bool:
        self.given.append((id, value, error))
        return True


@pytest.mark.parametrize(
    ("problem", "answers"),
    [
        (NetlinkError(EFAULT), [(10, 0, EFAULT)]),
        (ClientGone(), []),
        (ClientSealed(), []),
    ],
    ids=["unmapped", "gone", "sealed"],
)
def test_a_call_that_ends_may_have_lost_the_memory_that_it_writes(
    problem: Exception, answers: list[tuple[int, int, int]]
) -> None:
    """recvmmsg() writes back what is left of its time-out."""

    def progress() -> int:
        raise problem

    listener = Answers()
    room = WaitingRoom(listener, lambda _exc: 0)  # type: ignore[arg-type]
    call = waiting(10)
    call.copy, call.progress, call.deadline = os.open(os.devnull, os.O_RDONLY), progress, 1.0
    room.add(call)
    room.expire(2.0)
    assert (listener.given, len(room)) == (answers, 0)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(call.copy)


def test_who_waits_for_long_is_looked_after_more_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.monotonic", lambda: 100.0)
    room = WaitingRoom(Answers(), lambda _exc: 0)  # type: ignore[arg-type]
    call = waiting(10)
    call.copy = os.open(os.devnull, os.O_RDONLY)
    room.add(call)
    assert room.pace(100.5) == blocking.TICK
    assert blocking.TICK < room.pace(102.0) < 0.15
    call.passed_over = 1
    assert room.pace(102.0) == blocking.TICK
    call.passed_over, call.polled = 0, True
    assert room.pace(102.0) == blocking.TICK
    room.close()
