"""Write the entries of a journal for the page: one JSON object per line.

Three kinds of lines precede the first entry that needs them: ``shape`` (which bytes of a
datagram are which field), ``lane`` (who a socket belongs to), ``meta`` (the whole session).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from netlink_emu.journal.entries import (
    Closed,
    Datagram,
    Dropped,
    Entry,
    Faulted,
    Listener,
    MessageView,
    Peer,
    Queued,
    Sent,
    SocketEvent,
    TaskEvent,
)
from netlink_emu.journal.pairs import rows_of
from netlink_emu.protocol.errors import errno_name
from netlink_emu.protocol.reading.rows import Row

_MOST_SUMMARY: Final = 160
_MOST_NAMED: Final = 4  # messages of a datagram that its summary names

Shape = tuple[tuple[int, int, str], ...]


def line(values: dict[str, Any]) -> bytes:
    """An object as a line of JSON for a script element.

    It is ASCII without ``<``, so that nothing in it can end the element.
    """
    text = json.dumps(values, separators=(",", ":")).replace("<", "\\u003c")
    return text.encode("ascii") + b"\n"


@dataclass(frozen=True, slots=True)
class Side:
    """One of several sessions of a page: its numbers follow those of the sessions before.

    ``about`` has more to tell of an entry, by its own number.
    """

    name: str = ""
    numbers: int = 0
    lanes: int = 0
    shapes: dict[Shape, int] = field(default_factory=dict)
    about: dict[int, dict[str, Any]] = field(default_factory=dict)

    def number(self, entry: Entry) -> int:
        return self.numbers + entry.number

    def lane(self, peer: Peer) -> int:
        return self.lanes + peer.number


class Records:
    """Turns entries into lines, and remembers which shapes and lanes the page has."""

    def __init__(self, started_ns: int, side: Side | None = None) -> None:
        self._started_ns: Final = started_ns
        self._side: Final = side or Side()
        self._shapes: Final = self._side.shapes
        self._lanes: dict[int, dict[str, Any]] = {}

    def lines(self, entry: Entry) -> Iterator[bytes]:
        """The lines for an entry; its own line is the last."""
        values: dict[str, Any] = {
            "number": self._side.number(entry),
            "time": entry.time_ns - self._started_ns,
            "what": entry.what,
            "title": entry.title(),
        }
        peer = entry.peer if isinstance(entry, Datagram | SocketEvent) else None
        if peer is not None:
            yield from self._lane(peer)
            values["socket"] = self._side.lane(peer)
        if isinstance(entry, Datagram):
            found = rows_of(entry)
            yield from self._shape(found)
            values["shape"] = self._shapes[_shape_of(found)]
            values["texts"] = "\n".join(row.text.replace("\n", "\\n") for row in found)
            values["bytes"] = entry.data.hex()
        yield line(values | _details(entry, self._side) | self._side.about.get(entry.number, {}))

    def _lane(self, peer: Peer) -> Iterator[bytes]:
        name = f"{self._side.name} {peer}".strip()
        lane = {"lane": self._side.lane(peer), "name": name, **peer.json()}
        if self._lanes.get(peer.number) != lane:
            self._lanes[peer.number] = lane
            yield line(lane)

    def _shape(self, found: list[Row]) -> Iterator[bytes]:
        shape = _shape_of(found)
        if shape not in self._shapes:
            number = self._shapes[shape] = len(self._shapes)
            yield line({"shape": number, "rows": shape})


def _shape_of(found: list[Row]) -> Shape:
    return tuple((row.offset, row.size, row.name) for row in found)


def _details(entry: Entry, side: Side) -> dict[str, Any]:
    """The details of one class of entries."""
    match entry:
        case Datagram():
            return _datagram(entry, side)
        case TaskEvent():
            exited = entry.exit_code is not None
            return {"pid": entry.pid, "comm": entry.comm, "cpu": entry.cpu, "exited": exited}
        case Listener():
            return {"action": entry.action, "portid": entry.portid, "cpu": entry.cpu}
        case Closed():
            return {"unread": entry.unread}
    return {}


def _datagram(entry: Datagram, side: Side) -> dict[str, Any]:
    views = list(entry.views())
    errors = [view.message.errno_name for view in views]
    if isinstance(entry, Sent):
        errors += [errno_name(err) for err in entry.errors if err]
    values: dict[str, Any] = {
        "size": len(entry.data),
        "kinds": _each(view.kind.value for view in views),
        "families": _each(_family(view) for view in views),
        "cmds": _each(_cmd(view) for view in views),
        "errors": _each(errors),
        "seqs": _each(view.message.header.nlmsg_seq for view in views),
        "summary": _summary(views),
    }
    if isinstance(entry, Sent):
        values["to"] = entry.to
    if isinstance(entry, Queued):
        values["from"] = entry.source
        values["group"] = entry.group
        if entry.request is not None:
            values["answers"] = side.number(entry.request[0])
    if isinstance(entry, Dropped):
        values["reason"] = entry.reason.value
    if isinstance(entry, Faulted):
        values |= {"fault": entry.fault, "request": entry.is_request}
    return values


def summary_of(entry: Datagram) -> str:
    """What a datagram says, in short."""
    return _summary(list(entry.views()))


def _each(values: Any) -> list[Any]:
    """Each value that is not empty, once, in order."""
    return list(dict.fromkeys(value for value in values if value))


def _family(view: MessageView) -> str:
    message = view.message.about if view.message.about is not None else view.message
    return message.family


def _cmd(view: MessageView) -> str:
    if view.message.cmd:
        return view.message.cmd
    about = view.message.about
    return (about.cmd if about is not None else "") or view.answers


def _summary(views: list[MessageView]) -> str:
    texts: dict[str, int] = {}
    for view in views:
        text = _message(view)
        texts[text] = texts.get(text, 0) + 1
    named = [f"{n} times {text}" if n > 1 else text for text, n in texts.items()]
    more = len(named) - _MOST_NAMED
    return "; ".join(named[:_MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")


def _message(view: MessageView) -> str:
    """A message in short: ``TASKSTATS_CMD_GET PID 4242``."""
    message = view.message
    if not message.header.nlmsg_len:
        return "no message"
    parts = [message.cmd or message.type_name]
    if not message.cmd and message.cmd_number is not None:
        parts.append(f"command {message.cmd_number}")
    if message.error is not None:
        parts.append(message.errno_name or "0")
        about = _cmd(view)
        parts += [f"about {about}"] if about else []
    for name, value in view.attrs.items():
        if isinstance(value, int | str) and value is not True:
            parts.append(f"{name.rpartition('_')[2]} {value}")
    text = " ".join(parts)
    return text if len(text) <= _MOST_SUMMARY else text[: _MOST_SUMMARY - 1] + "…"
