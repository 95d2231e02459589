"""Which system calls stop: the filter of each ABI, run by our own classic BPF machine."""

from __future__ import annotations

import signal
from errno import ENOSYS

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlink_emu.interpose.abi import AARCH64, X86_64, Abi
from netlink_emu.interpose.filter.bpf_filter import (
    FD_CALLS,
    SECCOMP_RET_ALLOW,
    SECCOMP_RET_ERRNO,
    SECCOMP_RET_USER_NOTIF,
    SIGNAL_CALLS,
    Assembler,
    build_filter,
)
from netlink_emu.interpose.filter.ranges import ranges
from netlink_emu.interpose.live.ptrace import STOP_SIGNALS
from netlink_emu.protocol.bpf import SECCOMP_DATA, Filter, SeccompData
from netlink_emu.protocol.format import LITTLE

HIGH = 768
ABIS = pytest.mark.parametrize("abi", [X86_64, AARCH64], ids=lambda abi: abi.machine)
STOP, ALLOW = SECCOMP_RET_USER_NOTIF, SECCOMP_RET_ALLOW
JUNK = 0xDEADBEEF00000000  # what may stand in the upper half of a register that holds an int

FILTERS = {
    (abi.machine, io_uring): Filter(
        build_filter(abi, high=HIGH, allow_io_uring=io_uring), seccomp=True
    )
    for abi in (X86_64, AARCH64)
    for io_uring in (False, True)
}


TRACING = {
    abi.machine: Filter(build_filter(abi, high=HIGH, tracers=True), seccomp=True)
    for abi in (X86_64, AARCH64)
}


def action(
    abi: Abi,
    nr: int,
    *args: int,
    arch: int | None = None,
    io_uring: bool = False,
    tracers: bool = False,
) -> int:
    data = SeccompData(nr, abi.audit_arch if arch is None else arch, 0x401000, *args)
    packet = SECCOMP_DATA[LITTLE].encode(data)
    program = TRACING[abi.machine] if tracers else FILTERS[abi.machine, io_uring]
    return program.run(packet, order=LITTLE)


@ABIS
@pytest.mark.parametrize("name", FD_CALLS)
def test_calls_on_high_descriptors_stop(abi: Abi, name: str) -> None:
    nr = abi.numbers[name]
    assert action(abi, nr, HIGH) == STOP
    assert action(abi, nr, JUNK | HIGH) == STOP
    assert action(abi, nr, 0xFFFFFFFF) == ALLOW, "-1: the kernel knows what to say"
    assert action(abi, nr, HIGH - 1) == ALLOW
    assert action(abi, nr, JUNK | (HIGH - 1)) == ALLOW
    assert action(abi, nr, 0) == ALLOW


@ABIS
@pytest.mark.parametrize(
    ("name", "second", "stops"),
    [
        pytest.param("fcntl", 0, True, id="F_DUPFD"),
        pytest.param("fcntl", 1030, True, id="F_DUPFD_CLOEXEC"),
        pytest.param("fcntl", 1, False, id="F_GETFD"),
        pytest.param("fcntl", 3, False, id="F_GETFL"),
        pytest.param("fcntl", 4, False, id="F_SETFL"),
        pytest.param("ioctl", 0x541B, True, id="FIONREAD"),
        pytest.param("ioctl", 0x5411, True, id="SIOCOUTQ"),
        pytest.param("ioctl", 0x8905, True, id="SIOCATMARK"),
        pytest.param("ioctl", 0x89E0, True, id="SIOCUNIXFILE"),
        pytest.param("ioctl", 0x5421, False, id="FIONBIO"),
        pytest.param("ioctl", 0x8933, False, id="SIOCGIFINDEX"),
    ],
)
def test_of_fcntl_and_ioctl_only_some_stop(abi: Abi, name: str, second: int, stops: bool) -> None:
    nr = abi.numbers[name]
    assert action(abi, nr, HIGH, second) == (STOP if stops else ALLOW)
    assert action(abi, nr, HIGH, JUNK | second) == (STOP if stops else ALLOW)
    assert action(abi, nr, HIGH - 1, second) == ALLOW


@ABIS
@pytest.mark.parametrize(
    ("domain", "protocol", "expected"),
    [
        pytest.param(16, 16, STOP, id="generic netlink"),
        pytest.param(16, 0, STOP, id="NETLINK_ROUTE is counted"),
        pytest.param(JUNK | 16, JUNK | 16, STOP, id="junk in the upper halves"),
        pytest.param(1, 16, ALLOW, id="AF_UNIX"),
        pytest.param(2, 16, ALLOW, id="AF_INET"),
    ],
)
def test_netlink_sockets_stop(abi: Abi, domain: int, protocol: int, expected: int) -> None:
    assert action(abi, abi.numbers["socket"], domain, 3, protocol) == expected


