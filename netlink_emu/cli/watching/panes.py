"""The panes: which rows each has, of what is known of the kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from netlink_emu.cli.watching.cells import Style
from netlink_emu.cli.watching.news import Message, Snapshot
from netlink_emu.protocol.netlink import NETLINK_GENERIC
from netlink_emu.protocol.ours.control import STATE
from netlink_emu.protocol.reading.raw_messages import NAMES as PROTOCOLS

_STATES: Final = tuple(STATE.values)
_STYLES: Final = {
    "dropped": Style.BAD, "overrun": Style.BAD, "fault": Style.ODD, "remark": Style.ODD,
    "note": Style.STRONG, "task": Style.GOOD, "opened": Style.FAINT, "closed": Style.FAINT,
    "bound": Style.FAINT, "option": Style.FAINT, "membership": Style.FAINT,
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """``least`` to ``most`` cells wide, as its rows need; what is left goes to one that grows."""

    title: str
    least: int
    most: int
    right: bool = False
    grows: bool = False


@dataclass(frozen=True)
class Row:
    """``key`` tells it from others of its pane; ``tell`` gives all that is known of it."""

    key: object
    cells: tuple[str, ...]
    tell: Callable[[], list[str]]
    style: Style = Style.PLAIN
    values: Mapping[str, Any] = field(default_factory=dict)


class Pane:
    """``share`` of the height is a pane's; one that ``follows`` grows at its end."""

    name = ""
    share = 1
    follows = False
    columns: Sequence[Column] = ()
    has_heads = False

    def title(self, snapshot: Snapshot) -> str:
        raise NotImplementedError

    def rows(self, snapshot: Snapshot, words: Sequence[str], output: Sequence[str]) -> list[Row]:
        """The rows with all of these words."""
        raise NotImplementedError


def _having(rows: Iterable[Row], words: Sequence[str]) -> list[Row]:
    if not words:
        return [*rows]
    return [row for row in rows if _has(" ".join(row.cells).lower(), words)]


def _has(text: str, words: Sequence[str]) -> bool:
    return all(word in text for word in words)


def _values_told(values: Mapping[str, Any]) -> Callable[[], list[str]]:
    return lambda: [f"{name.replace('_', ' '):>12}  {value}" for name, value in values.items()]


class Sockets(Pane):
    name = "sockets"
    share = 5
    columns = (
        Column("portid", 6, 10, right=True),
        Column("client", 12, 26, grows=True),
        Column("families", 9, 24),
        Column("groups", 6, 24),
        Column("queue/rcvbuf", 12, 17, right=True),
        Column("drops", 5, 8, right=True),
    )
    has_heads = True

    def title(self, snapshot: Snapshot) -> str:
        more = "" if snapshot.sockets <= len(snapshot.socket_rows) else ", the oldest are shown"
        return f"Sockets {snapshot.sockets:,}{more}"

    def rows(self, snapshot: Snapshot, words: Sequence[str], output: Sequence[str]) -> list[Row]:
        return _having(map(self._row, snapshot.socket_rows), words)

    @staticmethod
    def _row(values: Mapping[str, Any]) -> Row:
        protocol, lost = values["protocol"], values["drops"]
        families = values["families"]
        if protocol != NETLINK_GENERIC:
            families = PROTOCOLS.get(protocol, f"protocol {protocol}")
        cells = (
            str(values["portid"]) if values["portid"] else "-",
            f"{values['comm']}[{values['pid']}]",
            families or "-",
            values["groups"] or "-",
            f"{values['queue']}/{values['rcvbuf']}",
            str(lost),
        )
        key = values["portid"] or (values["pid"], values["comm"])
        style = Style.BAD if lost or "congested" in values else Style.PLAIN
        return Row((key, protocol), cells, _values_told(values), style, values)


class Listeners(Pane):
    name = "listeners"
    columns = (Column("", 5, 24), Column("", 10, 10, grows=True))

    def title(self, snapshot: Snapshot) -> str:
        return "Listeners for exits"

    def rows(self, snapshot: Snapshot, words: Sequence[str], output: Sequence[str]) -> list[Row]:
        return _having(self._rows(snapshot), words)

    def _rows(self, snapshot: Snapshot) -> Iterator[Row]:
        by_cpu: dict[int, list[int]] = {row["cpu"]: [] for row in snapshot.cpu_rows}
        for row in snapshot.listener_rows:
            by_cpu.setdefault(row["cpu"], []).append(row["portid"])
        offline = {row["cpu"] for row in snapshot.cpu_rows if not row["online"]}
        same: dict[tuple[bool, tuple[int, ...]], list[int]] = {}
        for cpu, portids in sorted(by_cpu.items()):
            same.setdefault((cpu in offline, tuple(portids)), []).append(cpu)
        clients = {row["portid"]: row["comm"] for row in snapshot.socket_rows}
        for (is_offline, who), cpus in same.items():
            told = [f"{portid} {clients.get(portid, '(gone)')}" for portid in who]
            where = f"CPU {_cpulist(cpus)}"
            names = ", ".join(told) or "nobody"
            cells = (where, f"{names}{', offline' if is_offline else ''}")
            style = Style.PLAIN if who else Style.FAINT
            yield Row(where, cells, _list_told(f"{where}:", told), style)


