"""Describe a datagram as text, which stands beside the bytes of a cassette.

The text has no nlmsg_seq and nlmsg_pid, so two recordings of one exchange read the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from netlink_emu.cassettes.match import messages
from netlink_emu.cassettes.model import Answer, Cassette, RecordedFamily, Request
from netlink_emu.kernel.releases import byte_order
from netlink_emu.protocol.errors import errno_name
from netlink_emu.protocol.format import ByteOrder
from netlink_emu.protocol.netlink import (
    NETLINK_GENERIC,
    NLM_F_ACK_TLVS,
    NLM_F_CAPPED,
    NLMSG_DONE,
    NLMSG_ERROR,
    NLMSG_HDRLEN,
    NLMSG_MIN_TYPE,
    NLMSGERR,
    NLMSGERR_SIZE,
    NLMSGHDR,
    NlMsgHdr,
    nlmsg_align,
)
from netlink_emu.protocol.reading.decode import Attribute, Decoder, Message, flag_names, type_name
from netlink_emu.protocol.reading.describe import EXTACK, NLCTRL, TASKSTATS, FamilyDesc
from netlink_emu.protocol.reading.raw import raw_type
from netlink_emu.protocol.reading.render import value_text

NETLINK_KOBJECT_UEVENT: Final = 15
_WORDS: Final = -4  # bytes.hex() in groups of four


def order_of(cassette: Cassette) -> ByteOrder:
    """The byte order of the recorded machine; little endian if it is unknown."""
    return byte_order(cassette.head.arch)


def texted(cassette: Cassette, known: Iterable[FamilyDesc] = ()) -> Cassette:
    """The cassette with text that matches its bytes; ``known`` has names for some families."""
    texts = Texts(order_of(cassette), cassette.head.families, known)
    streams = [
        replace(
            stream,
            events=tuple(
                replace(event, text=texts.of(stream.protocol, event.data))
                if isinstance(event, Request | Answer)
                else event
                for event in stream.events
            ),
        )
        for stream in cassette.streams
    ]
    return replace(cassette, streams=tuple(streams))


class Texts:
    """Describes datagrams in words, with the names that are known.

    ``families`` are generic families by name; nlctrl's answers add more. ``known`` are
    descriptions of families beside nlctrl and TASKSTATS.
    """

    def __init__(
        self,
        order: ByteOrder,
        families: Mapping[str, RecordedFamily] | None = None,
        known: Iterable[FamilyDesc] = (),
    ) -> None:
        self._order: Final = order
        ids = {family.id: name for name, family in (families or {}).items()}
        descriptions = {desc.name: desc for desc in (NLCTRL, TASKSTATS, *known)}
        self._decoder: Final = Decoder(order, ids, descriptions)

    def of(self, protocol: int, data: bytes) -> str:
        """One line for each message and attribute, nested ones indented; other bytes as hex."""
        if protocol == NETLINK_GENERIC:
            told = self._decoder.datagram(data)
            found = [line for message in told for line in _generic(message)]
        elif protocol == NETLINK_KOBJECT_UEVENT and data.endswith(b"\0"):
            found = [*filter(None, data.decode("latin-1").split("\0"))]  # lib/kobject_uevent.c
        else:
            found = [*self._raw(protocol, data)]
        return "".join(f"{_printable(line)}\n" for line in found)

    def title(self, protocol: int, data: bytes) -> str:
        """Its first line."""
        return self.of(protocol, data).partition("\n")[0]

    def _raw(self, protocol: int, data: bytes) -> Iterator[str]:
        end = 0
        for start, header in messages(data, self._order):
            yield from self._message(protocol, data, start, header)
            end = start + nlmsg_align(header.nlmsg_len)
        if data[end:]:
            yield f"{len(data) - end} bytes: {data[end:].hex(' ', _WORDS)}"
        elif not data:
            yield "nothing"

    def _message(self, protocol: int, data: bytes, start: int, header: NlMsgHdr) -> Iterator[str]:
        stop = start + header.nlmsg_len
        body = start + NLMSG_HDRLEN
        if header.nlmsg_type < NLMSG_MIN_TYPE:
            yield from self._control(protocol, data[start:stop], header)
            return
        known = raw_type(protocol, header.nlmsg_type)
        yield _first(known.name, header)
        end = min(stop, body + known.header) if known.header is not None else stop
        if end > body:
            yield f"  header {data[body:end].hex(' ', _WORDS)}"
        yield from _attributes(self._decoder.attributes(data[end:stop], known.attrs, end), "  ")

    def _control(self, protocol: int, data: bytes, header: NlMsgHdr) -> Iterator[str]:
        """The text of NLMSG_ERROR, NLMSG_DONE and other control messages."""
        name = type_name(header.nlmsg_type)
        end = NLMSG_HDRLEN + NLMSGERR.size
        if header.nlmsg_type not in (NLMSG_ERROR, NLMSG_DONE) or len(data) < end:
            yield _first(name, header)
            if data[NLMSG_HDRLEN:]:
                yield f"  {data[NLMSG_HDRLEN:].hex(' ', _WORDS)}"
            return
        error = NLMSGERR[self._order].decode(data, NLMSG_HDRLEN).error
        yield _first(f"{name} {errno_name(-error) if error else 0}", header)
        if header.nlmsg_type == NLMSG_ERROR and len(data) >= NLMSG_HDRLEN + NLMSGERR_SIZE:
            about = NLMSGHDR[self._order].decode(data, end)
            yield f"  about {_type(protocol, about)}"
            capped = header.nlmsg_flags & NLM_F_CAPPED
            end += NLMSG_HDRLEN if capped else nlmsg_align(max(about.nlmsg_len, NLMSG_HDRLEN))
        if header.nlmsg_flags & NLM_F_ACK_TLVS:
            yield from _attributes(self._decoder.attributes(data[end:], EXTACK, end), "  ")


def _type(protocol: int, header: NlMsgHdr) -> str:
    if header.nlmsg_type < NLMSG_MIN_TYPE:
        return type_name(header.nlmsg_type)
    return raw_type(protocol, header.nlmsg_type).name


def _first(name: str, header: NlMsgHdr) -> str:
    return f"{name} {'|'.join(flag_names(header))}".rstrip()


def _generic(message: Message) -> Iterator[str]:
    header = message.header
    if not header.nlmsg_len:
        yield f"{len(message.rest)} bytes: {message.rest.hex(' ', _WORDS)}"
        return
    yield _first(message.title, header)
    if message.about is not None:
        about = message.about
        yield f"  about {' '.join(filter(None, (about.type_name, about.cmd)))}"
    yield from _attributes(message.attrs, "  ")
    if message.rest:
        yield f"  {len(message.rest)} more bytes: {message.rest.hex(' ', _WORDS)}"


def _attributes(attrs: Sequence[Attribute], indent: str) -> Iterator[str]:
    for attr in attrs:
        text = value_text(attr)
        yield f"{indent}{attr.label}{' ' if text else ''}{text}"
        if isinstance(attr.value, tuple):
            yield from _attributes(attr.value, f"{indent}  ")


def _printable(line: str) -> str:
    """Text for a YAML block, without anything that would need escapes there."""
    if line.isascii() and line.isprintable():
        return line
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
