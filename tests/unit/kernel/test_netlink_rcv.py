"""Acks, errors and what stands beside them. Facts: netlink_ack() of af_netlink.c, every era."""

from __future__ import annotations

import struct
from errno import EINVAL, EPERM
from typing import Any

import pytest
from helpers.kernel import Bench, make_bench

from netlink_emu.kernel.genetlink import GenlFamily, GenlInfo, GenlOp
from netlink_emu.kernel.netlink_rcv import extack_tlvs
from netlink_emu.kernel.profile import Profile
from netlink_emu.protocol.attributes import nla_walk
from netlink_emu.protocol.errors import NetlinkError, NetlinkExtAck
from netlink_emu.protocol.netlink import NLM_F_ACK

CAP_ACK, EXT_ACK = 10, 11


def kinds(tlvs: bytes) -> list[int]:
    return [kind & 0x3FFF for kind, _, _ in nla_walk(tlvs, 0, len(tlvs))]


def told(**said: Any) -> NetlinkExtAck:
    extack = NetlinkExtAck()
    for name, value in said.items():
        setattr(extack, name, value)
    return extack


EVERYTHING = told(msg="no", bad_attr=20, cookie=b"c", policy=bytes(4), miss_type=3, miss_nest=36)


class TestTlvs:
    @pytest.mark.parametrize(
        ("early", "errno", "expected"),
        [
            (True, EINVAL, [1, 3, 2, 4, 5, 6]),
            (False, EINVAL, [1, 2, 3, 4, 5, 6]),
            (True, 0, [1, 3]),
            (False, 0, [1, 3]),
        ],
    )
    def test_all_of_them(self, early: bool, errno: int, expected: list[int]) -> None:
        bench = make_bench(Profile(extack_cookie_before_offs=early))
        sock = bench.sock()
        sock.ext_ack = True
        assert kinds(extack_tlvs(sock, errno, EVERYTHING, 36)) == expected

    def test_none_unless_wanted_and_known(self, bench: Bench) -> None:
        sock = bench.sock()
        assert extack_tlvs(sock, EINVAL, EVERYTHING, 36) == b""
        old = make_bench(Profile(ext_ack=False)).sock()
        old.ext_ack = True
        assert extack_tlvs(old, EINVAL, EVERYTHING, 36) == b""

    def test_nothing_was_said(self, bench: Bench) -> None:
        sock = bench.sock()
        sock.ext_ack = True
        assert extack_tlvs(sock, EINVAL, NetlinkExtAck(), 36) == b""


