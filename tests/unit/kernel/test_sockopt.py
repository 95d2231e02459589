"""setsockopt(2) and getsockopt(2). Facts: net/core/sock.c and af_netlink.c of 6.18.

tests/conformance/test_calls_on_host.py holds the same against a running kernel.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from errno import (
    EACCES,
    EAGAIN,
    EDOM,
    EFAULT,
    EINVAL,
    EMSGSIZE,
    ENOBUFS,
    ENODATA,
    ENOMEM,
    ENOPROTOOPT,
    EOPNOTSUPP,
    EPERM,
)

import pytest
from helpers.kernel import Bench, fails, make_bench

from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.kernel.current import Current
from netlink_emu.kernel.profile import Profile
from netlink_emu.kernel.skbuff import MAX_DATAGRAM, MAX_FORCED
from netlink_emu.machine.credentials import CAP_NET_ADMIN, CAP_NET_RAW, Cred

SOL_SOCKET, SOL_NETLINK = 1, 270
SO_SNDBUF, SO_RCVBUF, SO_SNDBUFFORCE, SO_RCVBUFFORCE = 7, 8, 32, 33
SO_PRIORITY, SO_LINGER, SO_MARK, SO_BUSY_POLL, SO_LOCK_FILTER = 12, 13, 36, 46, 44
SO_PREFER_BUSY_POLL = 69
SO_RCVTIMEO, SO_SNDTIMEO, SO_RCVTIMEO_NEW = 20, 21, 66
NETLINK_RX_RING, NETLINK_LISTEN_ALL_NSID, NETLINK_LIST_MEMBERSHIPS = 6, 8, 9
INT_MAX, INT_MIN = 0x7FFFFFFF, -0x80000000


def with_caps(bench: Bench, *caps: int) -> Current:
    """A caller with these capabilities alone."""
    user_ns = bench.machine.init_user_ns
    cred = Cred(user_ns, 1000, 1000, 1000, 1000, frozenset(caps))
    return Current.of(bench.machine.tasks.fork(cred=cred))


class Options:
    """One socket's options, as ints."""

    def __init__(self, bench: Bench, current: Current | None = None) -> None:
        self.current = current or bench.current
        self.sock: NetlinkSock = bench.sock(current=self.current)

    def set(self, option: int, *words: int, level: int = SOL_SOCKET) -> None:
        self.sock.setsockopt(self.current, level, option, struct.pack(f"<{len(words)}i", *words))

    def get(self, option: int, level: int = SOL_SOCKET, room: int = 64) -> tuple[int, ...]:
        data, length = self.sock.getsockopt(level, option, room)
        assert len(data) == length
        return struct.unpack(f"<{length // 4}i", data)


@pytest.fixture
def options(bench: Bench) -> Options:
    return Options(bench)


class TestBuffers:
    @pytest.mark.parametrize("option", [SO_SNDBUF, SO_RCVBUF])
    @pytest.mark.parametrize(
        ("size", "kept"),
        [(50_000, 100_000), (1 << 30, 8_388_608), (-1, 8_388_608), (INT_MIN, 8_388_608)],
    )
    def test_doubled_up_to_the_sysctl(
        self, options: Options, option: int, size: int, kept: int
    ) -> None:
        options.set(option, size)
        assert options.get(option) == (kept,)

    @pytest.mark.parametrize(("option", "least"), [(SO_SNDBUF, 4608), (SO_RCVBUF, 2304)])
    def test_not_less_than_one_datagram_needs(
        self, options: Options, option: int, least: int
    ) -> None:
        options.set(option, 0)
        assert options.get(option) == (least,)

    @pytest.mark.parametrize(
        ("force", "option", "least"),
        [(SO_SNDBUFFORCE, SO_SNDBUF, 4608), (SO_RCVBUFFORCE, SO_RCVBUF, 2304)],
    )
    def test_by_force(self, bench: Bench, force: int, option: int, least: int) -> None:
        options = Options(bench)
        options.set(force, INT_MAX)
        assert options.get(option) == (INT_MAX - 1,)
        options.set(force, -1)
        assert options.get(option) == (least,)
        with fails(EPERM):
            Options(bench, with_caps(bench)).set(force, 1 << 20)


