"""Options of sockets as releases have them: net/core/sock.c, net/netlink/af_netlink.c."""

from __future__ import annotations

from errno import EBADF, EINVAL, ENODATA, ENOPROTOOPT, EOPNOTSUPP, EPERM

import pytest
from helpers.kernel import Bench, fails, make_bench

from netlink_emu.kernel.current import Current
from netlink_emu.kernel.releases import profile_for
from netlink_emu.machine.credentials import CAP_NET_RAW, Cred

SOL_SOCKET, SOL_NETLINK = 1, 270
PKTINFO, LISTEN_ALL_NSID = 3, 8


def bench_of(release: str, arch: str = "x86_64") -> Bench:
    return make_bench(profile_for(release, arch=arch))


def i32(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(4, "little", signed=True) for number in numbers)


@pytest.mark.parametrize(
    ("option", "young", "old", "errno"),
    [
        # (option, a release without it, one with it, what a read is there; None: a value)
        (15, "3.8", "3.9", None),  # SO_REUSEPORT, whose number had been kept free
        (36, "2.6.24", "2.6.25", None),  # SO_MARK
        (44, "3.8", "3.9", None),  # SO_LOCK_FILTER
        (55, "4.11", "4.12", None),  # SO_MEMINFO
        (59, "4.12", "4.13", ENODATA),  # SO_PEERGROUPS
        (62, "5.0", "5.1", None),  # SO_BINDTOIFINDEX
        (69, "5.10", "5.11", None),  # SO_PREFER_BUSY_POLL
        (71, "5.13", "5.14", None),  # SO_NETNS_COOKIE
        (72, "5.14", "5.15", None),  # SO_BUF_LOCK
        (73, "5.15", "5.16", None),  # SO_RESERVE_MEM
        (74, "5.17", "5.18", None),  # SO_TXREHASH
        (74, "5.17", "6.16", EOPNOTSUPP),
        (75, "5.18", "5.19", None),  # SO_RCVMARK
        (76, "6.4", "6.5", None),  # SO_PASSPIDFD
        (76, "6.4", "6.16", EOPNOTSUPP),
        (77, "6.4", "6.12", ENODATA),  # SO_PEERPIDFD
        (82, "6.13", "6.14", None),  # SO_RCVPRIORITY
        (83, "6.15", "6.16", EOPNOTSUPP),  # SO_PASSRIGHTS
    ],
)
def test_before_an_option_came_and_after(
    option: int, young: str, old: str, errno: int | None
) -> None:
    sock = bench_of(young).sock()
    with fails(ENOPROTOOPT):
        sock.getsockopt(SOL_SOCKET, option, 8)
    bench = bench_of(young)
    with fails(ENOPROTOOPT):
        bench.sock().setsockopt(bench.current, SOL_SOCKET, option, i32(1))
    with fails(EINVAL):  # the length comes first
        bench.sock().setsockopt(bench.current, SOL_SOCKET, option, b"1")
    later = bench_of(old).sock()
    if errno is None:
        assert later.getsockopt(SOL_SOCKET, option, 8)[0]
    else:
        with fails(errno):
            later.getsockopt(SOL_SOCKET, option, 8)


@pytest.mark.parametrize(
    ("release", "answers"),
    [
        ("5.10.262", {75: ENOPROTOOPT, 76: ENOPROTOOPT, 74: ENOPROTOOPT}),
        ("6.1.176", {74: 0, 75: 0, 76: ENOPROTOOPT}),
        ("6.12.117", {74: 0, 76: 0, 77: ENODATA, 83: ENOPROTOOPT}),
        ("6.18", {74: EOPNOTSUPP, 76: EOPNOTSUPP, 77: ENODATA, 83: EOPNOTSUPP}),
    ],
)
def test_as_recorded(release: str, answers: dict[int, int]) -> None:
    sock = bench_of(release).sock()
    for option, errno in answers.items():
        if errno:
            with fails(errno):
                sock.getsockopt(SOL_SOCKET, option, 4)
        else:
            assert sock.getsockopt(SOL_SOCKET, option, 4) == (i32(0), 4)


@pytest.mark.parametrize(("number", "read"), [(0, 0), (1, 1), (-1, 1)])
def test_txrehash(number: int, read: int) -> None:
    bench = bench_of("6.1")
    sock = bench.sock()
    sock.setsockopt(bench.current, SOL_SOCKET, 74, i32(number))
    assert sock.getsockopt(SOL_SOCKET, 74, 4)[0] == i32(read)
    with fails(EINVAL):
        sock.setsockopt(bench.current, SOL_SOCKET, 74, i32(2))


