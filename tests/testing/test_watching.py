"""What ``netlink-emu watch`` asks a kernel, and how much of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from helpers.messages import get, receive, register
from helpers.nets import SECONDS, until
from helpers.stopped import Stopped

from netlink_emu.cli.watching import asking
from netlink_emu.cli.watching.asking import Asking, Commands, Watcher
from netlink_emu.cli.watching.news import Snapshot, Wanted
from netlink_emu.testing import EmulatedKernel
from netlink_emu.testing.remote.kernel import Remote


@pytest.fixture
def kernel() -> Iterator[EmulatedKernel]:
    with EmulatedKernel("6.18", arch="x86_64", cpus=4, control=True) as kernel:
        yield kernel


class Clock:
    """Time that passes when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ask(kernel: EmulatedKernel, clock: Clock) -> Iterator[Callable[..., Snapshot]]:
    with Remote(kernel.path) as remote:
        asks = Asking(remote, clock)
        yield lambda **wanted: asks.ask(Wanted(**wanted))


Ask = Callable[..., Snapshot]


def talk(kernel: EmulatedKernel, *pids: int) -> None:
    sock = kernel.connect()
    for pid in pids:
        sock.send(get(pid))
        receive(sock)


def test_all_that_a_kernel_has(kernel: EmulatedKernel, ask: Ask) -> None:
    kernel.tasks.spawn("nginx", pid=4201, cpu=3)
    sock = kernel.connect()
    sock.send(register("1,3"))
    receive(sock)
    kernel.faults.parse("errno error=EPERM cmd=TASKSTATS_CMD_GET")
    talk(kernel, 99)
    found = ask()
    assert found.release == "6.18"
    assert [row["pid"] for row in found.task_rows] == [1, 4201]
    assert found.tasks == 2
    assert [row["cpu"] for row in found.listener_rows] == [1, 3]
    assert [row["online"] for row in found.cpu_rows] == [1] * 4
    assert found.sockets == len(found.socket_rows) == 2
    assert found.rules[0]["applied"] == 1
    assert found.messages[-1].line.endswith("NLMSG_ERROR EPERM  about TASKSTATS_CMD_GET")
    assert [loss.what for loss in found.losses] == ["fault"]
    assert found.number == found.messages[-1].number


def test_what_is_new_comes_once(kernel: EmulatedKernel, ask: Ask) -> None:
    kernel.journal.note("one")
    assert [message.line for message in ask().messages] == ["one"]
    kernel.journal.note("two")
    assert [message.line for message in ask().messages] == ["one", "two"]
    assert [message.line for message in ask().messages] == ["one", "two"]
    kernel.journal.clear()
    kernel.journal.note("three")
    assert [message.line for message in ask().messages] == ["one", "two", "three"]


def test_of_too_many_the_newest_are_known_and_the_others_are_counted(
    kernel: EmulatedKernel, ask: Ask
) -> None:
    for number in range(10):
        kernel.journal.note(str(number))
    ask()
    for number in range(asking.AT_ONCE + 500):
        kernel.journal.note(str(number))
    found = ask().messages
    assert len(found) == 10 + asking.AT_ONCE
    assert [message.skipped for message in found if message.skipped] == [500]
    assert found[10].skipped == 500
    assert found[-1].line == str(asking.AT_ONCE + 499)


