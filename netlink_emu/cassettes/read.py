"""Read a cassette; each mistake is reported with file, line and column."""

from __future__ import annotations

import errno as _errno
from collections.abc import Callable, Mapping
from typing import Final

from netlink_emu.cassettes.model import (
    PROTOCOLS,
    VERSION,
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
from netlink_emu.documents import DocumentError, Map, read_document, shown

MOST_BYTES: Final = 32 << 20
MOST_DATAGRAM: Final = 1 << 20
_TYPES: Final = {"dgram": 2, "raw": 3}
_U32: Final = 1 << 32
_HEAD_KEYS: Final = (
    "netlink-emu-cassette", "kernel", "arch", "recorded-by", "command", "status", "families",
    "redacted", "sockets",
)  # fmt: skip


def read_cassette(text: str | bytes, file: str) -> Cassette:
    """Read a cassette. Raises :class:`netlink_emu.documents.DocumentError`, and nothing else."""
    document = read_document(text, file, most_bytes=MOST_BYTES)
    if "netlink-emu-cassette" not in document:
        raise document.error(None, "not a cassette: it does not begin with netlink-emu-cassette")
    version = document.number("netlink-emu-cassette")
    if version != VERSION:
        raise document.error(
            "netlink-emu-cassette", f"version {version} of the format is not known, {VERSION} is"
        )
    for wrong in document.only(_HEAD_KEYS):
        raise wrong
    return Cassette(_head(document), tuple(map(_stream, document.maps("sockets"))))


def _head(document: Map) -> Head:
    recorder = document.text("recorded-by", "").removeprefix("netlink-emu ")
    return Head(
        document.text("kernel", ""),
        document.text("arch", ""),
        recorder,
        tuple(document.names("command")),
        _families(document.map("families")),
        tuple(document.names("redacted")),
        _number(document, "status", 256) if "status" in document else None,
    )


def _families(found: Map | None) -> dict[str, RecordedFamily]:
    families: dict[str, RecordedFamily] = {}
    for name in found or ():
        assert found is not None
        entry = found.map(name)
        if entry is None:
            raise found.error(name, f"{name} has an id")
        groups: dict[str, int] = {}
        numbers = entry.map("groups")
        for group in numbers or ():
            assert numbers is not None
            groups[group] = _number(numbers, group, _U32)
        families[name] = RecordedFamily(_number(entry, "id", 1 << 16), groups)
    return families


def _stream(entry: Map) -> Stream:
    for wrong in entry.only(("protocol", "type", "comm", "events")):
        raise wrong
    kind = entry.get("type")
    if isinstance(kind, str) and kind in _TYPES:
        kind = _TYPES[kind]
    if not isinstance(kind, int):
        raise entry.error("type", f"type is {' or '.join(_TYPES)}, not {shown(kind)}")
    return Stream(
        _protocol(entry), kind, entry.text("comm", ""), tuple(map(_event, entry.maps("events")))
    )


def _protocol(entry: Map) -> int:
    value = entry.get("protocol")
    if isinstance(value, str) and value in PROTOCOLS:
        return PROTOCOLS[value]
    if isinstance(value, int) and 0 <= value < 32:
        return value
    raise entry.error("protocol", f"there is no netlink protocol {shown(value)}")


def _event(entry: Map) -> Event:
    for key, read in _EVENTS.items():
        if key in entry:
            return read(entry)
    raise entry.error(None, f"an event is one of {', '.join(_EVENTS)}")


def _number(entry: Map, key: str, end: int, default: int | None = None) -> int:
    value = entry.number(key, default)
    if not 0 <= value < end:
        raise entry.error(key, f"{key} is 0 to {end - 1}, not {value}")
    return value


def _inner(entry: Map, key: str, known: tuple[str, ...]) -> Map:
    found = entry.map(key)
    if found is None:
        raise entry.error(key, f"{key} has {', '.join(known)}")
    for wrong in [*entry.only((key,)), *found.only(known)]:
        raise wrong
    return found


def _bound(entry: Map) -> Bound:
    found = _inner(entry, "bind", ("portid", "groups"))
    groups = []
    for place, group in found.items_of("groups"):
        if not isinstance(group, int) or not 1 <= group <= 32:
            raise DocumentError(place, f"a group is 1 to 32, not {shown(group)}")
        groups.append(group)
    return Bound(_number(found, "portid", _U32), tuple(groups))


def _connected(entry: Map) -> Connected:
    found = _inner(entry, "connect", ("portid", "group"))
    return Connected(_number(found, "portid", _U32), _number(found, "group", 33, 0))


def _option(entry: Map) -> Option:
    found = _inner(entry, "option", ("level", "name", "value"))
    return Option(
        _number(found, "level", _U32), _number(found, "name", _U32), _hex(found, "value", 1 << 16)
    )


def _failed(entry: Map) -> Failed:
    found = _inner(entry, "failed", ("call", "errno"))
    name = found.text("errno")
    number = getattr(_errno, name, None) if name.startswith("E") else None
    if not isinstance(number, int):
        raise found.error("errno", f"there is no errno {name!r}")
    return Failed(found.name("call"), number)


def _request(entry: Map) -> Request:
    for wrong in entry.only(("request", "bytes", "to")):
        raise wrong
    portid, group = _address(entry, "to")
    return Request(_hex(entry, "bytes", MOST_DATAGRAM), portid, group, _words(entry, "request"))


def _answer(entry: Map) -> Answer:
    for wrong in entry.only(("answer", "bytes", "from", "after")):
        raise wrong
    portid, group = _address(entry, "from")
    after = _number(entry, "after", _U32, 0)
    text = _words(entry, "answer")
    return Answer(_hex(entry, "bytes", MOST_DATAGRAM), portid, group, after, text)


def _words(entry: Map, key: str) -> str:
    """The text of a datagram in lines, each with its end, whichever way it is written."""
    lines = entry.text(key).splitlines()
    while lines and not lines[-1]:
        lines.pop()
    return "".join(f"{line}\n" for line in lines)


def _address(entry: Map, key: str) -> tuple[int, int]:
    found = entry.map(key)
    if found is None:
        return 0, 0
    for wrong in found.only(("portid", "group")):
        raise wrong
    return _number(found, "portid", _U32, 0), _number(found, "group", _U32, 0)


def _hex(entry: Map, key: str, most: int) -> bytes:
    text = entry.text(key)
    try:
        data = bytes.fromhex(text)
    except ValueError as exc:
        raise entry.error(key, f"{key} are pairs of hexadecimal digits") from exc
    if len(data) > most:
        raise entry.error(key, f"{key} are {most} at most, not {len(data)}")
    return data


_EVENTS: Final[Mapping[str, Callable[[Map], Event]]] = {
    "request": _request,
    "answer": _answer,
    "bind": _bound,
    "connect": _connected,
    "option": _option,
    "failed": _failed,
}
