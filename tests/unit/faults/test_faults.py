"""Faults: each does what it says to what it is for, as often as it is told, and is journalled."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from errno import EAGAIN, EIO, ENOBUFS, EPERM
from typing import Any

import pytest
from helpers.kernel import Bench, fails, make_bench
from hypothesis import given
from hypothesis import strategies as st

from netlink_emu.faults import FAULTS, Faults
from netlink_emu.faults.edit import attribute
from netlink_emu.faults.fault import Stage
from netlink_emu.journal import Journal
from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.protocol.format import LITTLE
from netlink_emu.protocol.netlink import nlmsg_walk
from netlink_emu.protocol.reading.decode import Decoder

ALL: dict[str, Any] = {"count": None}


def policy_dump(bench: Bench, sock: NetlinkSock) -> list[bytes]:
    return bench.ask(sock, bench.request(16, 10, [(1, b"\x1f\0")], flags=0x300))


def headers(datagrams: list[bytes]) -> Iterator[tuple[int, int, int, int]]:
    for data in datagrams:
        for _, header in nlmsg_walk(data):
            yield header.nlmsg_type, header.nlmsg_flags, header.nlmsg_seq, header.nlmsg_pid


class TestArrival:
    def test_drop(self, bench: Bench, faults: Faults, sock: NetlinkSock) -> None:
        faults.drop(cmd="TASKSTATS_CMD_GET", kind="reply")
        (ack,) = bench.ask(sock, bench.get(1, 4242, flags=4))
        assert len(ack) == 36
        assert len(bench.ask(sock, bench.get(1, 4242, flags=4))) == 2
        assert (sock.sk_err, sock.drops) == (0, 0)

    def test_delay_is_by_the_machines_clock(
        self, bench: Bench, faults: Faults, sock: NetlinkSock
    ) -> None:
        faults.delay(1.5, cmd="TASKSTATS_CMD_NEW")
        assert bench.ask(sock, bench.get(1, 4242)) == []
        assert faults.next_ns == bench.clock.monotonic_ns() + 1_500_000_000
        bench.clock.advance(1.4)
        assert faults.run_due() == 0
        bench.clock.advance(0.1)
        assert faults.run_due() == 1
        (reply,) = bench.drain(sock)
        assert len(reply) == 596
        assert faults.next_ns is None

    def test_what_is_late_for_a_closed_socket_is_lost(
        self, bench: Bench, faults: Faults, sock: NetlinkSock
    ) -> None:
        faults.delay(1, cmd="TASKSTATS_CMD_NEW")
        bench.ask(sock, bench.get(1, 4242))
        sock.release()
        bench.clock.advance(2)
        faults.run_due()
        assert not sock.receive_queue

    def test_release_does_not_wait(self, bench: Bench, faults: Faults, sock: NetlinkSock) -> None:
        faults.delay(1000, **ALL)
        bench.ask(sock, bench.get(1, 4242, flags=4))
        assert faults.release() == 2
        assert [len(data) for data in bench.drain(sock)] == [596, 36]

    def test_duplicate(self, bench: Bench, faults: Faults, sock: NetlinkSock) -> None:
        faults.duplicate(2, kind="reply")
        first, *others = bench.ask(sock, bench.get(1, 4242))
        assert others == [first, first]

    def test_each_copy_that_finds_no_room_is_counted(
        self, bench: Bench, journal: Journal, faults: Faults, sock: NetlinkSock
    ) -> None:
        faults.duplicate(2, kind="reply", count=None)
        for _ in range(100):  # to a full buffer, and beyond
            sock.sendmsg(bench.current, bench.get(1, 4242))
        assert sock.drops == len(journal.drops()) > 100

    def test_reorder_puts_it_behind_the_next(
        self, bench: Bench, faults: Faults, sock: NetlinkSock
    ) -> None:
        faults.reorder(kind="reply")
        assert [len(data) for data in bench.ask(sock, bench.get(1, 4242, flags=4))] == [36, 596]

    def test_reorder_of_another_socket_does_not_count(
        self, bench: Bench, faults: Faults, sock: NetlinkSock
    ) -> None:
        faults.reorder(kind="reply")
        assert bench.ask(sock, bench.get(1, 4242)) == []
        assert len(bench.ask(bench.sock(8), bench.get(1, 4242))) == 1
        assert bench.drain(sock) == []
        faults.clear()
        assert len(bench.drain(sock)) == 1

    def test_enobufs(self, bench: Bench, faults: Faults, sock: NetlinkSock) -> None:
        bench.register(sock, "0")
        faults.enobufs(kind="event")
        tasks = bench.machine.tasks
        tasks.do_group_exit(tasks.fork(), 0)
        with fails(ENOBUFS):
            sock.recvmsg(4096)
        with fails(EAGAIN):
            sock.recvmsg(4096)
        tasks.do_group_exit(tasks.fork(), 0)
        assert len(bench.drain(sock)) == 1
        assert sock.drops == 1

    def test_enobufs_of_a_dump(self, bench: Bench, faults: Faults, sock: NetlinkSock) -> None:
        faults.enobufs(kind="dump")
        bench.ask(sock, bench.request(16, 10, [(1, b"\x1f\0")], flags=0x300))
        assert sock.sk_err == ENOBUFS

    def test_enobufs_between_clients_is_the_senders_eagain(
        self, bench: Bench, faults: Faults, sock: NetlinkSock
    ) -> None:
        faults.enobufs(kind="message")
        bench.sock(8)
        with fails(EAGAIN):
            sock.sendmsg(bench.current, b"hello", addr=bench.address(8))

    def test_enobufs_now(self, bench: Bench, faults: Faults, sock: NetlinkSock) -> None:
        other = bench.sock(8)
        assert faults.enobufs_now(portid=7) == 1
        assert (sock.sk_err, other.sk_err) == (ENOBUFS, 0)
        assert faults.enobufs_now(comm="client", pid=4242) == 2


class TestBytes:
    def test_truncate(self, bench: Bench, faults: Faults, sock: NetlinkSock) -> None:
        faults.truncate(20)
        (reply,) = bench.ask(sock, bench.get(1, 4242))
        assert len(reply) == 20
        faults.truncate(-4)
        (reply,) = bench.ask(sock, bench.get(1, 4242))
        assert len(reply) == 592
        assert reply[:4] == (596).to_bytes(4, "little")

    def test_corrupt_is_seeded(self, bench: Bench, journal: Journal, sock: NetlinkSock) -> None:
        replies = []
        for _ in range(2):
            faults = Faults(bench.kernel, journal, seed=3)
            faults.corrupt(2, kind="reply")
            replies += bench.ask(sock, bench.get(1, 4242))
        (clean,) = bench.ask(sock, bench.get(1, 4242))
        assert replies[0] == replies[1]
        assert 1 <= sum(a != b for a, b in zip(replies[0], clean, strict=True)) <= 2

    def test_wrong_seq_and_portid(self, bench: Bench, faults: Faults, sock: NetlinkSock) -> None:
        faults.wrong_seq()
        faults.wrong_portid(to=99)
        assert list(headers(bench.ask(sock, bench.get(1, 4242, seq=5)))) == [(31, 0, 6, 99)]
        faults.wrong_seq(seq=1000)
        faults.wrong_portid(by=-1)
        assert list(headers(bench.ask(sock, bench.get(1, 4242, seq=5)))) == [(31, 0, 1000, 6)]

    def test_every_message_of_a_dump_has_the_wrong_seq(
        self, bench: Bench, faults: Faults, sock: NetlinkSock
    ) -> None:
        faults.wrong_seq(cmd="CTRL_CMD_GETPOLICY", **ALL)
        assert {seq for _, _, seq, _ in headers(policy_dump(bench, sock))} == {2}

    def test_missing_done(self, bench: Bench, faults: Faults, sock: NetlinkSock) -> None:
        faults.missing_done()
        assert [kind for kind, *_ in headers(policy_dump(bench, sock))] == [16] * 7
        assert [kind for kind, *_ in headers(policy_dump(bench, sock))] == [16] * 7 + [3]

    def test_late_done_comes_alone(self, bench: Bench, faults: Faults, sock: NetlinkSock) -> None:
        faults.late_done(2)
        assert len(list(headers(policy_dump(bench, sock)))) == 7
        bench.clock.advance(2)
        faults.run_due()
        (done,) = bench.drain(sock)
        assert list(headers([done])) == [(3, 2, 1, 7)]

    def test_dump_intr_is_in_the_last_message(
        self, bench: Bench, faults: Faults, sock: NetlinkSock
    ) -> None:
        faults.dump_intr()
        flags = [flags for _, flags, _, _ in headers(policy_dump(bench, sock))]
        assert flags == [2] * 6 + [0x12, 2]

    def test_unaligned(self, bench: Bench, faults: Faults, sock: NetlinkSock) -> None:
        (clean,) = bench.ask(sock, bench.get(1, 4242))
        faults.unaligned(3)
        (reply,) = bench.ask(sock, bench.get(1, 4242))
        assert reply == (599).to_bytes(4, "little") + clean[4:] + bytes(3)

    @pytest.mark.parametrize(("name", "by", "size"), [("short", 8, 552), ("long", 128, 688)])
    def test_structs_of_other_sizes(
        self, bench: Bench, faults: Faults, sock: NetlinkSock, name: str, by: int, size: int
    ) -> None:
        faults.add(FAULTS[f"{name}-struct"](by))  # type: ignore[call-arg]
        (reply,) = bench.ask(sock, bench.get(1, 4242))
        assert len(reply) == 596 - 560 + size
        lengths = struct.unpack_from("<IxxxxxxxxxxxxxxxxHxxHxxxxxxH", reply)
        assert lengths == (len(reply), size + 16, 8, size + 4)

    def test_an_unknown_attribute_first(
        self, bench: Bench, faults: Faults, sock: NetlinkSock
    ) -> None:
        (clean,) = bench.ask(sock, bench.get(1, 4242))
        faults.unknown_attribute(type=77, length=2)
        (reply,) = bench.ask(sock, bench.get(1, 4242))
        assert reply[20:28] == b"\x06\0\x4d\0\xa5\xa5\0\0"
        assert reply[28:] == clean[20:]
        assert reply[:4] == (604).to_bytes(4, "little")

    @given(name=st.sampled_from(sorted(FAULTS.keys() - {"enobufs"})), data=st.binary(max_size=100))
    def test_no_fault_stumbles_over_junk(self, name: str, data: bytes) -> None:
        bench = make_bench()
        faults = Faults(bench.kernel, Journal(bench.kernel))
        if FAULTS[name].stage is Stage.DELIVERY:
            faults.add(FAULTS[name](), kind="message")
        other, sock = bench.sock(8), bench.sock(7)
        sock.sendmsg(bench.current, data or b"\0", addr=bench.address(8))
        bench.drain(other)


class TestFailure:
    def test_errno_is_the_kernels_own_error(
        self, bench: Bench, faults: Faults, sock: NetlinkSock
    ) -> None:
        sock.setsockopt(bench.current, 270, 11, b"\1\0\0\0")
        faults.errno("EIO", "on demand", cmd="TASKSTATS_CMD_GET")
        (error,) = bench.ask(sock, bench.get(1, 4242, seq=4))
        (message,) = Decoder().datagram(error)
        assert (message.error, message.header.nlmsg_seq) == (-EIO, 4)
        assert [attr.value for attr in message.attrs] == ["on demand"]
        assert len(bench.ask(sock, bench.get(1, 4242))[0]) == 596

    def test_errno_of_one_request_of_a_datagram(
        self, bench: Bench, faults: Faults, sock: NetlinkSock
    ) -> None:
        faults.errno("EPERM", TASKSTATS_CMD_ATTR_PID=1)
        datagrams = bench.ask(sock, bench.get(1, 4242) + bench.get(1, 1))
        kinds = [(m.header.nlmsg_type, m.error) for d in datagrams for m in Decoder().datagram(d)]
        assert kinds == [(31, None), (2, -EPERM)]

    def test_the_operation_does_not_run(
        self, bench: Bench, faults: Faults, sock: NetlinkSock
    ) -> None:
        faults.errno("ENOMEM")
        bench.register(sock, "0")
        assert bench.kernel.taskstats is not None
        assert not bench.kernel.taskstats.listeners[0]

    def test_send_errno(self, bench: Bench, faults: Faults, sock: NetlinkSock) -> None:
        faults.send_errno("ENOBUFS", cmd="TASKSTATS_CMD_GET")
        with fails(ENOBUFS):
            bench.ask(sock, bench.get(1, 4242))
        assert len(bench.ask(sock, bench.get(1, 4242))) == 1


def test_an_attribute_too_long_for_its_length_has_the_low_bits() -> None:
    """As nla_nest_end() of the kernel, which stores an int into an u16."""
    data = attribute(3, bytes(65535), LITTLE)
    assert data[:4] == b"\3\0\3\0"
    assert len(data) == 65540
