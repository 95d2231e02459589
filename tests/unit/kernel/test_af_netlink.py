"""Sockets: addresses, receive buffers, overruns, ancillary data. Facts: af_netlink.c of 6.18."""

from __future__ import annotations

import struct
from contextlib import nullcontext
from errno import (
    EADDRINUSE,
    EAGAIN,
    ECONNREFUSED,
    EINVAL,
    EMSGSIZE,
    ENOBUFS,
    ENODATA,
    ENOENT,
    ENOTTY,
    EOPNOTSUPP,
    EPERM,
    EPROTONOSUPPORT,
    ESOCKTNOSUPPORT,
)
from typing import Any

import pytest
from helpers.kernel import Bench, fails, make_bench

from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.kernel.current import Current
from netlink_emu.kernel.releases import profile_for
from netlink_emu.kernel.scm import Cmsg
from netlink_emu.machine.credentials import Cred
from netlink_emu.machine.namespaces import NetNamespace, PidNamespace, UserNamespace

NLCTRL = bytes.fromhex("20000000100001000300000000000000030100000b0002006e6c6374726c0000")


@pytest.fixture
def nobody(bench: Bench) -> Current:
    task = bench.machine.tasks.fork(
        pid=777, comm="nobody", cred=Cred.for_ids(bench.machine.init_user_ns, 65534, 65534)
    )
    return Current.of(task)


@pytest.mark.parametrize(
    ("kind", "protocol", "errno"),
    [
        (1, 16, ESOCKTNOSUPPORT),
        (10, 16, ESOCKTNOSUPPORT),
        (11, 16, EINVAL),
        (-1, 16, EINVAL),
        (3, 1, EPROTONOSUPPORT),
        (3, 32, EPROTONOSUPPORT),
        (2, -1, EPROTONOSUPPORT),
    ],
)
def test_sockets_that_do_not_exist(bench: Bench, kind: int, protocol: int, errno: int) -> None:
    with fails(errno):
        bench.kernel.socket(bench.current, kind, protocol)


class TestAddresses:
    def test_nothing_is_bound_at_first(self, bench: Bench) -> None:
        assert bench.sock().getsockname() == bench.address(0)

    def test_autobind_takes_the_tgid_then_a_negative_number(self, bench: Bench) -> None:
        first, second = bench.sock(0), bench.sock(0)
        assert first.portid == 4242
        assert 0x80000000 <= second.portid <= 0xFFFFEFFF

    def test_sending_binds(self, bench: Bench) -> None:
        sock = bench.sock()
        bench.ask(sock, NLCTRL)
        assert sock.portid == 4242

    def test_a_portid_is_free_after_release(self, bench: Bench) -> None:
        bench.sock(7).release()
        assert bench.sock(7).bound

    def test_a_taken_portid(self, bench: Bench) -> None:
        bench.sock(7)
        sock = bench.sock()
        with fails(EADDRINUSE):
            sock.bind(bench.current, bench.address(7))
        # The portid shows, though nothing is bound to it.
        assert sock.getsockname() == bench.address(7)
        sock.release()
        assert bench.kernel.netlink.lookup(bench.machine.init_net, 16, 7) is not sock

    def test_binding_twice(self, bench: Bench) -> None:
        sock = bench.sock(7)
        sock.bind(bench.current, bench.address(7))
        for other in (0, 8):
            with fails(EINVAL):
                sock.bind(bench.current, bench.address(other))

    @pytest.mark.parametrize("addr", [b"", bytes(11), bytes(12), b"\x10\0" + bytes(127)])
    def test_addresses_that_are_none(self, bench: Bench, addr: bytes) -> None:
        with fails(EINVAL):
            bench.sock().bind(bench.current, addr)

    def test_two_network_namespaces_have_two_tables(self, bench: Bench) -> None:
        bench.sock(7)
        other = bench.machine.tasks.fork(net=NetNamespace(bench.machine.init_user_ns))
        assert bench.sock(7, Current.of(other)).bound

    def test_connect_and_back(self, bench: Bench) -> None:
        sock = bench.sock()
        sock.connect(bench.current, bench.address(77, 2))
        assert (sock.getpeername(), sock.portid) == (bench.address(77, 2), 4242)
        sock.connect(bench.current, bytes(2))
        assert sock.getpeername() == bench.address(0)
        with fails(EINVAL):
            sock.connect(bench.current, b"\x10")

    def test_connecting_elsewhere_needs_a_capability(self, bench: Bench, nobody: Current) -> None:
        sock = bench.sock(current=nobody)
        sock.connect(nobody, bench.address(0))
        for pid, groups in ((1, 0), (0, 1)):
            with fails(EPERM):
                sock.connect(nobody, bench.address(pid, groups))


