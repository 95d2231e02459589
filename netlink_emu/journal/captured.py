"""A capture as a journal's entries, as far as a capture tells: who is who by nlmsg_pid alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from netlink_emu.journal.entries import Entry, Note, Peer, Queued, Sent
from netlink_emu.protocol.netlink import NETLINK_GENERIC, NLMSG_HDRLEN, NLMSGHDR
from netlink_emu.protocol.reading.decode import Decoder
from netlink_emu.protocol.reading.describe import FamilyDesc
from netlink_emu.protocol.reading.pcapng import Packet


def entries_of(
    packets: Iterable[Packet], families: Mapping[str, FamilyDesc], ids: Mapping[int, str]
) -> list[Entry]:
    """The packets as entries, their comments as notes before them.

    A request with nlmsg_pid 0 is of the client to whose portid the answer with its nlmsg_seq
    goes, where there is one.
    """
    packets = list(packets)
    portids = _portids(packets)
    numbers = dict(ids)
    peers: dict[tuple[int, int], Peer] = {}
    asked: dict[tuple[Peer, int], Sent] = {}
    entries: list[Entry] = []
    for packet in packets:
        decoder = Decoder(packet.order, numbers, families)
        if packet.family == NETLINK_GENERIC:
            decoder.datagram(packet.data)  # families tell their numbers
            numbers = decoder.ids
            decoder = replace(decoder, ids=dict(numbers))
        for comment in packet.comments:
            entries.append(Note(number=len(entries) + 1, time_ns=packet.time_ns, text=comment))
        seq, portid = _seq_and_pid(packet)
        if packet.to_kernel and not portid:
            portid = portids.get((packet.family, seq), 0)
        key = packet.family, portid
        peer = peers.setdefault(key, Peer(len(peers) + 1, packet.family, portid))
        number, time_ns = len(entries) + 1, packet.time_ns
        if packet.to_kernel:
            sent = Sent(
                number=number, time_ns=time_ns, peer=peer, data=packet.data, decoder=decoder
            )
            asked[peer, seq] = sent
            entries.append(sent)
            continue
        request = (asked[peer, seq], 0) if portid and (peer, seq) in asked else None
        entries.append(
            Queued(
                number=number, time_ns=time_ns, peer=peer, data=packet.data, decoder=decoder,
                request=request,
            )
        )  # fmt: skip
    return entries


def _portids(packets: Iterable[Packet]) -> dict[tuple[int, int], int]:
    """Which portid an nlmsg_seq was answered to, by protocol."""
    found: dict[tuple[int, int], int] = {}
    for packet in packets:
        seq, portid = _seq_and_pid(packet)
        if not packet.to_kernel and portid:
            found.setdefault((packet.family, seq), portid)
    return found


def _seq_and_pid(packet: Packet) -> tuple[int, int]:
    if len(packet.data) < NLMSG_HDRLEN:
        return 0, 0
    header = NLMSGHDR[packet.order].decode(packet.data)
    return header.nlmsg_seq, header.nlmsg_pid
