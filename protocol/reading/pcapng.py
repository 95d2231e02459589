"""Captures of netlink: pcapng written and read, classic pcap read; link type 253 only.

draft-ietf-opsawg-pcapng and draft-ietf-opsawg-pcap. Each packet is a cooked header and the
datagram, as an nlmon device gives them.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from construct import Int16ub, Padding

from ..format import BIG, LITTLE, ByteOrder, DecodeError, Format
from ..netlink import NETLINK_GENERIC, nlmsg_align

LINKTYPE_NETLINK: Final = 253
ARPHRD_NETLINK: Final = 824

BYTE_ORDER_MAGIC: Final = 0x1A2B3C4D
SECTION_HEADER: Final = 0x0A0D0D0A
INTERFACE_DESCRIPTION: Final = 1
SIMPLE_PACKET: Final = 3
INTERFACE_STATISTICS: Final = 5
ENHANCED_PACKET: Final = 6
_UNKNOWN_LENGTH: Final = (1 << 64) - 1
_LONGEST: Final = 1 << 24  # bytes of a block: what is longer is not a block

OPT_ENDOFOPT: Final = 0
OPT_COMMENT: Final = 1
SHB_USERAPPL: Final = 4
IF_NAME: Final = 2
IF_TSRESOL: Final = 9
EPB_FLAGS: Final = 2

PCAP_MICROSECONDS: Final = 0xA1B2C3D4
PCAP_NANOSECONDS: Final = 0xA1B23C4D


class PacketType(enum.IntEnum):
    """Whereto a datagram goes: include/uapi/linux/if_packet.h, set by netlink_deliver_tap()."""

    PACKET_USER = 6
    PACKET_KERNEL = 7


# struct of libpcap's LINKTYPE_NETLINK: big endian, whatever the section is.
@dataclass(frozen=True, slots=True)
class CookedHeader:
    """In front of each datagram; ``family`` is the netlink protocol."""

    packet_type: int
    hatype: int
    family: int


COOKED_HEADER: Final = Format(
    CookedHeader,
    lambda _: ("packet_type" / Int16ub, "hatype" / Int16ub, Padding(10), "family" / Int16ub),
)


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """In front of each block; ``length`` counts everything, and stands at its end once more."""

    type: int
    length: int


BLOCK_HEADER: Final = Format(BlockHeader, lambda o: ("type" / o.u32, "length" / o.u32))
_TRAILER: Final = 4


@dataclass(frozen=True, slots=True)
class SectionHeader:
    """Section Header Block, without its options."""

    magic: int
    major: int
    minor: int
    section_length: int


SECTION: Final = Format(
    SectionHeader,
    lambda o: ("magic" / o.u32, "major" / o.u16, "minor" / o.u16, "section_length" / o.u64),
)


@dataclass(frozen=True, slots=True)
class InterfaceDescription:
    """Interface Description Block, without its options; ``snaplen`` 0 is no limit."""

    link_type: int
    reserved: int
    snaplen: int


INTERFACE: Final = Format(
    InterfaceDescription,
    lambda o: ("link_type" / o.u16, "reserved" / o.u16, "snaplen" / o.u32),
)


@dataclass(frozen=True, slots=True)
class EnhancedPacket:
    """Enhanced Packet Block, without data and options; the time in units of if_tsresol."""

    interface: int
    time_high: int
    time_low: int
    captured: int
    original: int


ENHANCED: Final = Format(
    EnhancedPacket,
    lambda o: (
        "interface" / o.u32,
        "time_high" / o.u32,
        "time_low" / o.u32,
        "captured" / o.u32,
        "original" / o.u32,
    ),
)


@dataclass(frozen=True, slots=True)
class InterfaceStatistics:
    """Interface Statistics Block, without its options."""

    interface: int
    time_high: int
    time_low: int


STATISTICS: Final = Format(
    InterfaceStatistics,
    lambda o: ("interface" / o.u32, "time_high" / o.u32, "time_low" / o.u32),
)


@dataclass(frozen=True, slots=True)
class Option:
    """An option's header; its value follows, padded to 4."""

    code: int
    length: int


OPTION: Final = Format(Option, lambda o: ("code" / o.u16, "length" / o.u16))


@dataclass(frozen=True, slots=True)
class PcapHeader:
    """The header of a classic pcap file."""

    magic: int
    major: int
    minor: int
    thiszone: int
    sigfigs: int
    snaplen: int
    link_type: int


