"""Decoding messages for people: names are right, junk is kept, nothing fails."""

from __future__ import annotations

import struct

import pytest
from helpers.kernel import Bench, make_bench
from hypothesis import given
from hypothesis import strategies as st

from netlink_emu.kernel.profile import ARCHS, Profile
from netlink_emu.protocol.decode import Attribute, Decoder, Message, walk
from netlink_emu.protocol.format import BIG, LITTLE
from netlink_emu.protocol.netlink import nlmsg_align
from netlink_emu.protocol.render import message_json, message_lines

TASKSTATS = {0x1F: "TASKSTATS"}


def lines(data: bytes) -> list[str]:
    return [line for message in Decoder().datagram(data) for line in message_lines(message)]


@pytest.fixture
def bench() -> Bench:
    return make_bench()


class TestNames:
    def test_a_request_and_its_answer(self, bench: Bench) -> None:
        request = bench.request(16, 3, [(2, b"TASKSTATS\0")], seq=7)
        assert lines(request) == [
            "nlctrl CTRL_CMD_GETFAMILY REQUEST seq 7 pid 0",
            '  CTRL_ATTR_FAMILY_NAME "TASKSTATS"',
        ]
        (reply,) = bench.ask(bench.sock(5), request)
        text = lines(reply)
        assert text[:3] == [
            "nlctrl CTRL_CMD_NEWFAMILY seq 7 pid 5",
            '  CTRL_ATTR_FAMILY_NAME "TASKSTATS"',
            "  CTRL_ATTR_FAMILY_ID 31",
        ]
        flags = "GENL_ADMIN_PERM|GENL_CMD_CAP_DO|GENL_CMD_CAP_HASPOL (0xb)"
        assert f"      CTRL_ATTR_OP_FLAGS {flags}" in text

    def test_a_family_is_known_by_name_once_its_id_was_told(self, bench: Bench) -> None:
        decoder = Decoder()
        request = bench.get(1, 4242)
        assert decoder.datagram(request)[0].family == ""
        (reply,) = bench.ask(bench.sock(5), bench.request(16, 3, [(2, b"TASKSTATS\0")]))
        decoder.datagram(reply)
        assert decoder.datagram(request)[0].cmd == "TASKSTATS_CMD_GET"

    def test_statistics_by_member(self, bench: Bench) -> None:
        (reply,) = bench.ask(bench.sock(5), bench.get(1, 4242))
        (message,) = Decoder(ids=TASKSTATS).datagram(reply)
        stats = message.find("TASKSTATS_TYPE_STATS")
        assert stats is not None
        assert (stats.value["version"], stats.value["ac_comm"]) == (16, "client")
        pid = message.find("TASKSTATS_TYPE_PID")
        assert pid is not None
        assert pid.value == 4242

    @pytest.mark.parametrize(
        ("flags", "kind", "names"),
        [
            (0x301, 0x1F, ("REQUEST", "DUMP")),
            (0x101, 0x1F, ("REQUEST", "ROOT")),
            (0x100, 2, ("CAPPED",)),
            (0x300, 3, ("CAPPED", "ACK_TLVS")),
            (0x12, 0x1F, ("MULTI", "DUMP_INTR")),
            (0x8001, 0x1F, ("REQUEST", "0x8000")),
        ],
    )
    def test_flags_mean_what_the_message_makes_of_them(
        self, flags: int, kind: int, names: tuple[str, ...]
    ) -> None:
        data = struct.pack("<IHHII", 20, kind, flags, 1, 0) + bytes(4)
        assert Decoder().datagram(data)[0].flags == names

    def test_an_error_with_its_extended_ack(self, bench: Bench) -> None:
        sock = bench.sock(5)
        sock.setsockopt(bench.current, 270, 11, b"\1\0\0\0")
        (error,) = bench.ask(sock, bench.request(0x1F, 1, [(1, b"\1\0")], seq=9))
        (message,) = Decoder(ids=TASKSTATS).datagram(error)
        assert (message.errno_name, message.flags) == ("ERANGE", ("ACK_TLVS",))
        assert message.about is not None
        assert message.about.cmd == "TASKSTATS_CMD_GET"
        texts = {attr.name: attr.value for attr in message.attrs}
        assert texts["NLMSGERR_ATTR_MSG"] == "Attribute failed policy validation"
        assert texts["NLMSGERR_ATTR_OFFS"] == 20

    def test_a_dump_in_one_datagram(self, bench: Bench) -> None:
        datagrams = bench.ask(bench.sock(5), bench.request(16, 10, [(1, b"\x1f\0")], flags=0x300))
        text = [line for data in datagrams for line in lines(data)]
        assert "  CTRL_ATTR_OP_POLICY/1/CTRL_ATTR_POLICY_DO 0" in text
        assert "    NL_POLICY_TYPE_ATTR_TYPE NL_ATTR_TYPE_U32 (4)" in text
        assert text[-1] == "NLMSG_DONE 0 MULTI seq 1 pid 5"

    @pytest.mark.parametrize("release", ["i386", "s390x"])
    def test_other_hosts(self, release: str) -> None:
        arch = ARCHS[release]
        bench = make_bench(Profile(arch=arch, taskstats_version=3))
        sock = bench.sock(5)
        sock.sendmsg(bench.current, bench.get(1, 4242))
        (reply,) = bench.drain(sock)
        (message,) = Decoder(order=arch.order, ids=TASKSTATS).datagram(reply)
        stats = message.find("TASKSTATS_TYPE_STATS")
        assert stats is not None
        assert (stats.value["version"], stats.value["ac_pid"]) == (3, 4242)