class TestTimeouts:
    @pytest.mark.parametrize(
        ("seconds", "micro", "kept", "waits"),
        [
            (0, 0, (0, 0), None),
            (1, 500_000, (1, 500_000), 1.5),
            (0, 1, (0, 4000), 0.004),
            (3, 999_999, (4, 0), 4.0),
            (-1, 5, (0, 0), 0.0),
            (1 << 62, 0, (0, 0), None),
        ],
    )
    def test_in_ticks(
        self,
        options: Options,
        seconds: int,
        micro: int,
        kept: tuple[int, int],
        waits: float | None,
    ) -> None:
        sock = options.sock
        for option in (SO_RCVTIMEO, SO_SNDTIMEO):
            sock.setsockopt(
                options.current, SOL_SOCKET, option, struct.pack("<qq", seconds, micro)
            )
            assert struct.unpack("<qq", sock.getsockopt(SOL_SOCKET, option, 16)[0]) == kept
        assert (sock.rcvtimeo, sock.sndtimeo) == (waits, waits)

    def test_old_and_new_are_one(self, options: Options) -> None:
        options.set(SO_RCVTIMEO_NEW, 2, 0, 0, 0)
        assert options.get(SO_RCVTIMEO) == (2, 0, 0, 0)

    def test_what_is_no_time(self, options: Options) -> None:
        for micro in (-1, 1_000_000):
            with fails(EDOM):
                options.sock.setsockopt(
                    options.current, SOL_SOCKET, SO_RCVTIMEO, struct.pack("<qq", 1, micro)
                )
        with fails(EINVAL):
            options.set(SO_RCVTIMEO, 1, 0)


class TestOthers:
    def test_constants(self, options: Options) -> None:
        found = {option: options.get(option) for option in (3, 14, 19, 30, 38, 39, 48, 56)}
        assert found == {
            3: (3,), 14: (0,), 19: (1,), 30: (0,), 38: (16,), 39: (16,), 48: (64,), 56: (0,),
        }  # fmt: skip

    def test_switches(self, options: Options) -> None:
        for option in (2, 9, 16, 45):
            options.set(option, 7)
            assert options.get(option) == (1,)
            options.set(option, 0)
            assert options.get(option) == (0,)

    def test_one_kind_of_time_stamp(self, options: Options) -> None:
        options.set(29, 1)
        options.set(64, 1)
        assert (options.get(29), options.get(64)) == ((0,), (1,))
        options.set(35, 0)
        assert options.get(64) == (0,)

    def test_linger(self, options: Options) -> None:
        options.set(SO_LINGER, 5, 30)
        assert options.get(SO_LINGER) == (1, 30)
        options.set(SO_LINGER, 0, 30)
        assert options.get(SO_LINGER) == (0, 0)
        options.set(SO_LINGER, 1, -1)
        assert options.get(SO_LINGER)[1] == struct.unpack("<i", b"\xdf\x4f\x8d\x97")[0]
        with fails(EINVAL):
            options.set(SO_LINGER, 1)

    def test_low_water_mark(self, options: Options) -> None:
        for number, kept in ((5, 5), (0, 1), (-1, INT_MAX)):
            options.set(18, number)
            assert options.get(18) == (kept,)

    def test_nobody_at_the_other_end(self, options: Options) -> None:
        assert options.get(17) == (0, -1, -1)

    def test_memory(self, bench: Bench, options: Options) -> None:
        bench.sock(7).sendmsg(bench.current, bytes(100), addr=bench.address(0))
        options.sock.bind(options.current, bench.address(9))
        bench.sock(8).sendmsg(bench.current, bytes(100), addr=bench.address(9))
        assert options.get(55) == (832, 212992, 0, 212992, 0, 0, 0, 0, 0)

    def test_the_pending_error_is_taken(self, options: Options) -> None:
        options.sock.set_error(105)
        assert options.get(4) == (105,)
        assert options.get(4) == (0,)

    def test_part_of_an_answer(self, options: Options) -> None:
        assert options.sock.getsockopt(SOL_SOCKET, SO_RCVBUF, 2) == (b"\x00\x40", 2)

    @pytest.mark.parametrize(
        ("option", "number", "caps"),
        [
            (SO_PRIORITY, 7, {CAP_NET_ADMIN}), (SO_PRIORITY, -1, {CAP_NET_RAW}),
            (SO_MARK, 1, {CAP_NET_RAW}), (SO_PREFER_BUSY_POLL, 1, {CAP_NET_ADMIN}),
        ],
    )  # fmt: skip
    def test_privileged(self, bench: Bench, option: int, number: int, caps: set[int]) -> None:
        with fails(EPERM):
            Options(bench, with_caps(bench)).set(option, number)
        options = Options(bench, with_caps(bench, *caps))
        options.set(option, number)
        assert options.get(option) == (number,)

    def test_unprivileged(self, bench: Bench) -> None:
        options = Options(bench, with_caps(bench))
        options.set(SO_PRIORITY, 6)
        options.set(SO_BUSY_POLL, 50)
        with fails(EINVAL):
            options.set(SO_BUSY_POLL, -1)
        options.set(1, 0)
        with fails(EACCES):
            options.set(1, 1)

    def test_a_lock_stays(self, options: Options) -> None:
        options.set(SO_LOCK_FILTER, 0)
        options.set(SO_LOCK_FILTER, 1)
        options.set(SO_LOCK_FILTER, 1)
        with fails(EPERM):
            options.set(SO_LOCK_FILTER, 0)
        assert options.sock.filter_locked
        for option in (50, 52):  # SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_EBPF
            with fails(EPERM):
                options.set(option, 1)

    @pytest.mark.parametrize(
        ("option", "errno"),
        [(42, EOPNOTSUPP), (3, ENOPROTOOPT), (999, ENOPROTOOPT), (15, EOPNOTSUPP)],
    )
    def test_what_cannot_be_set(self, options: Options, option: int, errno: int) -> None:
        with fails(errno):
            options.set(option, 1)

    @pytest.mark.parametrize(
        ("option", "errno"), [(42, EOPNOTSUPP), (59, ENODATA), (999, ENOPROTOOPT)]
    )
    def test_what_cannot_be_got(self, options: Options, option: int, errno: int) -> None:
        with fails(errno):
            options.get(option)

    def test_what_does_nothing(self, options: Options) -> None:
        options.set(14, 1)  # SO_BSDCOMPAT
        options.set(15, 0)  # SO_REUSEPORT
        assert (options.get(14), options.get(15)) == ((0,), (0,))

    @pytest.mark.parametrize("level", [0, 6, -1, 271])
    def test_other_levels(self, options: Options, level: int) -> None:
        with fails(ENOPROTOOPT):
            options.set(1, 1, level=level)
        with fails(ENOPROTOOPT):
            options.get(1, level)

    @pytest.mark.parametrize("level", [SOL_SOCKET, SOL_NETLINK])
    def test_lengths_that_are_none(self, options: Options, level: int) -> None:
        with fails(EINVAL):
            options.get(10, level, room=-1)


