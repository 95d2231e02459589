"""Dumps of all families as a row of messages: how they share datagrams depends on the others."""

from __future__ import annotations

from dataclasses import replace

from netlink_emu.conformance.cases.case import Datagram
from netlink_emu.conformance.cases.structure import OURS, family_name
from netlink_emu.protocol.format import ByteOrder
from netlink_emu.protocol.netlink import nlmsg_walk


def flatten(datagrams: list[Datagram], order: ByteOrder) -> list[Datagram]:
    """Each message as if it had come alone, without the families that are not ours."""
    messages = []
    for datagram in datagrams:
        payload = datagram.payload
        for offset, header in nlmsg_walk(payload.data, order):
            message = payload[offset : offset + header.nlmsg_len]
            name = family_name(message.data, order)
            if name is None or name in OURS:
                messages.append(replace(datagram, payload=message))
    return messages
