"""Waiting for clients, and saying what they did instead."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from netlink_emu.host.progress import WaitingLines
from netlink_emu.journal.entries import Entry
from netlink_emu.testing.errors import TimeIsUp, hide

if TYPE_CHECKING:
    from netlink_emu.journal.journal import Journal

__tracebackhide__ = hide

T = TypeVar("T")
_SHOWN: Final = 15  # entries of the journal
# Seconds that clients are waited for unless a test says otherwise. On a busy machine a program may
# take ten to start. Clients that have ended are not waited for.
TIMEOUT: Final = 30.0


class Described(Protocol):
    """A client that can be told of."""

    def describe(self) -> str:
        """Its state and its output, in words."""
        ...


class Waiting:
    """Wakes who waits whenever something happened in the kernel, or to a client."""

    def __init__(self) -> None:
        self._changed: Final = threading.Condition()
        self._version = 0

    def entry(self, _entry: Entry) -> None:
        """A sink of the journal."""
        self.notify()

    def notify(self) -> None:
        with self._changed:
            self._version += 1
            self._changed.notify_all()

    def until(
        self,
        look: Callable[[], T | None],
        timeout: float,
        *,
        what: str,
        hopeless: Callable[[], str | None],
    ) -> tuple[T | None, str]:
        """What ``look`` gives as soon as that is not None, and why nothing came of it.

        ``hopeless`` says so when waiting longer makes no sense. A long wait tells on stderr,
        every ten seconds, that it waits for ``what``.
        """
        pieces = WaitingLines(f"waiting for {what}", timeout).pieces()
        while True:
            with self._changed:
                version = self._version
            left = next(pieces, None)  # None before the last look
            why = hopeless()
            found = look()
            if found is not None:
                return found, ""
            if why is not None:
                return None, why
            if left is None:
                return None, f"nothing came within {timeout:g} s"
            with self._changed:
                while self._version == version and left is not None:
                    self._changed.wait(left)
                    left = next(pieces, None)


def explain(
    what: str,
    why: str,
    journal: Journal,
    entries: Sequence[Entry],
    clients: Sequence[Described],
    near: str = "",
) -> TimeIsUp:
    """The error: what was waited for, what happened instead."""
    lines = [f"{what}: {why}"]
    if near:
        lines.append(near)
    lines += [client.describe() for client in clients]
    if entries:
        more = f", of {len(entries)} the last {_SHOWN}" if len(entries) > _SHOWN else ""
        lines.append(f"What did happen{more}:")
        lines += [f"  {line}" for line in journal.lines(entries[-_SHOWN:])]
    else:
        lines.append("Nothing at all happened: no client has made a generic netlink socket.")
    return TimeIsUp("\n".join(lines), clients)
