"""The view: what keys do, what is shown, in lines as wide as the screen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from netlink_emu.cli.watching.cells import Style, width_of
from netlink_emu.cli.watching.compose import compose
from netlink_emu.cli.watching.news import Answer, Message, Snapshot, Wanted
from netlink_emu.cli.watching.view import Over, View

SIZES = [(80, 24), (200, 50), (40, 12)]


def task(pid: int, comm: str = "worker", **others: int) -> dict[str, Any]:
    return {
        "pid": pid, "tgid": pid, "ppid": 1, "comm": comm, "cpu": 0, "uid": 0, "gid": 0,
        "nice": 0, "policy": 0, "state": 1, **others,
    }  # fmt: skip


def sock(portid: int, comm: str = "client", **others: Any) -> dict[str, Any]:
    return {
        "portid": portid, "pid": portid, "comm": comm, "protocol": 16, "families": "TASKSTATS",
        "groups": "", "datagrams": 0, "queue": 0, "rcvbuf": 212992, "drops": 0, **others,
    }  # fmt: skip


def entry(number: int, text: str = "hello", what: str = "note", skipped: int = 0) -> Message:
    return Message(number, number / 10, what, f"{number / 10:12.6f} #{number} {text}", skipped)


SNAPSHOT = Snapshot(
    release="6.18.0", seconds=3725.5, number=40, rate=12.0, sockets=2, tasks=3, drops=1,
    socket_rows=(sock(77, drops=1), sock(78, "other", protocol=0, groups="TASKSTATS:x 5")),
    listener_rows=tuple({"portid": 77, "cpu": cpu} for cpu in (0, 1, 3)),
    cpu_rows=tuple({"cpu": cpu, "online": int(cpu != 2)} for cpu in range(5)),
    task_rows=(task(1, "init"), task(42, "nginx"), task(43, "gone", exit_status=256)),
    rules=({"id": 1, "rule": "drop cmd=X", "seen": 3, "applied": 2},),
    messages=tuple(entry(number) for number in range(1, 41)),
    losses=(entry(7, "kernel → client[77] LOST: no room", "dropped"),),
)  # fmt: skip


class Shown:
    """A view, and its screen at some size."""

    def __init__(
        self, snapshot: Snapshot = SNAPSHOT, size: tuple[int, int] = (80, 24), **options: Any
    ) -> None:
        self.asked: list[str] = []
        self.size = size
        self.view = View("./nl", self.asked.append, **options)
        self.view.take(snapshot)

    def keys(self, *keys: str) -> Shown:
        for key in keys:
            self.text()
            self.view.key(key)
        return self

    def type(self, text: str) -> Shown:
        return self.keys(*text)

    def lines(self) -> list[str]:
        screen = compose(self.view, *self.size)
        lines = ["".join(span.text for span in line) for line in screen.lines]
        assert len(lines) == self.size[1]
        assert {width_of(line) for line in lines} == {self.size[0]}
        assert all(line.isprintable() for line in lines)
        return lines

    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.lines())

    def chosen(self) -> str:
        """The row that the keys are for."""
        screen = compose(self.view, *self.size)
        spans = [span for line in screen.lines for span in line if span.style is Style.CHOSEN]
        return " ".join(spans[0].text.split()) if spans else ""


@pytest.mark.parametrize("size", SIZES[:2])
def test_all_panes_are_there(size: tuple[int, int]) -> None:
    text = Shown(size=size).text()
    for told in (
        "netlink-emu ./nl  Linux 6.18.0  up 1:02:05", "1 Sockets 2", "client[77]", "0/212992",
        "2 Listeners for exits", "CPU 0-1,3  77 client", "3 Tasks 3", "nginx", "4 Messages 40",
        "4.000000  hello", "5 Lost 1; 2 faults by 1 rule", "rule 1", "applied 2, matched 3",
        "q quit",
    ):  # fmt: skip
        assert told in text
    assert ("│" in text) is (size[0] == 200)


def test_cpus_with_the_same_listeners_are_one_row_and_offline_ones_are_told() -> None:
    text = Shown().keys("2", "z").text()
    assert [line.split("  ", 1) for line in text.splitlines()[2:5]] == [
        ["CPU 0-1,3", "77 client"],
        ["CPU 2", "    nobody, offline"],
        ["CPU 4", "    nobody"],
    ]


def test_sockets_of_other_protocols_have_its_name() -> None:
    text = Shown(size=(200, 50)).keys("1", "z").text()
    assert "route" in text
    assert "TASKSTATS:x 5" in text


@pytest.mark.parametrize("size", SIZES)
def test_every_pane_fills_the_screen_alone(size: tuple[int, int]) -> None:
    for key in "123456":
        shown = Shown(size=size, output=lambda: ["one", "two"]).keys(key, "z")
        assert shown.text().count("──") >= 1
        assert shown.view.pane.title(SNAPSHOT) in shown.text()


def test_below_a_size_it_says_so() -> None:
    assert "too small" in Shown(size=(30, 5)).text()


def test_tab_goes_round() -> None:
    shown = Shown()
    found = []
    for key in ("TAB", "TAB", "TAB", "BACKTAB"):
        shown.keys(key)
        found.append(shown.view.pane.name)
    assert found == ["losses", "sockets", "listeners", "sockets"]


def test_messages_follow_until_one_goes_up_and_again_at_the_end() -> None:
    shown = Shown()
    assert shown.chosen() == "4.000000 hello"
    shown.keys("UP", "UP")
    assert shown.chosen() == "3.800000 hello"
    more = replace(SNAPSHOT, messages=(*SNAPSHOT.messages[20:], entry(41, "new")))
    shown.view.take(more)
    assert shown.chosen() == "3.800000 hello"
    shown.keys("END")
    assert shown.chosen() == "4.100000 new"
    shown.view.take(replace(more, messages=(*more.messages, entry(42, "newer"))))
    assert shown.chosen() == "4.200000 newer"


@pytest.mark.parametrize("skip", [0, 1])
def test_the_chosen_task_stays_the_chosen_one(skip: int) -> None:
    shown = Shown().keys("3", "DOWN", "DOWN")
    assert shown.chosen().startswith("43 43")
    rows = (task(1), task(7), task(8), task(43, "gone"))
    shown.view.take(replace(SNAPSHOT, tasks=4, task_skip=skip, task_rows=rows[skip:]))
    assert shown.chosen().startswith("43 43")
    shown.view.take(replace(SNAPSHOT, tasks=2, task_rows=(task(1), task(43, "gone"))))
    assert shown.chosen().startswith("43 43")
    shown.view.take(replace(SNAPSHOT, tasks=1, task_rows=(task(1),)))
    assert shown.chosen().startswith("1 1")


def test_home_end_and_pages() -> None:
    shown = Shown().keys("HOME")
    assert shown.chosen() == "0.100000 hello"
    shown.keys("PAGEDOWN")
    page = shown.view.places["messages"].height - 1
    assert shown.chosen() == f"{(1 + page) / 10:.6f} hello"
    shown.keys("G", "PAGEUP")
    assert shown.chosen() == f"{(40 - page) / 10:.6f} hello"


def test_what_is_paused_stays_and_is_read_on() -> None:
    shown = Shown().keys("p")
    assert "PAUSED" in shown.text()
    assert not shown.view.take(replace(SNAPSHOT, messages=(entry(99, "later"),)))
    assert shown.keys("UP").chosen() == "3.900000 hello"
    shown.keys(" ")
    assert shown.view.take(replace(SNAPSHOT, messages=(entry(99, "later"),)))
    assert "later" in shown.text()
    assert "PAUSED" not in shown.text()


def test_words_filter_all_panes_and_the_kernel_is_asked_for_tasks_with_them() -> None:
    shown = Shown().keys("/").type("OTHER 7").keys("ENTER")
    text = shown.text()
    assert "other[78]" in text
    assert "client[77]" not in text
    assert "hello" not in text
    assert "filter: OTHER 7" in text
    assert shown.view.wanted() == Wanted(0, "other 7", "")
    shown.keys("ESC")
    assert "hello" in shown.text()
    assert shown.view.wanted() == Wanted()


def test_a_task_without_the_words_is_not_chosen_though_the_kernel_is_yet_to_be_asked() -> None:
    shown = Shown().keys("3", "/").type("nginx").keys("ENTER")
    assert shown.chosen().startswith("42 42")
    shown = Shown().keys("3", "/").type("later").keys("ENTER", "e")
    assert shown.view.prompt is not None
    assert shown.view.prompt.text == "tasks exit "


def test_criteria_are_the_kernels_business() -> None:
    shown = Shown().keys("/").type("hello cmd=TASKSTATS_CMD_GET errno=ESRCH").keys("ENTER")
    assert shown.view.wanted() == Wanted(0, "hello", "cmd=TASKSTATS_CMD_GET errno=ESRCH")
    assert "hello" in shown.text()
    shown.view.take(replace(SNAPSHOT, refused="there is no errno 'ESRCHH'"))
    assert "there is no errno 'ESRCHH'" in shown.text()


def test_a_filter_that_is_given_up_changes_nothing() -> None:
    shown = Shown().keys("/").type("zzz").keys("ESC")
    assert shown.view.filter == ""
    assert "hello" in shown.text()


def test_enter_tells_all_of_a_row() -> None:
    lines = "\n".join(f"attribute {number}" for number in range(60))
    snapshot = replace(SNAPSHOT, messages=(entry(1, f"client → kernel\n{lines}"),))
    shown = Shown(snapshot).keys("ENTER")
    assert shown.view.over is Over.DETAILS
    assert "attribute 3\n" in shown.text()
    assert "attribute 59" not in shown.text()
    assert "attribute 59" in shown.keys("END").text()
    assert "attribute 57" in shown.keys("UP").text()
    assert "attribute 3\n" in shown.keys("HOME").text()
    assert shown.keys("ESC").view.over is Over.NOTHING
    assert shown.view.quit is False


@pytest.mark.parametrize("pane", "123456")
def test_enter_works_in_every_pane(pane: str) -> None:
    shown = Shown(output=lambda: ["what it printed"]).keys(pane, "ENTER")
    assert shown.view.over is Over.DETAILS
    assert shown.view.over_lines


@pytest.mark.parametrize("way", ["?", "ENTER"])
def test_what_lies_over_the_panes_says_how_to_go_back(way: str) -> None:
    shown = Shown().keys(way)
    assert "q back" in shown.text()
    assert "q quit" not in shown.text().splitlines()[-1]
    assert "q quit" in shown.keys("q").text()
    assert shown.view.quit is False
    shown.view.end("the server has closed the connection")
    assert "q quits" not in shown.keys(way).text()
    assert "closed the connection; q quits" in shown.keys("q").text()


@pytest.mark.parametrize("size", SIZES[:2])
def test_help_names_the_keys_and_is_not_cut(size: tuple[int, int]) -> None:
    text = Shown(size=size).keys("?").text()
    assert "pause" in text
    assert "…" not in text
    assert "Ctrl-Z" in text  # its last line


def test_an_exit_of_the_chosen_task() -> None:
    shown = Shown().keys("3", "DOWN", "e")
    assert "command: tasks exit 42 --code 0" in shown.text()
    shown.keys("BACKSPACE", "3", "ENTER")
    assert shown.asked == ["tasks exit 42 --code 3"]
    shown.view.take_answer(Answer("tasks exit 42 --code 3", ok=True))
    assert "tasks exit 42 --code 3: done" in shown.text()
    assert "tasks exit 42" not in shown.keys("UP").text()


@pytest.mark.parametrize(
    ("keys", "command"),
    [
        ("e", "tasks exit "),
        ("k", "tasks kill "),
        ("3k", "tasks kill 1 --signal SIGKILL"),
        ("f", "faults add drop cmd=TASKSTATS_CMD_GET"),
        ("c", "faults clear"),
        ("o", "faults enobufs"),
        ("1o", "faults enobufs --portid 77"),
        (":", ""),
    ],
)
def test_what_keys_prepare(keys: str, command: str) -> None:
    shown = Shown().type(keys)
    assert shown.view.prompt is not None
    assert shown.view.prompt.text == command


def test_commands_are_recalled_and_empty_ones_are_none() -> None:
    shown = Shown().keys(":").type("tasks list").keys("ENTER", ":", "ENTER", ":", "UP", "ENTER")
    assert shown.asked == ["tasks list", "tasks list"]


def test_what_a_command_answers() -> None:
    shown = Shown()
    shown.view.take_answer(Answer("tasks exit 9", ok=False, lines=["there is no task 9"]))
    assert "tasks exit 9: there is no task 9" in shown.text()
    rows = [f"pid {number}" for number in range(5)]
    shown.view.take_answer(Answer("tasks list", ok=True, lines=rows))
    assert "pid 4" in shown.text()
    assert "pid 4" not in shown.keys("ESC").text()


def test_of_a_kernel_that_has_ended_the_last_stays() -> None:
    shown = Shown()
    shown.view.end("the server has closed the connection")
    assert "hello" in shown.text()
    assert "the server has closed the connection; q quits" in shown.text()
    assert shown.keys("e").view.prompt is None
    assert shown.keys("q").view.quit


def test_of_a_kernel_that_is_silent_it_is_said() -> None:
    shown = Shown()
    assert "NO ANSWER" not in shown.text()
    shown.view.silent = True
    assert "NO ANSWER" in shown.text().splitlines()[0]
    assert "hello" in shown.text()


def test_of_many_tasks_those_around_what_is_shown_are_asked_for() -> None:
    rows = tuple(task(pid) for pid in range(300))
    shown = Shown(replace(SNAPSHOT, tasks=5000, task_rows=rows)).keys("3", "END")
    text = shown.text()
    assert "..." in text
    wanted = shown.view.wanted()
    assert 4700 < wanted.task_skip < 5000
    assert wanted.task_skip + 300 >= 5000
    last = tuple(task(pid) for pid in range(wanted.task_skip, 5000))
    shown.view.take(replace(SNAPSHOT, tasks=5000, task_skip=wanted.task_skip, task_rows=last))
    assert shown.chosen().startswith("4999 4999")
    shown.keys("e")
    assert "tasks exit 4999 --code 0" in shown.text()


def test_entries_that_came_too_fast_are_told_of() -> None:
    messages = (entry(1), entry(500, skipped=498))
    text = Shown(replace(SNAPSHOT, messages=messages)).text()
    assert "498 that came too fast" in text
    assert "498 left out" in text


def test_a_long_command_is_shown_where_it_is_typed() -> None:
    shown = Shown().keys(":").type("x" * 200 + "end")
    screen = compose(shown.view, 80, 24)
    assert shown.lines()[-1].rstrip().endswith("end")
    assert screen.cursor is not None
    assert screen.cursor[1] == 23
    assert screen.cursor[0] <= 79


WALK: list[list[str]] = [
    [], *(["z", key, "ENTER"] for key in "123456"), ["/", "a", "ENTER"],
]  # fmt: skip
HOSTILE = st.text(max_size=12) | st.sampled_from(
    ["\x1b[31mred", "\x1b]0;t\x07", "a\nb", "\x9b2J", "\u202e", "漢字漢字", "\udc9b", "e\u0301"]
)


@settings(deadline=None, max_examples=60)
@given(st.lists(HOSTILE, min_size=6, max_size=6), st.sampled_from([*SIZES, (130, 30), (41, 13)]))
def test_whatever_clients_call_themselves_the_screen_is_whole(
    texts: list[str], size: tuple[int, int]
) -> None:
    """lines() checks widths, and that nothing is for the terminal."""
    comm, family, group, text, rule, printed = texts
    snapshot = replace(
        SNAPSHOT,
        release=group,
        socket_rows=(sock(1, comm, families=family, groups=group),),
        task_rows=(task(1, comm),),
        messages=(entry(1, text),),
        losses=(entry(2, text, "fault"),),
        rules=({"id": 1, "rule": rule, "seen": 0, "applied": 0},),
        refused=rule,
    )
    for keys in WALK:
        Shown(snapshot, size, output=lambda: [printed]).keys(*keys).lines()
    shown = Shown(snapshot, size)
    shown.view.take_answer(Answer(text, ok=False, lines=[rule]))
    shown.view.end(text)
    shown.lines()
    shown = Shown(snapshot, size).keys(":", *filter(str.isprintable, comm))
    shown.lines()


KEYS = [
    "UP", "DOWN", "PAGEUP", "PAGEDOWN", "HOME", "END", "TAB", "BACKTAB", "ENTER", "ESC", "z", "p",
    "/", "e", "k", "f", "o", ":", "?", "RESIZE", "BACKSPACE", "LEFT", "a", "1", "=", "é", "F13",
    *"23456",
]  # fmt: skip
SNAPSHOTS = st.builds(
    lambda tasks, skip, messages, refused: replace(
        SNAPSHOT,
        tasks=tasks,
        task_skip=skip,
        task_rows=tuple(task(pid, f"a{pid}") for pid in range(skip, min(tasks, skip + 300))),
        socket_rows=SNAPSHOT.socket_rows[: tasks % 3],
        messages=tuple(entry(number, "a" * number, skipped=number % 7) for number in messages),
        refused=refused,
    ),
    st.integers(0, 1000),
    st.integers(0, 400),
    st.builds(range, st.integers(1, 60), st.integers(1, 90)),
    st.sampled_from(["", "no"]),
)
SCREENS = [*SIZES, (130, 30), (41, 13), (20, 4)]
STEPS = st.sampled_from(KEYS) | SNAPSHOTS | st.sampled_from(SCREENS)


@settings(deadline=None, max_examples=150)
@given(st.lists(STEPS, max_size=25))
@example(["END", (20, 4), "HOME"])
def test_whatever_comes_the_screen_is_whole(steps: list[Any]) -> None:
    shown = Shown(output=lambda: ["one", "two"])
    for step in steps:
        if isinstance(step, str):
            shown.view.key(step)
        elif isinstance(step, tuple):
            shown.size = step
        else:
            shown.view.take(step)
        shown.lines()
        wanted = shown.view.wanted()
        assert 0 <= wanted.task_skip <= 1000
        for pane in shown.view.panes:
            place = shown.view.places[pane.name]
            assert 0 <= place.top <= max(0, place.row)
