"""Classic BPF on the wire: include/uapi/linux/{bpf_common,filter,seccomp}.h."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .format import Format

BPF_LD: Final = 0x00
BPF_LDX: Final = 0x01
BPF_ST: Final = 0x02
BPF_STX: Final = 0x03
BPF_ALU: Final = 0x04
BPF_JMP: Final = 0x05
BPF_RET: Final = 0x06
BPF_MISC: Final = 0x07

BPF_W: Final = 0x00
BPF_H: Final = 0x08
BPF_B: Final = 0x10

BPF_IMM: Final = 0x00
BPF_ABS: Final = 0x20
BPF_IND: Final = 0x40
BPF_MEM: Final = 0x60
BPF_LEN: Final = 0x80
BPF_MSH: Final = 0xA0

BPF_ADD: Final = 0x00
BPF_SUB: Final = 0x10
BPF_MUL: Final = 0x20
BPF_DIV: Final = 0x30
BPF_OR: Final = 0x40
BPF_AND: Final = 0x50
BPF_LSH: Final = 0x60
BPF_RSH: Final = 0x70
BPF_NEG: Final = 0x80
BPF_MOD: Final = 0x90
BPF_XOR: Final = 0xA0

BPF_JA: Final = 0x00
BPF_JEQ: Final = 0x10
BPF_JGT: Final = 0x20
BPF_JGE: Final = 0x30
BPF_JSET: Final = 0x40

BPF_K: Final = 0x00
BPF_X: Final = 0x08
BPF_A: Final = 0x10
BPF_TAX: Final = 0x00
BPF_TXA: Final = 0x80

BPF_MAXINSNS: Final = 4096
BPF_MEMWORDS: Final = 16

# Offsets below 0 (as a C int) name something else than bytes of the packet.
SKF_AD_OFF: Final = -0x1000
SKF_NET_OFF: Final = -0x100000
SKF_AD_IFINDEX: Final = 8
SKF_AD_NLATTR: Final = 12
SKF_AD_NLATTR_NEST: Final = 16
SKF_AD_HATYPE: Final = 28
SKF_AD_CPU: Final = 36
SKF_AD_ALU_XOR_X: Final = 40
SKF_AD_RANDOM: Final = 56

Instruction = tuple[int, int, int, int]


# struct sock_filter { __u16 code; __u8 jt; __u8 jf; __u32 k; };
@dataclass(frozen=True, slots=True)
class SockFilter:
    """One instruction; a jump's distances count from the next one."""

    code: int
    jt: int
    jf: int
    k: int


SOCK_FILTER: Final = Format(
    SockFilter, lambda o: ("code" / o.u16, "jt" / o.u8, "jf" / o.u8, "k" / o.u32)
)


# struct seccomp_data {
#     int   nr;                     /*  0 */
#     __u32 arch;                   /*  4, AUDIT_ARCH_* */
#     __u64 instruction_pointer;    /*  8 */
#     __u64 args[6];                /* 16 */
# };                                /* 64, include/uapi/linux/seccomp.h */
@dataclass(frozen=True, slots=True)
class SeccompData:
    """What a seccomp filter sees of a system call."""

    nr: int
    arch: int
    instruction_pointer: int = 0
    arg0: int = 0
    arg1: int = 0
    arg2: int = 0
    arg3: int = 0
    arg4: int = 0
    arg5: int = 0


SECCOMP_DATA: Final = Format(
    SeccompData,
    lambda o: (
        "nr" / o.s32,
        "arch" / o.u32,
        "instruction_pointer" / o.u64,
        "arg0" / o.u64,
        "arg1" / o.u64,
        "arg2" / o.u64,
        "arg3" / o.u64,
        "arg4" / o.u64,
        "arg5" / o.u64,
    ),
)
