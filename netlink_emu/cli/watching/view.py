"""The state of the view, and what keys do to it. Knows no terminal, and asks no kernel.

A key is a character, or the name of one: ``UP``, ``ENTER``, ``RESIZE``... as ``screen`` tells.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from netlink_emu.cli.watching.news import Answer, Snapshot, Wanted
from netlink_emu.cli.watching.panes import Pane, Row, panes_for
from netlink_emu.cli.watching.prompt import Prompt


class Over(enum.Enum):
    """What lies over the panes."""

    NOTHING = "nothing"
    HELP = "help"
    DETAILS = "details"
    ANSWER = "answer"


@dataclass
class Place:
    """Where one is in a pane: the chosen row, the first one that is shown.

    ``follow``: the last row is the chosen one, whatever comes.
    """

    row: int = 0
    top: int = 0
    follow: bool = False
    height: int = 1  # rows that are shown

    def settle(self, total: int, height: int) -> None:
        """Keep the chosen row among those that there are, and in sight."""
        self.height = max(1, height)
        last = max(0, total - 1)
        self.row = last if self.follow else min(self.row, last)
        self.top = max(min(self.top, self.row), self.row - self.height + 1)
        self.top = max(0, min(self.top, total - self.height))

    def move(self, by: int, total: int, *, follows: bool) -> None:
        """Go up or down; at the end of what grows one stays there."""
        last = max(0, total - 1)
        self.row = max(0, min(last, self.row + by))
        self.top = min(self.top, self.row)  # on a screen too small for rows nothing settles it
        self.follow = follows and self.row == last and by > 0


class View:
    """What is shown of a kernel, and how.

    ``command`` is called with a line for ``netlink-emu ctl``. ``output`` gives the lines of the
    command beside; None where there is none.
    """

    def __init__(
        self,
        name: str,
        command: Callable[[str], None],
        output: Callable[[], list[str]] | None = None,
    ) -> None:
        self.name: Final = name
        self.snapshot = Snapshot()  # as it is shown
        self.output_lines: list[str] = []
        self.panes: Final[list[Pane]] = panes_for(with_output=output is not None)
        self.places: Final = {pane.name: Place(follow=pane.follows) for pane in self.panes}
        self.focus = next(i for i, pane in enumerate(self.panes) if pane.name == "messages")
        self.zoomed = False
        self.paused = False
        self.filter = ""
        self.prompt: Prompt | None = None
        self.status = ""  # the last line, until the next key
        self.status_is_bad = False
        self.ended = ""  # why the kernel is no more
        self.silent = False  # whether it has not answered for a while
        self.over = Over.NOTHING
        self.over_lines: list[str] = []
        self.over_place: Final = Place()
        self.quit = False
        self._rows: Final[dict[str, list[Row]]] = {}  # until something changes
        self._command: Final = command
        self._output: Final = output
        self._history: Final[list[str]] = []
        self._keys: Final[dict[str, Callable[[], None]]] = {
            "q": self._quit, "Q": self._quit,
            "p": self._pause, " ": self._pause,
            "/": self._ask_filter, "ESC": self._escape,
            "TAB": lambda: self._turn(1), "BACKTAB": lambda: self._turn(-1),
            "z": self._zoom, "ENTER": self._details, "?": self._help, "h": self._help,
            "e": self._ask_exit, "k": self._ask_kill, "f": self._ask_fault,
            "c": lambda: self._ask("faults clear"), "o": self._ask_overrun,
            ":": lambda: self._ask(""),
        }  # fmt: skip

    # --- what is shown

    @property
    def pane(self) -> Pane:
        """The pane that has the keys."""
        return self.panes[self.focus]

    @property
    def words(self) -> list[str]:
        """Those words of the filter that are looked for as they are."""
        return [word for word in self.filter.lower().split() if "=" not in word]

    @property
    def criteria(self) -> str:
        """Those that are criteria of messages, as ``netlink-emu journal show`` takes them."""
        return " ".join(word for word in self.filter.split() if "=" in word)

    def wanted(self) -> Wanted:
        """What the kernel is to be asked for."""
        place = self.places["tasks"]
        # Rows on both sides of what is shown, so that one can go on at once.
        skip = max(0, place.top - 100) // 50 * 50
        return Wanted(skip, " ".join(self.words), self.criteria)

    def take(self, snapshot: Snapshot) -> bool:
        """Show what is new; whether anything is."""
        if self.paused:
            return False
        lines = self._output() if self._output is not None else []
        if snapshot is self.snapshot and lines == self.output_lines:
            return False
        anchors = [self._anchor(pane) for pane in self.panes]
        self.snapshot, self.output_lines = snapshot, lines
        self._rows.clear()
        for pane, anchor in zip(self.panes, anchors, strict=True):
            self._hold(pane, anchor)
        return True

    def take_answer(self, answer: Answer) -> None:
        """Show what came of a command."""
        said = answer.lines[0] if answer.lines else "done"
        self._say(f"{answer.command}: {said}", bad=not answer.ok)
        if len(answer.lines) > 1:
            self._lay_over(Over.ANSWER, [f"{answer.command}:", "", *answer.lines])

    def end(self, why: str) -> None:
        """The kernel is no more: what was shown last stays."""
        self.ended = why

    def rows(self, pane: Pane) -> list[Row]:
        """The rows of a pane that are there, those of :meth:`first` and on."""
        if pane.name not in self._rows:
            self._rows[pane.name] = pane.rows(self.snapshot, self.words, self.output_lines)
        return self._rows[pane.name]

    def first(self, pane: Pane) -> int:
        """The number of the first of :meth:`rows`."""
        return self.snapshot.task_skip if pane.name == "tasks" else 0

    def total(self, pane: Pane) -> int:
        """How many rows there are, be they there or not."""
        known = self.first(pane) + len(self.rows(pane))
        if pane.name == "tasks" and not self.words:
            return max(known, self.snapshot.tasks)
        return known

    def chosen(self, pane: Pane) -> Row | None:
        """The chosen row."""
        rows, at = self.rows(pane), self.places[pane.name].row - self.first(pane)
        return rows[at] if 0 <= at < len(rows) else None

    def _anchor(self, pane: Pane) -> object:
        """The key of the chosen row, where it is not always the last."""
        place = self.places[pane.name]
        row = None if place.follow else self.chosen(pane)
        return None if row is None else row.key

    def _hold(self, pane: Pane, key: object) -> None:
        """Stay at a row, though others before it are gone, or new."""
        if key is None:
            return
        place = self.places[pane.name]
        for at, row in enumerate(self.rows(pane), self.first(pane)):
            if row.key == key:
                place.top += at - place.row
                place.row = at
                return

    # --- keys

    def key(self, key: str) -> None:
        """A key was pressed."""
        if self.prompt is not None:
            self._key_of_prompt(self.prompt, key)
            return
        if key != "RESIZE":
            self.status = ""
        if self.over is not Over.NOTHING:
            self._key_over(key)
        elif key in self._keys:
            self._keys[key]()
        elif key.isdecimal() and 1 <= int(key) <= len(self.panes):
            self.focus = int(key) - 1
        else:
            place = self.places[self.pane.name]
            _go(place, key, self.total(self.pane), follows=self.pane.follows)

    def _key_over(self, key: str) -> None:
        if key in ("ESC", "ENTER", "q", "Q", "?", "h"):
            self.over = Over.NOTHING
        else:
            self.over_place.row = self.over_place.top  # it scrolls as a whole
            last = len(self.over_lines) - self.over_place.height + 1
            _go(self.over_place, key, last, follows=False)
            self.over_place.top = self.over_place.row

    def _key_of_prompt(self, prompt: Prompt, key: str) -> None:
        done = prompt.key(key)
        if done is None:
            return
        self.prompt = None
        if done:
            prompt.finish(prompt.text)

    def _quit(self) -> None:
        self.quit = True

    def _pause(self) -> None:
        self.paused = not self.paused

    def _escape(self) -> None:
        if self.filter:
            self._set_filter("")
        elif self.zoomed:
            self.zoomed = False

    def _turn(self, by: int) -> None:
        self.focus = (self.focus + by) % len(self.panes)

    def _zoom(self) -> None:
        self.zoomed = not self.zoomed

    def _help(self) -> None:
        self._lay_over(Over.HELP, HELP)

    def _details(self) -> None:
        row = self.chosen(self.pane)
        if row is not None:
            self._lay_over(Over.DETAILS, row.tell())

    def _lay_over(self, over: Over, lines: list[str]) -> None:
        self.over, self.over_lines = over, lines
        self.over_place.row = self.over_place.top = 0

    def _say(self, text: str, *, bad: bool = False) -> None:
        self.status, self.status_is_bad = text, bad

    # --- prompts

    def _ask_filter(self) -> None:
        self.prompt = Prompt("filter: ", self.filter, self._set_filter)

    def _set_filter(self, text: str) -> None:
        self.filter = text.strip()
        self._rows.clear()
        for place in self.places.values():
            place.top = place.row = 0

    def _ask(self, text: str) -> None:
        if self.ended:
            self._say(self.ended, bad=True)
            return
        self.prompt = Prompt("command: ", text, self._run, self._history)

    def _run(self, text: str) -> None:
        if text.strip():
            self._history.append(text)
            self._say(f"{text}: ...")
            self._command(text)

    def _chosen_pid(self) -> str:
        """The pid of the chosen task, followed by a blank; empty where none is chosen."""
        tasks = next(pane for pane in self.panes if pane.name == "tasks")
        row = self.chosen(tasks)
        return f"{row.key} " if row is not None and self.pane is tasks else ""

    def _ask_exit(self) -> None:
        pid = self._chosen_pid()
        self._ask(f"tasks exit {pid}--code 0" if pid else "tasks exit ")

    def _ask_kill(self) -> None:
        pid = self._chosen_pid()
        self._ask(f"tasks kill {pid}--signal SIGKILL" if pid else "tasks kill ")

    def _ask_fault(self) -> None:
        self._ask("faults add drop cmd=TASKSTATS_CMD_GET")

    def _ask_overrun(self) -> None:
        row = self.chosen(self.pane) if self.pane.name == "sockets" else None
        portid = None if row is None else row.values.get("portid")
        self._ask("faults enobufs" + (f" --portid {portid}" if portid else ""))


def _go(place: Place, key: str, total: int, *, follows: bool) -> None:
    """Move in rows, as far as the key is one for that."""
    page = max(1, place.height - 1)
    by = {
        "UP": -1, "DOWN": 1, "PAGEUP": -page, "PAGEDOWN": page, "HOME": -total, "END": total,
        "g": -total, "G": total,
    }.get(key)  # fmt: skip
    if by is not None:
        place.move(by, total, follows=follows)


HELP: Final = [
    "  q                quit",
    "  p, Space         pause: what is shown stays, and can be read and scrolled",
    "  /                filter: only rows with all of these words. For messages,",
    "                   words may be criteria as in netlink-emu journal show:",
    "                   cmd=TASKSTATS_CMD_GET errno=ESRCH TASKSTATS_CMD_ATTR_PID=42",
    "  Esc              no filter",
    "  Tab, 1 to 6      choose a pane; z shows it alone, or all again",
    "  Up, Down, PgUp, PgDn, Home, End",
    "                   choose a row; End goes on with what is new",
    "  Enter            show all of the row: a message with its attributes",
    "",
    "  e, k             let the chosen task exit, or kill it by a signal",
    "  f, c             add a fault; remove all faults",
    "  o                overrun sockets, so that they get ENOBUFS",
    "  :                any command of netlink-emu tasks, faults and journal:",
    "                     tasks spawn nginx --pid 4201 --cpu 3 utime=1.2",
    "                     faults add delay seconds=0.5 cmd=TASKSTATS_CMD_GET",
    "                     journal note what comes now",
    "                   Up and Down recall earlier ones.",
    "",
    "Ctrl-Z and fg work, and Ctrl-L draws all anew.",
]
