"""Datagrams of protocols other than generic netlink, for those who read them."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ..netlink import NLMSG_HDRLEN, NLMSG_MIN_TYPE, nlmsg_walk
from .decode import Decoder, Message
from .raw import NETLINK_NETFILTER, NETLINK_ROUTE, NETLINK_SOCK_DIAG, raw_type

NAMES: Final = {
    NETLINK_ROUTE: "route",
    NETLINK_SOCK_DIAG: "sock-diag",
    NETLINK_NETFILTER: "netfilter",
}


def raw_messages(decoder: Decoder, protocol: int, data: bytes) -> list[Message]:
    """The messages of a datagram; none where nothing is known of the protocol.

    Their ``family`` is the protocol, their ``cmd`` the type; the struct before the attributes is
    their ``rest``.
    """
    if protocol not in NAMES:
        return []
    found = []
    for start, header in nlmsg_walk(data, decoder.order):
        length = header.nlmsg_len
        message = data[start : start + length]
        if header.nlmsg_type < NLMSG_MIN_TYPE:
            found.append(_control(decoder, protocol, message, start))
            continue
        known = raw_type(protocol, header.nlmsg_type)
        end = length if known.header is None else min(length, NLMSG_HDRLEN + known.header)
        found.append(
            Message(
                header,
                message,
                NAMES[protocol],
                known.name,
                header.nlmsg_type,
                decoder.attributes(message[end:], known.attrs, start + end),
                rest=message[NLMSG_HDRLEN:end],
                offset=start,
            )
        )
    return found


def _control(decoder: Decoder, protocol: int, data: bytes, start: int) -> Message:
    """NLMSG_ERROR and its like; what an error quotes is of the same protocol."""
    [message, *_] = decoder.datagram(data)
    about = message.about
    if about is not None:
        name = raw_type(protocol, about.header.nlmsg_type).name
        about = replace(
            about, family=NAMES[protocol], cmd=name, cmd_number=about.header.nlmsg_type, attrs=()
        )
    return replace(message, about=about, offset=start)