class TestSending:
    def test_to_a_neighbour(self, bench: Bench) -> None:
        sock, other = bench.sock(1), bench.sock(2)
        assert sock.sendmsg(bench.current, b"any", addr=bench.address(2)) == 3
        got = other.recvmsg(100)
        assert (got.data, got.name) == (b"any", bench.address(1))

    def test_to_nobody(self, bench: Bench) -> None:
        with fails(ECONNREFUSED):
            bench.sock(1).sendmsg(bench.current, b"any", addr=bench.address(9))

    def test_to_one_that_hears_another(self, bench: Bench) -> None:
        other = bench.sock(2)
        other.connect(bench.current, bench.address(5))
        with fails(ECONNREFUSED):
            bench.sock(1).sendmsg(bench.current, b"any", addr=bench.address(2))

    def test_to_one_without_room(self, bench: Bench) -> None:
        sock, other = bench.sock(1), bench.sock(2)
        other.setsockopt(bench.current, 1, 8, struct.pack("=i", 0))
        sock.sendmsg(bench.current, bytes(2000), addr=bench.address(2))
        with fails(EAGAIN):
            sock.sendmsg(bench.current, bytes(2000), addr=bench.address(2))
        assert other.drops == 0

    def test_unprivileged_to_a_neighbour(self, bench: Bench, nobody: Current) -> None:
        with fails(EPERM):
            bench.sock(current=nobody).sendmsg(nobody, b"any", addr=bench.address(2))

    def test_limits(self, bench: Bench) -> None:
        sock = bench.sock(1)
        with fails(ENODATA):
            sock.sendmsg(bench.current, b"")
        with fails(EOPNOTSUPP):
            sock.sendmsg(bench.current, b"x", flags=1)
        assert sock.sendmsg(bench.current, bytes(sock.sndbuf - 32)) == 212960
        with fails(EMSGSIZE):
            sock.sendmsg(bench.current, bytes(sock.sndbuf - 31))

    def test_to_a_group(self, bench: Bench) -> None:
        sock, member, other = bench.sock(1), bench.sock(2), bench.sock(3)
        member.bind(bench.current, bench.address(2, 8))
        other.setsockopt(bench.current, 270, 1, struct.pack("=i", 5))
        sock.sendmsg(bench.current, NLCTRL, addr=bench.address(0, 8))
        got = member.recvmsg(100)
        assert (got.data, got.name) == (NLCTRL, bench.address(1, 8))
        assert not other.receive_queue
        assert len(sock.receive_queue) == 1  # nlctrl's answer

    def test_a_full_member_of_a_group_overruns(self, bench: Bench) -> None:
        sock, member = bench.sock(1), bench.sock(2)
        member.bind(bench.current, bench.address(2, 1))
        member.rcvbuf = 2304
        for _ in range(5):
            sock.sendmsg(bench.current, bytes(16), addr=bench.address(0, 1))
        assert (len(member.receive_queue), member.drops, member.sk_err) == (2, 3, ENOBUFS)

    def test_usersock_has_no_kernel_end(self, bench: Bench) -> None:
        sock = bench.kernel.socket(bench.current, 3, 2)
        with fails(ECONNREFUSED):
            sock.sendmsg(bench.current, b"x")


