"""What a datagram says, in words."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from netlink_emu.cassettes import Answer, Cassette, Head, RecordedFamily, Request, Stream
from netlink_emu.cassettes import read_cassette as read
from netlink_emu.cassettes import write_cassette as write
from netlink_emu.cassettes.text import Texts, order_of, texted
from netlink_emu.protocol.format import BIG, LITTLE

ROUTE, NETFILTER, UEVENT, GENERIC = 0, 12, 15, 16


def nlmsg(kind: int, flags: int, body: bytes = b"", order: str = "<") -> bytes:
    return struct.pack(f"{order}IHHII", 16 + len(body), kind, flags, 7, 9) + body


def test_a_request_for_links() -> None:
    mtu = struct.pack("<HHI", 8, 4, 1500)
    said = Texts(LITTLE).of(ROUTE, nlmsg(18, 0x301, bytes(16) + mtu))
    assert said == (
        "RTM_GETLINK REQUEST|DUMP\n"
        "  header 00000000 00000000 00000000 00000000\n"
        "  IFLA_MTU 1500\n"
    )  # fmt: skip


def test_an_error_names_what_it_is_about() -> None:
    """By the type of its own protocol: 16 is nlctrl in generic netlink alone."""
    quoted = nlmsg(16, 5, bytes(16))
    text = b"\x0c\0\1\0no such\0"
    said = Texts(LITTLE).of(ROUTE, nlmsg(2, 0x200, struct.pack("<i", -19) + quoted + text))
    assert said == (
        'NLMSG_ERROR ENODEV ACK_TLVS\n  about RTM_NEWLINK\n  NLMSGERR_ATTR_MSG "no such"\n'
    )


def test_a_generic_family_has_its_name() -> None:
    texts = Texts(LITTLE, {"nl80211": RecordedFamily(34)})
    assert texts.title(GENERIC, nlmsg(34, 1, b"\5\0\0\0")) == "nl80211 command 5 REQUEST"
    assert texts.title(GENERIC, nlmsg(35, 1, b"\5\0\0\0")) == "35 command 5 REQUEST"


def test_what_is_no_message() -> None:
    texts = Texts(LITTLE)
    assert texts.of(UEVENT, b"add@/x") == "6 bytes: 61646440 2f78\n"
    assert texts.of(UEVENT, b"add@/x\0ACTION=add\0") == "add@/x\nACTION=add\n"
    assert texts.of(ROUTE, b"") == "nothing\n"


def test_two_recordings_of_one_exchange_read_the_same() -> None:
    one, other = nlmsg(18, 0x301, bytes(16)), bytearray(nlmsg(18, 0x301, bytes(16)))
    other[8:16] = b"other..."
    assert Texts(LITTLE).of(ROUTE, one) == Texts(LITTLE).of(ROUTE, bytes(other))


def test_the_byte_order_is_that_of_the_machine() -> None:
    cassette = Cassette(Head(arch="s390x"), (Stream(ROUTE, 3, events=(
        Request(nlmsg(18, 0x301, bytes(16), ">")),)),))  # fmt: skip
    assert order_of(cassette) is BIG
    assert order_of(Cassette(Head(arch="pdp11"))) is LITTLE
    [event] = texted(cassette).streams[0].events
    assert isinstance(event, Request)
    assert event.text.startswith("RTM_GETLINK REQUEST|DUMP\n")


@given(st.sampled_from([ROUTE, 4, NETFILTER, UEVENT, GENERIC]), st.binary(max_size=200))
def test_any_bytes_have_a_text_that_a_file_can_hold(protocol: int, data: bytes) -> None:
    headed = data if len(data) < 16 else len(data).to_bytes(4, "little") + data[4:]
    found = texted(Cassette(streams=(Stream(protocol, 3, events=(Answer(headed),)),)))
    assert read(write(found), "x") == found
