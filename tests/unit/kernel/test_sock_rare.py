"""The rare options of SOL_SOCKET. Rows are what a 6.18 kernel answered, asked by a fuzzer."""

from __future__ import annotations

import struct
from errno import EBADF, EINVAL, ENOPROTOOPT, EOPNOTSUPP, EPERM

import pytest
from helpers.kernel import Bench, fails, make_bench

from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.kernel.current import Current
from netlink_emu.machine.credentials import Cred

SOL_SOCKET = 1
PEERNAME, TIMESTAMP, TIMESTAMPNS, TIMESTAMPING = 28, 29, 35, 37
PACING_RATE, COOKIE, TXTIME, TIMESTAMP_NEW, TIMESTAMPNS_NEW, TIMESTAMPING_NEW = (
    47,
    57,
    61,
    63,
    64,
    65,
)
BUSY_POLL_BUDGET, NETNS_COOKIE, BUF_LOCK = 70, 71, 72


@pytest.fixture
def bench() -> Bench:
    return make_bench()


def i32(*numbers: int) -> bytes:
    return struct.pack(f"<{len(numbers)}i", *numbers)


def get(sock: NetlinkSock, option: int, optlen: int = 8) -> bytes:
    return sock.getsockopt(SOL_SOCKET, option, optlen)[0]


@pytest.mark.parametrize(
    ("option", "value", "read"),
    [
        (46, i32(65536), i32(65536)),  # SO_BUSY_POLL
        (62, i32(9), i32(9)),  # SO_BINDTOIFINDEX
        (75, i32(2304), i32(1)),  # SO_RCVMARK
        (82, i32(-1), i32(1)),  # SO_RCVPRIORITY
        (TIMESTAMPING, i32(255), i32(255, 0)),
        (TIMESTAMPING, i32(1, 2), i32(1, 0)),
        (TXTIME, i32(1, 2), i32(1, 2)),
        (BUF_LOCK, i32(3), i32(3)),
        (PACING_RATE, i32(-1), b"\xff" * 8),
        (PACING_RATE, i32(65536), i32(65536, 0)),
        (PACING_RATE, i32(0, 4), i32(0, 4)),
    ],
)
def test_kept_and_read_back(bench: Bench, option: int, value: bytes, read: bytes) -> None:
    sock = bench.sock()
    sock.setsockopt(bench.current, SOL_SOCKET, option, value)
    assert get(sock, option) == read


@pytest.mark.parametrize(
    ("option", "value", "errno"),
    [
        (60, i32(0), EOPNOTSUPP),  # SO_ZEROCOPY
        (73, i32(1), EOPNOTSUPP),  # SO_RESERVE_MEM
        (73, i32(-1), EINVAL),
        (68, i32(1), EINVAL),  # SO_DETACH_REUSEPORT_BPF
        (80, i32(0, 0), EBADF),  # SO_DEVMEM_DONTNEED
        (46, i32(-1), EINVAL),
        (62, i32(-1), EINVAL),
        (TIMESTAMPING, i32(1 << 15), EOPNOTSUPP),
        (TIMESTAMPING, i32(1 << 16), EINVAL),
        (TIMESTAMPING, i32(1 << 12), EINVAL),
        (TIMESTAMPING, i32(-1), EINVAL),
        (TXTIME, i32(1), EINVAL),
        (TXTIME, i32(0, 4), EINVAL),
        (BUF_LOCK, i32(4), EINVAL),
        (BUSY_POLL_BUDGET, i32(65536), EINVAL),
        (COOKIE, i32(1), ENOPROTOOPT),
    ],
)
def test_refused(bench: Bench, option: int, value: bytes, errno: int) -> None:
    with fails(errno):
        bench.sock().setsockopt(bench.current, SOL_SOCKET, option, value)


@pytest.mark.parametrize(
    ("option", "value"),
    [(69, i32(1)), (BUSY_POLL_BUDGET, i32(1)), (TXTIME, i32(0, 1))],
)
def test_needs_cap_net_admin(bench: Bench, option: int, value: bytes) -> None:
    nobody = Cred.for_ids(bench.machine.init_user_ns, 65534, 65534)
    task = bench.machine.tasks.fork(cred=nobody)
    with fails(EPERM):
        bench.sock().setsockopt(Current.of(task), SOL_SOCKET, option, value)


def test_advice_is_taken_and_not_told(bench: Bench) -> None:
    sock = bench.sock()
    sock.setsockopt(bench.current, SOL_SOCKET, 53, i32(1))
    with fails(ENOPROTOOPT):
        get(sock, 53)


def test_timestamps_share_one_flag_for_new(bench: Bench) -> None:
    sock = bench.sock()

    def shown() -> list[int]:
        options = (TIMESTAMP, TIMESTAMPNS, TIMESTAMP_NEW, TIMESTAMPNS_NEW)
        return [int.from_bytes(get(sock, option), "little") for option in options]

    sock.setsockopt(bench.current, SOL_SOCKET, TIMESTAMPNS_NEW, i32(1))
    assert shown() == [0, 0, 1, 1]
    sock.setsockopt(bench.current, SOL_SOCKET, TIMESTAMPING, i32(1))
    assert shown() == [0, 1, 0, 0]
    assert get(sock, TIMESTAMPING_NEW) == i32(0, 0)
    sock.setsockopt(bench.current, SOL_SOCKET, TIMESTAMP, i32(0))
    assert shown() == [0, 0, 0, 0]


def test_a_rate_too_large_for_an_int(bench: Bench) -> None:
    sock = bench.sock()
    sock.setsockopt(bench.current, SOL_SOCKET, PACING_RATE, i32(0, 4))
    assert get(sock, PACING_RATE, 4) == b"\xff" * 4


def test_setting_a_buffer_locks_it(bench: Bench) -> None:
    sock = bench.sock()
    assert get(sock, BUF_LOCK) == i32(0)
    sock.setsockopt(bench.current, SOL_SOCKET, 8, i32(5000))
    assert get(sock, BUF_LOCK) == i32(2)
    sock.setsockopt(bench.current, SOL_SOCKET, 7, i32(5000))
    assert get(sock, BUF_LOCK) == i32(3)


def test_identities(bench: Bench) -> None:
    one, other = bench.sock(), bench.sock()
    assert get(one, PEERNAME, 12) == bench.address(0)
    with fails(EINVAL):
        get(one, PEERNAME, 16)
    with fails(EINVAL):
        get(one, COOKIE, 4)
    assert get(one, COOKIE) == get(one, COOKIE) != get(other, COOKIE)
    assert get(one, NETNS_COOKIE) == get(other, NETNS_COOKIE)
    with fails(EINVAL):
        get(one, NETNS_COOKIE, 16)
