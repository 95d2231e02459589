"""Write the entries of a journal for the page: one JSON object per line.

Three kinds of lines precede the first entry that needs them: ``shape`` (which bytes of a
datagram are which field), ``lane`` (who a socket belongs to), ``meta`` (the whole session).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
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
from netlink_emu.protocol.errors import errno_name
from netlink_emu.protocol.netlink import NETLINK_GENERIC
from netlink_emu.protocol.reading.rows import Row, rows

_MOST_SUMMARY: Final = 160
_MOST_NAMED: Final = 4  # messages of a datagram that its summary names

Shape = tuple[tuple[int, int, str], ...]


def line(values: dict[str, Any]) -> bytes:
    """An object as a line of JSON for a script element.

    It is ASCII without ``<``, so that nothing in it can end the element.
    """
    text = json.dumps(values, separators=(",", ":")).replace("<", "\\u003c")
    return text.encode("ascii") + b"\n"


class Records:
    """Turns entries into lines, and remembers which shapes and lanes the page has."""

    def __init__(self, started_ns: int) -> None:
        self._started_ns: Final = started_ns
        self._shapes: dict[Shape, int] = {}
        self._lanes: dict[int, dict[str, Any]] = {}

    def lines(self, entry: Entry) -> Iterator[bytes]:
        """The lines for an entry; its own line is the last."""
        values: dict[str, Any] = {
            "number": entry.number,
            "time": entry.time_ns - self._started_ns,
            "what": entry.what,
            "title": entry.title(),
        }
        peer = entry.peer if isinstance(entry, Datagram | SocketEvent) else None
        if peer is not None:
            yield from self._lane(peer)
            values["socket"] = peer.number
        if isinstance(entry, Datagram):
            found = _rows(entry)
            yield from self._shape(found)
            values["shape"] = self._shapes[_shape_of(found)]
            values["texts"] = "\n".join(row.text.replace("\n", "\\n") for row in found)
            values["bytes"] = entry.data.hex()
        yield line(values | _details(entry))

    def _lane(self, peer: Peer) -> Iterator[bytes]:
        lane = {"lane": peer.number, "name": str(peer), **peer.json()}
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


def _rows(entry: Datagram) -> list[Row]:
    if entry.peer is not None and entry.peer.protocol != NETLINK_GENERIC:
        text = f"of netlink protocol {entry.peer.protocol}"
        return [Row(0, len(entry.data), "bytes", text)] if entry.data else []
    return rows(entry.data, entry.decoder)


def _details(entry: Entry) -> dict[str, Any]:
    """The details of one class of entries."""
    match entry:
        case Datagram():
            return _datagram(entry)
        case TaskEvent():
            exited = entry.exit_code is not None
            return {"pid": entry.pid, "comm": entry.comm, "cpu": entry.cpu, "exited": exited}
        case Listener():
            return {"action": entry.action, "portid": entry.portid, "cpu": entry.cpu}
        case Closed():
            return {"unread": entry.unread}
    return {}


def _datagram(entry: Datagram) -> dict[str, Any]:
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
            values["answers"] = entry.request[0].number
    if isinstance(entry, Dropped):
        values["reason"] = entry.reason.value
    if isinstance(entry, Faulted):
        values |= {"fault": entry.fault, "request": entry.is_request}
    return values


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