PCAP_HEADER: Final = Format(
    PcapHeader,
    lambda o: (
        "magic" / o.u32,
        "major" / o.u16,
        "minor" / o.u16,
        "thiszone" / o.s32,
        "sigfigs" / o.u32,
        "snaplen" / o.u32,
        "link_type" / o.u32,
    ),
)


@dataclass(frozen=True, slots=True)
class PcapPacket:
    """The header of a packet in a classic pcap file; ``fraction`` is in us or ns."""

    seconds: int
    fraction: int
    captured: int
    original: int


PCAP_PACKET: Final = Format(
    PcapPacket,
    lambda o: ("seconds" / o.u32, "fraction" / o.u32, "captured" / o.u32, "original" / o.u32),
)


@dataclass(frozen=True, slots=True)
class Packet:
    """A captured datagram; ``time_ns`` since 1970, ``order`` of the host it was captured on."""

    time_ns: int
    data: bytes
    to_kernel: bool
    family: int = NETLINK_GENERIC
    order: ByteOrder = LITTLE
    comments: tuple[str, ...] = ()


# --- writing


class PcapngWriter:
    """Makes the bytes of a capture, block by block: one section, one interface."""

    def __init__(self, order: ByteOrder = LITTLE, application: str = "netlink-emu") -> None:
        self._order = order
        self._application = application

    def header(self) -> bytes:
        """What a file begins with."""
        section = SECTION[self._order].pack(BYTE_ORDER_MAGIC, 1, 0, _UNKNOWN_LENGTH)
        section += self._options([(SHB_USERAPPL, self._application.encode())])
        interface = INTERFACE[self._order].pack(LINKTYPE_NETLINK, 0, 0)
        interface += self._options([(IF_NAME, b"netlink-emu"), (IF_TSRESOL, b"\x09")])
        return self._block(SECTION_HEADER, section) + self._block(INTERFACE_DESCRIPTION, interface)

    def packet(self, packet: Packet) -> bytes:
        """One datagram; its ``order`` is the writer's."""
        kind = PacketType.PACKET_KERNEL if packet.to_kernel else PacketType.PACKET_USER
        data = COOKED_HEADER[BIG].pack(kind, ARPHRD_NETLINK, packet.family) + packet.data
        high, low = divmod(packet.time_ns, 1 << 32)
        body = ENHANCED[self._order].pack(0, high, low, len(data), len(data)) + _padded(data)
        # epb_flags: 1 is inbound, 2 outbound, as seen from the client.
        direction = 2 if packet.to_kernel else 1
        options = [(EPB_FLAGS, direction.to_bytes(4, self._order.name))]
        options += [(OPT_COMMENT, comment.encode()) for comment in packet.comments]
        return self._block(ENHANCED_PACKET, body + self._options(options))

    def end(self, time_ns: int, comments: Sequence[str]) -> bytes:
        """What happened behind the last packet, as comments on the interface's statistics."""
        high, low = divmod(time_ns, 1 << 32)
        body = STATISTICS[self._order].pack(0, high, low)
        body += self._options([(OPT_COMMENT, comment.encode()) for comment in comments])
        return self._block(INTERFACE_STATISTICS, body)

    def _options(self, options: Sequence[tuple[int, bytes]]) -> bytes:
        header = OPTION[self._order]
        longest = (1 << 16) - 1
        body = b"".join(
            header.pack(code, len(value[:longest])) + _padded(value[:longest])
            for code, value in options
        )
        return body + header.pack(OPT_ENDOFOPT, 0)

    def _block(self, kind: int, body: bytes) -> bytes:
        length = BLOCK_HEADER.size + len(body) + _TRAILER
        trailer = length.to_bytes(_TRAILER, self._order.name)
        return BLOCK_HEADER[self._order].pack(kind, length) + body + trailer


def _padded(data: bytes) -> bytes:
    return data + bytes(nlmsg_align(len(data)) - len(data))


# --- reading


def read_capture(data: bytes) -> Iterator[Packet]:
    """The netlink datagrams of a pcapng or pcap file; packets of other link types are left out.

    Raises DecodeError where the file is not one, or is damaged.
    """
    if int.from_bytes(data[:4], "little") == SECTION_HEADER:
        yield from _read_pcapng(data)
        return
    for order in (LITTLE, BIG):
        if len(data) >= PCAP_HEADER.size:
            header = PCAP_HEADER[order].decode(data)
            if header.magic in (PCAP_MICROSECONDS, PCAP_NANOSECONDS):
                yield from _read_pcap(data, header, order)
                return
    raise DecodeError("neither a pcapng nor a pcap file")


