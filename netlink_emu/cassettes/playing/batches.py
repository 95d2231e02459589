"""Match the answers to a datagram of several requests with its requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from netlink_emu.cassettes.match import messages
from netlink_emu.cassettes.model import Answer, Event
from netlink_emu.kernel.netlink_rcv import Request
from netlink_emu.kernel.skbuff import SkBuff
from netlink_emu.protocol.errors import NetlinkExtAck
from netlink_emu.protocol.format import ByteOrder
from netlink_emu.protocol.netlink import NLMSG_ERROR, NLMSG_HDRLEN, NLMSGERR

_TYPE: Final = slice(4, 6)  # nlmsg_type


def by_request(
    skb: SkBuff, recorded: bytes, events: Sequence[Event], order: ByteOrder
) -> Iterator[tuple[Request, list[Event]]]:
    """Return each request of a client's datagram with its events.

    ``recorded`` is the datagram whose nlmsg_seqs the events have. Events with another number
    belong to the last request. Bytes that are not a message are left out.
    """
    requests = [
        Request(
            skb,
            start,
            header.nlmsg_len,
            header.nlmsg_type,
            header.nlmsg_flags,
            header.nlmsg_seq,
            header.nlmsg_pid,
            NetlinkExtAck(),
        )
        for start, header in messages(skb.data, order)
    ]
    if not requests:
        return
    if len(requests) == 1:
        yield requests[0], [*events]
        return
    last = len(requests) - 1
    numbers = {
        header.nlmsg_seq: min(index, last)
        for index, (_, header) in enumerate(messages(recorded, order))
    }
    owned: list[list[Event]] = [[] for _ in requests]
    for event in events:
        owned[_owner(event, numbers, last, order)].append(event)
    yield from zip(requests, owned, strict=True)


def _owner(event: Event, numbers: dict[int, int], last: int, order: ByteOrder) -> int:
    if isinstance(event, Answer) and not event.group:
        for _, header in messages(event.data, order):
            if header.nlmsg_seq in numbers:
                return numbers[header.nlmsg_seq]
    return last


def errno_of(events: Sequence[Event], order: ByteOrder) -> int:
    """The errno of a request, or 0."""
    for event in events:
        if (
            isinstance(event, Answer)
            and not event.group
            and len(event.data) >= NLMSG_HDRLEN + NLMSGERR.size
            and int.from_bytes(event.data[_TYPE], order.name) == NLMSG_ERROR
        ):
            return -NLMSGERR[order].decode(event.data, NLMSG_HDRLEN).error
    return 0
