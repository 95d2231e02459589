"""Decoding messages for people: names are right, junk is kept, nothing fails."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import pytest
from helpers.kernel import Bench, make_bench
from hypothesis import given
from hypothesis import strategies as st

from netlink_emu.kernel.profile import ARCHS, Profile
from netlink_emu.protocol.family import talk
from netlink_emu.protocol.format import BIG, LITTLE
from netlink_emu.protocol.netlink import NLMSG_ERROR, NlMsgHdr, nlmsg_align
from netlink_emu.protocol.reading.declared import describe
from netlink_emu.protocol.reading.decode import Attribute, Decoder, Message, walk, walk_around
from netlink_emu.protocol.reading.describe import AttrDesc, Kind
from netlink_emu.protocol.reading.render import message_json, message_lines
from netlink_emu.specs import read_spec

TASKSTATS = {0x1F: "TASKSTATS"}
CAPPED = 0x100
ACK_TLVS = 0x200


def lines(data: bytes) -> list[str]:
    return [line for message in Decoder().datagram(data) for line in message_lines(message)]


def attr(kind: int, payload: bytes) -> bytes:
    return struct.pack("<HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


def message(kind: int, body: bytes, flags: int = 0) -> bytes:
    return struct.pack("<IHHII", 16 + len(body), kind, flags, 7, 9) + body


def nested(kind: int, depth: int) -> bytes:
    """An attribute in so many nests."""
    data = attr(kind, b"")
    for _ in range(depth):
        data = attr(kind, data)
    return data


def nests(attrs: Sequence[Attribute]) -> int:
    """In how many nests the innermost attribute of such a row is."""
    (outer,) = attrs
    return 1 + nests(outer.value) if isinstance(outer.value, tuple) and outer.value else 0


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
            (0x20, 0x1F, ("DUMP_FILTERED",)),
            (0x700, 0x1F, ("0x700",)),
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

    def test_only_a_new_family_tells_an_id(self) -> None:
        told = attr(1, b"\x40\0") + attr(2, b"X\0")
        for cmd, ids in ((1, {0x40: "X"}), (2, {}), (3, {})):
            decoder = Decoder()
            decoder.datagram(message(16, struct.pack("<BBxx", cmd, 2) + told))
            assert decoder.ids == ids
        decoder = Decoder(ids={0x1F: "TASKSTATS"})
        decoder.datagram(message(0x1F, struct.pack("<BBxx", 1, 1) + told))
        assert decoder.ids == {0x1F: "TASKSTATS"}

    def test_an_unknown_command_of_a_known_family(self) -> None:
        (found,) = Decoder(ids=TASKSTATS).datagram(message(0x1F, struct.pack("<BBxx", 99, 1)))
        assert (found.cmd, found.cmd_number) == ("", 99)

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


class TestErrors:
    REQUEST = message(0x1F, struct.pack("<BBxx", 1, 1) + attr(1, b"\x2a\0\0\0"))
    TEXT = attr(1, b"Bad\0")

    def test_attributes_behind_a_request_of_which_only_the_header_is_there(self) -> None:
        body = struct.pack("<i", -22) + self.REQUEST[:16] + self.TEXT
        (found,) = Decoder().datagram(message(2, body, CAPPED | ACK_TLVS))
        assert [(a.name, a.value) for a in found.attrs] == [("NLMSGERR_ATTR_MSG", "Bad")]
        assert found.about is not None
        assert found.about.data == self.REQUEST[:16]

    def test_capped_is_capped_though_the_length_would_fit(self) -> None:
        header = struct.pack("<IHHII", 20, 0x1F, 0, 7, 9)
        body = struct.pack("<i", -22) + header + self.TEXT
        (found,) = Decoder().datagram(message(2, body, CAPPED | ACK_TLVS))
        assert [a.value for a in found.attrs] == ["Bad"]

    def test_a_request_that_ends_too_early_leaves_a_rest(self) -> None:
        (found,) = Decoder().datagram(message(2, struct.pack("<i", -22) + self.REQUEST[:-4]))
        assert found.about is not None
        assert (found.about.data, found.rest) == (self.REQUEST[:16], self.REQUEST[16:-4])

    def test_attributes_are_those_that_the_flag_announces(self) -> None:
        body = struct.pack("<i", -22) + self.REQUEST + self.TEXT
        (found,) = Decoder().datagram(message(2, body))
        assert (found.attrs, found.rest) == ((), self.TEXT)

    def test_errors_about_errors_end_somewhere(self) -> None:
        data = message(3, b"")
        for _ in range(40):
            data = message(2, bytes(4) + data)
        found: Message | None = Decoder().datagram(data)[0]
        depth = 0
        while found is not None:
            found, depth = found.about, depth + 1
        assert depth == 18  # that itself, 16 in it, and a header

    def test_the_end_of_a_dump_without_a_status(self) -> None:
        (found,) = Decoder().datagram(message(3, b""))
        assert (found.type_name, found.error, found.rest) == ("NLMSG_DONE", None, b"")


class TestAttributes:
    @pytest.mark.parametrize(
        ("kind", "payload", "value"),
        [
            (Kind.U32, b"\xfe\xff\xff\xff", 0xFFFF_FFFE),
            (Kind.S32, b"\xfe\xff\xff\xff", -2),
            (Kind.U64, b"\xfe" + b"\xff" * 7, 0xFFFF_FFFF_FFFF_FFFE),
            (Kind.S64, b"\xfe" + b"\xff" * 7, -2),
            (Kind.S64, b"\xfe", b"\xfe"),
            (Kind.FLAG, b"", None),
            (Kind.FLAG, b"\1", b"\1"),
            (Kind.PAD, b"", None),
            (Kind.PAD, b"\0", b"\0"),
            (Kind.BINARY, b"", b""),
            (Kind.NEST, b"", ()),
        ],
    )
    def test_values_by_kind(self, kind: Kind, payload: bytes, value: object) -> None:
        (found,) = Decoder().attributes(attr(5, payload), {5: AttrDesc("five", kind)})
        assert (found.name, found.payload, found.value) == ("five", payload, value)

    def test_an_unknown_nest_is_one_only_if_nothing_is_left(self) -> None:
        (whole, broken) = Decoder().attributes(
            attr(0x8001, attr(2, b"")) + attr(0x8001, attr(2, b"") + b"\7"), {}
        )
        assert [inner.type for inner in whole.value] == [2]
        assert broken.value == broken.payload == b"\4\0\2\0\7"

    def test_nests_deeper_than_sixteen_are_bytes(self) -> None:
        described: dict[int, AttrDesc] = {}
        described[1] = AttrDesc("in itself", Kind.NEST, described)
        for depth in (15, 16, 17, 2000):
            most = min(depth, 16)
            assert nests(Decoder().attributes(nested(1, depth), described)) == most
            assert nests(Decoder().attributes(nested(0x8001, depth), {})) == most


class TestJunk:
    def test_a_message_that_is_but_a_header(self) -> None:
        (found,) = Decoder().datagram(message(0x1F, b""))
        assert (found.header.nlmsg_len, found.header.nlmsg_seq, found.rest) == (16, 7, b"")

    def test_the_body_of_a_message_that_is_not_generic_netlink(self) -> None:
        (found,) = Decoder().datagram(message(5, b"body"))
        assert (found.attrs, found.cmd_number, found.rest) == ((), None, b"body")

    def test_what_is_no_message_has_a_header_of_zeros(self) -> None:
        (found,) = Decoder().datagram(b"\1")
        assert found == Message(NlMsgHdr(0, 0, 0, 0, 0), b"\1", rest=b"\1")

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


@pytest.mark.parametrize(
    ("about", "title"),
    [
        ({"family": "lamp", "cmd": "lamp-get", "cmd_number": 1}, "lamp lamp-get"),
        ({"family": "lamp", "cmd_number": 9}, "lamp command 9"),
        ({"error": -3}, "NLMSG_ERROR ESRCH"),
        ({"error": 0}, "NLMSG_ERROR 0"),
        ({}, "NLMSG_ERROR"),
    ],
)
def test_a_title_is_type_command_and_errno(about: dict[str, Any], title: str) -> None:
    assert Message(NlMsgHdr(16, NLMSG_ERROR, 0, 0, 0), b"", **about).title == title


def test_walk_goes_into_nests() -> None:
    inner = Attribute(1, "inner", b"", 3)
    outer = Attribute(2, "outer", b"", (inner,))
    assert [attr.name for attr in walk([outer, inner])] == ["outer", "inner", "inner"]


SUBMESSAGES = """
name: gate
attribute-sets:
  - name: gate
    attributes:
      - {name: kind, type: string}
      - {name: nest, type: nest, nested-attributes: inner}
      - {name: rows, type: indexed-array, sub-type: nest, nested-attributes: inner}
  - name: inner
    attributes:
      - {name: data, type: sub-message, sub-message: data, selector: kind}
      - {name: deeper, type: nest, nested-attributes: inner}
  - {name: speed, attributes: [{name: speed, type: u8}]}
