"""The BPF interpreter against the host's own, on a pair of AF_UNIX sockets.

Both must refuse the same programs, and keep the same number of bytes of the same packets. Needs
Linux, but no privilege.
"""

from __future__ import annotations

import ctypes
import errno
import socket
import sys
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from netlink_emu.protocol import bpf_common as bpf
from netlink_emu.protocol.attributes import AttrWriter
from netlink_emu.protocol.bpf import SOCKET_CODES, Filter
from netlink_emu.protocol.bpf_common import SOCK_FILTER, Instruction, SockFilter
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.format import BIG, LITTLE

SO_ATTACH_FILTER = 26
SO_DETACH_FILTER = 27
ORDER = LITTLE if sys.byteorder == "little" else BIG

RET_K = bpf.BPF_RET | bpf.BPF_K
RET_A = bpf.BPF_RET | bpf.BPF_A


class SockFprog(ctypes.Structure):
    """struct sock_fprog { unsigned short len; struct sock_filter *filter; };."""

    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_void_p))


class Host:
    """A pair of sockets; the second has the filter."""

    def __init__(self) -> None:
        self.sender, self.receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.receiver.setblocking(False)

    def close(self) -> None:
        self.sender.close()
        self.receiver.close()

    def run(self, program: Sequence[Instruction], packet: bytes) -> int | str:
        """How many bytes are kept, or the errno of attaching."""
        wire = b"".join(SOCK_FILTER[ORDER].encode(SockFilter(*row)) for row in program)
        code = ctypes.create_string_buffer(wire, max(len(wire), 1))
        fprog = SockFprog(len(program), ctypes.addressof(code))
        try:
            self.receiver.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, bytes(fprog))
        except OSError as exc:
            return errno.errorcode[exc.errno or 0]
        try:
            self.sender.send(packet)
            return len(self.receiver.recv(len(packet)))
        except BlockingIOError:
            return 0
        finally:
            self.receiver.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    try:
        host = Host()
    except (AttributeError, OSError) as exc:
        pytest.skip(f"no pair of AF_UNIX sockets: {exc}")
    try:
        if host.run([(RET_K, 0, 0, 3)], b"12345") != 3:
            pytest.skip("this host does not run socket filters")
        yield host
    finally:
        host.close()


def emulated(program: Sequence[Instruction], packet: bytes) -> int | str:
    try:
        kept = Filter(program).run(packet, order=ORDER)
    except NetlinkError as exc:
        return errno.errorcode[exc.errno]
    return min(kept, len(packet))


K = st.one_of(
    st.integers(0, 40),
    st.sampled_from([0xFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFE, 0xFFFF_FFFF]),
    # SKF_AD_*: those that are 0 in any message, and the attribute searches
    st.sampled_from([0, 4, 8, 12, 16, 20, 24, 28, 40, 44, 48, 60, 64, 2]).map(
        lambda offset: (bpf.SKF_AD_OFF + offset) & 0xFFFF_FFFF
    ),
    st.integers(0, 70).map(lambda offset: (bpf.SKF_NET_OFF + offset) & 0xFFFF_FFFF),
)
JUMP = st.integers(0, 3)
MEMORY = {bpf.BPF_ST, bpf.BPF_STX, bpf.BPF_LD | bpf.BPF_MEM, bpf.BPF_LDX | bpf.BPF_MEM}


def _instructions(code: int) -> st.SearchStrategy[Instruction]:
    """One that is likely to be accepted."""
    k = K
    if code in MEMORY or code == bpf.BPF_JMP | bpf.BPF_JA:
        k = st.integers(0, 2)
    elif code & 0x07 == bpf.BPF_ALU:
        k = st.integers(1, 31)
    return st.tuples(st.just(code), JUMP, JUMP, k)


INSTRUCTIONS = st.sampled_from(sorted(SOCKET_CODES)).flatmap(_instructions)
STORES = [(bpf.BPF_ST, 0, 0, 0), (bpf.BPF_STX, 0, 0, 1), (bpf.BPF_ST, 0, 0, 2)]
ANYTHING = st.tuples(st.integers(0, 0xFF), JUMP, JUMP, K)
PROGRAMS = st.builds(
    lambda stores, body, odd, last: [*stores, *body, *odd, last],
    st.sampled_from([STORES, STORES[:2], []]),
    st.lists(INSTRUCTIONS, max_size=10),
    st.one_of(st.just([]), st.just([]), st.lists(ANYTHING, max_size=2)),
    st.tuples(st.sampled_from([RET_A, RET_A, RET_K, RET_K, bpf.BPF_LD]), JUMP, JUMP, K),
)


def _attributes() -> bytes:
    attrs = AttrWriter(ORDER)
    attrs.put_u32(1, 7)
    with attrs.nest(2):
        attrs.put_u32(3, 9)
        attrs.put_u32(0x8004, 9)
    return bytes(attrs.data)


PACKETS = st.one_of(st.just(_attributes()), st.binary(min_size=1, max_size=80))


@given(program=PROGRAMS, packet=PACKETS)
@settings(max_examples=400)
@example([(0x00, 0, 0, 20), (0x20, 0, 0, 0xFFFFF00C), (RET_A, 0, 0, 0)], _attributes())
@example(
    [(0x01, 0, 0, 3), (0x00, 0, 0, 8), (0x20, 0, 0, 0xFFFFF010), (RET_A, 0, 0, 0)], _attributes()
)
@example([(0x01, 0, 0, 2), (0x20, 0, 0, 0xFFFFF00C), (RET_A, 0, 0, 0)], _attributes())
@example([(0x00, 0, 0, 5), (0x20, 0, 0, 0xFFFFF008), (RET_K, 0, 0, 3)], _attributes())
@example([(0x00, 0, 0, 5), (0x28, 0, 0, 0xFFFFF01C), (RET_K, 0, 0, 3)], _attributes())
def test_same_verdict(host: Host, program: list[Instruction], packet: bytes) -> None:
    assert emulated(program, packet) == host.run(program, packet)


# Programs that load, compute and branch on what they computed: the value itself is compared,
# bit by bit, by what is left of a packet as long as a bit says.
COMPUTING = [code for code in sorted(SOCKET_CODES) if code & 7 in (bpf.BPF_ALU, bpf.BPF_MISC)]
LOADING = [0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0xB1, 0x80, 0x81, 0x00, 0x01]
OPERATIONS = st.tuples(
    st.sampled_from([*COMPUTING, *LOADING]),
    st.just(0),
    st.just(0),
    st.one_of(st.integers(1, 31), st.integers(0, 0xFFFF_FFFF)),
)


@given(
    body=st.lists(OPERATIONS, max_size=12),
    bit=st.integers(0, 31),
    packet=st.binary(min_size=16, max_size=48),
)
@settings(max_examples=400)
def test_same_arithmetic(host: Host, body: list[Instruction], bit: int, packet: bytes) -> None:
    program = [
        *body,
        (bpf.BPF_JMP | bpf.BPF_JSET | bpf.BPF_K, 0, 1, 1 << bit),
        (RET_K, 0, 0, 2),
        (RET_K, 0, 0, 1),
    ]
    assert emulated(program, packet) == host.run(program, packet)