def test_programs_that_there_are_none_of() -> None:
    bench = bench_of("6.18")
    for option in (50, 52):  # SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_EBPF
        with fails(EBADF):
            bench.sock().setsockopt(bench.current, SOL_SOCKET, option, i32(7))
        with fails(EINVAL):
            bench.sock().setsockopt(bench.current, SOL_SOCKET, option, i32(7, 7))
    with fails(EINVAL):  # SO_ATTACH_REUSEPORT_CBPF
        bench.sock().setsockopt(bench.current, SOL_SOCKET, 51, i32(7))


@pytest.mark.parametrize(
    ("release", "arch", "data"),
    [
        ("6.1.27", "x86_64", b"\1"),
        ("6.1.28", "x86_64", b"\1\0\0\0"),
        ("6.1.27", "s390x", b"\1"),  # a big-endian reader finds 0x01000000
        ("6.1.28", "s390x", b"\0\0\0\1"),
    ],
)
def test_what_is_written_of_an_option(release: str, arch: str, data: bytes) -> None:
    bench = bench_of(release, arch)
    sock = bench.sock()
    sock.setsockopt(bench.current, SOL_NETLINK, PKTINFO, b"\1\1\1\1")
    assert sock.getsockopt(SOL_NETLINK, PKTINFO, 4) == (data, 4)


def test_listen_all_nsid() -> None:
    for release in ("5.10", "6.1"):
        bench = bench_of(release)
        sock = bench.sock()
        sock.setsockopt(bench.current, SOL_NETLINK, LISTEN_ALL_NSID, i32(1))
        with fails(ENOPROTOOPT):
            sock.getsockopt(SOL_NETLINK, LISTEN_ALL_NSID, 4)
    assert bench_of("6.12").sock().getsockopt(SOL_NETLINK, LISTEN_ALL_NSID, 4) == (i32(0), 4)


@pytest.mark.parametrize(
    ("release", "flags", "errno"),
    [
        ("5.13", 1 << 14, 0),
        ("5.13", 1 << 15, EINVAL),
        ("5.14", 1 << 15, EOPNOTSUPP),  # BIND_PHC wants a clock
        ("6.1", 1 << 16 | 1 << 7, EINVAL),
        ("6.2", 1 << 16 | 1 << 7, 0),
        ("6.2", 1 << 16, EINVAL),
        ("6.14", 1 << 18, EINVAL),
        ("6.15", 1 << 18, 0),
    ],
)
def test_flags_of_timestamping(release: str, flags: int, errno: int) -> None:
    bench = bench_of(release)
    sock = bench.sock()
    if errno:
        with fails(errno):
            sock.setsockopt(bench.current, SOL_SOCKET, 37, i32(flags))
    else:
        sock.setsockopt(bench.current, SOL_SOCKET, 37, i32(flags))


@pytest.mark.parametrize(
    ("release", "old", "new"),
    [("5.10", i32(3), None), ("5.14", i32(3, 0), None), ("6.8", i32(3, 0), i32(0, 0))],
)
def test_timestamping_read(release: str, old: bytes, new: bytes | None) -> None:
    bench = bench_of(release)
    sock = bench.sock()
    sock.setsockopt(bench.current, SOL_SOCKET, 37, i32(3))
    assert sock.getsockopt(SOL_SOCKET, 37, 8)[0] == old
    if new is None:
        with fails(ENOPROTOOPT):
            sock.getsockopt(SOL_SOCKET, 65, 8)
    else:  # what was set by the old option is not shown by the new one
        assert sock.getsockopt(SOL_SOCKET, 65, 8)[0] == new


@pytest.mark.parametrize(
    ("release", "option", "value", "caps", "errno"),
    [
        ("6.6", 46, 50, frozenset(), EPERM),  # SO_BUSY_POLL
        ("6.6", 46, 0, frozenset(), 0),  # no higher than it is
        ("6.7", 46, 50, frozenset(), 0),
        ("5.16", 36, 1, frozenset({CAP_NET_RAW}), EPERM),  # SO_MARK
        ("5.17", 36, 1, frozenset({CAP_NET_RAW}), 0),
        ("5.17", 36, 1, frozenset(), EPERM),
        ("5.16", 12, 7, frozenset({CAP_NET_RAW}), EPERM),  # SO_PRIORITY
        ("5.17", 12, 7, frozenset({CAP_NET_RAW}), 0),
    ],
)
def test_who_may(release: str, option: int, value: int, caps: frozenset[int], errno: int) -> None:
    bench = bench_of(release)
    cred = Cred(bench.machine.init_user_ns, 1000, 1000, 1000, 1000, caps)
    task = bench.machine.tasks.fork(pid=777, cred=cred)
    current = Current.of(task)
    sock = bench.sock(current=current)
    if errno:
        with fails(errno):
            sock.setsockopt(current, SOL_SOCKET, option, i32(value))
    else:
        sock.setsockopt(current, SOL_SOCKET, option, i32(value))
