"""The fields of a message by name, with their positions: what differs, and what may differ."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from netlink_emu.cassettes.match import Ignore, blanked, messages, nothing
from netlink_emu.cassettes.model import Cassette, Request
from netlink_emu.protocol.attributes import NLA_HDRLEN, NLA_TYPE_MASK
from netlink_emu.protocol.format import ByteOrder
from netlink_emu.protocol.genetlink import GENL_HDRLEN
from netlink_emu.protocol.netlink import NETLINK_GENERIC, NLMSG_HDRLEN, NLMSG_MIN_TYPE
from netlink_emu.protocol.reading.decode import Attribute, Decoder
from netlink_emu.protocol.reading.raw import raw_type
from netlink_emu.protocol.reading.render import value_text


class UnknownAttribute(ValueError):
    """No recorded request has an attribute of that name."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field: bytes of a message from ``start`` to ``end``. ``text`` is its value.

    ``numbers`` is the same as ``name``, an attribute's path, of numbers alone.
    """

    name: str
    start: int
    end: int
    text: str
    numbers: str = ""

    @property
    def is_attribute(self) -> bool:
        return bool(self.numbers)

    @property
    def names(self) -> frozenset[str]:
        """What users may call it: by name or number, with its path or without."""
        last = (path.rpartition("/")[2] for path in (self.name, self.numbers))
        return frozenset((self.name, self.numbers, *last)) - {""}


class Fields:
    """Splits messages into fields; attributes without a known name have numbers."""

    def __init__(self, cassette: Cassette, order: ByteOrder) -> None:
        self._order: Final = order
        ids = {family.id: name for name, family in cassette.head.families.items()}
        self._decoder: Final = Decoder(order, ids)

    def of(self, protocol: int, message: bytes) -> list[Field]:
        """The fields of a message: its header, then attributes, each before its nested ones."""
        found = [
            Field("nlmsg_type", 4, 6, str(int.from_bytes(message[4:6], self._order.name))),
            Field("nlmsg_flags", 6, 8, f"{int.from_bytes(message[6:8], self._order.name):#x}"),
        ]
        start = NLMSG_HDRLEN
        if protocol == NETLINK_GENERIC:
            end = min(start + GENL_HDRLEN, len(message))
            found.append(Field("genlmsghdr", start, end, message[start:end].hex()))
            [decoded, *_] = self._decoder.datagram(message)
            return [*found, *_attributes(decoded.attrs)]
        known = raw_type(protocol, int.from_bytes(message[4:6], self._order.name))
        size = len(message) if known.header is None else known.header
        end = min(start + size, len(message))
        if end > start:
            found.append(Field("header", start, end, message[start:end].hex(" ", -4)))
        attrs = self._decoder.attributes(message[end:], known.attrs, end)
        return [*found, *_attributes(attrs)]

    def difference(self, protocol: int, recorded: bytes, found: bytes) -> str:
        """The first difference of two datagrams, in words."""
        theirs, ours = (
            [
                data[start : start + header.nlmsg_len]
                for start, header in messages(data, self._order)
            ]
            for data in (recorded, found)
        )
        for first, second in zip(theirs, ours, strict=False):
            said = self._difference(protocol, first, second)
            if said:
                return said
        if len(theirs) != len(ours):
            return f"it has {len(ours)} messages, recorded are {len(theirs)}"
        if len(found) != len(recorded):
            return f"it has {len(found)} bytes, recorded are {len(recorded)}"
        return self._byte(recorded, found)

    def _byte(self, recorded: bytes, found: bytes) -> str:
        """The first byte that differs, but for nlmsg_seq and nlmsg_pid."""
        pairs = zip(blanked(recorded, self._order), blanked(found, self._order), strict=True)
        at = next((at for at, (old, new) in enumerate(pairs) if old != new), None)
        if at is None:
            return "nothing but numbers of the run"
        return f"byte {at} is {found[at]:#04x}, recorded is {recorded[at]:#04x}"

    def _difference(self, protocol: int, recorded: bytes, found: bytes) -> str:
        theirs, ours = self.of(protocol, recorded), self.of(protocol, found)
        for index in range(max(len(theirs), len(ours))):
            if index >= len(ours) or (
                index < len(theirs)
                and theirs[index].name != ours[index].name
                and theirs[index].name not in [field.name for field in ours]
            ):
                return f"{theirs[index].name} {theirs[index].text} is missing"
            if index >= len(theirs) or theirs[index].name != ours[index].name:
                return f"{ours[index].name} {ours[index].text} was not there"
            mine, other = ours[index], theirs[index]
            nested = index + 1 < len(ours) and ours[index + 1].end <= mine.end
            if found[mine.start : mine.end] != recorded[other.start : other.end] and not nested:
                return f"{mine.name} is {mine.text}, recorded is {other.text}"
        return ""


def _attributes(
    attrs: Sequence[Attribute], above: str = "", numbers_above: str = ""
) -> Iterator[Field]:
    for attr in attrs:
        name = f"{above}{attr.label}"
        numbers = f"{numbers_above}{attr.type & NLA_TYPE_MASK}"
        start, end = attr.offset, attr.offset + NLA_HDRLEN + len(attr.payload)
        nested = isinstance(attr.value, tuple)
        yield Field(name, start, end, "" if nested else value_text(attr), numbers)
        if nested:
            yield from _attributes(attr.value, f"{name}/", f"{numbers}/")


def ignored(cassette: Cassette, names: Iterable[str], order: ByteOrder) -> Ignore:
    """Return a function that finds the attributes with these names, which may differ.

    A name is an attribute's name or its number, or a path of these (``CTRL_ATTR_OPS/1``). Raises
    UnknownAttribute if no recorded request has the attribute.
    """
    wanted = frozenset(names)
    if not wanted:
        return nothing
    fields = Fields(cassette, order)
    seen: set[str] = set()
    for stream in cassette.streams:
        for event in stream.events:
            if isinstance(event, Request):
                for start, header in messages(event.data, order):
                    message = event.data[start : start + header.nlmsg_len]
                    for each in fields.of(stream.protocol, message):
                        seen |= each.names
    for name in wanted - seen:
        close = difflib.get_close_matches(name, seen, 1)
        hint = f", did you mean {close[0]}?" if close else ""
        raise UnknownAttribute(f"no recorded request has an attribute {name}{hint}")

    def find(protocol: int, message: bytes) -> Iterator[range]:
        if int.from_bytes(message[4:6], order.name) < NLMSG_MIN_TYPE:
            return
        for each in fields.of(protocol, message):
            if each.names & wanted:
                yield range(each.start + NLA_HDRLEN, each.end)

    return find