def _read_pcapng(data: bytes) -> Iterator[Packet]:
    order = LITTLE
    interfaces: list[tuple[int, int]] = []  # link type, ns are time * 10**9 // resolution
    offset = 0
    while offset < len(data):
        if int.from_bytes(data[offset : offset + 4], "little") == SECTION_HEADER:
            order, interfaces = _section_order(data, offset), []
        block = BLOCK_HEADER[order].decode(data, offset)
        overhead = BLOCK_HEADER.size + _TRAILER
        if not overhead <= block.length <= min(_LONGEST, len(data) - offset) or block.length % 4:
            raise DecodeError(f"the block at byte {offset} says that it has {block.length} bytes")
        body = data[offset + BLOCK_HEADER.size : offset + block.length - _TRAILER]
        if block.type == INTERFACE_DESCRIPTION:
            interfaces.append(_interface(body, order))
        elif block.type == ENHANCED_PACKET:
            packet = _enhanced(body, interfaces, order)
            if packet is not None:
                yield packet
        elif block.type == SIMPLE_PACKET and interfaces and interfaces[0][0] == LINKTYPE_NETLINK:
            length = int.from_bytes(body[:4], order.name)
            packet = _cooked(0, body[4 : 4 + length], order)
            if packet is not None:
                yield packet
        offset += block.length


def _section_order(data: bytes, offset: int) -> ByteOrder:
    magic = data[offset + BLOCK_HEADER.size : offset + BLOCK_HEADER.size + 4]
    for order in (LITTLE, BIG):
        if int.from_bytes(magic, order.name) == BYTE_ORDER_MAGIC:
            return order
    raise DecodeError(f"the section at byte {offset} has no byte-order magic")


def _interface(body: bytes, order: ByteOrder) -> tuple[int, int]:
    header = INTERFACE[order].decode(body)
    resolution = 10**6
    for code, value in _read_options(body[INTERFACE.size :], order):
        if code == IF_TSRESOL and value:
            power = value[0] & 0x7F
            resolution = 2**power if value[0] & 0x80 else 10**power
    return header.link_type, resolution


def _read_options(data: bytes, order: ByteOrder) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset + OPTION.size <= len(data):
        option = OPTION[order].decode(data, offset)
        if option.code == OPT_ENDOFOPT:
            return
        start = offset + OPTION.size
        yield option.code, data[start : start + option.length]
        offset = start + nlmsg_align(option.length)


def _enhanced(body: bytes, interfaces: list[tuple[int, int]], order: ByteOrder) -> Packet | None:
    header = ENHANCED[order].decode(body)
    if header.interface >= len(interfaces):
        raise DecodeError(f"a packet is of interface {header.interface}, which is not described")
    link_type, resolution = interfaces[header.interface]
    if link_type != LINKTYPE_NETLINK:
        return None
    time = (header.time_high << 32 | header.time_low) * 10**9 // resolution
    data = body[ENHANCED.size : ENHANCED.size + header.captured]
    rest = body[ENHANCED.size + nlmsg_align(header.captured) :]
    comments = tuple(
        value.decode(errors="replace")
        for code, value in _read_options(rest, order)
        if code == OPT_COMMENT
    )
    return _cooked(time, data, order, comments)


def _cooked(
    time_ns: int, data: bytes, order: ByteOrder, comments: tuple[str, ...] = ()
) -> Packet | None:
    """None for a packet of an nlmon device that is not netlink, or cut within its header."""
    if len(data) < COOKED_HEADER.size:
        return None
    header = COOKED_HEADER[BIG].decode(data)
    if header.hatype != ARPHRD_NETLINK:
        return None
    to_kernel = header.packet_type == PacketType.PACKET_KERNEL
    return Packet(time_ns, data[COOKED_HEADER.size :], to_kernel, header.family, order, comments)


def _read_pcap(data: bytes, header: PcapHeader, order: ByteOrder) -> Iterator[Packet]:
    if header.link_type & 0xFFFF != LINKTYPE_NETLINK:
        raise DecodeError(f"the capture has link type {header.link_type}, netlink is 253")
    unit = 1 if header.magic == PCAP_NANOSECONDS else 1000
    offset = PCAP_HEADER.size
    while offset < len(data):
        packet = PCAP_PACKET[order].decode(data, offset)
        offset += PCAP_PACKET.size
        if packet.captured > len(data) - offset:
            raise DecodeError(f"the packet at byte {offset} is cut short")
        time_ns = packet.seconds * 10**9 + packet.fraction * unit
        cooked = _cooked(time_ns, data[offset : offset + packet.captured], order)
        if cooked is not None:
            yield cooked
        offset += packet.captured