class TestJunk:
    def test_bytes_behind_the_last_message_are_kept(self, bench: Bench) -> None:
        messages = Decoder().datagram(bench.request(16, 3) + b"\1\2\3")
        assert [message.rest for message in messages] == [b"", b"\1\2\3"]
        assert list(message_lines(messages[1])) == ["no message: 010203"]

    def test_a_truncated_struct_is_bytes(self, bench: Bench) -> None:
        (reply,) = bench.ask(bench.sock(5), bench.get(1, 4242))
        data = bytearray(reply)
        data[28 + 4 : 28 + 6] = (100).to_bytes(2, "little")  # STATS' nla_len
        (message,) = Decoder(ids=TASKSTATS).datagram(bytes(data))
        stats = message.find("TASKSTATS_TYPE_STATS")
        assert stats is None or isinstance(stats.value, bytes)

    @given(st.binary(max_size=200), st.sampled_from([LITTLE, BIG]))
    def test_any_bytes_are_rendered(self, data: bytes, order: object) -> None:
        decoder = Decoder(order=LITTLE if order is LITTLE else BIG, ids=TASKSTATS)
        for message in decoder.datagram(data):
            assert all(isinstance(line, str) for line in message_lines(message))
            assert message_json(message)["nlmsg_type"] == message.header.nlmsg_type

    @given(st.binary(max_size=120), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
    def test_no_byte_of_a_message_is_lost(self, body: bytes, kind: int, flags: int) -> None:
        data = struct.pack("<IHHII", 16 + len(body), kind, flags, 1, 2) + body
        messages = Decoder(ids=TASKSTATS).datagram(data)
        assert messages[0].data == data
        if messages[0].error is None and messages[0].cmd_number is not None:
            assert 20 + attributes_size(messages[0]) + len(messages[0].rest) >= len(data)


def attributes_size(message: Message) -> int:
    return sum(nlmsg_align(4 + len(attr.payload)) for attr in message.attrs)


def test_walk_goes_into_nests() -> None:
    inner = Attribute(1, "inner", b"", 3)
    outer = Attribute(2, "outer", b"", (inner,))
    assert [attr.name for attr in walk([outer, inner])] == ["outer", "inner", "inner"]
