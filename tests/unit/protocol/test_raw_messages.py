"""Messages of rtnetlink and its like, for those who read them."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from netlink_emu.protocol.format import LITTLE
from netlink_emu.protocol.reading.decode import Decoder
from netlink_emu.protocol.reading.raw_messages import NAMES, raw_messages

ROUTE = 0


def nlmsg(kind: int, flags: int, body: bytes = b"") -> bytes:
    return struct.pack("<IHHII", 16 + len(body), kind, flags, 7, 9) + body


def test_messages_have_their_type_header_and_attributes() -> None:
    mtu = struct.pack("<HHI", 8, 4, 1500)
    data = nlmsg(16, 2, bytes(range(16)) + mtu) + nlmsg(3, 2, bytes(4))
    link, done = raw_messages(Decoder(LITTLE), ROUTE, data)
    assert (link.family, link.cmd, link.cmd_number) == ("route", "RTM_NEWLINK", 16)
    assert link.rest == bytes(range(16))
    assert [(attr.type, attr.payload, attr.offset) for attr in link.attrs] == [
        (4, mtu[4:], 32)
    ]  # fmt: skip
    assert (done.type_name, done.offset) == ("NLMSG_DONE", 40)


def test_an_error_quotes_a_request_of_its_own_protocol() -> None:
    quoted = nlmsg(16, 5, bytes(16))
    [error] = raw_messages(Decoder(LITTLE), ROUTE, nlmsg(2, 0, struct.pack("<i", -19) + quoted))
    assert error.errno_name == "ENODEV"
    assert error.about is not None
    assert (error.about.family, error.about.cmd) == ("route", "RTM_NEWLINK")


def test_nothing_is_known_of_other_protocols() -> None:
    assert raw_messages(Decoder(LITTLE), 2, nlmsg(16, 0)) == []


@given(st.sampled_from([*NAMES]), st.binary(max_size=200))
def test_any_bytes(protocol: int, data: bytes) -> None:
    headed = data if len(data) < 16 else len(data).to_bytes(4, "little") + data[4:]
    for message in raw_messages(Decoder(LITTLE), protocol, headed):
        assert message.data == headed[message.offset :][: message.header.nlmsg_len]