class TestReceiving:
    def test_nothing_there(self, bench: Bench) -> None:
        with fails(EAGAIN):
            bench.sock(1).recvmsg(10)
        with fails(EOPNOTSUPP):
            bench.sock(1 << 20).recvmsg(10, 1)

    def test_truncation_and_peeking(self, bench: Bench) -> None:
        sock = bench.sock(1)
        sock.sendmsg(bench.current, NLCTRL)
        peeked = sock.recvmsg(0, 0x22)
        assert (peeked.data, peeked.result, peeked.flags) == (b"", 136, 0x20)
        short = sock.recvmsg(20)
        assert (len(short.data), short.result, short.length, short.flags) == (20, 20, 136, 0x20)
        assert not sock.receive_queue
        assert sock.rmem_alloc == 0

    def test_control_messages(self, bench: Bench) -> None:
        sock = bench.sock(1)
        sock.setsockopt(bench.current, 1, 16, b"\1\0\0\0")
        sock.setsockopt(bench.current, 270, 3, b"\1\0\0\0")
        sock.sendmsg(bench.current, NLCTRL)
        assert sock.recvmsg(1000).control == [
            Cmsg(270, 3, bytes(4)),
            Cmsg(1, 2, bytes(12)),
        ]

    def test_poll(self, bench: Bench) -> None:
        sock = bench.sock(1)
        assert sock.poll() & 0xD == 4
        sock.sendmsg(bench.current, NLCTRL)
        assert sock.poll() & 0xD == 5
        sock.set_error(ENOBUFS)
        assert sock.poll() & 0xD == 0xD

    def test_callbacks(self, bench: Bench) -> None:
        sock = bench.sock(1)
        heard: list[int] = []
        sock.data_ready = lambda sk: heard.append(len(sk.receive_queue))
        sock.error_report = lambda sk: heard.append(-sk.sk_err)
        sock.sendmsg(bench.current, NLCTRL)
        sock.overrun()
        assert heard == [1, -ENOBUFS]

    def test_an_edge_takes_datagrams_and_leaves_the_error(self, bench: Bench) -> None:
        sock = bench.sock(1)
        sock.sendmsg(bench.current, NLCTRL)
        sock.overrun()
        datagram = sock.take_datagram()
        assert datagram is not None
        assert len(datagram) == 136
        assert sock.take_datagram() is None
        assert sock.sk_err == ENOBUFS

    def test_what_an_edge_takes_tells_how_much_is_read_at_a_time(self, bench: Bench) -> None:
        """By which the datagrams of dumps are made, and so fit the client's buffer."""
        sock = bench.sock(1)
        for size, learned in (
            (1000, 1000),
            (500, 1000),
            (5000, 5000),
            (1 << 20, bench.kernel.skb.max_dump),
        ):
            sock.sendmsg(bench.current, NLCTRL)
            assert sock.take_datagram(size) is not None
            assert sock.max_recvmsg_len == learned


class TestOverrun:
    def overrun(self, bench: Bench) -> NetlinkSock:
        sock = bench.sock(1)
        sock.setsockopt(bench.current, 1, 8, struct.pack("=i", 2000))
        for _ in range(6):
            sock.sendmsg(bench.current, NLCTRL)
        return sock

    def test_enobufs_comes_once_and_first(self, bench: Bench) -> None:
        sock = self.overrun(bench)
        # Four answers of 832 bytes fit; of each of the others the error about it is lost, too.
        assert (len(sock.receive_queue), sock.drops) == (4, 4)
        with fails(ENOBUFS):
            sock.recvmsg(1000, 2)
        assert len(sock.recvmsg(1000).data) == 136

    def test_until_it_is_empty_nothing_comes(self, bench: Bench) -> None:
        sock = self.overrun(bench)
        assert sock.getsockopt(1, 4, 4) == (struct.pack("=i", ENOBUFS), 4)
        sock.recvmsg(1000)
        sock.sendmsg(bench.current, NLCTRL)
        assert (len(sock.receive_queue), sock.drops) == (3, 6)
        bench.drain(sock)
        assert len(bench.ask(sock, NLCTRL)) == 1

    def test_no_enobufs(self, bench: Bench) -> None:
        sock = bench.sock(1)
        sock.setsockopt(bench.current, 270, 5, b"\1\0\0\0")
        sock.rcvbuf = 2304
        for _ in range(6):
            sock.sendmsg(bench.current, NLCTRL)
        assert (len(sock.receive_queue), sock.drops, sock.sk_err) == (2, 8, 0)
        sock.recvmsg(1000)
        sock.sendmsg(bench.current, NLCTRL)
        assert len(sock.receive_queue) == 2

    def test_an_empty_queue_takes_any_size(self, bench: Bench) -> None:
        sock = bench.sock(1)
        sock.rcvbuf = 2304
        request = struct.pack("=IHHII", 30000, 0x3FF, 1, 1, 0) + bytes(29984)
        assert [len(datagram) for datagram in bench.ask(sock, request)] == [30020]


