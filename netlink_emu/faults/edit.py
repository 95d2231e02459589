"""Changing messages that are well-formed: headers in place, attributes by rebuilding."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from netlink_emu.protocol.attributes import NLA_HDRLEN, NLATTR
from netlink_emu.protocol.format import ByteOrder
from netlink_emu.protocol.genetlink import GENL_HDRLEN
from netlink_emu.protocol.netlink import NLMSG_HDRLEN, NLMSGHDR, NlMsgHdr, nlmsg_align
from netlink_emu.protocol.reading.decode import Attribute, Message

# Gives an attribute's new payload, or None to leave it as it is.
Edit = Callable[[Attribute], bytes | None]


def set_header(data: bytearray, offset: int, header: NlMsgHdr, order: ByteOrder) -> None:
    """Write a message's header anew."""
    data[offset : offset + NLMSG_HDRLEN] = NLMSGHDR[order].encode(header)


def attribute(nla_type: int, payload: bytes, order: ByteOrder) -> bytes:
    """One attribute, padded; of a length beyond nla_len its low bits, as nla_nest_end()."""
    length = NLA_HDRLEN + len(payload)
    return (
        NLATTR[order].pack(length & 0xFFFF, nla_type)
        + payload
        + bytes(nlmsg_align(length) - length)
    )


def rebuild(attrs: Sequence[Attribute], edit: Edit, order: ByteOrder) -> bytes:
    """The attributes as bytes, with what ``edit`` changes; the lengths of nests follow."""
    parts = []
    for attr in attrs:
        payload = edit(attr)
        if payload is None:
            nested = isinstance(attr.value, tuple)
            payload = rebuild(attr.value, edit, order) if nested else attr.payload
        parts.append(attribute(attr.type, payload, order))
    return b"".join(parts)


def edit_message(message: Message, edit: Edit, order: ByteOrder, first: bytes = b"") -> bytes:
    """A generic netlink message with its attributes edited, behind ``first``."""
    head = NLMSG_HDRLEN + GENL_HDRLEN
    body = first + rebuild(message.attrs, edit, order) + message.rest
    return with_length(message.data[:head] + body, order)


def with_length(data: bytes, order: ByteOrder) -> bytes:
    """A message whose nlmsg_len says how long it is."""
    return len(data).to_bytes(4, order.name) + data[4:]


def join(messages: Sequence[bytes]) -> bytes:
    """Messages as a datagram: each aligned, the last one as it is."""
    parts = [data + bytes(nlmsg_align(len(data)) - len(data)) for data in messages[:-1]]
    return b"".join([*parts, *messages[-1:]])
