"""Random requests: valid ones, nearly valid ones, and bytes that want to do harm.

Pids and descriptors are symbols, so that each side has its own. Only nlctrl and TASKSTATS are
spoken to: other families of the machine's kernel are none of our business.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from netlink_emu.conformance.cases.masked import Mask, MaskedBytes, Symbol
from netlink_emu.protocol.format import HOST_ORDER
from netlink_emu.protocol.genetlink import GENL_ID_CTRL
from netlink_emu.protocol.netlink import nlmsg_align, nlmsg_walk

_TASKSTATS: Final = Symbol("FAMILY_ID", "TASKSTATS")
# Types that no family has: control messages, a gap below the dynamic ids, beyond GENL_MAX_ID.
_NOBODYS_TYPES: Final = (*range(16), 0x12, 0x3FF, 0x400, 0x7FFF, 0xFFFF)

_CPULISTS: Final = (
    b"0\0", b"1\0", b"0-1\0", b"0,1\0", b"0-1", b"0", b"1", b"\0", b"", b",\0", b"2\0", b"0-2\0",
    b"1-0\0", b"all\0", b"N\0", b"0-N\0", b"0-1:1/2\0", b"0-1:0/1\0", b" 0\0", b"0\n\0", b"0 1\0",
    b"a\0", b"-\0", b"0-\0", b"4294967295\0", b"4294967296\0", b"00\0", b"0\0x", b"0,,1\0",
    b"none\0", b"0-1:1/0\0", b"0-1:2/1\0", b"all:1/2\0", b"0-4294967295\0", b"0\t1\0", b"+1\0",
)  # fmt: skip
_NAMES: Final = (
    b"TASKSTATS\0", b"nlctrl\0", b"nlctrl", b"TASKSTATS", b"taskstats\0", b"\0", b"",
    b"TASKSTATS\0\0\0", b"TASKSTATS\0nlctrl\0", b"x" * 15 + b"\0", b"x" * 16, b"x" * 17,
)  # fmt: skip
# Neither a pid nor a descriptor, nor, with a bit turned round, that of a task of others.
NO_TASK: Final = 0x600001
_TAILS: Final = (b"\0", b"\1\2", b"\3\0\1\0", b"\0\0\0\0", b"\xff\xff\1\0x")


@dataclass(slots=True)
class Pieces:
    """Bytes being built, and the symbols in them."""

    data: bytearray
    masks: list[Mask]

    def symbol(self, symbol: Symbol, size: int = 4) -> None:
        self.masks.append(Mask(len(self.data), size, symbol))
        self.data += bytes(size)


class Requests:
    """A source of requests; everything random comes from ``rng``.

    ``tasks`` and ``fds`` name what a request may ask for at the time it is made.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng: Final = rng
        self.seq = 0

    def datagram(self, tasks: Sequence[str] = (), fds: Sequence[str] = ()) -> MaskedBytes:
        """One datagram: one message or a few, perhaps damaged."""
        count = 1 if self.rng.random() < 0.85 else self.rng.randint(2, 4)
        out = Pieces(bytearray(), [])
        for _ in range(count):
            start = len(out.data)
            self._message(out, tasks, fds)
            out.data += bytes(nlmsg_align(len(out.data) - start) - (len(out.data) - start))
        if self.rng.random() < 0.15:
            self._damage(out)
        return self._harmless(MaskedBytes(bytes(out.data), tuple(out.masks)))

    def register(self, cpus: bytes) -> MaskedBytes:
        """A plain REGISTER_CPUMASK with NLM_F_ACK."""
        out = Pieces(bytearray(), [])
        self._open(out, None, 0x5)
        out.data += b"\x01\x01\0\0"
        _attribute(out, 3, cpus)
        _close(out, 0)
        return MaskedBytes(bytes(out.data), tuple(out.masks))

    def _message(self, out: Pieces, tasks: Sequence[str], fds: Sequence[str]) -> None:
        kind = self.rng.random()
        if kind < 0.55:
            self._taskstats(out, tasks, fds)
        elif kind < 0.85:
            self._nlctrl(out)
        elif kind < 0.95:
            start = self._open(out, self.rng.choice(_NOBODYS_TYPES), self._flags())
            out.data += self.rng.randbytes(self.rng.choice((0, 1, 4, 8, 20)))
            _close(out, start)
        else:
            out.data += self.rng.randbytes(self.rng.choice((1, 15, 16, 17, 20, 40, 64)))

    def _flags(self) -> int:
        if self.rng.random() < 0.7:
            return self.rng.choice((0x1, 0x5, 0x301, 0x305, 0x101, 0x201))
        return self.rng.choice((0, 0x4, 0x300, 0x9, 0xD, 0x8001, 0x405, 0x21, 0xFFFF, 0x805))

    def _open(self, out: Pieces, kind: int | None, flags: int) -> int:
        """A header without its length; ``kind`` None is TASKSTATS. Returns where it begins."""
        start = len(out.data)
        self.seq += 1
        seq = self.seq if self.rng.random() < 0.95 else self.rng.getrandbits(32)
        out.data += bytes(4)
        if kind is None:
            out.symbol(_TASKSTATS, 2)
        else:
            out.data += struct.pack("=H", kind)
        pid = 0 if self.rng.random() < 0.9 else self.rng.getrandbits(32)
        out.data += struct.pack("=HII", flags, seq, pid)
        return start

    def _genl(self, out: Pieces, cmd: int) -> None:
        odd = self.rng.random() < 0.05
        version = self.rng.choice((0, 1, 2, 255)) if odd else 1
        reserved = self.rng.choice((0, 1, 0xFFFF)) if self.rng.random() < 0.05 else 0
        out.data += struct.pack("=BBH", cmd, version, reserved)

    def _taskstats(self, out: Pieces, tasks: Sequence[str], fds: Sequence[str]) -> None:
        start = self._open(out, None, self._flags())
        if self.rng.random() < 0.12:
            self._genl(out, 4)
            for _ in range(self.rng.choice((0, 1, 1, 1, 2))):
                self._fd_attribute(out, fds)
        else:
            cmd = 1 if self.rng.random() < 0.9 else self.rng.choice((0, 2, 3, 5, 6, 99, 255))
            self._genl(out, cmd)
            for _ in range(self.rng.choice((0, 1, 1, 1, 1, 2, 3))):
                self._task_attribute(out, tasks)
        self._tail(out)
        _close(out, start)

    def _task_attribute(self, out: Pieces, tasks: Sequence[str]) -> None:
        kind = self.rng.choice((1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 9, 0, 0x3FFF))
        flags = self.rng.choice((0, 0x8000, 0x4000)) if self.rng.random() < 0.08 else 0
        if kind in (3, 4):
            _attribute(out, kind | flags, self.rng.choice(_CPULISTS))
            return
        choice = self.rng.random()
        if tasks and choice < 0.6:
            _attribute(out, kind | flags, Symbol("PID", self.rng.choice(list(tasks))))
        elif choice < 0.85:
            # With a bit turned round, 0 would be a low pid.
            zero = () if kind in (1, 2) else (0,)
            number = self.rng.choice((NO_TASK, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, *zero))
            _attribute(out, kind | flags, struct.pack("=I", number))
        else:
            size = self.rng.choice((0, 1, 2, 3, 5, 8, 16))
            # Too long a number counts by its first bytes: not that of a task of others.
            _attribute(out, kind | flags, b"\xff" * size)

    def _fd_attribute(self, out: Pieces, fds: Sequence[str]) -> None:
        if fds and self.rng.random() < 0.6:
            _attribute(out, 1, Symbol("FD", self.rng.choice(list(fds))))
        else:
            number = self.rng.choice((NO_TASK, 0x80000000, 0xFFFFFFFF))
            size = 4 if self.rng.random() < 0.8 else self.rng.choice((0, 1, 3))
            _attribute(out, self.rng.choice((1, 1, 1, 2)), _number(number, size))

    def _nlctrl(self, out: Pieces) -> None:
        start = self._open(out, GENL_ID_CTRL, self._flags())
        common = self.rng.random() < 0.9
        self._genl(out, self.rng.choice((3, 3, 10)) if common else self.rng.randint(0, 12))
        for _ in range(self.rng.choice((0, 1, 1, 1, 1, 2, 3))):
            kind = self.rng.choice((1, 2, 2, 10, 10, 0, 3, 7, 99))
            if kind == 2:
                _attribute(out, 2, self.rng.choice(_NAMES))
            elif kind == 1 and self.rng.random() < 0.5:
                _attribute(out, 1, _TASKSTATS, 2)
            elif kind == 1:
                number = self.rng.choice((GENL_ID_CTRL, 0, 15, 0x3FF, 0xFFFF))
                size = self.rng.choice((2, 2, 2, 4, 0, 1))
                _attribute(out, 1, _number(number, size))
            else:
                number = self.rng.choice((0, 1, 3, 4, 10, 0x103, 0xFFFFFFFF))
                size = self.rng.choice((4, 4, 4, 8, 2, 0))
                _attribute(out, kind, _number(number, size))
        self._tail(out)
        _close(out, start)

    def _tail(self, out: Pieces) -> None:
        if self.rng.random() < 0.07:
            out.data += self.rng.choice(
                (b"\0", b"\1\2", b"\3\0\1\0", b"\0\0\0\0", b"\xff\xff\1\0x")
            )

    def _damage(self, out: Pieces) -> None:
        """Break something: a length, a byte, the end."""
        data = out.data
        match self.rng.randrange(4):
            case 0 if len(data) >= 4:
                struct.pack_into(
                    "=I", data, 0, self.rng.choice((0, 15, 16, 17, len(data) + 4, 40))
                )
            case 1 if data:
                # Not the type: another family's is none of our business.
                at = self.rng.randrange(len(data))
                if at >= 6 and not any(m.offset <= at < m.end for m in out.masks):
                    data[at] ^= 1 << self.rng.randrange(8)
            case 2:
                self._cut(out, self.rng.randrange(len(data) + 1))
            case _:
                data += self.rng.randbytes(self.rng.randint(1, 20))

    @staticmethod
    def _cut(out: Pieces, length: int) -> None:
        del out.data[length:]
        out.masks[:] = [mask for mask in out.masks if mask.end <= length]

    def _harmless(self, masked: MaskedBytes) -> MaskedBytes:
        """Damage may have made a request to another family: send that to nobody instead."""
        data = bytearray(masked.data)
        masked_at = {mask.offset for mask in masked.masks}
        for offset, header in nlmsg_walk(masked.data, HOST_ORDER):
            kind = header.nlmsg_type
            if offset + 4 not in masked_at and kind != GENL_ID_CTRL and kind not in _NOBODYS_TYPES:
                struct.pack_into("=H", data, offset + 4, 0x3FF)
        return MaskedBytes(bytes(data), masked.masks)


def _attribute(out: Pieces, kind: int, payload: bytes | Symbol, size: int = 4) -> None:
    length = size if isinstance(payload, Symbol) else len(payload)
    out.data += struct.pack("=HH", 4 + length, kind)
    if isinstance(payload, Symbol):
        out.symbol(payload, size)
    else:
        out.data += payload
    out.data += bytes(-length % 4)


def _number(number: int, size: int) -> bytes:
    """The low bytes of a number."""
    return (number & (1 << 8 * size) - 1).to_bytes(size, HOST_ORDER.name)


def _close(out: Pieces, start: int) -> None:
    struct.pack_into("=I", out.data, start, len(out.data) - start)