class TestCredentials:
    def creds(self, pid: int, uid: int = 0, gid: int = 0) -> list[Cmsg]:
        return [Cmsg(1, 2, struct.pack("=iII", pid, uid, gid))]

    def test_one_s_own_and_those_of_others(self, bench: Bench, nobody: Current) -> None:
        sock, other = bench.sock(1), bench.sock(2)
        other.setsockopt(bench.current, 1, 16, b"\1\0\0\0")
        for control, expected in (
            ([], (4242, 0, 0)),
            (self.creds(777, 5, 6), (777, 5, 6)),
            ([Cmsg(2, 2, b"")], (4242, 0, 0)),
        ):
            sock.sendmsg(bench.current, b"x", addr=bench.address(2), control=control)
            (cmsg,) = other.recvmsg(10).control
            assert struct.unpack("=iII", cmsg.data) == expected

    @pytest.mark.parametrize(
        ("control", "errno"),
        [
            ([Cmsg(1, 1, bytes(4))], EINVAL),
            ([Cmsg(1, 2, bytes(8))], EINVAL),
            ([Cmsg(1, 9, bytes(12))], EINVAL),
            ([Cmsg(1, 2, struct.pack("=iII", 99999, 0, 0))], 3),
            ([Cmsg(1, 2, struct.pack("=iII", 4242, 0xFFFFFFFF, 0))], EINVAL),
            ([Cmsg(1, 2, struct.pack("=iII", 4242, 0, 0xFFFFFFFF))], EINVAL),
        ],
    )
    def test_what_cannot_be_sent(self, bench: Bench, control: list[Cmsg], errno: int) -> None:
        with fails(errno):
            bench.sock(1).sendmsg(bench.current, b"x", control=control)

    @pytest.mark.parametrize("creds", [(1, 65534, 65534), (777, 0, 65534), (777, 65534, 0)])
    def test_a_forgery(self, bench: Bench, nobody: Current, creds: tuple[int, int, int]) -> None:
        sock = bench.sock(current=nobody)
        with fails(EPERM):
            sock.sendmsg(nobody, b"x", control=self.creds(*creds))

    def received(self, bench: Bench, reader: Current, sender: Current, control: list[Cmsg]) -> Any:
        """(pid, uid, gid) of SCM_CREDENTIALS, as ``reader`` reads them."""
        other, sock = bench.sock(2, current=reader), bench.sock(1, current=sender)
        other.setsockopt(reader, 1, 16, b"\1\0\0\0")
        sock.sendmsg(sender, b"x", addr=bench.address(2), control=control)
        (cmsg,) = other.recvmsg(10, 0, reader).control
        return struct.unpack("=iII", cmsg.data)

    def inside(self, bench: Bench, *, pid: int, uids: dict[int, int]) -> Current:
        """A process in a pid and a user namespace of its own; ``uids`` are also its gids."""
        machine = bench.machine
        user_ns = UserNamespace(machine.init_user_ns, uids=uids, gids=uids)
        cred = Cred.for_ids(machine.init_user_ns, 0, 0).in_new_user_ns(user_ns)
        pid_ns = PidNamespace(machine.init_pid_ns, user_ns=user_ns)
        return Current.of(machine.tasks.fork(pid=pid, cred=cred, pid_ns=pid_ns))

    def test_the_pid_is_as_the_sender_s_namespace_numbers_it(self, bench: Bench) -> None:
        pid_ns = PidNamespace(bench.machine.init_pid_ns)
        task = bench.machine.tasks.fork(pid=6001, pid_ns=pid_ns)
        sender, reader = Current.of(task), bench.current
        assert self.received(bench, reader, sender, []) == (1, 0, 0)

    def test_a_pid_is_not_translated_for_its_reader(self, bench: Bench) -> None:
        reader = self.inside(bench, pid=6001, uids={0: 0})
        assert self.received(bench, reader, bench.current, []) == (4242, 0, 0)

    @pytest.mark.parametrize(
        ("uids", "seen"),
        [
            ({0: 0}, (777, 65534, 65534)),
            ({5: 10, 6: 11}, (777, 10, 11)),
            ({}, (777, 65534, 65534)),
        ],
    )
    def test_user_ids_are_as_the_reader_s_namespace_numbers_them(
        self, bench: Bench, nobody: Current, uids: dict[int, int], seen: tuple[int, int, int]
    ) -> None:
        reader = self.inside(bench, pid=6001, uids=uids)
        assert self.received(bench, reader, bench.current, self.creds(777, 5, 6)) == seen

    @pytest.mark.parametrize(
        ("creds", "errno"),
        [((1, 0, 0), 0), ((1, 5, 0), EINVAL), ((1, 0, 65534), EINVAL), ((99, 0, 0), 3)],
    )
    def test_one_gives_ids_that_one_s_namespaces_have(
        self, bench: Bench, creds: tuple[int, int, int], errno: int
    ) -> None:
        sender = self.inside(bench, pid=6001, uids={0: 0})
        sock = bench.sock(current=sender)
        with fails(errno) if errno else nullcontext():
            sock.sendmsg(sender, bytes(16), control=self.creds(*creds))

    def test_another_s_pid_is_for_who_has_the_pid_namespace(
        self, bench: Bench, nobody: Current
    ) -> None:
        machine = bench.machine
        below = UserNamespace(machine.init_user_ns, uids={0: 0}, gids={0: 0})
        cred = Cred.for_ids(machine.init_user_ns, 0, 0).in_new_user_ns(below)
        sender = Current.of(machine.tasks.fork(pid=6001, cred=cred))
        sock = bench.sock(current=sender)
        sock.sendmsg(sender, bytes(16), control=self.creds(6001))
        with fails(EPERM):
            sock.sendmsg(sender, bytes(16), control=self.creds(777))


