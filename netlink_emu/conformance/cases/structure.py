"""Where things lie in a datagram: headers, attributes, STATS blocks. Only for reading them.

Nothing here fails on bytes that are no netlink: what cannot be walked is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from netlink_emu.protocol.attributes import NLA_HDRLEN, NLA_TYPE_MASK, NLATTR, nla_walk
from netlink_emu.protocol.format import ByteOrder
from netlink_emu.protocol.genetlink import GENL_HDRLEN, GENL_ID_CTRL, CtrlAttr, CtrlCmd
from netlink_emu.protocol.netlink import (
    NLMSG_DONE,
    NLMSG_ERROR,
    NLMSG_HDRLEN,
    NLMSGERR_SIZE,
    NLMSGHDR,
    NlMsgHdr,
    nlmsg_align,
    nlmsg_walk,
)
from netlink_emu.protocol.reading.structs import layout_of
from netlink_emu.protocol.taskstats import (
    TASKSTATS_CMD_ATTR_DEREGISTER_CPUMASK,
    TASKSTATS_CMD_ATTR_REGISTER_CPUMASK,
    TASKSTATS_CMD_GET,
    TASKSTATS_CMD_NEW,
    TASKSTATS_TYPE_AGGR_PID,
    TASKSTATS_TYPE_AGGR_TGID,
    TASKSTATS_TYPE_PID,
    TASKSTATS_TYPE_STATS,
    TASKSTATS_TYPE_TGID,
    TaskstatsLayout,
)

_AGGR: Final = (TASKSTATS_TYPE_AGGR_PID, TASKSTATS_TYPE_AGGR_TGID)
_IDS: Final = (TASKSTATS_TYPE_PID, TASKSTATS_TYPE_TGID)
_CPU_LISTS: Final = (TASKSTATS_CMD_ATTR_REGISTER_CPUMASK, TASKSTATS_CMD_ATTR_DEREGISTER_CPUMASK)
_GENL_START: Final = NLMSG_HDRLEN + GENL_HDRLEN
_EVENT_HEAD: Final = _GENL_START + 2 * NLA_HDRLEN + 4  # up to the pid, in bytes
_PID_ATTRIBUTE: Final = (NLA_HDRLEN + 4, TASKSTATS_TYPE_PID)


@dataclass(frozen=True, slots=True)
class StatsBlock:
    """A STATS payload: where it lies, of whom it is, and whether it is a thread group's."""

    offset: int
    layout: TaskstatsLayout
    group: bool
    id: int  # the PID or TGID attribute in front of it
    id_offset: int

    @property
    def size(self) -> int:
        return self.layout.size

    def covers(self, offset: int) -> bool:
        return self.offset <= offset < self.offset + self.size


def _u32(data: bytes, offset: int, order: ByteOrder) -> int:
    return int.from_bytes(data[offset : offset + 4], order.name)


def _genl_cmd(data: bytes, offset: int, header: NlMsgHdr) -> int | None:
    if header.nlmsg_type < GENL_ID_CTRL or header.nlmsg_len < _GENL_START:
        return None
    return data[offset + NLMSG_HDRLEN]


def stats_blocks(data: bytes, order: ByteOrder) -> Iterator[StatsBlock]:
    """Every whole STATS payload of a datagram of TASKSTATS."""
    for offset, header in nlmsg_walk(data, order):
        if (
            header.nlmsg_type == GENL_ID_CTRL
            or _genl_cmd(data, offset, header) != TASKSTATS_CMD_NEW
        ):
            continue
        end = offset + header.nlmsg_len
        for nest, start, length in nla_walk(data, offset + _GENL_START, end, order):
            if nest & NLA_TYPE_MASK not in _AGGR:
                continue
            ident, at = 0, 0
            for kind, inner, size in nla_walk(data, start, start + length, order):
                if kind in _IDS:  # TASKSTATS_TYPE_NULL may stand behind it
                    ident, at = _u32(data, inner, order), inner
                if kind != TASKSTATS_TYPE_STATS:
                    continue
                layout = layout_of(data[inner : inner + size], order)
                if layout is not None:
                    group = nest & NLA_TYPE_MASK == TASKSTATS_TYPE_AGGR_TGID
                    yield StatsBlock(inner, layout, group, ident, at)


