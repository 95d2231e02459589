"""A recording in progress: JSON lines, one for each event, appended at once.

If the recorder is killed, the lines written so far can be finished to a cassette. The first line
is a head; sockets (numbered in order) and their events follow. Keys are not blanked yet, so only
the owner may read the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from errno import errorcode
from typing import Any, Final

from netlink_emu.cassettes.model import (
    Answer,
    Bound,
    Cassette,
    Connected,
    Event,
    Failed,
    Head,
    Option,
    RecordedFamily,
    Request,
    Stream,
)
from netlink_emu.cassettes.recording.families import told_family
from netlink_emu.cassettes.text import order_of
from netlink_emu.protocol.netlink import NETLINK_GENERIC
from netlink_emu.protocol.reading.decode import Decoder

SUFFIX: Final = ".unfinished"
MAGIC: Final = b'{"netlink-emu-unfinished": 1'
MOST_BYTES: Final = 1 << 28
_U32: Final = 1 << 32
_MOST_DATAGRAM: Final = 1 << 20
_MOST_TEXT: Final = 1 << 12
_CALL: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")


class UnfinishedError(ValueError):
    """Not an unfinished recording, or a damaged one; the text says why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to finish a recording: see ``netlink-emu record``."""

    head: Head
    redact: tuple[str, ...] = ()
    keep_secrets: bool = False
    append: bool = False


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The contents of a file. ``torn``: its last line is incomplete."""

    plan: Plan
    streams: tuple[Stream, ...]
    torn: bool


# --- writing


def head_line(plan: Plan) -> bytes:
    """The first line."""
    head = plan.head
    families = {name: [each.id, dict(each.groups)] for name, each in head.families.items()}
    return _line(
        {
            "netlink-emu-unfinished": 1,
            "kernel": head.release,
            "arch": head.arch,
            "recorder": head.recorder,
            "command": [*head.command],
            "families": families,
            "redact": [*plan.redact],
            "keep-secrets": plan.keep_secrets,
            "append": plan.append,
        }
    )


def socket_line(protocol: int, type: int, comm: str) -> bytes:
    """The line of a new socket, which has the next number."""
    return _line(["socket", protocol, type, comm])


def event_line(socket: int, event: Event) -> bytes:
    """The line of an event on a socket."""
    match event:
        case Bound(portid, groups):
            return _line([socket, "bind", portid, [*groups]])
        case Connected(portid, group):
            return _line([socket, "connect", portid, group])
        case Option(level, name, value):
            return _line([socket, "option", level, name, value.hex()])
        case Failed(call, errno):
            return _line([socket, "failed", call, errno])
        case Request(data, portid, group):
            return _line([socket, "request", data.hex(), portid, group])
        case Answer(data, portid, group, after):
            return _line([socket, "answer", data.hex(), portid, group, after])
    raise TypeError(event)


def _line(values: object) -> bytes:
    return json.dumps(values).encode() + b"\n"


# --- reading


def is_unfinished(data: bytes) -> bool:
    """Whether a file begins like an unfinished recording."""
    return data.startswith(MAGIC)


def read_unfinished(data: bytes) -> Unfinished:
    """Read a file, also an incomplete one; raises UnfinishedError."""
    if not is_unfinished(data):
        raise UnfinishedError("not an unfinished recording")
    if len(data) > MOST_BYTES:
        raise UnfinishedError(f"longer than {MOST_BYTES >> 20} MiB")
    first, *lines = data.split(b"\n")
    torn = bool(lines.pop()) if lines else True
    plan = _plan(_parsed(first, 1))
    sockets: list[tuple[int, int, str]] = []
    events: list[list[Event]] = []
    for number, line in enumerate(lines, 2):
        values = _parsed(line, number)
        try:
            if values[0] == "socket":
                protocol, kind, comm = values[1:]
                sockets.append((_int(protocol, 32), _int(kind, 16), _text(comm)))
                events.append([])
            else:
                events[_int(values[0], len(events))].append(_EVENTS[values[1]](*values[2:]))
        except (LookupError, TypeError, ValueError) as exc:
            raise UnfinishedError(f"line {number} is damaged: {line[:40]!r}") from exc
    streams = tuple(
        Stream(*socket, tuple(found)) for socket, found in zip(sockets, events, strict=True)
    )
    return Unfinished(_with_told(plan, streams), streams, torn)


def _parsed(line: bytes, number: int) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise UnfinishedError(f"line {number} is damaged: {line[:40]!r}") from exc


def _plan(values: Any) -> Plan:
    try:
        families = {
            _text(name): RecordedFamily(
                _int(number, 1 << 16),
                {_text(group): _int(id, _U32) for group, id in groups.items()},
            )
            for name, (number, groups) in values["families"].items()
        }
        head = Head(
            _text(values["kernel"]),
            _text(values["arch"]),
            _text(values["recorder"]),
            tuple(map(_text, values["command"])),
            families,
        )
        redact = tuple(map(_text, values["redact"]))
        return Plan(head, redact, bool(values["keep-secrets"]), bool(values["append"]))
    except (AttributeError, LookupError, TypeError, ValueError) as exc:
        raise UnfinishedError("its first line is damaged") from exc


def _int(value: object, end: int) -> int:
    if not isinstance(value, int) or not 0 <= value < end:
        raise ValueError(value)
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > _MOST_TEXT:
        raise ValueError(value)
    value.encode()  # half a character (\ud800) is none; raises ValueError
    return value


def _call(value: object) -> str:
    if not isinstance(value, str) or not _CALL.fullmatch(value):
        raise ValueError(value)
    return value


def _errno(value: object) -> int:
    if value not in errorcode:
        raise ValueError(value)
    return _int(value, 4096)


def _hex(value: object) -> bytes:
    if not isinstance(value, str) or len(value) > 2 * _MOST_DATAGRAM:
        raise ValueError(value)
    return bytes.fromhex(value)


_EVENTS: Final[Mapping[object, Callable[..., Event]]] = {
    "bind": lambda portid, groups: Bound(
        _int(portid, _U32), tuple(_int(group, 33) for group in groups)
    ),
    "connect": lambda portid, group: Connected(_int(portid, _U32), _int(group, 33)),
    "option": lambda level, name, value: Option(_int(level, _U32), _int(name, _U32), _hex(value)),
    "failed": lambda call, errno: Failed(_call(call), _errno(errno)),
    "request": lambda data, portid, group: Request(
        _hex(data), _int(portid, _U32), _int(group, _U32)
    ),
    "answer": lambda data, portid, group, after: Answer(
        _hex(data), _int(portid, _U32), _int(group, _U32), _int(after, _U32)
    ),
}


# --- families that came later


def _with_told(plan: Plan, streams: Sequence[Stream]) -> Plan:
    """The head with the families that nlctrl has reported meanwhile."""
    decoder = Decoder(order_of(Cassette(plan.head)))
    told = dict(
        family
        for stream in streams
        if stream.protocol == NETLINK_GENERIC
        for event in stream.events
        if isinstance(event, Answer)
        for message in decoder.datagram(event.data)
        if (family := told_family(message))
    )
    families = {**told, **plan.head.families}
    return replace(plan, head=replace(plan.head, families=families))
