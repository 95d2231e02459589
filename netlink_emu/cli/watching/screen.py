"""The terminal, by curses: draws lines, tells keys, and is as before afterwards, come what may."""

from __future__ import annotations

import contextlib
import locale
import os
import select
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import Final

from netlink_emu.cli.output.errors import UserError
from netlink_emu.cli.watching.cells import Line, Style

# A key that sends ESC and more may come in pieces over a slow line.
_ESC_DELAY_MS: Final = 100
GONE: Final = "GONE"
_HUNG_UP: Final = select.POLLHUP | select.POLLERR | select.POLLNVAL
_CONTROLS: Final = {
    "\n": "ENTER", "\r": "ENTER", "\t": "TAB", "\x1b": "ESC", "\x7f": "BACKSPACE",
    "\x08": "BACKSPACE", "\x15": "CTRL-U", "\x01": "HOME", "\x05": "END",
}  # fmt: skip
_NAMES: Final = {
    "KEY_UP": "UP", "KEY_DOWN": "DOWN", "KEY_LEFT": "LEFT", "KEY_RIGHT": "RIGHT",
    "KEY_PPAGE": "PAGEUP", "KEY_NPAGE": "PAGEDOWN", "KEY_HOME": "HOME", "KEY_END": "END",
    "KEY_BTAB": "BACKTAB", "KEY_BACKSPACE": "BACKSPACE", "KEY_DC": "DELETE",
    "KEY_ENTER": "ENTER", "KEY_RESIZE": "RESIZE",
}  # fmt: skip


class NoTerminal(Exception):
    """There is no terminal to draw the view on; says why."""


def need_terminal() -> None:
    """Raise NoTerminal unless standard input and output are a terminal that curses knows.

    UserError where this Python has no curses.
    """
    for stream, name in ((sys.stdin, "input"), (sys.stdout, "output")):
        if stream is None or not stream.isatty():
            raise NoTerminal(f"standard {name} is no terminal")
    try:
        import curses
    except ImportError as exc:
        raise UserError(
            "netlink-emu watch needs Python's module curses, which this Python was built without: "
            "install python3 of your distribution, or use netlink-emu journal follow"
        ) from exc
    # Curses would believe them, whatever the size becomes. Where something imports readline, that
    # sets them behind Python's back.
    for variable in ("LINES", "COLUMNS"):
        os.environ.pop(variable, None)
        os.unsetenv(variable)
    try:
        curses.setupterm()
    except curses.error as exc:
        term = os.environ.get("TERM", "")
        raise NoTerminal(f"TERM is {term!r}, which is not known here") from exc
    if not curses.tigetstr("cup"):
        raise NoTerminal(f"TERM is {os.environ.get('TERM', '')!r}, which moves no cursor")


