"""Requests: walking a datagram, acks and errors: netlink_rcv_skb() and netlink_ack().

The one place where a NetlinkError becomes NLMSG_ERROR.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from errno import EINTR
from typing import TYPE_CHECKING

from netlink_emu.kernel.skbuff import SkBuff
from netlink_emu.protocol.attributes import NLA_F_NESTED, NLA_HDRLEN, AttrWriter
from netlink_emu.protocol.errors import NetlinkError, NetlinkExtAck
from netlink_emu.protocol.netlink import (
    NLM_F_ACK,
    NLM_F_ACK_TLVS,
    NLM_F_CAPPED,
    NLM_F_REQUEST,
    NLMSG_ERROR,
    NLMSG_HDRLEN,
    NLMSG_MIN_TYPE,
    NLMSGERR,
    NLMSGERR_SIZE,
    NLMSGHDR,
    NlMsgErrAttr,
    nlmsg_align,
)
from netlink_emu.protocol.policy import pad_u64

if TYPE_CHECKING:
    from netlink_emu.kernel.af_netlink import NetlinkSock
    from netlink_emu.kernel.profile import Profile
    from netlink_emu.protocol.format import ByteOrder

# A started dump has its NLMSG_DONE for an ack: netlink_dump_start() returns -EINTR.
DUMP_STARTED = EINTR


@dataclass(slots=True)
class Request:
    """One message of a datagram, with its header unpacked; ``start`` is its offset in skb.data."""

    skb: SkBuff
    start: int
    nlmsg_len: int
    nlmsg_type: int
    nlmsg_flags: int
    nlmsg_seq: int
    nlmsg_pid: int
    extack: NetlinkExtAck

    @property
    def end(self) -> int:
        return self.start + self.nlmsg_len


def netlink_rcv_skb(skb: SkBuff, order: ByteOrder, handle: Callable[[Request], None]) -> None:
    """Hand each request of a datagram to ``handle``; acks and errors go back to the sender."""
    data, start, end = skb.data, 0, len(skb.data)
    unpack = NLMSGHDR[order].unpack_from
    assert skb.sk is not None
    trace, injector = skb.sk.kernel.trace, skb.sk.kernel.injector
    while end - start >= NLMSG_HDRLEN:
        nlmsg_len, nlmsg_type, nlmsg_flags, seq, pid = unpack(data, start)
        if nlmsg_len < NLMSG_HDRLEN or nlmsg_len > end - start:
            return
        request = Request(
            skb, start, nlmsg_len, nlmsg_type, nlmsg_flags, seq, pid, NetlinkExtAck()
        )
        err = 0
        if nlmsg_flags & NLM_F_REQUEST and nlmsg_type >= NLMSG_MIN_TYPE:
            try:
                if injector is not None:
                    injector.request(request)
                handle(request)
            except NetlinkError as error:
                err = error.errno
                if error.message:
                    request.extack.msg = error.message
        if err != DUMP_STARTED and (err or nlmsg_flags & NLM_F_ACK):
            netlink_ack(request, err)
        if trace is not None:
            for line in request.extack.log:
                comm = "" if skb.current is None else skb.current.comm()
                trace.logged(request, line.format(comm=comm))
            trace.request_done(request, 0 if err == DUMP_STARTED else err)
        start += nlmsg_len + 3 & ~3  # NLMSG_ALIGN


def netlink_ack(request: Request, err: int) -> None:
    """Queue NLMSG_ERROR (``err`` 0: an ack) at the sender of the request."""
    skb = request.skb
    sk = skb.sk
    assert sk is not None
    profile, order = sk.kernel.profile, sk.kernel.profile.arch.order
    capped = not err or (sk.cap_ack and profile.cap_ack)
    echoed = NLMSG_HDRLEN if capped else request.nlmsg_len
    flags = NLM_F_CAPPED if capped and profile.acks_capped else 0
    echo = skb.data[request.start : request.start + echoed]
    body = NLMSGERR[order].pack(-err) + echo
    body += bytes(nlmsg_align(len(body)) - len(body))
    tlvs = extack_tlvs(sk, err, request.extack, NLMSG_HDRLEN + len(body))
    if tlvs:
        flags |= NLM_F_ACK_TLVS
    nlmsg_len = NLMSG_HDRLEN + len(body) + len(tlvs)
    if not profile.acks_capped:
        nlmsg_len = NLMSG_HDRLEN + NLMSGERR_SIZE + echoed - NLMSG_HDRLEN
    header = NLMSGHDR[order].pack(nlmsg_len, NLMSG_ERROR, flags, request.nlmsg_seq, skb.portid)
    data = header + body + tlvs
    answer = SkBuff(data, sk.kernel.skb.alloc_truesize(len(data)))
    try:
        sk.kernel.netlink.unicast_from_kernel(sk.net, sk.protocol, answer, skb.portid)
    except NetlinkError:
        return  # nobody checks what becomes of an ack


def extack_tlvs(sk: NetlinkSock, err: int, extack: NetlinkExtAck, position: int) -> bytes:
    """netlink_ack_tlv_fill(): the TLVs that follow, empty without NETLINK_EXT_ACK.

    ``position`` is where in memory they begin, modulo 8: it shows on machines that align u64.
    """
    profile: Profile = sk.kernel.profile
    if not (sk.ext_ack and profile.ext_ack):
        return b""
    attrs = AttrWriter(profile.arch.order)
    if extack.msg is not None:
        attrs.put_string(NlMsgErrAttr.NLMSGERR_ATTR_MSG, extack.msg)
    early = profile.extack_cookie_before_offs or not err
    if extack.cookie is not None and early:
        attrs.put(NlMsgErrAttr.NLMSGERR_ATTR_COOKIE, extack.cookie)
    if not err:
        return bytes(attrs.data)
    if extack.bad_attr is not None:
        attrs.put_u32(NlMsgErrAttr.NLMSGERR_ATTR_OFFS, extack.bad_attr)
    if extack.cookie is not None and not early:
        attrs.put(NlMsgErrAttr.NLMSGERR_ATTR_COOKIE, extack.cookie)
    if extack.policy is not None:
        policy = extack.policy
        if profile.policy_u64_pad:
            policy = pad_u64(policy, position + len(attrs.data) + NLA_HDRLEN, profile.arch.order)
        attrs.put(NlMsgErrAttr.NLMSGERR_ATTR_POLICY | NLA_F_NESTED, policy)
    if extack.miss_type is not None:
        attrs.put_u32(NlMsgErrAttr.NLMSGERR_ATTR_MISS_TYPE, extack.miss_type)
    if extack.miss_nest is not None:
        attrs.put_u32(NlMsgErrAttr.NLMSGERR_ATTR_MISS_NEST, extack.miss_nest)
    return bytes(attrs.data)