sub-messages: [{name: data, formats: [{value: fast, attribute-set: speed}]}]
operations:
  list:
    - {name: get, attribute-set: gate, do: {request: {attributes: [kind, nest, rows]}}}
"""


def test_a_sub_message_is_read_by_what_is_around_its_nest() -> None:
    declaration = read_spec(SUBMESSAGES, "gate.yaml").declaration
    (op,) = declaration.operations
    values = {
        "nest": {"deeper": {"data": {"speed": 7}}},
        "rows": [{"data": {"speed": 8}}],
        "kind": "fast",
    }
    data = talk.request(
        declaration, op, values, family=40, dump=False, flags=0, seq=1, order=LITTLE
    )
    decoder = Decoder(ids={40: "gate"}, families={"gate": describe(declaration)})
    (found,) = decoder.datagram(data)
    assert [attr.value for attr in walk(found.attrs) if attr.name == "data"] == [
        {"speed": 7},
        {"speed": 8},
    ]
    around = {attr.name: values for attr, values in walk_around(found.attrs)}
    assert [each["kind"] for each in around["data"] if "kind" in each] == ["fast"]
    assert "nest/deeper/data speed=7" in "\n".join(message_lines(found))
    unknown = talk.request(
        declaration, op, {"nest": {"data": b"\1"}, "kind": "slow"},
        family=40, dump=False, flags=0, seq=1, order=LITTLE,
    )  # fmt: skip
    left = decoder.datagram(unknown)[0].find("data")
    assert left is not None
    assert left.value == b"\1"
