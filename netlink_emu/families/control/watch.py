"""NETLINK_EMU's operations on what clients do: listeners, waiting, the journal, faults."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any, Final

from netlink_emu.families.control.ops import Asked, Handler, Handlers
from netlink_emu.journal.entries import Datagram, Entry, SocketEvent
from netlink_emu.journal.parse import parse_criteria
from netlink_emu.journal.record import text_lines
from netlink_emu.kernel.trace import Observer
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.ours.control_sets import DEFAULT_WAIT_MS
from netlink_emu.protocol.ours.control_values import Row
from netlink_emu.protocol.reading.printable import printable_json

if TYPE_CHECKING:
    from netlink_emu.families import BootedKernel
    from netlink_emu.faults import Faults
    from netlink_emu.journal import Journal
    from netlink_emu.kernel.netlink_rcv import Request

# So that an entry fits a datagram of a page, whatever it is about.
_DATA_MAX: Final = 1200
_JSON_MAX: Final = 1200


class PendingWait:
    """A wait that is not over."""

    def __init__(
        self,
        watch: WatchOps,
        asked: Asked,
        look: Callable[[], Row | None],
        explain: Callable[[], str],
        timeout_ms: int,
    ) -> None:
        self._watch: Final = watch
        self._asked: Final = asked
        self._look: Final = look
        self._explain: Final = explain
        self.timeout_ms: Final = timeout_ms
        self.over = False

    def look(self) -> None:
        """Answer if what was waited for is there."""
        row = self._look()
        if row is not None:
            self._answer(row)

    def expire(self) -> None:
        """Time is up: say what happened instead."""
        if not self.over:
            self._answer({"timed-out": True, "text": self._explain()})

    def _answer(self, row: Row) -> None:
        self.over = True
        self._watch.waits.remove(self)
        if self._asked.info.sk.closed:
            return
        # Nobody is told when an answer finds no room.
        with suppress(NetlinkError):
            self._watch.reply(self._asked, row)


class WatchOps(Observer):
    """Looks at clients; observes the kernel for waits.

    ``reply`` answers a request later; ``began`` is told of each wait that is not over at once.
    """

    def __init__(
        self,
        kernel: BootedKernel,
        journal: Journal,
        *,
        reply: Callable[[Asked, Row], None],
        began: Callable[[PendingWait], None],
    ) -> None:
        self._kernel: Final = kernel
        self._journal: Final = journal
        self._began: Final = began
        self.reply: Final = reply
        self.waits: Final[list[PendingWait]] = []

    def ops(self) -> Handlers:
        return {
            "listener-get": Handler(dump=self.listeners),
            "wait": Handler(self.wait),
            "journal-get": Handler(dump=self.entries),
            "journal-note": Handler(self.note),
            "journal-clear": Handler(self.clear),
        }

    def _portids(self, cpu: int | None) -> list[int]:
        taskstats = self._kernel.taskstats
        lists = taskstats.listeners if taskstats is not None else {}
        chosen = lists.items() if cpu is None else [(cpu, lists.get(cpu, []))]
        return sorted({portid for _, portids in chosen for portid in portids})

    def listeners(self, asked: Asked) -> Iterator[Row]:
        taskstats = self._kernel.taskstats
        lists = taskstats.listeners if taskstats is not None else {}
        rows = (
            {"portid": portid, "cpu": cpu}
            for cpu, portids in sorted(lists.items())
            for portid in portids
        )
        return islice(rows, asked.number("count") if "count" in asked else None)

    # --- waiting

    def wait(self, asked: Asked) -> None:
        count = asked.number("count", 1)
        if count == 0:
            raise ValueError("there is nothing to wait for: NLEMU_A_WATCH_COUNT is 0")
        timeout_ms = asked.number("timeout", DEFAULT_WAIT_MS)
        if "request" in asked:
            look, explain = self._for_request(asked, count)
        else:
            look, explain = self._for_listener(asked.get("cpu"), count)
        pending = PendingWait(self, asked, look, explain, timeout_ms)
        self.waits.append(pending)
        # Looked at when this request is done, as at the end of every other: request_done().
        self._began(pending)

    def _for_listener(
        self, cpu: int | None, count: int
    ) -> tuple[Callable[[], Row | None], Callable[[], str]]:
        if cpu is not None:
            self._kernel.machine.cpus.check(cpu)

        def look() -> Row | None:
            portids = self._portids(cpu)
            return {"portid": portids[0]} if len(portids) >= count else None

        def explain() -> str:
            where = "any CPU" if cpu is None else f"CPU {cpu}"
            known = ", ".join(map(str, self._portids(None))) or "nobody"
            return f"no listener on {where}; registered anywhere: {known}\n" + self._last()

        return look, explain

    def _for_request(
        self, asked: Asked, count: int
    ) -> tuple[Callable[[], Row | None], Callable[[], str]]:
        criteria = parse_criteria(asked.text("request"))
        since = asked.number("since", 0)
        self._journal.match(**criteria)

        def look() -> Row | None:
            found = self._journal.requests(since=since, **criteria)
            if len(found) < count:
                return None
            view = found[count - 1]
            return {
                "portid": view.portid,
                "number": view.entry.number,
            }

        def explain() -> str:
            found = self._journal.requests(since=since, **criteria)
            return found.explain() + "\n" + self._last()

        return look, explain

    def _last(self) -> str:
        return "\n".join(self._journal.lines(self._journal.entries[-8:]))

    def request_done(self, request: Request, err: int) -> None:
        for pending in list(self.waits):
            pending.look()

    # --- the journal

    def entries(self, asked: Asked) -> Iterator[Row]:
        since, most = asked.number("since", 0), asked.number("count", len(self._journal))
        kinds = frozenset(asked.text("what").split()) if "what" in asked else None
        match = None
        if "request" in asked:
            match = self._journal.match(**parse_criteria(asked.text("request")))

        def wanted(entry: Entry) -> bool:
            if kinds is not None and entry.what not in kinds:
                return False
            return match is None or (
                isinstance(entry, Datagram) and any(map(match, entry.views()))
            )

        # From the newest on: the journal may be long, and what is wanted of it short.
        after = takewhile(lambda entry: entry.number > since, self._journal.newest_first())
        found = [*islice(filter(wanted, after), most)]
        return map(self.row, reversed(found))

    def row(self, entry: Entry) -> Row:
        """What the group hears of an entry of the journal."""
        peer = entry.peer if isinstance(entry, Datagram | SocketEvent) else None
        data = entry.data if isinstance(entry, Datagram) else None
        as_json = printable_json(json.dumps(entry.json(), ensure_ascii=False))
        return {
            "number": entry.number,
            "time": entry.time_ns,
            "what": entry.what,
            "portid": peer.portid if peer is not None else None,
            "pid": peer.pid if peer is not None else None,
            "comm": peer.comm if peer is not None else None,
            "text": self._text(entry),
            "data": data if data is not None and len(data) <= _DATA_MAX else None,
            "json": as_json if len(as_json.encode()) <= _JSON_MAX else None,
        }

    def _text(self, entry: Entry) -> str:
        lines = list(text_lines([entry], self._journal.started_ns))
        while len("\n".join(lines).encode()) > _JSON_MAX:
            lines[-2:] = [" " * 16 + "..."]
        return "\n".join(lines)

    def note(self, asked: Asked) -> None:
        self._journal.note(asked.text("text"))

    def clear(self, _asked: Asked) -> None:
        self._journal.clear()


class FaultOps:
    """Rules, and what they hold back."""

    def __init__(self, faults: Faults) -> None:
        self._faults: Final = faults

    def ops(self) -> Handlers:
        return {
            "fault-new": Handler(self.new),
            "fault-get": Handler(dump=self.rules),
            "fault-del": Handler(self.delete),
            "fault-release": Handler(self.release),
            "overrun": Handler(self.overrun),
        }

    def new(self, asked: Asked) -> Row:
        rule = self._faults.parse(asked.text("rule"))
        return {"id": rule.number}

    def rules(self, _asked: Asked) -> Iterator[Row]:
        for rule in self._faults.rules:
            yield {
                "id": rule.number,
                "rule": str(rule),
                "seen": rule.seen,
                "applied": rule.applied,
            }

    def delete(self, asked: Asked) -> None:
        if "id" not in asked:
            self._faults.clear()
            return
        number = asked.number("id")
        rule = next((rule for rule in self._faults.rules if rule.number == number), None)
        if rule is None:
            raise LookupError(f"rule {number}")
        self._faults.remove(rule)

    def release(self, _asked: Asked) -> Row:
        return {"count": self._faults.release()}

    def overrun(self, asked: Asked) -> Row:
        comm: Any = asked.text("comm", "") or None
        hit = self._faults.enobufs_now(
            portid=asked.get("portid"),
            pid=asked.get("pid"),
            comm=comm,
        )
        return {"count": hit}
