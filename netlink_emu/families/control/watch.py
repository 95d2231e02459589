"""NETLINK_EMU's operations on what clients do: listeners, waiting, the journal, faults."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from netlink_emu.families.control.ops import Handler, Handlers, Row
from netlink_emu.families.control.values import Values
from netlink_emu.journal.entries import Datagram, Entry, SocketEvent
from netlink_emu.journal.parse import parse_criteria
from netlink_emu.journal.record import text_lines
from netlink_emu.kernel.genetlink import GenlInfo
from netlink_emu.kernel.trace import Observer
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.ours.control import OPS, ControlOp, NlemuCmd, NlemuFault, NlemuWatch
from netlink_emu.protocol.reading.printable import printable_json

if TYPE_CHECKING:
    from netlink_emu.families import BootedKernel
    from netlink_emu.faults import Faults
    from netlink_emu.journal import Journal
    from netlink_emu.kernel.netlink_rcv import Request

_W, _F = NlemuWatch, NlemuFault
DEFAULT_TIMEOUT_MS: Final = 5000
_WAIT: Final = next(op for op in OPS if op.cmd is NlemuCmd.NLEMU_CMD_WAIT)
# So that an entry fits a datagram of a page, whatever it is about.
_DATA_MAX: Final = 1200
_JSON_MAX: Final = 1200


class PendingWait:
    """A wait that is not over."""

    def __init__(
        self,
        watch: WatchOps,
        info: GenlInfo,
        look: Callable[[], Row | None],
        explain: Callable[[], str],
        timeout_ms: int,
    ) -> None:
        self._watch: Final = watch
        self._info: Final = info
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
            self._answer({_W.NLEMU_A_WATCH_TIMED_OUT: b"", _W.NLEMU_A_WATCH_TEXT: self._explain()})

    def _answer(self, row: Row) -> None:
        self.over = True
        self._watch.waits.remove(self)
        if self._info.sk.closed:
            return
        # Nobody is told when an answer finds no room.
        with suppress(NetlinkError):
            self._watch.reply(self._info, _WAIT, row)


class WatchOps(Observer):
    """Looks at clients; observes the kernel for waits.

    ``reply`` answers a request later; ``began`` is told of each wait that is not over at once.
    """

    def __init__(
        self,
        kernel: BootedKernel,
        journal: Journal,
        *,
        reply: Callable[[GenlInfo, ControlOp, Row], None],
        began: Callable[[PendingWait], None],
    ) -> None:
        self._kernel: Final = kernel
        self._journal: Final = journal
        self._began: Final = began
        self.reply: Final = reply
        self.waits: Final[list[PendingWait]] = []

    def ops(self) -> Handlers:
        return {
            NlemuCmd.NLEMU_CMD_LISTENER_GET: Handler(dump=self.listeners),
            NlemuCmd.NLEMU_CMD_WAIT: Handler(self.wait),
            NlemuCmd.NLEMU_CMD_JOURNAL_GET: Handler(dump=self.entries),
            NlemuCmd.NLEMU_CMD_JOURNAL_NOTE: Handler(self.note),
            NlemuCmd.NLEMU_CMD_JOURNAL_CLEAR: Handler(self.clear),
        }

    def _portids(self, cpu: int | None) -> list[int]:
        taskstats = self._kernel.taskstats
        lists = taskstats.listeners if taskstats is not None else {}
        chosen = lists.items() if cpu is None else [(cpu, lists.get(cpu, []))]
        return sorted({portid for _, portids in chosen for portid in portids})

    def listeners(self, _info: GenlInfo, _values: Values) -> Iterator[Row]:
        taskstats = self._kernel.taskstats
        lists = taskstats.listeners if taskstats is not None else {}
        for cpu, portids in sorted(lists.items()):
            for portid in portids:
                yield {_W.NLEMU_A_WATCH_PORTID: portid, _W.NLEMU_A_WATCH_CPU: cpu}

    # --- waiting

    def wait(self, info: GenlInfo, values: Values) -> None:
        count = values.number(_W.NLEMU_A_WATCH_COUNT, 1)
        timeout_ms = values.number(_W.NLEMU_A_WATCH_TIMEOUT, DEFAULT_TIMEOUT_MS)
        if _W.NLEMU_A_WATCH_REQUEST in values:
            look, explain = self._for_request(values, count)
        else:
            look, explain = self._for_listener(values.maybe(_W.NLEMU_A_WATCH_CPU), count)
        pending = PendingWait(self, info, look, explain, timeout_ms)
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
            return {_W.NLEMU_A_WATCH_PORTID: portids[0]} if len(portids) >= count else None

        def explain() -> str:
            where = "any CPU" if cpu is None else f"CPU {cpu}"
            known = ", ".join(map(str, self._portids(None))) or "nobody"
            return f"no listener on {where}; registered anywhere: {known}\n" + self._last()

        return look, explain

    def _for_request(
        self, values: Values, count: int
    ) -> tuple[Callable[[], Row | None], Callable[[], str]]:
        criteria = parse_criteria(values.text(_W.NLEMU_A_WATCH_REQUEST))
        since = values.number(_W.NLEMU_A_WATCH_SINCE, 0)
        self._journal.match(**criteria)

        def look() -> Row | None:
            found = self._journal.requests(since=since, **criteria)
            if len(found) < count:
                return None
            view = found[count - 1]
            return {
                _W.NLEMU_A_WATCH_PORTID: view.portid,
                _W.NLEMU_A_WATCH_NUMBER: view.entry.number,
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

    def entries(self, _info: GenlInfo, values: Values) -> Iterator[Row]:
        since = values.number(_W.NLEMU_A_WATCH_SINCE, 0)
        match = None
        if _W.NLEMU_A_WATCH_REQUEST in values:
            match = self._journal.match(**parse_criteria(values.text(_W.NLEMU_A_WATCH_REQUEST)))
        for entry in self._journal:
            if entry.number <= since:
                continue
            if match is not None and not (
                isinstance(entry, Datagram) and any(map(match, entry.views()))
            ):
                continue
            yield self.row(entry)

    def row(self, entry: Entry) -> Row:
        """What the group hears of an entry of the journal."""
        peer = entry.peer if isinstance(entry, Datagram | SocketEvent) else None
        data = entry.data if isinstance(entry, Datagram) else None
        as_json = printable_json(json.dumps(entry.json(), ensure_ascii=False))
        return {
            _W.NLEMU_A_WATCH_NUMBER: entry.number,
            _W.NLEMU_A_WATCH_TIME: entry.time_ns,
            _W.NLEMU_A_WATCH_WHAT: entry.what,
            _W.NLEMU_A_WATCH_PORTID: peer.portid if peer is not None else None,
            _W.NLEMU_A_WATCH_PID: peer.pid if peer is not None else None,
            _W.NLEMU_A_WATCH_COMM: peer.comm if peer is not None else None,
            _W.NLEMU_A_WATCH_TEXT: self._text(entry),
            _W.NLEMU_A_WATCH_DATA: data if data is not None and len(data) <= _DATA_MAX else None,
            _W.NLEMU_A_WATCH_JSON: as_json if len(as_json.encode()) <= _JSON_MAX else None,
        }

    def _text(self, entry: Entry) -> str:
        lines = list(text_lines([entry], self._journal.started_ns))
        while len("\n".join(lines).encode()) > _JSON_MAX:
            lines[-2:] = [" " * 16 + "..."]
        return "\n".join(lines)

    def note(self, _info: GenlInfo, values: Values) -> None:
        self._journal.note(values.text(_W.NLEMU_A_WATCH_TEXT))

    def clear(self, _info: GenlInfo, _values: Values) -> None:
        self._journal.clear()


class FaultOps:
    """Rules, and what they hold back."""

    def __init__(self, faults: Faults) -> None:
        self._faults: Final = faults

    def ops(self) -> Handlers:
        return {
            NlemuCmd.NLEMU_CMD_FAULT_NEW: Handler(self.new),
            NlemuCmd.NLEMU_CMD_FAULT_GET: Handler(dump=self.rules),
            NlemuCmd.NLEMU_CMD_FAULT_DEL: Handler(self.delete),
            NlemuCmd.NLEMU_CMD_FAULT_RELEASE: Handler(self.release),
            NlemuCmd.NLEMU_CMD_OVERRUN: Handler(self.overrun),
        }

    def new(self, _info: GenlInfo, values: Values) -> Row:
        rule = self._faults.parse(values.text(_F.NLEMU_A_FAULT_RULE))
        return {_F.NLEMU_A_FAULT_ID: rule.number}

    def rules(self, _info: GenlInfo, _values: Values) -> Iterator[Row]:
        for rule in self._faults.rules:
            yield {
                _F.NLEMU_A_FAULT_ID: rule.number,
                _F.NLEMU_A_FAULT_RULE: str(rule),
                _F.NLEMU_A_FAULT_SEEN: rule.seen,
                _F.NLEMU_A_FAULT_APPLIED: rule.applied,
            }

    def delete(self, _info: GenlInfo, values: Values) -> None:
        if _F.NLEMU_A_FAULT_ID not in values:
            self._faults.clear()
            return
        number = values.number(_F.NLEMU_A_FAULT_ID)
        rule = next((rule for rule in self._faults.rules if rule.number == number), None)
        if rule is None:
            raise LookupError(f"rule {number}")
        self._faults.remove(rule)

    def release(self, _info: GenlInfo, _values: Values) -> Row:
        return {_F.NLEMU_A_FAULT_COUNT: self._faults.release()}

    def overrun(self, _info: GenlInfo, values: Values) -> Row:
        comm: Any = values.text(_F.NLEMU_A_FAULT_COMM, "") or None
        hit = self._faults.enobufs_now(
            portid=values.maybe(_F.NLEMU_A_FAULT_PORTID),
            pid=values.maybe(_F.NLEMU_A_FAULT_PID),
            comm=comm,
        )
        return {_F.NLEMU_A_FAULT_COUNT: hit}
