"""The view in a terminal, from its beginning to its end: keys and news in, lines out."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from netlink_emu.cli.output.errors import UserError
from netlink_emu.cli.output.loudness import remark
from netlink_emu.cli.running.ending import Ending
from netlink_emu.cli.watching.asking import Commands, Watcher
from netlink_emu.cli.watching.compose import compose
from netlink_emu.cli.watching.screen import GONE, Screen, screen
from netlink_emu.cli.watching.view import View

# Seconds. It is drawn at most ten times in one; after so many it is told that nobody answers.
TICK: Final = 0.1
PATIENCE: Final = 3.0
_LOOK: Final = 0.01


def where(path: Path | None) -> str:
    """Where the kernel is, for a sentence."""
    return "of this process" if path is None else f"at {path}"


def way_out(path: Path | None) -> str:
    """The rest of an error where no kernel was named: another way to watch one."""
    return "" if path is not None else ", or give watch a command: netlink-emu watch -- COMMAND"


def show(
    path: Path | None, name: str, end: Ending, output: Callable[[], list[str]] | None = None
) -> str:
    """Show the view until it is left, or a signal ends it; why the kernel has ended, if it has.

    Raises UserError where no kernel can be watched.
    """
    watcher = Watcher(path)
    commands = Commands(path, watcher.hurry)
    view = View(name, commands.ask, output)
    watcher.start()
    try:
        if _wait_for_kernel(watcher, where(path), end):
            commands.start()
            with screen() as shown:
                _until_left(view, watcher, commands, shown, end)
        elif watcher.ended:
            raise UserError(watcher.ended + way_out(path))
    finally:
        watcher.close()
        commands.close()
    return view.ended


def _wait_for_kernel(watcher: Watcher, where: str, end: Ending) -> bool:
    """Whether it has told something; False when it has ended, or we shall."""
    told = time.monotonic() + PATIENCE
    while watcher.snapshot is None and watcher.bug is None:
        if watcher.ended or end.noted:
            return False
        if time.monotonic() > told:
            told = float("inf")
            remark(f"the kernel {where} does not answer; waiting for it, until Ctrl-C")
        time.sleep(_LOOK)
    return True


def _until_left(
    view: View, watcher: Watcher, commands: Commands, shown: Screen, end: Ending
) -> None:
    drawn, stale = -TICK, True
    while not view.quit and not end.noted:
        left = drawn + TICK - time.monotonic() if stale else TICK
        for key in shown.keys(max(0.0, left)):
            if key == GONE:
                return
            view.key(key)
            stale = True
        stale |= _take_news(view, watcher, commands)
        if stale and time.monotonic() - drawn >= TICK:
            shown.draw(*compose(view, *shown.size))
            watcher.want(view.wanted())
            drawn, stale = time.monotonic(), False


def _take_news(view: View, watcher: Watcher, commands: Commands) -> bool:
    """Give the view what has come; returns whether anything has."""
    for thread in (watcher, commands):
        if thread.bug is not None:
            raise thread.bug
    assert watcher.snapshot is not None
    news = view.take(watcher.snapshot)
    if watcher.ended and not view.ended:
        view.end(watcher.ended)
        news = True
    silent = watcher.waited() > PATIENCE
    news |= silent is not view.silent
    view.silent = silent
    while not commands.answers.empty():
        view.take_answer(commands.answers.get())
        news = True
    return news