class Screen:
    """The whole terminal. Made by :func:`screen`."""

    def __init__(self) -> None:
        import curses

        self._curses: Final = curses
        self._window: Final = curses.initscr()
        self._poll: Final = select.poll()
        self._poll.register(sys.stdin.fileno(), select.POLLIN)
        self._drawn: list[Line] = []
        self._redraw = False
        self._looks: dict[Style, int] = {}
        self._ascii: Final = not _writes("─…→")

    def prepare(self) -> None:
        """Take the terminal: keys one by one and without echo."""
        curses, window = self._curses, self._window
        curses.noecho()
        curses.cbreak()
        curses.set_escdelay(_ESC_DELAY_MS)
        window.keypad(True)
        window.nodelay(True)
        self._cursor(shown=False)
        self._looks = self._styles()

    def _styles(self) -> dict[Style, int]:
        curses = self._curses
        looks = {
            Style.PLAIN: curses.A_NORMAL,
            Style.STRONG: curses.A_BOLD,
            Style.FAINT: curses.A_DIM,
            Style.TITLE: curses.A_BOLD | curses.A_REVERSE,
            Style.BAR: curses.A_REVERSE,
            Style.CHOSEN: curses.A_REVERSE,
            Style.BAD: curses.A_BOLD,
            Style.ODD: curses.A_BOLD,
            Style.GOOD: curses.A_NORMAL,
        }
        if os.environ.get("NO_COLOR"):
            return looks
        with contextlib.suppress(curses.error):
            curses.start_color()
            curses.use_default_colors()
            colours = (
                (Style.BAD, curses.COLOR_RED),
                (Style.ODD, curses.COLOR_YELLOW),
                (Style.GOOD, curses.COLOR_GREEN),
            )
            for number, (style, colour) in enumerate(colours, 1):
                curses.init_pair(number, colour, -1)
                looks[style] |= curses.color_pair(number)
        return looks

    def _cursor(self, *, shown: bool) -> None:
        with contextlib.suppress(self._curses.error):  # a terminal that cannot
            self._curses.curs_set(int(shown))

    @property
    def size(self) -> tuple[int, int]:
        """Cells and lines."""
        height, width = self._window.getmaxyx()
        return width, height

    def redraw(self) -> None:
        """Draw everything the next time: somebody else has written there."""
        self._redraw = True

    def draw(self, lines: Sequence[Line], cursor: tuple[int, int] | None = None) -> None:
        """Show these lines; those that are shown already are left alone."""
        window = self._window
        if self._redraw:
            self._redraw, self._drawn = False, []
            window.clear()
        for at, line in enumerate(lines):
            if at < len(self._drawn) and self._drawn[at] == line:
                continue
            # The last cell of all cannot be written without an error: the cursor has no place.
            with contextlib.suppress(self._curses.error):
                window.move(at, 0)
                window.clrtoeol()
                for text, style in line:
                    window.addstr(self._shown(text), self._looks[style])
        self._drawn = [*lines]
        self._cursor(shown=cursor is not None)
        if cursor is not None:
            with contextlib.suppress(self._curses.error):
                window.move(cursor[1], cursor[0])
        window.refresh()

    def _shown(self, text: str) -> str:
        if not self._ascii or text.isascii():
            return text
        text = text.replace("─", "-").replace("…", "~").replace("→", ">").replace("│", "|")
        return text.encode("ascii", "replace").decode()

    def keys(self, seconds: float) -> list[str]:
        """The keys that were pressed, when there are any or time is up.

        GONE when nobody is at the terminal any more.
        """
        ready = self._poll.poll(seconds * 1000)
        self._fit()
        found = [*self._keys()]
        if ready and not found and ready[0][1] & _HUNG_UP:
            return [GONE]
        return found

    def _fit(self) -> None:
        """Take the terminal's size, of which ``RESIZE`` then tells.

        Curses itself does so after SIGWINCH, unless readline was there before: Python imports it
        with pdb since 3.13, and that with construct.
        """
        with contextlib.suppress(OSError, self._curses.error):
            width, height = os.get_terminal_size(sys.stdin.fileno())
            if self._curses.is_term_resized(height, width):
                self._curses.resizeterm(height, width)

    def _keys(self) -> Iterator[str]:
        while True:
            try:
                key = self._window.get_wch()
            except self._curses.error:
                return
            if isinstance(key, int):
                name = _NAMES.get(self._curses.keyname(key).decode())
                if name == "RESIZE":
                    self.redraw()
                if name is not None:
                    yield name
            elif key in _CONTROLS:
                yield _CONTROLS[key]
            elif key == "\x0c":  # Ctrl-L
                self.redraw()
                yield "RESIZE"
            else:
                yield key


def _writes(text: str) -> bool:
    """Whether the locale's encoding has these characters."""
    try:
        text.encode(locale.getpreferredencoding(False))
    except (UnicodeEncodeError, LookupError):
        return False
    return True


@contextlib.contextmanager
def screen() -> Iterator[Screen]:
    """The terminal, while the context lasts. Ctrl-Z and fg give it back in between."""
    import curses

    with contextlib.suppress(locale.Error):
        locale.setlocale(locale.LC_ALL, "")
    shown = Screen()
    before = signal.getsignal(signal.SIGCONT)
    try:
        shown.prepare()
        # After a stop by SIGSTOP, of which nobody is told; Ctrl-Z is curses' own.
        signal.signal(signal.SIGCONT, lambda _number, _frame: shown.redraw())
        yield shown
    finally:
        signal.signal(signal.SIGCONT, before or signal.SIG_DFL)
        with contextlib.suppress(curses.error):
            curses.endwin()
