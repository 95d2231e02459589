"""Dumps: answers in parts, driven by the reader: netlink_dump() and __netlink_dump_start()."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from errno import EMSGSIZE, ENOBUFS
from typing import TYPE_CHECKING, Protocol

from netlink_emu.kernel.netlink_rcv import extack_tlvs
from netlink_emu.kernel.profile import DoneExtack
from netlink_emu.kernel.skbuff import SkBuff
from netlink_emu.protocol.errors import NetlinkError, NetlinkExtAck
from netlink_emu.protocol.netlink import (
    NLM_F_ACK_TLVS,
    NLM_F_MULTI,
    NLMSG_DONE,
    NLMSG_HDRLEN,
    NLMSGERR,
    NLMSGHDR,
    nlmsg_align,
)

if TYPE_CHECKING:
    from netlink_emu.kernel.af_netlink import NetlinkSock

DONE_SIZE = NLMSG_HDRLEN + NLMSGERR.size

# The payload of a message behind its nlmsghdr; or, where the place decides what is in it, what
# gives it for the address modulo 8 at which it begins: nothing if it has gone meanwhile.
Part = bytes | Callable[[int], bytes]


class LongParts:
    """Parts of which one is longer than a datagram has room for: its dumpit's min_dump_alloc."""

    def __init__(self, parts: Iterator[bytes], min_dump_alloc: int) -> None:
        self._parts = parts
        self.min_dump_alloc = min_dump_alloc

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._parts)


class Dumping(Protocol):
    """What is queued in parts, as the reader makes room."""

    def go_on(self, sk: NetlinkSock) -> None:
        """Queue the next part; ``sk.dump`` is None behind the last. Raises NetlinkError."""
        ...


@dataclass(slots=True)
class NetlinkDump:
    """struct netlink_callback: a dump under way.

    ``parts`` yields the messages, and may raise NetlinkError (its errno then travels in
    NLMSG_DONE). ``ends_with_zero``: the family's dumpit returns 0 when it
    is through, not skb->len, so that NLMSG_DONE may share the last datagram.
    """

    parts: Iterator[Part]
    nlmsg_type: int
    nlmsg_seq: int
    portid: int
    ends_with_zero: bool
    extack: NetlinkExtAck
    loses_unfit: bool = False  # what does not fit a datagram is not in the next one either
    min_dump_alloc: int = 0  # bytes that a datagram has room for at least
    pending: Part | None = None
    done_errno: int | None = None  # None: more to come

    def go_on(self, sk: NetlinkSock) -> None:
        """See Dumping."""
        netlink_dump(sk, self)


def netlink_dump(sk: NetlinkSock, dump: NetlinkDump) -> None:
    """Queue the next datagram of the dump of ``sk``; raises ENOBUFS when none may be queued."""
    kernel = sk.kernel
    room = max(kernel.skb.goodsize, dump.min_dump_alloc)
    if kernel.profile.dump_grows_with_reads:
        room = max(room, sk.max_recvmsg_len)
    truesize = kernel.skb.alloc_truesize(room)
    # skb_reserve() leaves free what the allocator gave beyond ``room``.
    start = kernel.skb.spare_room(room)
    full = sk.rmem_alloc >= sk.rcvbuf
    if kernel.profile.rmem_sum_rule:
        full = sk.rmem_alloc > 0 and sk.rmem_alloc + truesize >= sk.rcvbuf
    if full:
        raise NetlinkError(ENOBUFS)

    datagram = bytearray()
    if dump.done_errno is None:
        dump.done_errno = _fill(sk, dump, datagram, room, start)
    if dump.done_errno is None or room - len(datagram) < DONE_SIZE:
        sk.queue_dump(SkBuff(bytes(datagram), truesize))
        return
    datagram += _done(sk, dump, room - len(datagram), start + len(datagram))
    sk.dump = None
    sk.queue_dump(SkBuff(bytes(datagram), truesize))


def _fill(
    sk: NetlinkSock, dump: NetlinkDump, datagram: bytearray, room: int, start: int
) -> int | None:
    """Append messages while they fit; None while there are more, else the errno for DONE."""
    header = NLMSGHDR[sk.kernel.profile.arch.order]
    while True:
        if dump.pending is None:
            try:
                dump.pending = next(dump.parts, None)
            except NetlinkError as error:
                if error.message:
                    dump.extack.msg = error.message
                return error.errno
        if dump.pending is None:
            # A dumpit that returns skb->len is asked again, and finds nothing left.
            return 0 if dump.ends_with_zero or not datagram else None
        payload = dump.pending
        if not isinstance(payload, bytes):
            payload = payload(start + len(datagram) + NLMSG_HDRLEN)
            if not payload:
                dump.pending = None
                continue
        length = NLMSG_HDRLEN + len(payload)
        if len(datagram) + length > room:
            if dump.loses_unfit:
                dump.pending = None
            return None if datagram else EMSGSIZE
        datagram += header.pack(length, dump.nlmsg_type, NLM_F_MULTI, dump.nlmsg_seq, dump.portid)
        datagram += payload
        datagram += bytes(nlmsg_align(length) - length)
        dump.pending = None


def _done(sk: NetlinkSock, dump: NetlinkDump, room: int, position: int) -> bytes:
    order = sk.kernel.profile.arch.order
    errno = dump.done_errno or 0
    tlvs = extack_tlvs(sk, errno, _told(sk, dump.extack), position + DONE_SIZE)
    flags = NLM_F_MULTI | (NLM_F_ACK_TLVS if tlvs else 0)
    if len(tlvs) > room - DONE_SIZE:
        tlvs = b""
    header = NLMSGHDR[order].pack(
        DONE_SIZE + len(tlvs), NLMSG_DONE, flags, dump.nlmsg_seq, dump.portid
    )
    return header + NLMSGERR[order].pack(-errno) + tlvs


def _told(sk: NetlinkSock, extack: NetlinkExtAck) -> NetlinkExtAck:
    """What of an extended ack a release puts into NLMSG_DONE: netlink_dump_done()."""
    how = sk.kernel.profile.extack_done
    if how is DoneExtack.ALL:
        return extack
    told = NetlinkExtAck()
    if how is DoneExtack.MSG:
        told.msg = extack.msg
    return told
