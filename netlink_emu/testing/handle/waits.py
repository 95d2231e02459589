"""Waiting for what clients do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from netlink_emu.journal.found import Found
from netlink_emu.journal.match import Match
from netlink_emu.testing import checks
from netlink_emu.testing.errors import hide
from netlink_emu.testing.handle.booted import Booted
from netlink_emu.testing.handle.clients import Clients
from netlink_emu.testing.waiting import Waiting, explain

if TYPE_CHECKING:
    from netlink_emu.journal.entries import MessageView

__tracebackhide__ = hide

T = TypeVar("T")


class Waits:
    """Waits until clients have done something; raises TimeIsUp with what they did instead."""

    def __init__(self, booted: Booted, clients: Clients, waiting: Waiting) -> None:
        self._booted: Final = booted
        self._clients: Final = clients
        self._waiting: Final = waiting
        booted.own_journal.sinks.append(waiting.entry)

    @property
    def listeners(self) -> dict[int, list[int]]:
        """The portids registered for each CPU that has any."""

        def look() -> dict[int, list[int]]:
            taskstats = self._booted.kernel.taskstats
            lists = taskstats.listeners if taskstats is not None else {}
            return {cpu: list(portids) for cpu, portids in lists.items() if portids}

        return self._booted.calls.call(look)

    def for_listener(
        self, cpu: int | Iterable[int] | None, count: int, timeout: float
    ) -> list[int]:
        wanted = [cpu] if isinstance(cpu, int) else None if cpu is None else list(cpu)
        checks.whole("count", count)
        for number in wanted or []:
            checks.whole("cpu", number)
            self._booted.kernel.machine.cpus.check(number)

        def look() -> list[int] | None:
            listeners = self.listeners
            if wanted is None:
                groups = [{portid for portids in listeners.values() for portid in portids}]
            else:
                groups = [set(listeners.get(number, [])) for number in wanted]
            if all(len(group) >= count for group in groups):
                return sorted(set().union(*groups))
            return None

        where = "any CPU" if wanted is None else f"CPU {', '.join(map(str, wanted))}"
        who = "a listener" if count == 1 else f"{count} listeners"
        found, why = self._wait(look, timeout, f"{who} on {where}")
        if found is None:
            now = self.listeners
            near = "Nobody is registered." if not now else "Registered are " + ", ".join(
                f"{portids} for CPU {number}" for number, portids in sorted(now.items())
            ) + "."  # fmt: skip
            raise self._explain(f"waited for {who} on {where}", why, near=near)
        return found

    def for_request(
        self, count: int, since: int, timeout: float, criteria: dict[str, Any]
    ) -> MessageView:
        journal, call = self._booted.own_journal, self._booted.calls.call
        match = journal.match(**criteria)

        def ask() -> Found:
            return journal.requests(since=since, **criteria)

        def look() -> MessageView | None:
            found = call(ask)
            return found[count - 1] if len(found) >= count else None

        what = f"{_ordinal(count)}request{_with(match)}"
        found, why = self._wait(look, timeout, what)
        if found is None:
            raise self._explain(
                f"waited for {what}",
                why,
                near=call(ask).explain(),
                since=since,
            )
        return found

    def until(self, condition: Callable[[], T], name: str, timeout: float) -> T:
        found, why = self._wait(lambda: condition() or None, timeout, name)
        if found is None:
            raise self._explain(f"waited for {name}", why)
        return found

    def _wait(
        self, look: Callable[[], T | None], timeout: float, what: str
    ) -> tuple[T | None, str]:
        hopeless = self._clients.hopeless
        return self._waiting.until(look, timeout, what=what, hopeless=hopeless)

    def _explain(self, what: str, why: str, *, near: str = "", since: int = 0) -> Exception:
        journal = self._booted.own_journal
        entries = [e for e in journal.entries if e.number > since]
        return explain(what, why, journal, entries, self._clients.all, near)


def _ordinal(count: int) -> str:
    return "a " if count == 1 else f"{count} times a "


def _with(match: Match) -> str:
    text = str(match)
    return f" with {text}" if text else ""
