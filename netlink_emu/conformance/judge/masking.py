"""Finds what may vary in a datagram that was just received, by what its bytes mean.

The counterpart of :mod:`.bindings`: there symbols become values, here values become symbols.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from netlink_emu.conformance.cases.case import MAIN
from netlink_emu.conformance.cases.masked import Mask, MaskedBytes, Symbol
from netlink_emu.conformance.cases.structure import (
    OURS,
    StatsBlock,
    event_of,
    family_name,
    stats_blocks,
)
from netlink_emu.conformance.cases.volatile import VOLATILE
from netlink_emu.protocol.attributes import NLA_TYPE_MASK, nla_walk
from netlink_emu.protocol.format import ByteOrder
from netlink_emu.protocol.genetlink import GENL_HDRLEN, GENL_ID_CTRL, CtrlAttr
from netlink_emu.protocol.netlink import (
    NLM_F_CAPPED,
    NLMSG_ERROR,
    NLMSG_HDRLEN,
    NlMsgHdr,
    nlmsg_align,
    nlmsg_walk,
)

_FAMILY = Symbol("FAMILY_ID", "TASKSTATS")
_REQUEST = NLMSG_HDRLEN + 4  # of an NLMSG_ERROR: where the request's header begins


@dataclass(slots=True)
class Known:
    """What the values of a run stand for.

    ``pids`` and ``tgids`` are those of the case's tasks by number, ``parents`` what their
    parents are called, ``portids`` those that were given by autobind. ``order`` is that of the
    bytes.
    """

    family_id: int
    order: ByteOrder
    pids: dict[int, str] = field(default_factory=dict)
    tgids: dict[int, str] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    portids: dict[int, str] = field(default_factory=dict)

    def number(self, data: bytes, offset: int, size: int) -> int:
        """The number of ``size`` bytes at an offset."""
        return int.from_bytes(data[offset : offset + size], self.order.name)


def mask_datagram(
    data: bytes, known: Known, stats: str | None, requests: Mapping[int, MaskedBytes]
) -> MaskedBytes:
    """The datagram with its masks; ``requests`` are the socket's own by nlmsg_seq."""
    masks: dict[int, Mask] = {}
    end = 0
    for offset, header in nlmsg_walk(data, known.order):
        end = offset + nlmsg_align(header.nlmsg_len)
        for mask in _message(data, offset, header, known, requests):
            masks.setdefault(mask.offset, mask)
    if len(data) - end >= NLMSG_HDRLEN:  # a message that was cut off
        for mask in _header(data, end, known):
            masks.setdefault(mask.offset, mask)
    if event_of(data, known.family_id, known.order) is not None:
        masks[8] = Mask(8, 4, Symbol("SEQ_EVENT", "cpu"))
    for block in stats_blocks(data, known.order):
        for mask in _block(data, block, known, stats):
            masks.setdefault(mask.offset, mask)
    return MaskedBytes(data, tuple(masks[offset] for offset in sorted(masks)))


def _header(data: bytes, offset: int, known: Known) -> Iterator[Mask]:
    if known.number(data, offset + 4, 2) == known.family_id:
        yield Mask(offset + 4, 2, _FAMILY)
    portid = known.portids.get(known.number(data, offset + 12, 4))
    if portid is not None:
        yield Mask(offset + 12, 4, Symbol("PORTID", portid))


def _message(
    data: bytes, offset: int, header: NlMsgHdr, known: Known, requests: Mapping[int, MaskedBytes]
) -> Iterator[Mask]:
    end = offset + header.nlmsg_len
    message = data[offset:end]
    name = family_name(message, known.order)
    if name is not None and name not in OURS:
        yield Mask(offset, nlmsg_align(len(message)), Symbol("FOREIGN_FAMILY", name.decode()))
        return
    yield from _header(data, offset, known)
    if header.nlmsg_type == NLMSG_ERROR and len(message) >= _REQUEST + NLMSG_HDRLEN:
        yield from _header(data, offset + _REQUEST, known)
        echoed = min(known.number(data, offset + _REQUEST, 4), len(message) - _REQUEST)
        request = requests.get(header.nlmsg_seq)
        capped = header.nlmsg_flags & NLM_F_CAPPED
        for mask in () if request is None or capped else request.masks:
            if mask.end <= echoed:
                yield Mask(offset + _REQUEST + mask.offset, mask.length, mask.symbol)
    elif header.nlmsg_type == GENL_ID_CTRL:
        for kind, payload, length in nla_walk(
            data, offset + NLMSG_HDRLEN + GENL_HDRLEN, end, known.order
        ):
            number = kind & NLA_TYPE_MASK
            ours = length == 2 and known.number(data, payload, 2) == known.family_id
            if ours and number == CtrlAttr.CTRL_ATTR_FAMILY_ID:
                yield Mask(payload, 2, _FAMILY)


def _block(data: bytes, block: StatsBlock, known: Known, stats: str | None) -> Iterator[Mask]:
    names = known.tgids if block.group else known.pids
    task = names.get(block.id)
    if task is not None:
        yield Mask(block.id_offset, 4, Symbol("TGID" if block.group else "PID", task))
    mode = stats or "live"
    volatile = VOLATILE["group" if block.group and mode != "none" else mode]
    values = block.layout.codec(known.order).decode(data, block.offset)
    for member, place in block.layout.fields.items():
        at, size = block.offset + place.offset, place.size
        value = values[member]
        if member in volatile:
            yield Mask(at, size, Symbol("STATS", member))
        elif member == "ac_pid" and value in known.pids:
            yield Mask(at, size, Symbol("PID", known.pids[int(value)]))
        elif member == "ac_tgid" and value in known.tgids:
            yield Mask(at, size, Symbol("TGID", known.tgids[int(value)]))
        elif member == "ac_ppid" and value and task is not None:
            yield Mask(at, size, Symbol("PPID", known.parents.get(task, MAIN)))
        elif member in ("ac_exe_dev", "ac_exe_inode") and value:
            yield Mask(at, size, Symbol(member.removeprefix("ac_").upper(), "binary"))
