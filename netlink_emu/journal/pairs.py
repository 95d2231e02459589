"""Two journals of what should be the same: which messages correspond, and where they differ."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from netlink_emu.journal.entries import Datagram, Entry
from netlink_emu.protocol.netlink import NETLINK_GENERIC
from netlink_emu.protocol.reading.rows import Row, rows

# They differ in any two runs.
IGNORED: Final = ("nlmsg_seq", "nlmsg_pid")
_MOST_COMPARED: Final = 4_000_000  # entries of one journal times those of the other
_CUT: Final = " bytes)"  # how the text of a long value ends


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a pair; a side that does not have it is None."""

    name: str
    a: str | None
    b: str | None


@dataclass(frozen=True, slots=True)
class Pair:
    """A datagram of either journal, or of one alone (the other is None); what differs."""

    a: Datagram | None
    b: Datagram | None
    fields: tuple[Field, ...] = ()

    @property
    def differs(self) -> bool:
        return self.a is None or self.b is None or bool(self.fields)


def pair(a: Sequence[Entry], b: Sequence[Entry], ignore: Sequence[str] = IGNORED) -> list[Pair]:
    """The datagrams of both, client by client, in their order.

    Datagrams correspond that go the same way and have the same commands; ``ignore`` has names of
    fields, as the last part of their path.
    """
    ours, theirs = _clients(a), _clients(b)
    pairs: list[Pair] = []
    for index in range(max(len(ours), len(theirs))):
        one = ours[index] if index < len(ours) else []
        other = theirs[index] if index < len(theirs) else []
        for left, right in _aligned(one, other):
            if left is None or right is None:
                pairs.append(Pair(left, right))
            else:
                pairs.append(Pair(left, right, tuple(_fields(left, right, ignore))))
    return pairs


def _clients(entries: Sequence[Entry]) -> list[list[Datagram]]:
    """The datagrams of each client, the n-th that spoke as the n-th."""
    found: defaultdict[int, list[Datagram]] = defaultdict(list)
    for entry in entries:
        if isinstance(entry, Datagram):
            found[entry.peer.number if entry.peer is not None else 0].append(entry)
    return list(found.values())


def _key(entry: Datagram) -> Hashable:
    views = entry.views()
    return entry.what, tuple((v.kind, v.message.family, v.message.cmd, v.answers) for v in views)


def _aligned(
    one: Sequence[Datagram], other: Sequence[Datagram]
) -> Iterator[tuple[Datagram | None, Datagram | None]]:
    ours, theirs = [_key(entry) for entry in one], [_key(entry) for entry in other]
    if len(ours) * len(theirs) > _MOST_COMPARED:
        yield from _by_turns(one, ours, other, theirs)
        return
    matcher = difflib.SequenceMatcher(None, ours, theirs, autojunk=False)
    for tag, begin, end, start, stop in matcher.get_opcodes():
        if tag == "equal":
            yield from zip(one[begin:end], other[start:stop], strict=True)
        else:
            yield from ((entry, None) for entry in one[begin:end])
            yield from ((None, entry) for entry in other[start:stop])


def _by_turns(
    one: Sequence[Datagram],
    ours: Sequence[Hashable],
    other: Sequence[Datagram],
    theirs: Sequence[Hashable],
) -> Iterator[tuple[Datagram | None, Datagram | None]]:
    """The n-th of a kind with the n-th of that kind: for what is too long to be aligned."""
    waiting: defaultdict[Hashable, list[Datagram]] = defaultdict(list)
    for entry, key in zip(reversed(other), reversed(theirs), strict=True):
        waiting[key].append(entry)
    for entry, key in zip(one, ours, strict=True):
        yield entry, waiting[key].pop() if waiting[key] else None
    for left in waiting.values():
        yield from ((None, entry) for entry in left)


def _fields(a: Datagram, b: Datagram, ignore: Sequence[str]) -> Iterator[Field]:
    ours, theirs = _named(a), _named(b)
    for name in dict.fromkeys([*ours, *theirs]):
        one, other = ours.get(name), theirs.get(name)
        if name.rpartition("/")[2].partition(" (")[0] not in ignore and one != other:
            yield Field(name, one[0] if one else None, other[0] if other else None)


def _named(entry: Datagram) -> dict[str, tuple[str, bytes]]:
    """Fields by their path: what they say, and the bytes of those that are shown in part."""
    found: dict[str, tuple[str, bytes]] = {}
    for row in rows_of(entry):
        name, again = row.name, 1
        while name in found:
            again += 1
            name = f"{row.name} ({again})"
        data = entry.data[row.offset : row.offset + row.size] if row.text.endswith(_CUT) else b""
        found[name] = row.text, data
    return found


def rows_of(entry: Datagram) -> list[Row]:
    """A datagram's fields; of other protocols than generic netlink its bytes alone."""
    if entry.peer is not None and entry.peer.protocol != NETLINK_GENERIC:
        text = f"of netlink protocol {entry.peer.protocol}"
        return [Row(0, len(entry.data), "bytes", text)] if entry.data else []
    return rows(entry.data, entry.decoder)
