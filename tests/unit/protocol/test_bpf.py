"""Classic BPF: what is accepted, and what accepted programs compute.

``tests/conformance/test_bpf_on_host.py`` holds the same against a real kernel.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence

import pytest

from netlink_emu.protocol.attributes import AttrWriter
from netlink_emu.protocol.bpf import Filter
from netlink_emu.protocol.bpf_common import (
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
    BPF_MEM,
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
    SKF_AD_CPU,
    SKF_AD_HATYPE,
    SKF_AD_IFINDEX,
    SKF_AD_NLATTR,
    SKF_AD_NLATTR_NEST,
    SKF_AD_OFF,
    SKF_AD_RANDOM,
    SKF_NET_OFF,
    SOCK_FILTER,
    Instruction,
    SeccompData,
    SockFilter,
)
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.format import BIG, LITTLE, ByteOrder

RETURN_A: Instruction = (BPF_RET | BPF_A, 0, 0, 0)
PACKET = bytes.fromhex("45 01 02 03 fa fb fc fd 08 09")


def run_filter(program: Sequence[Instruction], packet: bytes) -> int:
    return Filter(program).run(packet)


def imm(k: int) -> Instruction:
    return (BPF_LD | BPF_IMM, 0, 0, k)


def ldx(k: int) -> Instruction:
    return (BPF_LDX | BPF_IMM, 0, 0, k)


def ret(k: int) -> Instruction:
    return (BPF_RET | BPF_K, 0, 0, k)


def ad(offset: int) -> int:
    return (SKF_AD_OFF + offset) & 0xFFFF_FFFF


def test_a_program_on_the_wire() -> None:
    instruction = SockFilter(code=0x15, jt=2, jf=255, k=0xC000003E)
    assert SOCK_FILTER[LITTLE].encode(instruction) == bytes.fromhex("1500 02 ff 3e0000c0")
    assert SOCK_FILTER[BIG].encode(instruction) == bytes.fromhex("0015 02 ff c000003e")
    assert SOCK_FILTER.size == 8


@pytest.mark.parametrize(
    ("code", "k", "value"),
    [
        (BPF_LD | BPF_W | BPF_ABS, 4, 0xFAFBFCFD),
        (BPF_LD | BPF_H | BPF_ABS, 4, 0xFAFB),
        (BPF_LD | BPF_B | BPF_ABS, 9, 9),
        (BPF_LD | BPF_W | BPF_ABS, 6, 0xFCFD0809),
        (BPF_LD | BPF_W | BPF_LEN, 0, 10),
        (BPF_LD | BPF_IMM, 0xFFFFFFFF, 0xFFFFFFFF),
        # A load relative to the network header, which is where a netlink message starts.
        (BPF_LD | BPF_H | BPF_ABS, (SKF_NET_OFF + 4) & 0xFFFF_FFFF, 0xFAFB),
        # Beyond the packet, partly or wholly, the program ends with 0.
        (BPF_LD | BPF_W | BPF_ABS, 7, 0),
        (BPF_LD | BPF_B | BPF_ABS, 10, 0),
        (BPF_LD | BPF_B | BPF_ABS, 0x7FFFFFFF, 0),
        (BPF_LD | BPF_B | BPF_ABS, (SKF_NET_OFF + 10) & 0xFFFF_FFFF, 0),
        (BPF_LD | BPF_B | BPF_ABS, 0x80000000, 0),
    ],
)
def test_loads(code: int, k: int, value: int) -> None:
    assert run_filter([(code, 0, 0, k), RETURN_A], PACKET) == value


def test_a_load_beyond_the_packet_ends_the_program() -> None:
    assert run_filter([(BPF_LD | BPF_B | BPF_ABS, 0, 0, 10), ret(7)], PACKET) == 0
    assert run_filter([(BPF_LD | BPF_B | BPF_ABS, 0, 0, 9), ret(7)], PACKET) == 7


@pytest.mark.parametrize(
    ("x", "k", "value"),
    [(2, 2, 0xFAFB), (0xFFFFFFFF, 5, 0xFAFB), (9, 0, 0), (0x80000000, 0, 0)],
)
def test_indirect_loads(x: int, k: int, value: int) -> None:
    assert run_filter([ldx(x), (BPF_LD | BPF_H | BPF_IND, 0, 0, k), RETURN_A], PACKET) == value


def test_index_loads() -> None:
    txa = (BPF_MISC | BPF_TXA, 0, 0, 0)
    assert run_filter([(BPF_LDX | BPF_B | BPF_MSH, 0, 0, 0), txa, RETURN_A], PACKET) == 20
    assert run_filter([(BPF_LDX | BPF_B | BPF_MSH, 0, 0, 10), txa, ret(1)], PACKET) == 0
    assert run_filter([(BPF_LDX | BPF_W | BPF_LEN, 0, 0, 0), txa, RETURN_A], PACKET) == 10


def test_scratch_memory() -> None:
    program = [
        imm(5),
        ldx(6),
        (BPF_ST, 0, 0, 0),
        (BPF_STX, 0, 0, 15),
        (BPF_LD | BPF_MEM, 0, 0, 15),
        (BPF_LDX | BPF_MEM, 0, 0, 0),
        (BPF_ALU | BPF_LSH | BPF_X, 0, 0, 0),
        (BPF_MISC | BPF_TAX, 0, 0, 0),
        (BPF_ALU | BPF_ADD | BPF_X, 0, 0, 0),
        RETURN_A,
    ]
    assert run_filter(program, b"") == (6 << 5) * 2


@pytest.mark.parametrize(
    ("operation", "a", "operand", "value"),
    [
        (BPF_ADD, 0xFFFFFFFF, 2, 1),
        (BPF_SUB, 1, 2, 0xFFFFFFFF),
        (BPF_MUL, 0x80000001, 2, 2),
        (BPF_DIV, 7, 2, 3),
        (BPF_DIV, 0xFFFFFFFE, 0xFFFFFFFF, 0),
        (BPF_MOD, 7, 4, 3),
        (BPF_OR, 5, 3, 7),
        (BPF_AND, 5, 3, 1),
        (BPF_XOR, 5, 3, 6),
        (BPF_LSH, 0x80000001, 1, 2),
        (BPF_RSH, 0x80000001, 31, 1),
    ],
)
def test_arithmetic_is_unsigned_and_32_bits_wide(
    operation: int, a: int, operand: int, value: int
) -> None:
    by_k = [imm(a), (BPF_ALU | operation | BPF_K, 0, 0, operand), RETURN_A]
    by_x = [imm(a), ldx(operand), (BPF_ALU | operation | BPF_X, 0, 0, 0), RETURN_A]
    assert run_filter(by_k, b"") == run_filter(by_x, b"") == value


def test_negation() -> None:
    negate = (BPF_ALU | BPF_NEG, 0, 0, 0)
    assert run_filter([imm(1), negate, RETURN_A], b"") == 0xFFFFFFFF
    assert run_filter([imm(0), negate, RETURN_A], b"") == 0


@pytest.mark.parametrize("operation", [BPF_DIV, BPF_MOD])
def test_division_by_an_index_of_0_ends_the_program(operation: int) -> None:
    program = [imm(1), (BPF_ALU | operation | BPF_X, 0, 0, 0), ret(9)]
    assert run_filter(program, b"") == 0


@pytest.mark.parametrize(("operation", "value"), [(BPF_LSH, 2), (BPF_RSH, 0)])
def test_shifts_by_the_index_are_modulo_32(operation: int, value: int) -> None:
    program = [imm(1), ldx(33), (BPF_ALU | operation | BPF_X, 0, 0, 0), RETURN_A]
    assert run_filter(program, b"") == value


@pytest.mark.parametrize(
    ("test", "a", "operand", "holds"),
    [
        (BPF_JEQ, 5, 5, True),
        (BPF_JEQ, 5, 4, False),
        (BPF_JGT, 0xFFFFFFFF, 1, True),  # unsigned
        (BPF_JGT, 5, 5, False),
        (BPF_JGE, 5, 5, True),
        (BPF_JGE, 4, 5, False),
        (BPF_JSET, 6, 2, True),
        (BPF_JSET, 6, 9, False),
    ],
)
def test_jumps(test: int, a: int, operand: int, holds: bool) -> None:
    for source in (BPF_K, BPF_X):
        program = [imm(a), ldx(operand), (BPF_JMP | test | source, 1, 0, operand), ret(0), ret(1)]
        assert run_filter(program, b"") == holds


def test_jump_always() -> None:
    assert run_filter([(BPF_JMP | BPF_JA, 0, 0, 1), ret(1), ret(2)], b"") == 2


def _attributes(order: ByteOrder) -> bytes:
    attrs = AttrWriter(order)
    attrs.put_u32(1, 7)
    with attrs.nest(0x8002):
        attrs.put_u32(3, 9)
        attrs.put_u32(4, 9)
    attrs.put(5, b"x")
    return bytes(attrs.data)


@pytest.mark.parametrize("order", [LITTLE, BIG], ids=lambda order: order.name)
@pytest.mark.parametrize(
    ("search", "start", "kind", "value"),
    [
        (SKF_AD_NLATTR, 0, 2, 8),  # flags of the type do not matter
        (SKF_AD_NLATTR, 8, 5, 28),
        (SKF_AD_NLATTR, 0, 3, 0),  # not inside nests
        (SKF_AD_NLATTR, 0, 6, 0),
        (SKF_AD_NLATTR, 34, 1, 0),
        (SKF_AD_NLATTR_NEST, 8, 4, 20),
        (SKF_AD_NLATTR_NEST, 8, 5, 0),
        (SKF_AD_NLATTR_NEST, 33, 1, 0),
        (SKF_AD_NLATTR_NEST, 1, 1, 0),  # a header whose length leads beyond the packet
        (SKF_AD_NLATTR_NEST, 3, 1, 0),  # one shorter than a header
    ],
)
def test_attributes_are_found(
    search: int, start: int, kind: int, value: int, order: ByteOrder
) -> None:
    program = [imm(start), ldx(kind), (BPF_LD | BPF_W | BPF_ABS, 0, 0, ad(search)), RETURN_A]
    packet = _attributes(order)
    assert len(packet) == 36
    assert Filter(program).run(packet, order=order) == value


def test_other_ancillary_loads() -> None:
    def load(offset: int) -> Filter:
        return Filter([imm(6), ldx(5), (BPF_LD | BPF_B | BPF_ABS, 0, 0, ad(offset)), (6, 0, 0, 9)])

    def value(offset: int) -> Filter:
        return Filter([imm(6), ldx(5), (BPF_LD | BPF_W | BPF_ABS, 0, 0, ad(offset)), RETURN_A])

    assert value(SKF_AD_CPU).run(b"") == 0
    assert value(SKF_AD_CPU).run(b"", ancillary={SKF_AD_CPU: 3}) == 3
    assert value(SKF_AD_RANDOM).run(b"", ancillary={SKF_AD_RANDOM: 0xDEADBEEF}) == 0xDEADBEEF
    assert value(SKF_AD_ALU_XOR_X).run(b"") == 3
    assert load(SKF_AD_CPU).run(b"") == 9
    # Without a device, its index and type end the program, with what is in A.
    assert load(SKF_AD_IFINDEX).run(b"") == load(SKF_AD_HATYPE).run(b"") == 6
    assert load(SKF_AD_IFINDEX).run(b"", a_without_device=False) == 0


@pytest.mark.parametrize(
    "program",
    [
        pytest.param([], id="empty"),
        pytest.param([imm(0)] * 4096 + [ret(0)], id="too long"),
        pytest.param([imm(0)], id="does not return"),
        pytest.param([(BPF_RET | BPF_X, 0, 0, 0)], id="returns X"),
        pytest.param([(0xFFFF, 0, 0, 0), ret(0)], id="no such code"),
        pytest.param([(BPF_LDX | BPF_H | BPF_ABS, 0, 0, 0), ret(0)], id="no such load"),
        pytest.param([(BPF_ALU | BPF_DIV | BPF_K, 0, 0, 0), ret(0)], id="divides by 0"),
        pytest.param([(BPF_ALU | BPF_MOD | BPF_K, 0, 0, 0), ret(0)], id="modulo 0"),
        pytest.param([(BPF_ALU | BPF_LSH | BPF_K, 0, 0, 32), ret(0)], id="shifts left by 32"),
        pytest.param([(BPF_ALU | BPF_RSH | BPF_K, 0, 0, 32), ret(0)], id="shifts right by 32"),
        pytest.param([(BPF_ST, 0, 0, 16), ret(0)], id="memory ends at 16"),
        pytest.param([(BPF_JMP | BPF_JA, 0, 0, 1), ret(0)], id="jumps too far"),
        pytest.param([(BPF_JMP | BPF_JA, 0, 0, 0xFFFFFFFF), ret(0)], id="jumps back"),
        pytest.param([(BPF_JMP | BPF_JEQ, 0, 1, 0), ret(0)], id="may jump too far"),
        pytest.param([(BPF_JMP | BPF_JEQ, 1, 0, 0), ret(0)], id="may jump too far, too"),
        pytest.param([(BPF_LD | BPF_ABS, 0, 0, ad(64)), ret(0)], id="no such SKF_AD"),
        pytest.param([(BPF_LD | BPF_ABS, 0, 0, ad(2)), ret(0)], id="odd SKF_AD"),
        pytest.param([(BPF_LD | BPF_MEM, 0, 0, 0), ret(0)], id="loads what was never stored"),
        pytest.param(
            [
                (BPF_JMP | BPF_JEQ, 0, 1, 0),
                (BPF_ST, 0, 0, 3),
                (BPF_LDX | BPF_MEM, 0, 0, 3),
                ret(0),
            ],
            id="loads what one branch stored",
        ),
        pytest.param(
            [(BPF_JMP | BPF_JA, 0, 0, 1), (BPF_ST, 0, 0, 3), (BPF_LD | BPF_MEM, 0, 0, 3), ret(0)],
            id="loads what was jumped over",
        ),
    ],
)
def test_refused(program: list[Instruction]) -> None:
    with pytest.raises(NetlinkError) as caught:
        Filter(program)
    assert caught.value.errno == errno.EINVAL


def test_accepted_at_the_limits() -> None:
    assert run_filter([imm(0)] * 4095 + [ret(5)], b"") == 5
    both_store = [
        (BPF_JMP | BPF_JEQ, 0, 2, 1),
        (BPF_ST, 0, 0, 3),
        (BPF_JMP | BPF_JA, 0, 0, 1),
        (BPF_STX, 0, 0, 3),
        (BPF_LD | BPF_MEM, 0, 0, 3),
        RETURN_A,
    ]
    assert run_filter(both_store, b"") == 0


# --- seccomp ----------------------------------------------------------------------------------

ALLOW = 0x7FFF0000
NOTIFY = 0x7FC00000
KILL = 0x80000000
ARCHES = [
    pytest.param(LITTLE, 0xC000003E, 41, id="x86-64"),
    pytest.param(LITTLE, 0xC00000B7, 198, id="aarch64"),
    pytest.param(BIG, 0x80000016, 359, id="s390x"),
]


def socket_filter(order: ByteOrder, arch: int, socket_nr: int) -> Filter:
    """Notify of socket(AF_NETLINK, ..., NETLINK_GENERIC), kill what is of another arch."""
    low = 0 if order is LITTLE else 4
    load = BPF_LD | BPF_W | BPF_ABS
    equal = BPF_JMP | BPF_JEQ | BPF_K
    return Filter(
        [
            (load, 0, 0, 4),
            (equal, 1, 0, arch),
            ret(KILL),
            (load, 0, 0, 0),
            (equal, 0, 5, socket_nr),
            (load, 0, 0, 16 + low),
            (equal, 0, 3, 16),
            (load, 0, 0, 32 + low),
            (equal, 0, 1, 16),
            ret(NOTIFY),
            ret(ALLOW),
        ],
        seccomp=True,
    )


@pytest.mark.parametrize(("order", "arch", "socket_nr"), ARCHES)
def test_a_seccomp_filter_on_each_architecture(
    order: ByteOrder, arch: int, socket_nr: int
) -> None:
    run = socket_filter(order, arch, socket_nr).run

    def verdict(nr: int, *args: int, of: int = arch) -> int:
        data = SeccompData(nr, of, 0, *args)
        return run(SECCOMP_DATA[order].encode(data), order=order)

    assert verdict(socket_nr, 16, 3, 16) == NOTIFY
    assert verdict(socket_nr, 16 | 1 << 32, 3, 16) == NOTIFY  # the kernel takes an int of it
    assert verdict(socket_nr, 16, 3, 0) == ALLOW
    assert verdict(socket_nr, 2, 1, 16) == ALLOW
    assert verdict(socket_nr + 1, 16, 3, 16) == ALLOW
    assert verdict(-1, 16, 3, 16) == ALLOW
    assert verdict(socket_nr, 16, 3, 16, of=arch ^ 1) == KILL


def test_seccomp_data_has_a_length() -> None:
    program = [(BPF_LD | BPF_W | BPF_LEN, 0, 0, 0), RETURN_A]
    assert Filter(program, seccomp=True).run(bytes(SECCOMP_DATA.size)) == 64


@pytest.mark.parametrize(
    "instruction",
    [
        pytest.param((BPF_LD | BPF_W | BPF_ABS, 0, 0, 2), id="unaligned"),
        pytest.param((BPF_LD | BPF_W | BPF_ABS, 0, 0, 64), id="beyond"),
        pytest.param((BPF_LD | BPF_W | BPF_ABS, 0, 0, ad(SKF_AD_CPU)), id="ancillary"),
        pytest.param((BPF_LD | BPF_H | BPF_ABS, 0, 0, 0), id="half a word"),
        pytest.param((BPF_LD | BPF_B | BPF_ABS, 0, 0, 0), id="a byte"),
        pytest.param((BPF_LD | BPF_W | BPF_IND, 0, 0, 0), id="indirect"),
        pytest.param((BPF_LDX | BPF_B | BPF_MSH, 0, 0, 0), id="MSH"),
        pytest.param((BPF_ALU | BPF_MOD | BPF_K, 0, 0, 3), id="modulo"),
    ],
)
def test_seccomp_refuses_more(instruction: Instruction) -> None:
    Filter([instruction, ret(0)])  # a socket takes it
    with pytest.raises(NetlinkError) as caught:
        Filter([instruction, ret(0)], seccomp=True)
    assert caught.value.errno == errno.EINVAL


def nested_in(packet: bytes, at: int, kind: int) -> int:
    """What a load of SKF_AD_NLATTR_NEST gives for A and X."""
    program = [
        (BPF_LDX | BPF_IMM, 0, 0, kind),
        (BPF_LD | BPF_IMM, 0, 0, at),
        (BPF_LD | BPF_W | BPF_ABS, 0, 0, (SKF_AD_OFF + SKF_AD_NLATTR_NEST) & 0xFFFF_FFFF),
        (BPF_RET | BPF_A, 0, 0, 0),
    ]
    return run_filter(program, packet)


def test_a_nest_ends_with_the_packet_and_no_later() -> None:
    nest = bytes(4) + b"\x08\0\1\0" + b"\x04\0\2\0"
    assert nested_in(nest, 4, 2) == 8
    # One byte longer than the packet; its attributes are not looked at.
    assert nested_in(bytes(4) + b"\x09\0\1\0" + b"\x04\0\2\0", 4, 2) == 0
    assert nested_in(bytes(4) + b"\x0c\0\1\0" + b"\x04\0\2\0", 4, 2) == 0
    # A header alone, at the very end, and one byte further.
    assert nested_in(b"\x04\0\1\0", 0, 1) == 0
    assert nested_in(b"\x04\0\1\0", 1, 1) == 0


def test_a_jump_goes_no_further_than_the_last_instruction() -> None:
    stop = (BPF_RET | BPF_K, 0, 0, 7)
    load = (BPF_LD | BPF_IMM, 0, 0, 0)
    assert run_filter([load, (BPF_JMP | BPF_JA, 0, 0, 0), stop], b"") == 7
    for k in (1, 2, 3):
        with pytest.raises(NetlinkError):
            Filter([load, (BPF_JMP | BPF_JA, 0, 0, k), stop])


def test_the_first_byte_by_way_of_the_network_header() -> None:
    load = (BPF_LD | BPF_B | BPF_ABS, 0, 0, SKF_NET_OFF & 0xFFFF_FFFF)
    assert run_filter([load, (BPF_RET | BPF_A, 0, 0, 0)], b"\x2a") == 0x2A
