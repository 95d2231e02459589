"""Check a readable cassette: whether its text matches its bytes, and whether anything was cut off.

Only the bytes of a cassette are played, so text that differs from them is a mistake.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Final

from netlink_emu.cassettes.match import messages
from netlink_emu.cassettes.model import Answer, Cassette, Failed, Request, Stream
from netlink_emu.cassettes.text import NETLINK_KOBJECT_UEVENT, Texts, order_of
from netlink_emu.documents import Map, Place
from netlink_emu.kernel.releases import UnknownArchError, arch_named
from netlink_emu.protocol.format import BIG, LITTLE, ByteOrder
from netlink_emu.protocol.netlink import (
    NETLINK_GENERIC,
    NLM_F_ACK,
    NLM_F_DUMP,
    NLM_F_MULTI,
    NLMSG_DONE,
    NLMSG_ERROR,
    NLMSG_HDRLEN,
    NLMSG_MIN_TYPE,
    NlMsgHdr,
    nlmsg_align,
)

_NO_NLMSG: Final = frozenset({NETLINK_KOBJECT_UEVENT})
_GENL_IDS: Final = 0x20  # GENL_START_ALLOC: below are nlctrl and what is fixed


@dataclass(frozen=True, slots=True)
class Finding:
    """A mistake; ``stream`` and ``event`` are indices, or None if it concerns more than one.

    ``grave`` means that a client would not see what was recorded.
    """

    said: str
    stream: int | None = None
    event: int | None = None
    grave: bool = True


def check(cassette: Cassette) -> list[Finding]:
    """Return the mistakes, in the order of the file."""
    order = order_of(cassette)
    texts = Texts(order, cassette.head.families)
    known = {family.id for family in cassette.head.families.values()}
    found = [*_head(cassette)]
    for number, stream in enumerate(cassette.streams):
        for finding in [
            *_bytes(stream, order),
            *_texts(stream, texts),
            *_exchanges(stream, order),
        ]:
            found.append(replace(finding, stream=number))
    unnamed = sorted(_families(cassette, order) - known)
    if unnamed:
        shown = ", ".join(map(str, unnamed))
        found.append(Finding(f"the head does not name the families {shown}", grave=False))
    return sorted(found, key=lambda one: (one.stream or 0, one.event or 0))


def torn(cassette: Cassette) -> list[Finding]:
    """Datagrams that are cut off or have another byte order, which a player must know."""
    order = order_of(cassette)
    return [
        replace(finding, stream=number)
        for number, stream in enumerate(cassette.streams)
        for finding in _bytes(stream, order)
    ]


def _head(cassette: Cassette) -> Iterator[Finding]:
    if cassette.head.arch:
        try:
            arch_named(cassette.head.arch)
        except UnknownArchError as exc:
            yield Finding(f"{exc}; its bytes are taken for little-endian ones", grave=False)
    if not cassette.streams:
        yield Finding("it has no sockets", grave=False)


def _bytes(stream: Stream, order: ByteOrder) -> Iterator[Finding]:
    """Find datagrams that do not consist of whole messages."""
    if stream.protocol in _NO_NLMSG:
        return
    other = BIG if order is LITTLE else LITTLE
    for index, event in enumerate(stream.events):
        if isinstance(event, Request | Answer):
            rest = _rest(event.data, order)
            if rest and not _rest(event.data, other):
                said = f"its bytes are {other.name}-endian, and the head's arch is not"
                yield Finding(said, event=index)
            elif rest or not event.data:
                if isinstance(event, Request):  # a client may send what it likes, and ip does
                    continue
                said = f"its last {rest} bytes are not a message" if rest else "it has no bytes"
                yield Finding(said, event=index)


def _rest(data: bytes, order: ByteOrder) -> int:
    """The number of bytes at the end that belong to no message."""
    end = 0
    for start, header in messages(data, order):
        end = start + nlmsg_align(header.nlmsg_len)
    return max(0, len(data) - end)


def _texts(stream: Stream, texts: Texts) -> Iterator[Finding]:
    for index, event in enumerate(stream.events):
        if not isinstance(event, Request | Answer):
            continue
        said = texts.of(stream.protocol, event.data)  # in any case, for it learns families
        if not event.text:
            continue
        pairs = zip_longest(event.text.splitlines(), said.splitlines(), fillvalue="nothing")
        for theirs, ours in pairs:
            if theirs.rstrip() != ours.rstrip():
                yield Finding(
                    f"its text says {theirs.strip()!r}, its bytes {ours.strip()!r}; "
                    "the bytes are played",
                    event=index,
                )
                break


def _exchanges(stream: Stream, order: ByteOrder) -> Iterator[Finding]:
    """Find answers without a request, requests without an answer, dumps without an end."""
    asked: dict[int, _Asked] = {}
    for index, event in enumerate(stream.events):
        if isinstance(event, Request) and not event.portid and not event.group:
            for _, header in messages(event.data, order):
                asked[header.nlmsg_seq] = _Asked(index, header)
        elif isinstance(event, Failed) and asked:
            for one in asked.values():  # whatever failed, the client has been told
                one.told = True
        elif isinstance(event, Answer) and not event.portid and not event.group:
            if not asked and stream.protocol not in _NO_NLMSG:
                yield Finding("it answers no request of its socket", event=index, grave=False)
            for _, header in messages(event.data, order):
                if header.nlmsg_seq in asked:
                    asked[header.nlmsg_seq].take(header)
    for one in asked.values():
        said = one.missing()
        if said:
            # Who has its answer need not read the ack behind it: genl does not.
            grave = one.many or (one.wants_ack and not one.begun)
            yield Finding(said, event=one.index, grave=grave)


@dataclass(slots=True)
class _Asked:
    """A request whose answers are not complete yet."""

    index: int
    header: NlMsgHdr
    begun: bool = False
    many: bool = False
    told: bool = False

    def take(self, header: NlMsgHdr) -> None:
        self.begun = True
        self.many |= bool(header.nlmsg_flags & NLM_F_MULTI)
        self.told |= header.nlmsg_type in (NLMSG_ERROR, NLMSG_DONE)

    @property
    def wants_ack(self) -> bool:
        return bool(self.header.nlmsg_flags & NLM_F_ACK)

    def missing(self) -> str:
        if self.told or self.header.nlmsg_type < NLMSG_MIN_TYPE:
            return ""
        if self.many:
            return "its answers are cut off: NLMSG_DONE is missing, and the client will wait"
        if self.wants_ack:
            if self.begun:
                return "it wants an ack, which nobody has read: a client that does will wait"
            return "it wants an ack, and has none: the client will wait"
        if not self.begun and self.header.nlmsg_flags & NLM_F_DUMP == NLM_F_DUMP:
            return "it has no answer"
        return ""


def _families(cassette: Cassette, order: ByteOrder) -> set[int]:
    """The numbers of the generic families that requests are sent to."""
    return {
        header.nlmsg_type
        for stream in cassette.streams
        if stream.protocol == NETLINK_GENERIC
        for event in stream.events
        if isinstance(event, Request) and len(event.data) >= NLMSG_HDRLEN
        for _, header in messages(event.data, order)
        if header.nlmsg_type >= _GENL_IDS
    }


def place(document: Map, finding: Finding) -> Place:
    """The place of a finding in the file of ``document``."""
    if finding.stream is None:
        return document.place
    stream = document.maps("sockets")[finding.stream]
    return stream.place if finding.event is None else stream.maps("events")[finding.event].place
