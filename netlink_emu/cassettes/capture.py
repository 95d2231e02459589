"""Convert cassettes to captures (pcapng) and back; each direction reports what is lost.

A capture has datagrams, times and protocols. If it was made from a cassette, its comments have
the rest, and the sockets are read back from them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from netlink_emu.cassettes.compare import event_words
from netlink_emu.cassettes.match import messages
from netlink_emu.cassettes.model import (
    Answer,
    Bound,
    Cassette,
    Event,
    Head,
    RecordedFamily,
    Request,
    Stream,
)
from netlink_emu.cassettes.text import order_of, texted
from netlink_emu.kernel.releases import byte_order
from netlink_emu.protocol.format import ByteOrder
from netlink_emu.protocol.netlink import NETLINK_GENERIC
from netlink_emu.protocol.reading.decode import Decoder
from netlink_emu.protocol.reading.pcapng import Packet, PcapngWriter

_SOCKET: Final = re.compile(r"socket (\d+)(?: group (\d+))?")
_BETWEEN_NS: Final = 1000  # from one packet to the next, for a cassette has no times
_MS: Final = 10**6
_SOCK_RAW: Final = 3
_LONGEST_MS: Final = (1 << 32) - 1


class CaptureError(ValueError):
    """A capture cannot be made into a cassette; the text says why."""


# --- to a capture


def to_capture(cassette: Cassette) -> tuple[bytes, list[str]]:
    """Return a pcapng file with one packet per datagram, and sentences on what it cannot hold."""
    writer = PcapngWriter(order_of(cassette))
    data = bytearray(writer.header())
    head = cassette.head
    from_where = " ".join(filter(None, ("Linux", head.release, head.arch, *head.command)))
    pending = [from_where] if head.release else []
    time_ns = 0
    for number, stream in enumerate(cassette.streams, 1):
        for event in stream.events:
            if not isinstance(event, Request | Answer):
                pending.append(f"socket {number} {event_words(event)}")
                continue
            time_ns += _BETWEEN_NS + (event.after * _MS if isinstance(event, Answer) else 0)
            whose = f"socket {number}" + (f" group {event.group}" if event.group else "")
            packet = Packet(
                time_ns,
                event.data,
                isinstance(event, Request),
                stream.protocol,
                comments=(*pending, whose),
            )
            data += writer.packet(packet)
            pending = []
    if pending:
        data += writer.end(time_ns, pending)
    return bytes(data), [*_lost_by_capture(cassette)]


def _lost_by_capture(cassette: Cassette) -> Iterator[str]:
    streams = cassette.streams
    if len(streams) > 1:
        yield f"the {len(streams)} sockets stand one after the other; comments say whose is what"
    others = [
        event
        for stream in streams
        for event in stream.events
        if not isinstance(event, Request | Answer)
    ]
    if others:
        kinds = sorted({type(event).__name__.lower() for event in others})
        yield f"{len(others)} events are comments only ({', '.join(kinds)})"
    if any(isinstance(e, Request | Answer) and e.portid for s in streams for e in s.events):
        yield "the portids of clients that talked to each other"
    if cassette.head.families or cassette.head.redacted:
        yield "the head: families, and what was redacted"


# --- from a capture


@dataclass(slots=True)
class _Socket:
    """What a capture shows of a socket; ``portid`` is 0 if it is unknown."""

    protocol: int
    portid: int
    events: list[Event] = field(default_factory=list)

    def stream(self) -> Stream:
        groups = {e.group for e in self.events if isinstance(e, Answer) and 1 <= e.group <= 32}
        known = self.portid or groups
        bound = [Bound(self.portid, tuple(sorted(groups)))] if known else []
        return Stream(self.protocol, _SOCK_RAW, events=(*bound, *self.events))


def from_capture(
    packets: Iterable[Packet], *, release: str = "", arch: str = ""
) -> tuple[Cassette, list[str]]:
    """Return a cassette of a capture, and sentences on what the capture does not show.

    Raises CaptureError if it has no netlink, or another byte order than ``arch``.
    """
    found = [*packets]
    if not found:
        raise CaptureError("the capture has no netlink datagrams")
    order = found[0].order
    if byte_order(arch) is not order:
        whose = f"{arch} is not" if arch else "say which machine it is from, with --arch"
        raise CaptureError(f"the capture is {order.name}-endian: {whose}")
    sorter = _Sorter(found, order)
    streams = tuple(sock.stream() for sock in sorter.sockets)
    head = Head(release, arch, families=_families(found, order))
    return texted(Cassette(head, streams)), [*sorter.lost()]


class _Sorter:
    """Assigns datagrams to sockets, by our comments or by nlmsg_pid and nlmsg_seq."""

    def __init__(self, packets: Sequence[Packet], order: ByteOrder) -> None:
        self._order: Final = order
        self._by: Final[dict[tuple[int, int, bool], _Socket]] = {}
        self._asked_ns: Final[dict[int, int]] = {}  # by id(), when it asked last
        self._guessed = self._nobodys = 0
        self.sockets: Final[list[_Socket]] = []
        behind = self._portids_behind(packets)
        for packet, portid in zip(packets, behind, strict=True):
            self._take(packet, portid)

    def _portids_behind(self, packets: Sequence[Packet]) -> list[int]:
        """The portid of each packet: its own, or that of the next answer with its nlmsg_seq."""
        answers: dict[tuple[int, int], int] = {}
        found = []
        for packet in reversed(packets):
            _, header = next(messages(packet.data, self._order), (0, None))
            portid = 0 if header is None else header.nlmsg_pid
            if header is not None:
                key = (packet.family, header.nlmsg_seq)
                if not packet.to_kernel:
                    answers[key] = portid
                elif not portid:
                    portid = answers.get(key, 0)
            found.append(portid)
        return found[::-1]

    def _take(self, packet: Packet, portid: int) -> None:
        marked = [found for found in map(_SOCKET.fullmatch, packet.comments) if found]
        group = 0
        if marked:
            number, group = int(marked[-1][1]), int(marked[-1][2] or 0)
            sock = self._socket(packet.family, number, marked=True)
            sock.portid = sock.portid or (0 if packet.to_kernel or group else portid)
        elif portid or packet.to_kernel:
            self._guessed += 1
            sock = self._socket(packet.family, portid, marked=False)
            sock.portid = portid
        else:
            self._nobodys += 1
            return
        if packet.to_kernel:
            self._asked_ns[id(sock)] = packet.time_ns
            sock.events.append(Request(packet.data))
            return
        since = packet.time_ns - self._asked_ns.get(id(sock), packet.time_ns)
        after = min(max(0, since) // _MS, _LONGEST_MS) if group else 0
        sock.events.append(Answer(packet.data, group=group, after=after))

    def _socket(self, protocol: int, number: int, *, marked: bool) -> _Socket:
        sock = self._by.get((protocol, number, marked))
        if sock is None:
            sock = self._by[protocol, number, marked] = _Socket(protocol, 0)
            self.sockets.append(sock)
        return sock

    def lost(self) -> Iterator[str]:
        """Sentences on what the capture does not show."""
        if self._guessed:
            yield "which socket sent what: one is made for each portid and protocol"
            yield "which answers were multicast, and to which group"
        if self._nobodys:
            yield f"{self._nobodys} multicast messages: a capture does not say to which group"
        yield "options, errnos of calls, the types of sockets, names of programs"


def _families(packets: Sequence[Packet], order: ByteOrder) -> dict[str, RecordedFamily]:
    """The generic families that the kernel's answers describe."""
    decoder = Decoder(order, {})
    for packet in packets:
        if packet.family == NETLINK_GENERIC:
            decoder.datagram(packet.data)
    return {name: RecordedFamily(number) for number, name in decoder.ids.items()}