def event_of(data: bytes, family_id: int | None, order: ByteOrder) -> StatsBlock | None:
    """The first block of an exit event, None if the datagram is none: nlmsg_pid is 0 in them."""
    for _, header in nlmsg_walk(data, order):
        if header.nlmsg_pid or (family_id is not None and header.nlmsg_type != family_id):
            return None
        return next(stats_blocks(data, order), None)
    return None


def event_pid(data: bytes, family_id: int, order: ByteOrder) -> int | None:
    """The pid that an exit event is about, also of one that was cut off behind it."""
    if len(data) < _EVENT_HEAD:
        return None
    header = NLMSGHDR[order].decode(data)
    if (
        header.nlmsg_pid
        or header.nlmsg_type != family_id
        or data[NLMSG_HDRLEN] != TASKSTATS_CMD_NEW
    ):
        return None
    _, aggr = NLATTR[order].unpack_from(data, _GENL_START)
    if aggr != TASKSTATS_TYPE_AGGR_PID:
        return None
    if NLATTR[order].unpack_from(data, _GENL_START + NLA_HDRLEN) != _PID_ATTRIBUTE:
        return None
    return _u32(data, _EVENT_HEAD - 4, order)


def cpu_lists_in(data: bytes, order: ByteOrder) -> Iterator[bytes]:
    """The CPU lists in a datagram of requests to TASKSTATS."""
    for offset, header in nlmsg_walk(data, order):
        if header.nlmsg_type == GENL_ID_CTRL:
            continue
        if _genl_cmd(data, offset, header) != TASKSTATS_CMD_GET:
            continue
        end = offset + header.nlmsg_len
        for kind, payload, length in nla_walk(data, offset + _GENL_START, end, order):
            if kind & NLA_TYPE_MASK in _CPU_LISTS:
                yield data[payload : payload + length]


def has_cpu_list(data: bytes, order: ByteOrder) -> bool:
    return next(cpu_lists_in(data, order), None) is not None


def boundaries(data: bytes, order: ByteOrder) -> frozenset[int]:
    """The offsets at which headers, attributes and their payloads begin, for grouping."""
    cuts: set[int] = set()
    for offset, header in nlmsg_walk(data, order):
        _message(data, offset, header, order, cuts)
        cuts.add(offset + nlmsg_align(header.nlmsg_len))
    if not cuts:
        cuts.update(range(0, min(len(data), 20), 4))
    return frozenset(cuts)


def _header(offset: int, cuts: set[int]) -> None:
    cuts.update(offset + part for part in (0, 4, 6, 8, 12, 16))


def _message(data: bytes, offset: int, header: NlMsgHdr, order: ByteOrder, cuts: set[int]) -> None:
    end = offset + header.nlmsg_len
    _header(offset, cuts)
    if header.nlmsg_type == NLMSG_ERROR and header.nlmsg_len >= NLMSG_HDRLEN + NLMSGERR_SIZE:
        _header(offset + NLMSG_HDRLEN + 4, cuts)
        body = offset + NLMSG_HDRLEN + NLMSGERR_SIZE
        cuts.add(body + 4)
        _attributes(data, body + 4, end, order, cuts)
    elif header.nlmsg_type == NLMSG_DONE:
        cuts.add(offset + NLMSG_HDRLEN + 4)
    elif header.nlmsg_len >= _GENL_START:
        cuts.add(offset + _GENL_START)
        _attributes(data, offset + _GENL_START, end, order, cuts)


def _attributes(data: bytes, start: int, end: int, order: ByteOrder, cuts: set[int]) -> None:
    for _, payload, length in nla_walk(data, start, end, order):
        cuts.update((payload - NLA_HDRLEN, payload, payload + length))
        if length > NLA_HDRLEN and _looks_nested(data, payload, payload + length, order):
            _attributes(data, payload, payload + length, order, cuts)


def _looks_nested(data: bytes, start: int, end: int, order: ByteOrder) -> bool:
    """Whether a payload is made of attributes with small types, to the last byte."""
    at = start
    for kind, payload, length in nla_walk(data, start, end, order):
        if kind & NLA_TYPE_MASK > 64:
            return False
        at = nlmsg_align(payload + length - start) + start
    return at >= end and end - start >= 8


OURS: Final = frozenset({b"nlctrl", b"TASKSTATS"})


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
