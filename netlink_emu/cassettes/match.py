"""Find the recorded request that a client's request equals, except for what differs in every run.

Two runs of one client on one kernel differ in nlmsg_seq and nlmsg_pid, and rarely in more.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from netlink_emu.protocol.format import ByteOrder
from netlink_emu.protocol.netlink import (
    NETLINK_GENERIC,
    NLMSG_ERROR,
    NLMSG_HDRLEN,
    NLMSGERR,
    NLMSGHDR,
    NlMsgHdr,
    nlmsg_align,
)

# Gives the ranges of bytes that may differ in one message of a netlink protocol.
Ignore = Callable[[int, bytes], Iterable[range]]
_COMPARED: Final = 1024  # bytes that say how near two requests are


def nothing(_protocol: int, _message: bytes) -> Iterable[range]:
    """Ignore nothing of a message."""
    return ()


def messages(data: bytes, order: ByteOrder) -> Iterator[tuple[int, NlMsgHdr]]:
    """The messages at the beginning of a datagram, with their offsets."""
    start = 0
    while len(data) - start >= NLMSG_HDRLEN:
        header = NLMSGHDR[order].decode(data, start)
        if not NLMSG_HDRLEN <= header.nlmsg_len <= len(data) - start:
            return
        yield start, header
        start += nlmsg_align(header.nlmsg_len)


def blanked(
    data: bytes, order: ByteOrder, ignore: Ignore = nothing, protocol: int = NETLINK_GENERIC
) -> bytes:
    """A datagram with zeros for nlmsg_seq, nlmsg_pid and everything that is ignored."""
    found = bytearray(data)
    for start, header in messages(data, order):
        found[start + 8 : start + NLMSG_HDRLEN] = bytes(8)
        for part in ignore(protocol, data[start : start + header.nlmsg_len]):
            found[start + part.start : start + part.stop] = bytes(len(part))
    return bytes(found)


@dataclass(slots=True)
class Rewriter:
    """Replaces recorded numbers by the replaying client's.

    ``portids`` and ``seqs`` map recorded numbers to the client's; other numbers stay as recorded.
    """

    order: ByteOrder
    portids: dict[int, int]
    seqs: dict[int, int]

    def learn(self, recorded: bytes, asked: bytes) -> None:
        """Learn numbers from a recorded request and the client's request that equals it."""
        pairs = zip(messages(recorded, self.order), messages(asked, self.order), strict=False)
        for (_, theirs), (_, ours) in pairs:
            self.seqs[theirs.nlmsg_seq] = ours.nlmsg_seq
            if theirs.nlmsg_pid:  # what a client writes there itself, errors quote
                self.portids.setdefault(theirs.nlmsg_pid, ours.nlmsg_pid)

    def rewrite(self, data: bytes) -> bytes:
        """A recorded answer with the client's numbers, also in the header that an error quotes."""
        found = bytearray(data)
        for start, header in messages(data, self.order):
            self._header(found, start, header)
            quoted = start + NLMSG_HDRLEN + NLMSGERR.size
            if (
                header.nlmsg_type == NLMSG_ERROR
                and header.nlmsg_len >= quoted - start + NLMSG_HDRLEN
            ):
                self._header(found, quoted, NLMSGHDR[self.order].decode(data, quoted))
        return bytes(found)

    def _header(self, data: bytearray, start: int, header: NlMsgHdr) -> None:
        data[start : start + NLMSG_HDRLEN] = NLMSGHDR[self.order].pack(
            header.nlmsg_len,
            header.nlmsg_type,
            header.nlmsg_flags,
            self.seqs.get(header.nlmsg_seq, header.nlmsg_seq),
            self.portids.get(header.nlmsg_pid, header.nlmsg_pid),
        )


def nearest(found: bytes, recorded: Sequence[bytes]) -> int | None:
    """Return the index of the recorded request that is nearest to one without an equal.

    Both are blanked. Requests of another type are never near.
    """
    same = [
        index
        for index, each in enumerate(recorded)
        if each[4:6] == found[4:6] and len(each) >= NLMSG_HDRLEN
    ]
    if not same:
        return None

    def likeness(index: int) -> float:
        first, second = found[:_COMPARED], recorded[index][:_COMPARED]
        return difflib.SequenceMatcher(None, first, second, autojunk=False).ratio()

    return max(same, key=likeness)