@ABIS
def test_io_uring_is_absent_unless_allowed(abi: Abi) -> None:
    nr = abi.numbers["io_uring_setup"]
    assert action(abi, nr, 8, 0x7F0000000000) == SECCOMP_RET_ERRNO | ENOSYS
    assert action(abi, nr, 8, 0x7F0000000000, io_uring=True) == ALLOW
    foreign = abi.foreign
    assert (
        action(abi, foreign.io_uring_setup, 8, arch=foreign.audit_arch)
        == SECCOMP_RET_ERRNO | ENOSYS
    )
    assert action(abi, foreign.io_uring_setup, 8, arch=foreign.audit_arch, io_uring=True) == ALLOW


@ABIS
@pytest.mark.parametrize("io_uring", [False, True])
def test_the_other_abi_gets_no_generic_netlink(abi: Abi, io_uring: bool) -> None:
    arch, nr = abi.foreign.audit_arch, abi.foreign.socket
    # It stops, to be refused and counted.
    assert action(abi, nr, 16, 3, 16, arch=arch, io_uring=io_uring) == STOP
    assert action(abi, nr, 16, 3, 0, arch=arch, io_uring=io_uring) == ALLOW
    assert action(abi, nr, 2, 1, 16, arch=arch, io_uring=io_uring) == ALLOW
    # The native number of socket() means something else there.
    assert action(abi, abi.numbers["socket"], 16, 3, 16, arch=arch, io_uring=io_uring) == ALLOW


def test_socketcall_of_i386_asks_us_for_sockets_only() -> None:
    arch = X86_64.foreign.audit_arch
    assert action(X86_64, 102, 1, 0xFFEE0000, arch=arch) == STOP
    for call in (2, 3, 9, 16, 17):  # SYS_BIND, CONNECT, SEND, SENDMSG, RECVMSG
        assert action(X86_64, 102, call, 0xFFEE0000, arch=arch) == ALLOW


def test_x32_gets_no_generic_netlink() -> None:
    x32 = 0x40000000
    assert action(X86_64, x32 | 41, 16, 3, 16) == STOP
    assert action(X86_64, x32 | 41, 16, 3, 0) == ALLOW
    assert action(X86_64, x32 | 41, 2, 1, 16) == ALLOW
    assert action(X86_64, x32 | 425, 8) == SECCOMP_RET_ERRNO | ENOSYS
    assert action(X86_64, x32 | 0, HIGH) == ALLOW  # no emulated socket can be there


@ABIS
@pytest.mark.parametrize("name", SIGNAL_CALLS)
@pytest.mark.parametrize("number", range(65))
def test_signals_that_stop_and_continue(abi: Abi, name: str, number: int) -> None:
    args = [0x4242, 0x4242, 0x4242]
    args[SIGNAL_CALLS[name]] = number
    stops = {signal.SIGCONT, *STOP_SIGNALS}
    assert action(abi, abi.numbers[name], *args) == ALLOW
    assert action(abi, abi.numbers[name], *args, tracers=True) == (
        STOP if number in stops else ALLOW
    )


@ABIS
@given(nr=st.integers(0, 0x3FFFFFFF), args=st.tuples(*[st.integers(0, 2**64 - 1)] * 6))
def test_no_other_call_stops(abi: Abi, nr: int, args: tuple[int, ...]) -> None:
    if nr not in abi.names:
        assert action(abi, nr, *args) == ALLOW


@ABIS
@given(arch=st.integers(0, 2**32 - 1), nr=st.integers(0, 600))
def test_unknown_architectures_are_left_alone(abi: Abi, arch: int, nr: int) -> None:
    if arch not in (abi.audit_arch, abi.foreign.audit_arch):
        assert action(abi, nr, HIGH, 16, 16, arch=arch) == ALLOW


@ABIS
@pytest.mark.parametrize("high", [1, 32, 128, 512, 768, 100_000])
def test_the_numbers_of_the_ranges_stop_and_no_others(abi: Abi, high: int) -> None:
    machine = Filter(build_filter(abi, high=high), seccomp=True)
    for first, end in ranges(high):
        for fd, expected in (
            (first - 1, ALLOW),
            (first, STOP),
            (first + 1, STOP),
            (end - 1, STOP),
            (end, ALLOW),
        ):
            data = SeccompData(abi.numbers["recvmsg"], abi.audit_arch, 0, fd)
            assert machine.run(SECCOMP_DATA[LITTLE].encode(data), order=LITTLE) == expected


def test_a_jump_too_far_is_refused() -> None:
    asm = Assembler()
    asm.equal(1, "end")
    for _ in range(256):
        asm.load(0)
    asm.label("end")
    asm.give(ALLOW)
    with pytest.raises(ValueError, match="jumps 256 and 0"):
        asm.assemble()


def test_a_jump_backwards_is_refused() -> None:
    asm = Assembler()
    asm.label("start")
    asm.equal(1, "start")
    asm.give(ALLOW)
    with pytest.raises(ValueError, match="jumps -1"):
        asm.assemble()