class TestFilter:
    @pytest.mark.parametrize("arch", ["x86_64", "s390x"])
    def test_filters_find_attributes_in_the_hosts_order(self, arch: str) -> None:
        """A = 20; X = CTRL_ATTR_FAMILY_NAME; A = where such an attribute is; return A."""
        bench = make_bench(profile_for("6.18", arch=arch))
        sock = bench.sock(7)
        sock.attach_filter(
            [(0, 0, 0, 20), (1, 0, 0, 2), (0x20, 0, 0, 0xFFFFF00C), (0x16, 0, 0, 0)]
        )
        nlctrl = struct.pack(bench.kernel.profile.arch.order.char + "H", 16)
        assert [len(each) for each in bench.ask(sock, bench.request(16, 3, [(1, nlctrl)]))] == [20]

    def test_cut_drop_and_detach(self, bench: Bench) -> None:
        sock = bench.sock(1)
        sock.attach_filter([(6, 0, 0, 24)])
        assert [len(datagram) for datagram in bench.ask(sock, NLCTRL)] == [24]
        sock.attach_filter([(6, 0, 0, 0)])
        assert bench.ask(sock, NLCTRL) == []
        assert sock.drops == 0
        sock.detach_filter()
        assert len(bench.ask(sock, NLCTRL)) == 1
        with fails(ENOENT):
            sock.detach_filter()

    def test_locked(self, bench: Bench) -> None:
        sock = bench.sock(1)
        sock.setsockopt(bench.current, 1, 44, b"\1\0\0\0")
        with fails(EPERM):
            sock.attach_filter([(6, 0, 0, 0)])
        with fails(EPERM):
            sock.setsockopt(bench.current, 1, 44, bytes(4))


def test_calls_that_netlink_has_not(bench: Bench) -> None:
    sock = bench.sock(1)
    with fails(EOPNOTSUPP):
        sock.not_supported()
    with fails(ENOTTY):
        sock.ioctl(0x541B)
