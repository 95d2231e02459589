"""Whether two outcomes of one step are equal, outside of what may vary between two kernels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from netlink_emu.conformance.cases import ops
from netlink_emu.conformance.cases.case import Datagram, Outcome, Step
from netlink_emu.conformance.cases.structure import OURS, family_name, stats_blocks
from netlink_emu.conformance.cases.volatile import GROUP, LIVE
from netlink_emu.protocol.format import HOST_ORDER
from netlink_emu.protocol.netlink import NLMSG_HDRLEN, nlmsg_align, nlmsg_walk

_MOST = 65536  # bytes of a message
_AUTOBOUND = 0x80000000  # portids from here on may be random ones
# Zero or not is a fact, the value is the machine's.
_ZERO_OR_NOT = frozenset({"ac_exe_dev", "ac_exe_inode", "hiwater_rss", "hiwater_vm"})


@dataclass(slots=True)
class Equality:
    """Compares outcomes of the kernel with those of the emulator, in the order of the steps.

    ``portids`` maps random portids of the kernel to those of the emulator, as they are seen.
    """

    family_id: int
    portids: dict[int, int] = field(default_factory=dict)

    def difference(self, step: Step, real: Outcome, ours: Outcome) -> str | None:
        """What differs, in words; None if nothing does."""
        if real.error != ours.error:
            return f"error: kernel {real.error}, emulator {ours.error}"
        if isinstance(step.op, ops.GetSockName | ops.GetPeerName):
            return self._names(real.result, ours.result)
        if real.result != ours.result:
            return f"result: kernel {real.result}, emulator {ours.result}"
        if real.value != ours.value or real.optlen_out != ours.optlen_out:
            return (
                f"option: kernel {real.value!r} ({real.optlen_out}), "
                f"emulator {ours.value!r} ({ours.optlen_out})"
            )
        theirs, mine = real.datagrams or (), ours.datagrams or ()
        for number, (a, b) in enumerate(zip(theirs, mine, strict=False)):
            for fault in self._datagram(a, b):
                return f"datagram {number}: {fault}"
        if len(theirs) != len(mine):
            return f"{len(theirs)} datagrams of the kernel, {len(mine)} of the emulator"
        return None

    def _names(self, real: list[int], ours: list[int]) -> str | None:
        if real[1] == ours[1] and self._same_portid(real[0], ours[0]):
            return None
        return f"address: kernel {real}, emulator {ours}"

    def _same_portid(self, real: int, ours: int) -> bool:
        if real == ours:
            return True
        if real < _AUTOBOUND or ours < _AUTOBOUND:
            return False
        return self.portids.setdefault(real, ours) == ours

    def _datagram(self, real: Datagram, ours: Datagram) -> Iterator[str]:
        a, b = real.payload.data, ours.payload.data
        if len(a) != len(b):
            yield f"{len(a)} bytes of the kernel, {len(b)} of the emulator"
        for name in ("msg_flags", "returned_length"):
            x, y = getattr(real, name), getattr(ours, name)
            if x != y:
                yield f"{name}: kernel {x}, emulator {y}"
        if real.sender is not None and ours.sender is not None:
            same = self._same_portid(real.sender[0], ours.sender[0])
            if not same or real.sender[1] != ours.sender[1]:
                yield f"sender: kernel {real.sender}, emulator {ours.sender}"
        if [(c.level, c.type, c.payload.data) for c in real.cmsgs or ()] != [
            (c.level, c.type, c.payload.data) for c in ours.cmsgs or ()
        ]:
            yield f"control messages: kernel {real.cmsgs}, emulator {ours.cmsgs}"
        if a != b:
            yield from self._bytes(a, b)

    def _bytes(self, real: bytes, ours: bytes) -> Iterator[str]:
        a, b = bytearray(real), bytearray(ours)
        self.blank(a, b)
        differing = [i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y]
        if differing:
            where = ", ".join(map(str, differing[:6]))
            yield f"{len(differing)} bytes differ, at {where}"

    def blank(self, a: bytearray, b: bytearray) -> None:
        """Make equal on both sides what may vary and agrees in kind."""
        length = len(a)
        missing = _cut_off(a) if length == len(b) else 0
        a += bytes(missing)
        b += bytes(missing)
        self._blank(a, b)
        if missing:
            del a[length:], b[length:]

    def _blank(self, a: bytearray, b: bytearray) -> None:
        for offset, header in nlmsg_walk(bytes(a), HOST_ORDER):
            end = offset + header.nlmsg_len
            name = family_name(bytes(a[offset:end]), HOST_ORDER)
            if (
                name is not None
                and name not in OURS
                and family_name(bytes(b[offset:end]), HOST_ORDER) == name
            ):
                b[offset:end] = a[offset:end]
            self._blank_portids(a, b, offset)
        if self._may_be_event(a) and self._may_be_event(b):
            b[8:12] = a[8:12]
        for block in stats_blocks(bytes(a), HOST_ORDER):
            volatile = GROUP if block.group else LIVE
            for member, place in block.layout.fields.items():
                part = slice(block.offset + place.offset, block.offset + place.offset + place.size)
                if member in _ZERO_OR_NOT:
                    if any(a[part]) == any(b[part]):
                        b[part] = a[part]
                elif member in volatile:
                    b[part] = a[part]

    def _blank_portids(self, a: bytearray, b: bytearray, offset: int) -> None:
        for at in (offset + 12, offset + NLMSG_HDRLEN + 16):
            if at + 4 <= len(a) and self._random_portids(a, b, at):
                b[at : at + 4] = a[at : at + 4]

    def _may_be_event(self, data: bytearray) -> bool:
        """An exit event, or the head of one: from the kernel to nobody in particular."""
        return data[4:6] == self.family_id.to_bytes(2, HOST_ORDER.name) and not any(data[12:16])

    def _random_portids(self, a: bytearray, b: bytearray, at: int) -> bool:
        x, y = (int.from_bytes(side[at : at + 4], HOST_ORDER.name) for side in (a, b))
        return x != y and x >= _AUTOBOUND and y >= _AUTOBOUND and self._same_portid(x, y)


def _cut_off(data: bytearray) -> int:
    """How many bytes the last message would have if its datagram had not been cut off."""
    offset = 0
    while len(data) - offset >= NLMSG_HDRLEN:
        length = int.from_bytes(data[offset : offset + 4], HOST_ORDER.name)
        if not NLMSG_HDRLEN <= length <= _MOST:
            return 0
        if length > len(data) - offset:
            return length - (len(data) - offset)
        offset += nlmsg_align(length)
    return 0
