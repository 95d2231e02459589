"""Dumps of all families as a row of messages: how they share datagrams depends on the others."""

from __future__ import annotations

from dataclasses import replace

from netlink_emu.conformance.cases.case import Datagram
from netlink_emu.protocol.attributes import NLA_TYPE_MASK, nla_walk
from netlink_emu.protocol.format import ByteOrder
from netlink_emu.protocol.genetlink import GENL_HDRLEN, GENL_ID_CTRL, CtrlAttr, CtrlCmd
from netlink_emu.protocol.netlink import NLMSG_HDRLEN, nlmsg_walk

OURS = frozenset({b"nlctrl", b"TASKSTATS"})


def family_name(message: bytes, order: ByteOrder) -> bytes | None:
    """The family that a CTRL_CMD_NEWFAMILY tells of; None for any other message."""
    if len(message) < NLMSG_HDRLEN + GENL_HDRLEN:
        return None
    kind = int.from_bytes(message[4:6], order.name)
    if kind != GENL_ID_CTRL or message[NLMSG_HDRLEN] != CtrlCmd.CTRL_CMD_NEWFAMILY:
        return None
    for nla, start, length in nla_walk(message, NLMSG_HDRLEN + GENL_HDRLEN, len(message), order):
        if nla & NLA_TYPE_MASK == CtrlAttr.CTRL_ATTR_FAMILY_NAME:
            return message[start : start + length].rstrip(b"\0")
    return None


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
