"""How far something is that takes long: a bar on a terminal, else a line every ten seconds.

Nothing is said with ``-q``. With ``-v``, each step that is done is named as well.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from netlink_emu.cli.output.errors import to_stderr
from netlink_emu.cli.output.loudness import Loudness, loudness
from netlink_emu.host.progress import SECONDS_BETWEEN, TimedLines, WaitingLines, clock_text

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

_BEFORE_A_BAR: Final = 1.0  # seconds of a wait: most end sooner, and rich takes long to import
_REDRAW: Final = 0.1


class Progress:
    """How far it is; made by :func:`progress`."""

    def __init__(self, show: Callable[[float, str], None]) -> None:
        self._show: Final = show
        self._done = 0.0

    def advance(self, step: str = "", by: float = 1) -> None:
        """So much more is done: what, in a word or a few."""
        self.to(self._done + by, step)

    def to(self, done: float, step: str = "") -> None:
        """So much is done in all."""
        self._done = done
        self._show(done, step)
        if step and loudness() is Loudness.VERBOSE:
            to_stderr(f"{step}\n")


def has_terminal() -> bool:
    """Whether a bar can be drawn on standard error."""
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


@contextlib.contextmanager
def progress(total: float, what: str) -> Iterator[Progress]:
    """Tell how much of ``total`` is done: ``what`` names the things in the plural.

    It starts no thread, so that what is done may fork.
    """
    if loudness() is Loudness.QUIET:
        yield Progress(lambda _done, _step: None)
        return
    if not has_terminal():
        lines = TimedLines(total, what)
        yield Progress(lambda done, _step: lines.to(done))
        return
    with _bar() as bar:
        task, drawn = bar.add_task(what, total=total), 0.0

        def show(done: float, step: str) -> None:
            nonlocal drawn
            bar.update(task, completed=done)
            if step:
                bar.update(task, description=_cut(f"{what}: {step}"))
            now = time.monotonic()
            if now - drawn >= _REDRAW:
                drawn = now
                bar.refresh()

        yield Progress(show)


@contextlib.contextmanager
def waiting(what: str, limit: float) -> Iterator[None]:
    """Tell how long somebody waits already who waits for at most ``limit`` seconds."""
    if loudness() is Loudness.QUIET or limit <= _BEFORE_A_BAR:
        yield
        return
    over = threading.Event()
    tell = _wait_with_a_bar if has_terminal() else _wait_with_lines
    teller = threading.Thread(target=tell, args=(over, what, limit), name=what)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


def _wait_with_lines(over: threading.Event, what: str, limit: float) -> None:
    lines = WaitingLines(what, limit)
    while not over.wait(lines.until_next()):
        lines.look()


def _wait_with_a_bar(over: threading.Event, what: str, limit: float) -> None:
    began = time.monotonic()
    if over.wait(_BEFORE_A_BAR):
        return
    with _bar() as bar:
        task = bar.add_task(_cut(what), total=limit)
        while not over.wait(_REDRAW):
            waited = min(limit, time.monotonic() - began)
            bar.update(task, completed=waited, left=limit - waited, refresh=True)


def _cut(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"


def _bar() -> Bar:
    """A bar on standard error that is gone in the end; what is written meanwhile goes above it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn
    from rich.text import Text

    class Left(ProgressColumn):
        """The time left, as the lines tell it."""

        def render(self, task: Any) -> Text:
            left = task.fields.get("left", task.time_remaining)
            return Text("" if left is None else f"{clock_text(left)} left")

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        Left(),
        console=Console(stderr=True),
        transient=True,
        auto_refresh=False,
        redirect_stdout=sys.stdout.isatty(),  # else it goes where it should
    )


__all__ = ["SECONDS_BETWEEN", "Progress", "has_terminal", "progress", "waiting"]
