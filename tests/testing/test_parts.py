"""The parts that the handle is made of, each by itself."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from netlink_emu.kernel.releases import profile_for
from netlink_emu.testing import EmulatorError
from netlink_emu.testing.directory import Directory
from netlink_emu.testing.errors import TimeIsUp
from netlink_emu.testing.handle.booted import Booted, BootOptions
from netlink_emu.testing.handle.clients import Clients
from netlink_emu.testing.handle.passing import Passing
from netlink_emu.testing.handle.waits import Waits
from netlink_emu.testing.thread.calls import Calls
from netlink_emu.testing.thread.loop import Loop
from netlink_emu.testing.waiting import Waiting

SCENARIO = '[[task]]\ncomm = "cron"\npid = 300\nstart = 1.0\ntimeline = [{ at = 1.0, exit = 2 }]\n'


def nothing() -> None:
    return


@pytest.fixture
def booted() -> Booted:
    options = BootOptions(profile_for("6.1"), 2, ["sshd"], (), control=False, seed=1)
    return Booted(options, Calls(nothing))


class TestCalls:
    def test_one_at_a_time_before_there_is_a_loop(self) -> None:
        calls = Calls(nothing)
        inside: list[int] = []
        most: list[int] = []

        def look() -> None:
            inside.append(1)
            most.append(len(inside))
            inside.pop()

        threads = [
            threading.Thread(target=lambda: [calls.call(look) for _ in range(50)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(most), max(most)) == (200, 1)

    def test_all_in_one_thread_from_then_on(self) -> None:
        calls = Calls(nothing)
        flushed: list[threading.Thread] = []
        calls.flush = lambda: flushed.append(threading.current_thread())
        assert calls.loop is calls.loop
        thread = calls.call(threading.current_thread)
        assert thread is not threading.current_thread()
        assert flushed == [thread]

    def test_a_failure_is_raised_once(self) -> None:
        changed: list[int] = []
        calls = Calls(lambda: changed.append(1))
        calls.failed(ExceptionGroup("", [ZeroDivisionError("ours")]))
        assert changed == [1]
        assert calls.look(lambda: 1) == 1
        with pytest.raises(EmulatorError, match="ZeroDivisionError"):
            calls.call(nothing)
        calls.call(nothing)


def test_a_boot_has_its_machine_journal_and_faults(booted: Booted) -> None:
    assert [task.comm for task in booted.tasks] == ["init", "sshd"]
    assert len(booted.journal) == 0
    booted.tasks.spawn("x").exit()
    assert len(booted.journal) == 2
    assert booted.faults.drop() in booted.own_faults.rules


def test_time_passes_from_one_thing_to_the_next(booted: Booted) -> None:
    passing = Passing(booted)
    begun = passing.now
    passing.play(SCENARIO, 0.5)
    assert booted.tasks.find(300) is None
    passing.advance(0.5)
    assert booted.tasks.find(300) is not None
    passing.advance(1.0)
    assert booted.tasks.find(300) is None
    assert passing.now == begun + 2.0


def test_waiting_says_what_happened_instead(booted: Booted) -> None:
    waiting = Waiting()
    clients = Clients(booted, waiting, Directory("netlink-emu-test-"), uid=0)
    waits = Waits(booted, clients, waiting)
    assert waits.until(lambda: len(booted.tasks), "tasks", 0) == 2
    booted.tasks.spawn("x")
    with pytest.raises(
        TimeIsUp, match=r"waited for a listener on CPU 1: nothing came(.|\n)*'x' started"
    ):
        waits.for_listener(1, 1, 0.01)
    assert clients.hopeless() is None


def test_a_directory_is_made_when_it_is_asked_for() -> None:
    directory = Directory("netlink-emu-test-")
    directory.remove()
    path = directory.path
    assert path.is_dir()
    assert directory.path == path
    directory.remove()
    assert not path.exists()


def test_who_waits_for_a_thread_that_dies_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop()
    loop.stop()
    # As if it had died with the call in its queue.
    monkeypatch.setattr(loop, "_trio", SimpleNamespace(run_sync_soon=lambda _run: None))
    with pytest.raises(EmulatorError, match="thread of the emulated kernels has ended"):
        loop.call(lambda: 1)