class TestNetlink:
    @pytest.mark.parametrize("option", [3, 4, 5, 8, 10, 11, 12])
    def test_flags(self, options: Options, option: int) -> None:
        assert options.get(option, SOL_NETLINK) == (0,)
        options.set(option, -5, level=SOL_NETLINK)
        assert options.get(option, SOL_NETLINK) == (1,)
        options.sock.setsockopt(options.current, SOL_NETLINK, option, b"\1\0\0")
        assert options.get(option, SOL_NETLINK) == (0,)  # three bytes are none
        with fails(EINVAL):
            options.get(option, SOL_NETLINK, room=3)

    def test_no_enobufs_ends_congestion(self, options: Options) -> None:
        options.sock.overrun()
        options.set(5, 1, level=SOL_NETLINK)
        assert not options.sock.congested

    def test_all_namespaces_for_the_privileged(self, bench: Bench) -> None:
        with fails(EPERM):
            Options(bench, with_caps(bench)).set(NETLINK_LISTEN_ALL_NSID, 1, level=SOL_NETLINK)

    def test_memberships(self, options: Options) -> None:
        assert options.get(NETLINK_LIST_MEMBERSHIPS, SOL_NETLINK) == ()
        for group in (1, 33, 64):
            options.set(1, group, level=SOL_NETLINK)
        options.set(2, 1, level=SOL_NETLINK)
        assert options.get(NETLINK_LIST_MEMBERSHIPS, SOL_NETLINK) == (0, INT_MIN + 1)
        data, length = options.sock.getsockopt(SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, 7)
        assert (data, length) == (bytes(4), 8)  # whole words, and how many there are
        for group in (0, 65, -1):
            with fails(EINVAL):
                options.set(1, group, level=SOL_NETLINK)

    def test_privileged_groups(self, bench: Bench) -> None:
        current = with_caps(bench)
        sock = bench.kernel.socket(current, 3, 6)  # NETLINK_XFRM
        with fails(EPERM):
            sock.setsockopt(current, SOL_NETLINK, 1, b"\1\0\0\0")

    @pytest.mark.parametrize("option", [0, 6, 7, 9, 13, -1])
    def test_unknown_ones(self, options: Options, option: int) -> None:
        with fails(ENOPROTOOPT):
            options.set(option, 1, level=SOL_NETLINK)

    @pytest.mark.parametrize("option", [0, 1, 2, 6, 13, -1])
    def test_unreadable_ones(self, options: Options, option: int) -> None:
        with fails(ENOPROTOOPT):
            options.get(option, SOL_NETLINK)

    def test_options_that_came_later(self) -> None:
        old = Options(make_bench(Profile(no_enobufs=False, cap_ack=False, ext_ack=False)))
        for option in (4, 5, 10, 11):
            with fails(ENOPROTOOPT):
                old.set(option, 1, level=SOL_NETLINK)
            with fails(ENOPROTOOPT):
                old.get(option, SOL_NETLINK)