def test_what_is_kept_is_bounded(
    kernel: EmulatedKernel, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(asking.KEPT + 2 * asking.AT_ONCE):
        kernel.journal.note("x")
        if number % asking.AT_ONCE == 0:
            ask()
    assert len(ask().messages) == asking.KEPT
    monkeypatch.setattr(asking, "TASKS", 10)
    kernel.tasks.storm(5)
    for _ in range(20):
        kernel.tasks.spawn("x")
    assert len(ask(task_skip=1).task_rows) == 10


def test_losses_are_found_among_any_number_of_others(kernel: EmulatedKernel, ask: Ask) -> None:
    ask()
    kernel.faults.parse("drop cmd=TASKSTATS_CMD_GET")
    sock = kernel.connect()
    sock.send(get(1))
    kernel.wait_until(lambda kernel: bool(kernel.journal.faults()))
    for _ in range(1000):
        kernel.journal.note("x")
    found = ask()
    assert [loss.what for loss in found.losses] == ["fault"]
    assert "fault" not in {message.what for message in found.messages}


def test_criteria_choose_messages_and_none_brings_all_back(
    kernel: EmulatedKernel, ask: Ask
) -> None:
    talk(kernel, 1, 99)
    assert len(ask().messages) > 3
    chosen = ask(criteria="errno=ESRCH kind=request").messages
    assert ["pid 99" in message.line for message in chosen] == [True]
    talk(kernel, 98)
    chosen = ask(criteria="errno=ESRCH kind=request").messages
    assert ["pid 98" in message.line for message in chosen] == [False, True]
    assert len(ask().messages) > 5


def test_criteria_that_are_none_are_told_of_until_they_change(
    kernel: EmulatedKernel, ask: Ask
) -> None:
    talk(kernel, 1)
    assert ask(criteria="errno=ESRCHH").refused.startswith("there is no errno 'ESRCHH'")
    kernel.journal.note("x")
    assert ask(criteria="errno=ESRCHH").refused.startswith("there is no errno 'ESRCHH'")
    found = ask()
    assert found.refused == ""
    assert found.messages


def test_words_choose_tasks(kernel: EmulatedKernel, ask: Ask) -> None:
    kernel.tasks.spawn("nginx", pid=42)
    assert [row["pid"] for row in ask(words="ngi 4").task_rows] == [42]
    assert [row["pid"] for row in ask(task_skip=1).task_rows] == [42]
    assert ask(task_skip=1).task_skip == 1


def test_entries_in_a_second(kernel: EmulatedKernel, ask: Ask, clock: Clock) -> None:
    assert ask().rate == 0
    for _ in range(30):
        kernel.journal.note("x")
    clock.now += 2
    assert ask().rate == 15
    clock.now += 0.5
    assert ask().rate == 15
    clock.now += 0.5
    assert ask().rate == 0


def test_what_takes_long_is_asked_seldom(
    kernel: EmulatedKernel, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a second for the rest: nine times as long it is not asked for again."""
    with Remote(kernel.path) as remote:
        asks = Asking(remote, clock)
        dump = remote.dump

        def slow(name: str, values: object = None) -> object:
            clock.now += 0.5 if name == "task-get" else 0.0
            return dump(name, values)  # type: ignore[arg-type]

        monkeypatch.setattr(remote, "dump", slow)
        asks.ask(Wanted())
        kernel.tasks.spawn("new", pid=42)
        clock.now += 4.9
        assert len(asks.ask(Wanted()).task_rows) == 1
        assert len(asks.ask(Wanted(), hurried=True).task_rows) == 2
        kernel.tasks.spawn("newer", pid=43)
        assert len(asks.ask(Wanted(words="e")).task_rows) == 2
        clock.now += 5
        assert len(asks.ask(Wanted(words="e")).task_rows) == 2
        kernel.tasks.spawn("newest", pid=44)
        clock.now += 5
        assert len(asks.ask(Wanted(words="e")).task_rows) == 3


# --- the threads


def test_the_watcher_goes_on_until_the_kernel_ends(kernel: EmulatedKernel) -> None:
    watcher = Watcher(kernel.path)
    watcher.start()
    kernel.journal.note("hello")
    until(lambda: watcher.snapshot is not None and watcher.snapshot.messages)
    kernel.close()
    watcher.join(SECONDS)
    assert watcher.ended
    assert watcher.bug is None
    assert watcher.snapshot is not None
    assert watcher.snapshot.messages[0].line == "hello"


def test_what_is_done_is_looked_at_at_once(kernel: EmulatedKernel) -> None:
    watcher = Watcher(kernel.path)
    watcher.start()
    until(lambda: watcher.snapshot)
    kernel.tasks.spawn("x", pid=42)
    watcher.hurry()
    until(lambda: watcher.snapshot is not None and len(watcher.snapshot.task_rows) == 2)
    watcher.want(Wanted(words="nosuch"))
    until(lambda: watcher.snapshot is not None and not watcher.snapshot.task_rows)
    watcher.close()
    watcher.join(SECONDS)


def test_the_watcher_ends_when_it_is_closed(kernel: EmulatedKernel) -> None:
    watcher = Watcher(kernel.path)
    watcher.start()
    watcher.close()
    watcher.join(SECONDS)
    assert (watcher.ended, watcher.bug) == ("", None)


def test_how_long_a_kernel_has_not_answered(kernel: EmulatedKernel) -> None:
    watcher = Watcher(kernel.path)
    assert watcher.waited() == 0
    watcher.start()
    until(lambda: watcher.snapshot is not None)
    with Stopped(kernel):
        until(lambda: watcher.waited() > 0.5)
    until(lambda: watcher.waited() == 0)
    watcher.close()
    watcher.join(SECONDS)
    assert watcher.waited() == 0


def test_a_bug_of_the_watcher_is_not_lost(
    kernel: EmulatedKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher = Watcher(kernel.path)
    monkeypatch.setattr(Asking, "ask", lambda *_, **__: 1 / 0)
    watcher.start()
    watcher.join(SECONDS)
    assert isinstance(watcher.bug, ZeroDivisionError)


def test_there_is_no_watcher_without_a_kernel(kernel: EmulatedKernel) -> None:
    watcher = Watcher(kernel.path.parent / "nosuch")
    watcher.start()
    watcher.join(SECONDS)
    assert watcher.ended.startswith("no server at")
    assert watcher.snapshot is None


def test_commands_are_carried_out_one_after_the_other(kernel: EmulatedKernel) -> None:
    done = []
    commands = Commands(kernel.path, lambda: done.append(1))
    commands.start()
    for line in ("tasks spawn nginx --pid 42", "tasks exit 42", "tasks exit 42", "nosuch"):
        commands.ask(line)
    commands.close()
    commands.join(SECONDS)
    answers = [commands.answers.get(timeout=SECONDS) for _ in range(4)]
    assert [(answer.ok, answer.lines) for answer in answers] == [
        (True, ["pid 42"]),
        (True, []),
        (False, ["there is no task 42"]),
        (False, ["there is no 'nosuch' here; there are tasks, faults, journal, family"]),
    ]
    assert len(done) == 4
    assert commands.bug is None
