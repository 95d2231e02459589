"""Compare two cassettes, socket by socket: what a client asked or got differently.

Values that differ in every recording are ignored: nlmsg_seq, nlmsg_pid, portids, milliseconds.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from netlink_emu.cassettes.blanking import Blanking
from netlink_emu.cassettes.fields import Fields
from netlink_emu.cassettes.model import (
    Answer,
    Bound,
    Cassette,
    Connected,
    Event,
    Failed,
    Option,
    Request,
    Stream,
)
from netlink_emu.cassettes.text import Texts, order_of
from netlink_emu.protocol.errors import errno_name


@dataclass(frozen=True, slots=True)
class _Seen:
    """An event to compare: its key, and its text."""

    key: tuple[object, ...]
    lines: Sequence[str]
    number: int  # among those of its kind, from 1; 0 where they are not counted


class _Side:
    """One of the two cassettes."""

    def __init__(self, cassette: Cassette, ignore: Iterable[str]) -> None:
        order = order_of(cassette)
        self._texts: Final = Texts(order, cassette.head.families)
        self._blanking: Final = Blanking(Fields(cassette, order), order, ignore)
        self.streams: Final = [(each, [*self._seen(each)]) for each in cassette.streams]

    def _seen(self, stream: Stream) -> Iterator[_Seen]:
        numbers = {"request": 0, "answer": 0}
        for event in stream.events:
            if isinstance(event, Request | Answer):
                kind = "request" if isinstance(event, Request) else "answer"
                numbers[kind] += 1
                data = self._blanking.of(stream.protocol, event.data)
                lines = self._texts.of(stream.protocol, data).splitlines()
                key: tuple[object, ...] = (kind, data, event.group, bool(event.portid))
                yield _Seen(key, lines, numbers[kind])
            else:
                words = event_words(event)
                portid = isinstance(event, Bound | Connected)
                key = (type(event).__name__, *_without_portid(event)) if portid else (words,)
                yield _Seen(key, [words], 0)


def event_words(event: Event) -> str:
    """An event that is not a datagram, in words."""
    match event:
        case Bound(portid, groups):
            more = f", groups {', '.join(map(str, groups))}" if groups else ""
            return f"bind: portid {portid}{more}"
        case Connected(portid, group):
            return f"connect: portid {portid}, group {group}"
        case Option(level, name, value):
            return f"option: level {level}, name {name}, value {value.hex()}"
        case Failed(call, errno):
            return f"{call}: {errno_name(errno)}"
    raise TypeError(event)


def _without_portid(event: Event) -> tuple[object, ...]:
    if isinstance(event, Bound):
        return event.groups
    assert isinstance(event, Connected)
    return bool(event.portid), event.group


def compare(first: Cassette, second: Cassette, ignore: Iterable[str] = ()) -> Iterator[str]:
    """Return the differences, one per line; none if a client cannot tell the two apart.

    Attributes of ``ignore`` (names, paths or numbers) may have other values of the same length.
    """
    names = [*ignore]
    ours, theirs = _Side(first, names), _Side(second, names)
    for number in range(max(len(ours.streams), len(theirs.streams))):
        title = f"socket {number + 1}"
        if number >= len(theirs.streams):
            yield f"- {title} ({ours.streams[number][0].protocol_name})"
        elif number >= len(ours.streams):
            yield f"+ {title} ({theirs.streams[number][0].protocol_name})"
        else:
            (one, before), (other, after) = ours.streams[number], theirs.streams[number]
            if (one.protocol, one.type) != (other.protocol, other.type):
                yield f"- {title} ({one.protocol_name}, type {one.type})"
                yield f"+ {title} ({other.protocol_name}, type {other.type})"
                continue
            lines = [*_differences(before, after)]
            if lines:
                yield f"{title} ({one.protocol_name})"
                yield from lines


def _differences(before: Sequence[_Seen], after: Sequence[_Seen]) -> Iterator[str]:
    keys = [seen.key for seen in before], [seen.key for seen in after]
    matcher = difflib.SequenceMatcher(None, *keys, autojunk=False)
    for tag, begin, end, start, stop in matcher.get_opcodes():
        if tag == "equal":
            continue
        for old, new in zip(before[begin:end], after[start:stop], strict=False):
            yield from _changed(old, new)
        common = min(end - begin, stop - start)
        for seen in before[begin + common : end]:
            yield f"- {_title(seen)}"
        for seen in after[start + common : stop]:
            yield f"+ {_title(seen)}"


def _title(seen: _Seen) -> str:
    if not seen.number:
        return seen.lines[0]
    return f"{seen.key[0]} {seen.number}: {next(iter(seen.lines), 'nothing')}"


def _changed(old: _Seen, new: _Seen) -> Iterator[str]:
    if not old.number or not new.number or old.key[0] != new.key[0]:
        yield f"- {_title(old)}"
        yield f"+ {_title(new)}"
        return
    yield f"  {_title(new)}"
    lines = difflib.unified_diff(old.lines, new.lines, lineterm="", n=0)
    changed = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
    yield from (f"  {line}" for line in changed)
    if not changed:
        yield f"  its bytes differ: {_where(old.key, new.key)}"


def _where(old: tuple[object, ...], new: tuple[object, ...]) -> str:
    ours, theirs = old[1], new[1]
    assert isinstance(ours, bytes)
    assert isinstance(theirs, bytes)
    if ours == theirs:
        return "only by the sender's address or its group"
    if len(ours) != len(theirs):
        return f"there are {len(theirs)}, there were {len(ours)}"
    at = next(at for at, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b)
    return f"byte {at} is {theirs[at]:#04x}, was {ours[at]:#04x}"
