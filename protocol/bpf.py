"""Classic BPF: what SO_ATTACH_FILTER and seccomp take, checked and run.

:class:`Filter` checks a program as bpf_check_classic() of net/core/filter.c (and
seccomp_check_filter() of kernel/seccomp.c), and runs it. Jumps go forward only, so that every
program that passes ends.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from errno import EINVAL
from types import MappingProxyType
from typing import Final, Literal

from .attributes import NLA_HDRLEN, NLA_TYPE_MASK, NLATTR, nla_walk
from .bpf_common import (
    BPF_A,
    BPF_ABS,
    BPF_ADD,
    BPF_ALU,
    BPF_AND,
    BPF_B,
    BPF_DIV,
    BPF_H,
    BPF_IMM,
    BPF_IND,
    BPF_JA,
    BPF_JEQ,
    BPF_JGE,
    BPF_JGT,
    BPF_JMP,
    BPF_JSET,
    BPF_K,
    BPF_LD,
    BPF_LDX,
    BPF_LEN,
    BPF_LSH,
    BPF_MAXINSNS,
    BPF_MEM,
    BPF_MEMWORDS,
    BPF_MISC,
    BPF_MOD,
    BPF_MSH,
    BPF_MUL,
    BPF_NEG,
    BPF_OR,
    BPF_RET,
    BPF_RSH,
    BPF_ST,
    BPF_STX,
    BPF_SUB,
    BPF_TAX,
    BPF_TXA,
    BPF_W,
    BPF_X,
    BPF_XOR,
    SECCOMP_DATA,
    SKF_AD_ALU_XOR_X,
    SKF_AD_HATYPE,
    SKF_AD_IFINDEX,
    SKF_AD_NLATTR,
    SKF_AD_NLATTR_NEST,
    SKF_AD_OFF,
    SKF_NET_OFF,
    SOCK_FILTER,
    Instruction,
    SeccompData,
    SockFilter,
)
from .errors import NetlinkError
from .format import LITTLE, ByteOrder

__all__ = [
    "BPF_MAXINSNS",
    "SECCOMP_CODES",
    "SECCOMP_DATA",
    "SOCKET_CODES",
    "SOCK_FILTER",
    "Filter",
    "Instruction",
    "SeccompData",
    "SockFilter",
]

U32_MAX: Final = 0xFFFF_FFFF
_ANCILLARY: Final = range(0, 64, 4)  # SKF_AD_*

_CLASS: Final = 0x07
_SIZE: Final = 0x18
_MODE: Final = 0xE0
_OPERATION: Final = 0xF0

_TESTS: Final[dict[int, Callable[[int, int], int]]] = {
    BPF_JEQ: operator.eq,
    BPF_JGT: operator.gt,
    BPF_JGE: operator.ge,
    BPF_JSET: operator.and_,
}
_OPERATIONS: Final[dict[int, Callable[[int, int], int]]] = {
    BPF_ADD: operator.add,
    BPF_SUB: operator.sub,
    BPF_MUL: operator.mul,
    BPF_DIV: operator.floordiv,
    BPF_OR: operator.or_,
    BPF_AND: operator.and_,
    BPF_LSH: operator.lshift,
    BPF_RSH: operator.rshift,
    BPF_NEG: lambda a, _: -a,
    BPF_MOD: operator.mod,
    BPF_XOR: operator.xor,
}

_SIZES: Final = {BPF_W: 4, BPF_H: 2, BPF_B: 1}
_SOURCES: Final = (BPF_K, BPF_X)
_JUMPS: Final = frozenset(BPF_JMP | test | source for test in _TESTS for source in _SOURCES)
_MEMORY_STORES: Final = frozenset({BPF_ST, BPF_STX})
_MEMORY_LOADS: Final = frozenset({BPF_LD | BPF_MEM, BPF_LDX | BPF_MEM})
_ABSOLUTE: Final = frozenset(BPF_LD | BPF_ABS | size for size in _SIZES)
SECCOMP_CODES: Final = frozenset(
    {
        *(
            BPF_ALU | operation | source
            for operation in _OPERATIONS.keys() - {BPF_NEG, BPF_MOD}
            for source in _SOURCES
        ),
        *_JUMPS,
        *_MEMORY_STORES,
        *_MEMORY_LOADS,
        BPF_ALU | BPF_NEG,
        BPF_JMP | BPF_JA,
        BPF_LD | BPF_IMM,
        BPF_LDX | BPF_IMM,
        BPF_LD | BPF_W | BPF_ABS,
        BPF_LD | BPF_W | BPF_LEN,
        BPF_LDX | BPF_W | BPF_LEN,
        BPF_RET | BPF_K,
        BPF_RET | BPF_A,
        BPF_MISC | BPF_TAX,
        BPF_MISC | BPF_TXA,
    }
)
SOCKET_CODES: Final = SECCOMP_CODES | {
    *(BPF_LD | mode | size for mode in (BPF_ABS, BPF_IND) for size in _SIZES),
    BPF_LDX | BPF_B | BPF_MSH,
    BPF_ALU | BPF_MOD | BPF_K,
    BPF_ALU | BPF_MOD | BPF_X,
}


def _signed(value: int) -> int:
    return value - ((value & 0x8000_0000) << 1)


def _is_sound(pc: int, instruction: Instruction, count: int, *, seccomp: bool) -> bool:
    """Whether one instruction may stand at ``pc`` of ``count``."""
    code, jt, jf, k = instruction
    if code not in (SECCOMP_CODES if seccomp else SOCKET_CODES):
        return False
    if code in (BPF_ALU | BPF_DIV | BPF_K, BPF_ALU | BPF_MOD | BPF_K):
        return k != 0
    if code in (BPF_ALU | BPF_LSH | BPF_K, BPF_ALU | BPF_RSH | BPF_K):
        return k < 32
    if code in _MEMORY_STORES or code in _MEMORY_LOADS:
        return k < BPF_MEMWORDS
    if code == BPF_JMP | BPF_JA:
        return k < count - pc - 1
    if code in _JUMPS:
        return pc + 1 + max(jt, jf) < count
    if code in _ABSOLUTE:
        if seccomp:
            return k % 4 == 0 and k < SECCOMP_DATA.size
        ancillary = _signed(k) - SKF_AD_OFF
        return not 0 <= ancillary < -SKF_AD_OFF or ancillary in _ANCILLARY
    return True


def _loads_follow_stores(program: Sequence[Instruction]) -> bool:
    """Whether each word of scratch memory is stored on every path that loads it."""
    everything = (1 << BPF_MEMWORDS) - 1
    # What is certainly stored where an instruction is jumped to, and where it is fallen into.
    stored_at = [everything] * len(program)
    stored = 0
    for pc, (code, jt, jf, k) in enumerate(program):
        stored &= stored_at[pc]
        if code in _MEMORY_STORES:
            stored |= 1 << k
        elif code in _MEMORY_LOADS:
            if not stored >> k & 1:
                return False
        elif code == BPF_JMP | BPF_JA or code in _JUMPS:
            for distance in (k,) if code == BPF_JMP | BPF_JA else (jt, jf):
                stored_at[pc + 1 + distance] &= stored
            stored = everything
    return True


class _Stop(Exception):
    """The program ends with 0, the packet being too short, or a divisor 0."""


class _NoDevice(Exception):
    """The program ends: a netlink message has no device to tell of. ``a`` is the accumulator."""

    def __init__(self, a: int) -> None:
        super().__init__(a)
        self.a: Final = a


class Filter:
    """A checked program. ``run`` returns what the program returns, an unsigned 32-bit number.

    On a socket that is how many bytes are kept, 0 dropping the packet; its loads are big endian.
    With ``seccomp`` the packet is a SECCOMP_DATA in ``order``, and so are its loads.
    """

    def __init__(self, program: Sequence[Instruction], *, seccomp: bool = False) -> None:
        """Raises NetlinkError(EINVAL) for a program that the kernel would not attach."""
        self.program: Final = tuple(program)
        self.seccomp: Final = seccomp
        count = len(self.program)
        if not (
            0 < count <= BPF_MAXINSNS
            and all(
                _is_sound(pc, instruction, count, seccomp=seccomp)
                for pc, instruction in enumerate(self.program)
            )
            and self.program[-1][0] in (BPF_RET | BPF_K, BPF_RET | BPF_A)
            and _loads_follow_stores(self.program)
        ):
            raise NetlinkError(EINVAL)

    def run(
        self,
        packet: bytes | memoryview,
        *,
        order: ByteOrder = LITTLE,
        ancillary: Mapping[int, int] = MappingProxyType({}),
        a_without_device: bool = True,
    ) -> int:
        """Run over ``packet``.

        ``order`` is the byte order of the host. ``ancillary`` holds what SKF_AD_* loads give
        (SKF_AD_CPU, SKF_AD_RANDOM, ...), 0 by default, as most are for a netlink message. A load
        from the device, which that has not, ends the program: ``a_without_device`` says whether
        with A (since 3.15) or with 0.
        """
        try:
            return _Run(self, packet, order, ancillary).run()
        except _NoDevice as exc:
            return exc.a if a_without_device else 0


class _Run:
    """The machine: an accumulator A, an index X, 16 words of scratch memory."""

    def __init__(
        self,
        filter_: Filter,
        packet: bytes | memoryview,
        order: ByteOrder,
        ancillary: Mapping[int, int],
    ) -> None:
        self.program = filter_.program
        self.seccomp = filter_.seccomp
        self.packet = packet
        self.order = order
        self.ancillary = ancillary
        self.a = 0
        self.x = 0
        self.memory = [0] * BPF_MEMWORDS

    def run(self) -> int:
        pc = 0
        try:
            while True:
                code, jt, jf, k = self.program[pc]
                pc += 1
                kind = code & _CLASS
                if kind == BPF_JMP:
                    if code == BPF_JMP | BPF_JA:
                        pc += k
                    else:
                        holds = _TESTS[code & _OPERATION](self.a, self._operand(code, k))
                        pc += jt if holds else jf
                elif kind == BPF_LD:
                    self.a = self._load(code, k)
                elif kind == BPF_LDX:
                    self.x = self._load(code, k)
                elif kind == BPF_ALU:
                    self.a = self._alu(code, self._operand(code, k)) & U32_MAX
                elif kind == BPF_ST:
                    self.memory[k] = self.a
                elif kind == BPF_STX:
                    self.memory[k] = self.x
                elif kind == BPF_RET:
                    return self.a if code == BPF_RET | BPF_A else k
                elif code == BPF_MISC | BPF_TAX:
                    self.x = self.a
                else:
                    self.a = self.x
        except _Stop:
            return 0

    def _operand(self, code: int, k: int) -> int:
        return self.x if code & BPF_X else k

    def _alu(self, code: int, operand: int) -> int:
        operation = code & _OPERATION
        if operation in (BPF_DIV, BPF_MOD) and not operand:
            raise _Stop
        if operation in (BPF_LSH, BPF_RSH):
            operand &= 31
        return _OPERATIONS[operation](self.a, operand)

    def _load(self, code: int, k: int) -> int:
        mode = code & _MODE
        if mode == BPF_IMM:
            return k
        if mode == BPF_MEM:
            return self.memory[k]
        if mode == BPF_LEN:
            return len(self.packet)
        if mode == BPF_MSH:
            return (self._bytes(k, 1) & 0x0F) << 2  # the length of an IPv4 header
        size = _SIZES[code & _SIZE]
        if mode == BPF_IND:
            return self._bytes((k + self.x) & U32_MAX, size)
        if self.seccomp:
            return self._bytes(k, size, "little" if self.order.char == "<" else "big")
        ancillary = _signed(k) - SKF_AD_OFF
        if ancillary in _ANCILLARY:
            return self._ancillary(ancillary)
        return self._bytes(k, size)

    def _bytes(self, k: int, size: int, order: Literal["little", "big"] = "big") -> int:
        offset = _signed(k)
        if SKF_NET_OFF <= offset < 0:
            offset -= SKF_NET_OFF  # a netlink message is its own network header
        if not 0 <= offset <= len(self.packet) - size:
            raise _Stop
        return int.from_bytes(self.packet[offset : offset + size], order)

    def _ancillary(self, offset: int) -> int:
        if offset in self.ancillary:
            return self.ancillary[offset]
        if offset == SKF_AD_NLATTR:
            return self._find_attribute(self.a, len(self.packet))
        if offset == SKF_AD_NLATTR_NEST:
            return self._find_nested()
        if offset == SKF_AD_ALU_XOR_X:
            return self.a ^ self.x
        if offset in (SKF_AD_IFINDEX, SKF_AD_HATYPE):
            raise _NoDevice(self.a)
        return 0

    def _find_attribute(self, start: int, end: int) -> int:
        """Where the attribute of type X is, among those from ``start``; 0 if there is none."""
        for nla_type, offset, _ in nla_walk(self.packet, start, end, self.order):
            if nla_type & NLA_TYPE_MASK == self.x:
                return offset - NLA_HDRLEN
        return 0

    def _find_nested(self) -> int:
        """Where the attribute of type X is inside the one at A."""
        if self.a > len(self.packet) - NLA_HDRLEN:
            return 0
        nla_len = NLATTR[self.order].decode(self.packet, self.a).nla_len
        if nla_len > len(self.packet) - self.a:
            return 0
        return self._find_attribute(self.a + NLA_HDRLEN, self.a + nla_len)