def _list_told(title: str, lines: list[str]) -> Callable[[], list[str]]:
    return lambda: [title, "", *lines]


def _cpulist(cpus: Sequence[int]) -> str:
    """``0-3,5``."""
    runs: list[list[int]] = []
    for cpu in cpus:
        if runs and cpu == runs[-1][-1] + 1:
            runs[-1][1:] = [cpu]
        else:
            runs.append([cpu])
    return ",".join("-".join(map(str, run)) for run in runs)


class Tasks(Pane):
    name = "tasks"
    share = 5
    columns = (
        Column("pid", 7, 10, right=True),
        Column("tgid", 7, 10, right=True),
        Column("ppid", 7, 10, right=True),
        Column("cpu", 4, 5, right=True),
        Column("uid", 5, 10, right=True),
        Column("state", 8, 15),
        Column("comm", 15, 15, grows=True),
    )
    has_heads = True

    def title(self, snapshot: Snapshot) -> str:
        return f"Tasks {snapshot.tasks:,}"

    def rows(self, snapshot: Snapshot, words: Sequence[str], output: Sequence[str]) -> list[Row]:
        # The kernel looks for the words, too, but those here may be older than the words.
        return [
            self._row(row)
            for row in snapshot.task_rows
            if not words or _has(f"{row['pid']} {row['comm']}".lower(), words)
        ]

    @staticmethod
    def _row(values: Mapping[str, Any]) -> Row:
        ended = "exit_status" in values
        state = "zombie" if ended else _STATES[values["state"]]
        numbers = (str(values[name]) for name in ("pid", "tgid", "ppid", "cpu", "uid"))
        cells = (*numbers, state, values["comm"])
        style = Style.FAINT if ended else Style.PLAIN
        return Row(values["pid"], cells, _values_told(values), style, values)


class Messages(Pane):
    name = "messages"
    share = 6
    follows = True
    columns = (Column("", 11, 14, right=True), Column("", 20, 20, grows=True))

    def title(self, snapshot: Snapshot) -> str:
        left_out = f", {snapshot.left_out:,} left out" if snapshot.left_out else ""
        return f"Messages {snapshot.number:,}, {snapshot.rate:,.0f} a second{left_out}"

    def rows(self, snapshot: Snapshot, words: Sequence[str], output: Sequence[str]) -> list[Row]:
        found = []
        for message in snapshot.messages:
            if message.skipped and not words:
                skipped = f"... {message.skipped:,} that came too fast to be shown"
                found.append(Row(-message.number, ("", skipped), list, Style.FAINT))
            if not words or _has(message.sought, words):
                found.append(_message_row(message))
        return found


def _message_row(message: Message) -> Row:
    cells = (f"{message.seconds:.6f}", message.line)
    style = _STYLES.get(message.what, Style.PLAIN)
    return Row(message.number, cells, lambda: message.lines, style)


def _some(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


class Losses(Pane):
    name = "losses"
    share = 2
    follows = True
    columns = (Column("", 11, 14, right=True), Column("", 20, 20, grows=True))

    def title(self, snapshot: Snapshot) -> str:
        lost, rules = f"Lost {snapshot.drops:,}", len(snapshot.rules)
        if not rules:
            return lost
        applied = sum(rule["applied"] for rule in snapshot.rules)
        return f"{lost}; {_some(applied, 'fault')} by {_some(rules, 'rule')}"

    def rows(self, snapshot: Snapshot, words: Sequence[str], output: Sequence[str]) -> list[Row]:
        rows = [_message_row(loss) for loss in snapshot.losses if _has(loss.sought, words)]
        return rows + _having(map(self._rule, snapshot.rules), words)

    @staticmethod
    def _rule(values: Mapping[str, Any]) -> Row:
        counts = f"applied {values['applied']}, matched {values['seen']}"
        cells = (f"rule {values['id']}", f"{values['rule']}  ({counts})")
        return Row(("rule", values["id"]), cells, _values_told(values), Style.ODD, values)


class Output(Pane):
    name = "output"
    share = 3
    follows = True
    columns = (Column("", 20, 20, grows=True),)

    def title(self, snapshot: Snapshot) -> str:
        return "Output of the command"

    def rows(self, snapshot: Snapshot, words: Sequence[str], output: Sequence[str]) -> list[Row]:
        lines = (Row(at, (line,), _list_told(line, [])) for at, line in enumerate(output))
        return _having(lines, words)


def panes_for(*, with_output: bool) -> list[Pane]:
    """All panes, in the order in which Tab goes through them."""
    panes: list[Pane] = [Sockets(), Listeners(), Tasks(), Messages(), Losses()]
    return [*panes, Output()] if with_output else panes