class TestRings:
    """3.10 to 4.3: struct nl_mmap_req of block size and count, frame size and count."""

    @pytest.fixture
    def rings(self) -> Options:
        return Options(make_bench(Profile(mmap_rings=True)))

    @pytest.mark.parametrize(
        ("request_", "errno"),
        [
            ((4096, 4, 2048, 8), ENOMEM),
            ((4096, 4, 2048, 9), EINVAL),
            ((4095, 4, 2048, 8), EINVAL),
            ((4096, 0, 2048, 8), EINVAL),
            ((0, 4, 2048, 8), EINVAL),
            ((4096, 4, 0, 8), EINVAL),
            ((4096, 4), EINVAL),
        ],
    )
    def test_there_is_never_memory(
        self, rings: Options, request_: tuple[int, ...], errno: int
    ) -> None:
        with fails(errno):
            rings.set(NETLINK_RX_RING, *request_, level=SOL_NETLINK)

    def test_none_to_take_down(self, rings: Options) -> None:
        rings.set(NETLINK_RX_RING, 0, 0, 0, 0, level=SOL_NETLINK)
        with fails(ENOPROTOOPT):
            rings.get(NETLINK_RX_RING, SOL_NETLINK)

    def test_for_the_privileged(self) -> None:
        bench = make_bench(Profile(mmap_rings=True))
        options = Options(bench, with_caps(bench))
        with fails(EPERM):
            options.set(NETLINK_RX_RING, 0, 0, 0, 0, level=SOL_NETLINK)


class TestForcedMemory:
    """However much a client forces: together not more than the emulated machine has."""

    def test_shown_and_there(self, bench: Bench) -> None:
        first, second = Options(bench), Options(bench)
        first.set(SO_RCVBUFFORCE, INT_MAX)
        second.set(SO_RCVBUFFORCE, INT_MAX)
        assert first.get(SO_RCVBUF) == second.get(SO_RCVBUF) == (INT_MAX - 1,)
        without = 2 * bench.kernel.profile.config.rmem_max
        assert first.sock.rcvbuf == without + MAX_FORCED
        assert second.sock.rcvbuf == without

    def test_given_back(self, bench: Bench) -> None:
        ways: list[Callable[[Options], None]] = [
            lambda options: options.set(SO_RCVBUF, 1 << 30),
            lambda options: options.set(SO_RCVBUFFORCE, 4096),
            lambda options: options.sock.release(),
        ]
        for give_back in ways:
            options = Options(bench)
            options.set(SO_RCVBUFFORCE, INT_MAX)
            options.set(SO_RCVBUFFORCE, 50 << 20)
            assert bench.kernel.forced_memory == (100 << 20) - 8_388_608
            assert options.sock.rcvbuf == 100 << 20
            give_back(options)
            assert bench.kernel.forced_memory == 0

    def test_what_is_held(self, bench: Bench) -> None:
        sender, receiver = Options(bench), Options(bench)
        receiver.sock.bind(receiver.current, bench.address(7))
        sender.set(SO_SNDBUFFORCE, INT_MAX)
        receiver.set(SO_RCVBUFFORCE, INT_MAX)
        address, big = bench.address(7), bytes(8 << 20)
        held = 0
        with fails(EAGAIN):
            while held < 100:
                sender.sock.sendmsg(sender.current, big, addr=address)
                held += 1
        # 256 MiB and twice rmem_max; each is charged 8 MiB and 576 bytes, as on a real 6.18.
        assert held == 32
        assert receiver.sock.rmem_alloc <= receiver.sock.rcvbuf

    def test_one_datagram(self, bench: Bench) -> None:
        options = Options(bench)
        options.set(SO_SNDBUFFORCE, INT_MAX)
        sock, current = options.sock, options.current
        with fails(ENOBUFS):
            sock.sendmsg(current, b"", length=MAX_DATAGRAM + 1)
        with fails(EFAULT):
            sock.sendmsg(current, b"", length=MAX_DATAGRAM)
        options.set(SO_SNDBUF, 1 << 20)
        with fails(EMSGSIZE):
            sock.sendmsg(current, b"", length=MAX_DATAGRAM + 1)
        with fails(EMSGSIZE):
            sock.sendmsg(current, b"", length=1 << 62)
        assert sock.sendmsg(current, bytes(1 << 20)) == 1 << 20
