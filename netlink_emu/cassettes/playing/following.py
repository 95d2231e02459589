"""Assign the answers of a stream to its requests."""

from __future__ import annotations

from collections.abc import Mapping

from netlink_emu.cassettes.match import messages
from netlink_emu.cassettes.model import Answer, Event, Request, Stream
from netlink_emu.protocol.format import ByteOrder


def following(stream: Stream, order: ByteOrder) -> Mapping[int, list[Event]]:
    """Return each request's answers, and the multicast messages after them, by its index.

    An answer belongs to the request with its nlmsg_seq. If several have that number, it belongs
    to the last one before the answer.
    """
    numbers = [
        {header.nlmsg_seq for _, header in messages(event.data, order)}
        if isinstance(event, Request | Answer)
        else set()
        for event in stream.events
    ]
    asked = {
        seq
        for event, seqs in zip(stream.events, numbers, strict=True)
        if isinstance(event, Request)
        for seq in seqs
    }
    found: dict[int, list[Event]] = {}
    latest: dict[int, int] = {}  # the last request that has a number
    last: int | None = None
    for index, event in enumerate(stream.events):
        if isinstance(event, Request):
            last = index
            found[index] = []
            latest |= dict.fromkeys(numbers[index], index)
            continue
        owners: set[int] = set()
        quoted: set[int] = set()
        if isinstance(event, Answer) and not event.group:
            owners = {latest[seq] for seq in numbers[index] if seq in latest}
            quoted = numbers[index] & asked
        if last is not None and quoted <= numbers[last]:
            owners.add(last)
        for owner in owners:
            found[owner].append(event)
    return found
