"""Asks the kernel: one thread for what it is and does, one for commands.

What is asked at once is bounded, whatever the kernel's clients do: so many entries of the
journal, so many tasks. And a kernel that takes long to answer is asked less often.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from errno import EINVAL
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from netlink_emu.cli.ctl import carry_out
from netlink_emu.cli.usage.remote import Connection, attrs_of
from netlink_emu.cli.watching.news import LOSSES, Answer, Message, Snapshot, Wanted
from netlink_emu.testing.errors import ControlError

if TYPE_CHECKING:
    from netlink_emu.protocol.ours.control_values import Row
    from netlink_emu.testing.remote.kernel import Remote

# Seconds between two questions; at most this share of the kernel's time is for us.
INTERVAL: Final = 0.2
_SHARE: Final = 0.1
_RATE_OVER: Final = 1.0  # seconds
# Entries of the journal that are asked for at once, and that are kept.
AT_ONCE: Final = 100
KEPT: Final = 2000
KEPT_LOSSES: Final = 300
# How far back a filter looks when it is new.
_BACK: Final = 2000
SOCKETS: Final = 1000
LISTENERS: Final = 10_000
TASKS: Final = 300
# Of a kernel without extended acks nothing is known but the errno.
_WRONG: Final = "the filter has criteria that are none"


class Asking:
    """The kernel that a :class:`Remote` is connected to, as it is and as it becomes.

    Blocking, for a thread of its own; :meth:`ask` raises ControlError when the kernel is gone.
    """

    def __init__(self, remote: Remote, clock: Callable[[], float] = time.monotonic) -> None:
        self._remote: Final = remote
        self._clock: Final = clock
        self._messages: deque[Message] = deque(maxlen=KEPT)
        self._losses: deque[Message] = deque(maxlen=KEPT_LOSSES)
        self._seen = -1  # the newest entry that was asked about
        self._counted: tuple[float, int] | None = None
        self._due = 0.0  # when the rest is asked for next
        self._criteria = self._refused = ""
        self._wanted = Wanted()
        self.snapshot = Snapshot()

    def ask(self, wanted: Wanted, *, hurried: bool = False) -> Snapshot:
        """Ask once; ``hurried`` also for what is not yet due: something has been done."""
        now = self._clock()
        figures = self._row("watch-get", "WATCH")
        machine = self._row("machine-get", "MACHINE")
        number = figures["number"]
        self._read(number, wanted.criteria)
        snapshot = replace(
            self.snapshot,
            release=machine["release"],
            seconds=machine["monotonic"] / 1e9,
            rate=self._rate(now, number),
            messages=tuple(self._messages),
            losses=tuple(self._losses),
            refused=self._refused,
            **{name: figures[name] for name in ("number", "sockets", "tasks", "drops")},
        )
        began = self._clock()
        if hurried or began >= self._due or wanted != self._wanted:
            self._wanted = wanted
            snapshot = replace(snapshot, **self._rest(wanted))
            ended = self._clock()
            self._due = ended + (ended - began) / _SHARE
        self.snapshot = snapshot
        return snapshot

    def _row(self, name: str, prefix: str) -> dict[str, Any]:
        reply = self._remote.do(name)
        assert reply is not None
        return attrs_of(reply, f"NLEMU_A_{prefix}_")

    def _dump(self, name: str, prefix: str, values: Row | None = None) -> tuple[Any, ...]:
        replies = self._remote.dump(name, values)
        return tuple(attrs_of(reply, f"NLEMU_A_{prefix}_") for reply in replies)

    def _rest(self, wanted: Wanted) -> dict[str, Any]:
        tasks = {"skip": wanted.task_skip, "count": TASKS, "words": wanted.words or None}
        return {
            "socket_rows": self._dump("socket-get", "SOCKET", {"count": SOCKETS}),
            "listener_rows": self._dump("listener-get", "WATCH", {"count": LISTENERS}),
            "cpu_rows": self._dump("cpu-get", "MACHINE"),
            "task_rows": self._dump("task-get", "TASK", tasks),
            "task_skip": wanted.task_skip,
            "rules": self._dump("fault-get", "FAULT"),
        }

    def _rate(self, now: float, number: int) -> float:
        """Entries in a second, over a second or so."""
        if self._counted is None or number < self._counted[1]:
            self._counted = now, number
            return 0.0
        since, counted = self._counted
        if now - since < _RATE_OVER:
            return self.snapshot.rate
        self._counted = now, number
        return (number - counted) / (now - since)

    # --- the journal

    def _read(self, number: int, criteria: str) -> None:
        """Read the news of the journal."""
        since = self._seen
        if criteria != self._criteria or since < 0:
            self._criteria, self._refused = criteria, ""
            self._messages.clear()
            since = max(0, number - _BACK)
        if self._seen < 0:
            self._take_losses(0)
        elif number > self._seen:
            self._take_losses(self._seen)
        self._seen = number
        if number <= since or self._refused:
            return
        try:
            rows = self._entries(since, request=criteria or None)
        except ControlError as exc:
            if not criteria or exc.errno != EINVAL:
                raise
            self._refused = str(exc) if " " in str(exc) else _WRONG
            return
        for row in rows:
            self._keep(row)

    def _entries(self, since: int, **values: Any) -> list[dict[str, Any]]:
        """The newest entries; some may be among them that are among the next, too."""
        return [*self._dump("journal-get", "WATCH", {"since": since, "count": AT_ONCE, **values})]

    def _take_losses(self, since: int) -> None:
        known = self._losses[-1].number if self._losses else 0
        for row in self._entries(since, what=" ".join(LOSSES)):
            if row["number"] > known:
                self._losses.append(_message(row))

    def _keep(self, row: dict[str, Any]) -> None:
        last = self._messages[-1].number if self._messages else row["number"] - 1
        if row["number"] > last:
            skipped = 0 if self._criteria else row["number"] - last - 1
            self._messages.append(_message(row, skipped))


def _message(row: dict[str, Any], skipped: int = 0) -> Message:
    text = row["text"]
    seconds = text.lstrip().partition(" ")[0]
    return Message(row["number"], float(seconds), row["what"], text, skipped)


class Watcher(threading.Thread):
    """Asks over and over. ``ended`` tells why there will be no more.

    ``snapshot`` is the last, None before the first.
    """

    def __init__(self, path: Path | None) -> None:
        super().__init__(daemon=True, name="watcher")
        self._path: Final = path
        self._wake: Final = threading.Event()
        self._over = self._hurried = False
        self._wanted = Wanted()
        self._asked: float | None = None  # when the question on its way was put
        self.snapshot: Snapshot | None = None
        self.ended = ""
        self.bug: BaseException | None = None

    def waited(self) -> float:
        """For how many seconds the kernel has not answered a question."""
        asked = self._asked
        return 0.0 if asked is None else time.monotonic() - asked

    def want(self, wanted: Wanted) -> None:
        """Ask for this from now on."""
        if wanted != self._wanted:
            self._wanted = wanted
            self._wake.set()

    def hurry(self) -> None:
        """Ask at once: something has been done."""
        self._hurried = True
        self._wake.set()

    def close(self) -> None:
        """Ask no more; a question on its way is left unanswered."""
        self._over = True
        self._wake.set()

    def run(self) -> None:
        connection = Connection(self._path, wait=True)
        try:
            asking = Asking(connection.remote)
            while not self._over:
                self._asked = began = time.monotonic()
                hurried, self._hurried = self._hurried, False
                self.snapshot = asking.ask(self._wanted, hurried=hurried)
                self._asked = None
                took = time.monotonic() - began
                self._wake.wait(max(INTERVAL, took / _SHARE))
                self._wake.clear()
        except ControlError as exc:
            self.ended = str(exc)
        except BaseException as exc:  # raised again in the main thread
            self.bug = exc
        finally:
            self._asked = None
            connection.close()


class Commands(threading.Thread):
    """Carries out commands, as ``netlink-emu ctl`` does; :attr:`answers` has what came of them."""

    def __init__(self, path: Path | None, done: Callable[[], None]) -> None:
        super().__init__(daemon=True, name="commands")
        self._path: Final = path
        self._done: Final = done
        self._asked: Final[queue.SimpleQueue[str | None]] = queue.SimpleQueue()
        self.answers: Final[queue.SimpleQueue[Answer]] = queue.SimpleQueue()
        self.bug: BaseException | None = None

    def ask(self, command: str) -> None:
        """Have it done; several are done one after the other."""
        self._asked.put(command)

    def close(self) -> None:
        """Do no more."""
        self._asked.put(None)

    def run(self) -> None:
        connection = Connection(self._path)
        try:
            while (command := self._asked.get()) is not None:
                self.answers.put(_answer(connection, command))
                self._done()
        except BaseException as exc:  # raised again in the main thread
            self.bug = exc
        finally:
            connection.close()


def _answer(connection: Connection, command: str) -> Answer:
    told = carry_out(connection, command)
    if not told["ok"]:
        return Answer(command, ok=False, lines=[told["error"]])
    found = told.get("result")
    rows = found if isinstance(found, list) else [] if found is None else [found]
    return Answer(command, ok=True, lines=[_plainly(row) for row in rows])


def _plainly(row: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in row.items())
