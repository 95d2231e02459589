"""A line that is typed at the foot of the view."""

from __future__ import annotations

import pytest

from netlink_emu.cli.watching.prompt import Prompt


def prompt(text: str = "", *before: str) -> Prompt:
    return Prompt("command: ", text, lambda _text: None, before)


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (["a", "b"], "exab"),
        (["BACKSPACE", "y"], "ey"),
        (["LEFT", "a"], "eax"),
        (["HOME", "DELETE"], "x"),
        (["HOME", "BACKSPACE", "LEFT", "a"], "aex"),
        (["END", "RIGHT", "DELETE", "é"], "exé"),
        (["CTRL-U"], ""),
        (["LEFT", "CTRL-U"], "x"),
        (["PAGEUP", "RESIZE", "\x00", "TAB"], "ex"),
    ],
)
def test_keys_edit_the_line(keys: list[str], text: str) -> None:
    line = prompt("ex")
    assert [line.key(key) for key in keys] == [None] * len(keys)
    assert line.text == text


def test_enter_finishes_and_escape_gives_up() -> None:
    assert prompt().key("ENTER") is True
    assert prompt().key("ESC") is False


def test_earlier_lines_come_back_and_so_does_the_one_that_was_begun() -> None:
    line = prompt("new", "first", "second")
    found = []
    for key in ("UP", "UP", "UP", "DOWN", "DOWN", "DOWN"):
        line.key(key)
        found.append(line.text)
    assert found == ["second", "first", "first", "second", "new", "new"]