class TestAcks:
    def answer(self, bench: Bench, *options: int, size: int = 2, flags: int = 0) -> bytes:
        """To a PID attribute of ``size`` bytes, which is wrong unless they are 4."""
        sock = bench.sock(0)
        for option in options:
            sock.setsockopt(bench.current, 270, option, b"\1\0\0\0")
        request = bench.request(0x1F, 1, [(1, bytes(size))], flags=flags)
        # As a client sends it: without the padding behind the last attribute.
        request = struct.pack("<I", 24 + size) + request[4 : 24 + size]
        *_, answer = bench.ask(sock, request)
        return answer

    @pytest.mark.parametrize(
        ("capped", "options", "length", "said", "flags"),
        [
            # nlmsg_len is rounded up since 4.12, the datagram always was
            (True, (), 48, 48, 0),
            (False, (), 48, 46, 0),
            (True, (CAP_ACK,), 36, 36, 0x100),
            (False, (CAP_ACK,), 36, 36, 0),
        ],
    )
    def test_errors(
        self, capped: bool, options: tuple[int, ...], length: int, said: int, flags: int
    ) -> None:
        answer = self.answer(make_bench(Profile(acks_capped=capped)), *options)
        nlmsg_len, _, nlmsg_flags = struct.unpack_from("<IHH", answer)
        assert (len(answer), nlmsg_len, nlmsg_flags) == (length, said, flags)

    def test_before_cap_ack(self) -> None:
        bench = make_bench(Profile(cap_ack=False))
        sock = bench.sock(0)
        sock.cap_ack = True
        (answer,) = bench.ask(sock, bench.request(0x1F, 1))
        assert len(answer) == 36 + 4  # the request, all of it

    def test_the_wish_for_an_ack_is_granted_with_what_was_said(self, bench: Bench) -> None:
        def doit(info: GenlInfo) -> None:
            info.request.extack.msg = "be careful"

        bench.kernel.genl.register_family(GenlFamily("X", 1, (GenlOp(1, doit=doit),)))
        number = bench.kernel.genl.by_name("X")
        assert number is not None
        sock = bench.sock(0)
        sock.setsockopt(bench.current, 270, EXT_ACK, b"\1\0\0\0")
        request = bench.request(number.id, 1, flags=NLM_F_ACK)
        (answer,) = bench.ask(sock, request)
        assert struct.unpack_from("<H", answer, 6) == (0x300,)
        assert kinds(answer[36:]) == [1]
        assert b"be careful\0" in answer
        assert bench.ask(sock, bench.request(number.id, 1)) == []

    def test_what_a_policy_says(self, bench: Bench) -> None:
        answer = self.answer(bench, EXT_ACK)
        assert kinds(answer[48:]) == [1, 2, 4]
        assert struct.unpack_from("<H", answer, 6) == (0x200,)

    def test_an_ack_nobody_can_take(self, bench: Bench) -> None:
        sock = bench.sock(0)
        sock.setsockopt(bench.current, 1, 8, bytes(4))
        for _ in range(10):
            sock.sendmsg(bench.current, bench.request(0x1F, 1, flags=NLM_F_ACK))
        assert sock.sk_err
        assert sock.drops == 10 - len(sock.receive_queue)

    def test_a_connected_client_hears_the_kernel_alone_if_it_is_its_peer(
        self, bench: Bench
    ) -> None:
        sock = bench.sock(0)
        sock.connect(bench.current, bench.address(99))
        assert bench.ask(sock, bench.request(0x1F, 1)) == []


class TestWalk:
    @pytest.mark.parametrize(
        ("data", "answers"),
        [
            (b"", 0),
            (bytes(15), 0),
            (bytes(16), 0),
            (struct.pack("<IHHII", 15, 16, 5, 1, 0), 0),
            (struct.pack("<IHHII", 17, 16, 5, 1, 0), 0),
            (struct.pack("<IHHII", 0xFFFFFFFF, 16, 5, 1, 0), 0),
            (struct.pack("<IHHII", 16, 3, 5, 1, 0) * 3, 3),
            (struct.pack("<IHHII", 16, 0x7000, 4, 1, 0), 1),
            (struct.pack("<IHHII", 17, 3, 5, 1, 0) + bytes(4), 1),
            (struct.pack("<IHHII", 17, 3, 5, 1, 0) + bytes(1), 1),
            (struct.pack("<IHHII", 17, 3, 5, 1, 0) + bytes(1) + bytes(3) + b"\x10" + bytes(15), 1),
        ],
    )
    def test_how_far(self, bench: Bench, data: bytes, answers: int) -> None:
        sock = bench.sock(0)
        if data:
            sock.sendmsg(bench.current, data)
        assert len(bench.drain(sock)) == answers


def test_errors_of_the_injector_are_answers(bench: Bench) -> None:
    class Refuse:
        def send(self, *_: object) -> None:
            return

        def request(self, request: object) -> None:
            raise NetlinkError(EPERM)

        def deliver(self, sk: Any, skb: Any, *, dump: bool) -> bool:
            delivered: bool = sk.admit(skb)
            return delivered

    bench.kernel.injector = Refuse()
    (answer,) = bench.ask(bench.sock(0), bench.request(0x1F, 1))
    assert struct.unpack_from("<i", answer, 16) == (-EPERM,)
