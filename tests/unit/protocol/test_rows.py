"""Datagrams byte range by byte range: nothing is left out, and each part has its name."""

from __future__ import annotations

import struct

import pytest
from helpers.kernel import make_bench
from hypothesis import given
from hypothesis import strategies as st

from netlink_emu.protocol.format import BIG, LITTLE, ByteOrder
from netlink_emu.protocol.reading.decode import Decoder
from netlink_emu.protocol.reading.describe import NLCTRL, AttrDesc, FamilyDesc, Kind
from netlink_emu.protocol.reading.rows import Row, rows

WIDGET = FamilyDesc(
    "widget",
    {1: "WIDGET_CMD_GET"},
    {
        1: {
            1: AttrDesc("WIDGET_A_SIZE", Kind.U32),
            2: AttrDesc("WIDGET_A_PARTS", Kind.NEST, {3: AttrDesc("WIDGET_A_NAME", Kind.STRING)}),
            4: AttrDesc("WIDGET_A_BLOB", Kind.BINARY),
        }
    },
)
FAMILIES = {desc.name: desc for desc in (NLCTRL, WIDGET)}


def decoder(order: ByteOrder = LITTLE, *, torn: bool = True) -> Decoder:
    return Decoder(order, {40: "widget", 31: "TASKSTATS"}, torn=torn)


def widgets() -> Decoder:
    return Decoder(LITTLE, {40: "widget"}, FAMILIES, torn=True)


def attr(kind: int, payload: bytes) -> bytes:
    return struct.pack("<HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


def message(kind: int, body: bytes, flags: int = 0) -> bytes:
    return struct.pack("<IHHII", 16 + len(body), kind, flags, 7, 9) + body


GET = message(
    40,
    b"\1\1\0\0"
    + attr(1, struct.pack("<I", 5))
    + attr(2 | 0x8000, attr(3, b"bolt\0"))
    + attr(4, bytes(30))
    + attr(9, b"\7"),
)


def _answers() -> bytes:
    """A family as nlctrl shows it, a task's figures, an error that quotes its request."""
    bench = make_bench()
    sock = bench.sock()
    requests = [
        bench.request(16, 3, [(2, b"TASKSTATS\0")]),
        bench.request(31, 1, [(1, struct.pack("<I", 1))]),
        bench.request(31, 1, [(1, struct.pack("<I", 4711))]),
    ]
    return b"".join(answer for request in requests for answer in bench.ask(sock, request))


ANSWERS = _answers()


def covered(found: list[Row], size: int) -> bool:
    at = 0
    for row in found:
        if row.offset != at or row.size <= 0:
            return False
        at += row.size
    return at == size


@given(st.binary(max_size=200), st.sampled_from([LITTLE, BIG]), st.booleans())
def test_every_byte_of_anything_is_in_one_row(data: bytes, order: ByteOrder, torn: bool) -> None:
    assert covered(rows(data, decoder(order, torn=torn)), len(data))


@given(st.data(), st.booleans())
def test_every_byte_of_damaged_messages_is_in_one_row(drawn: st.DataObject, torn: bool) -> None:
    data = bytearray(GET + ANSWERS)
    for _ in range(drawn.draw(st.integers(0, 4))):
        data[drawn.draw(st.integers(0, len(data) - 1))] = drawn.draw(st.integers(0, 255))
    cut = bytes(data[: drawn.draw(st.integers(0, len(data)))])
    assert covered(rows(cut, decoder(torn=torn)), len(cut))


def texts(data: bytes, by: Decoder) -> dict[str, str]:
    return {row.name: row.text for row in rows(data, by)}


def test_a_family_that_is_handed_in_is_named() -> None:
    assert texts(GET, widgets()) == {
        "nlmsg_len": "88", "nlmsg_type": "40 widget", "nlmsg_flags": "0x0000",
        "nlmsg_seq": "7", "nlmsg_pid": "9",
        "cmd": "1 WIDGET_CMD_GET", "version": "1", "reserved": "0",
        "WIDGET_A_SIZE": "type 1, 8 bytes", "WIDGET_A_SIZE/value": "5",
        "WIDGET_A_PARTS": "type 2 nested, 16 bytes",
        "WIDGET_A_PARTS/WIDGET_A_NAME": "type 3, 9 bytes",
        "WIDGET_A_PARTS/WIDGET_A_NAME/text": r"b'bolt\x00'",
        "WIDGET_A_PARTS/WIDGET_A_NAME/padding": "000000",
        "WIDGET_A_BLOB": "type 4, 34 bytes",
        "WIDGET_A_BLOB/payload": "00000000 00000000 00000000 00000000 00000000 ... (30 bytes)",
        "WIDGET_A_BLOB/padding": "0000",
        "[9]": "type 9, 5 bytes", "[9]/value": "7", "[9]/padding": "000000",
    }  # fmt: skip


def test_a_message_of_a_family_that_is_not_known() -> None:
    found = texts(message(41, b"\1\1\0\0" + attr(1, b"abc")), widgets())
    assert (found["nlmsg_type"], found["cmd"], found["[1]/payload"]) == ("41", "1", "616263")


@pytest.mark.parametrize("size", [64, 60, 53, 30])
def test_a_message_cut_short_is_read_as_far_as_it_goes(size: int) -> None:
    found = texts(GET[:size], widgets())
    assert found["WIDGET_A_SIZE/value" if size > 30 else "left over"]
    assert found["cmd"] == "1 WIDGET_CMD_GET"
    whole = texts(GET[:size], Decoder(LITTLE, {40: "widget"}, FAMILIES))
    assert list(whole) == ["left over"]


def test_what_an_error_quotes() -> None:
    error = struct.pack("<i", -22) + GET
    found = texts(message(2, error + attr(1, b"no\0"), flags=0x200), widgets())
    assert found["error"] == "-22 EINVAL"
    assert found["request/cmd"] == "1 WIDGET_CMD_GET"
    assert found["request/WIDGET_A_SIZE/value"] == "5"
    assert found["MSG/text"] == r"b'no\x00'"


def test_several_messages() -> None:
    found = texts(message(3, struct.pack("<i", 0)) + message(1, b"") + b"end", widgets())
    assert found["error"] == "0 (acknowledged)"
    assert found["#1/nlmsg_type"] == "1 NLMSG_NOOP"
    assert found["left over"] == "656e64"
