"""Decoding for readers never fails, whatever the bytes; what it shows can be shown."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlink_emu.protocol.attributes import NLA_F_NESTED, NLATTR, NlAttr
from netlink_emu.protocol.format import BIG, LITTLE, ByteOrder
from netlink_emu.protocol.genetlink import GENL_ID_CTRL, GENLMSGHDR, GenlMsgHdr
from netlink_emu.protocol.netlink import (
    NLMSG_DONE,
    NLMSG_ERROR,
    NLMSG_HDRLEN,
    NLMSGERR,
    NLMSGHDR,
    NlMsgErr,
    NlMsgHdr,
)
from netlink_emu.protocol.reading.decode import Decoder, Message, walk
from netlink_emu.protocol.reading.render import message_json, message_lines
from netlink_emu.protocol.taskstats import taskstats_layout

TASKSTATS_ID = 0x1F
ORDERS = st.sampled_from([LITTLE, BIG])


def decode(data: bytes, order: ByteOrder) -> list[Message]:
    return Decoder(order, {TASKSTATS_ID: "TASKSTATS"}).datagram(data)


@st.composite
def attributes(draw: st.DrawFn, order: ByteOrder, depth: int = 0) -> bytes:
    """Attributes, most of them whole, with types that the families know."""
    payloads = [
        st.binary(max_size=9),
        st.just(b"TASKSTATS\0"),
        st.integers(1, 17).map(
            lambda version: taskstats_layout(version).codec(order).encode({"version": version})
        ),
        st.just(bytes(40)),
    ]
    if depth < 3:
        payloads += [attributes(order, depth + 1)] * 2
    data = b""
    for _ in range(draw(st.integers(0, 3))):
        payload = draw(st.one_of(payloads))
        length = 4 + len(payload) + draw(st.sampled_from([0, 0, 0, 0, 0, 1, -3]))
        nla_type = draw(st.integers(0, 11)) | draw(st.sampled_from([0, NLA_F_NESTED]))
        data += NLATTR[order].encode(NlAttr(length, nla_type)) + payload
        data += bytes(-len(data) % 4)
    return data


@st.composite
def messages(draw: st.DrawFn, order: ByteOrder, depth: int = 0) -> bytes:
    """A message that is whole, or nearly."""
    types = [GENL_ID_CTRL, TASKSTATS_ID, NLMSG_ERROR, NLMSG_DONE, 1, 0x77]
    nlmsg_type = draw(st.sampled_from(types))
    if nlmsg_type in (NLMSG_ERROR, NLMSG_DONE):
        body = NLMSGERR[order].encode(NlMsgErr(draw(st.integers(-(1 << 31), 200))))
        if depth < 3 and nlmsg_type == NLMSG_ERROR:
            body += draw(messages(order, depth + 1))
    else:
        header = GenlMsgHdr(draw(st.integers(0, 11)), draw(st.integers(0, 2)), 0)
        body = GENLMSGHDR[order].encode(header)
    body += draw(attributes(order))
    length = NLMSG_HDRLEN + len(body) + draw(st.sampled_from([0, 0, 0, 0, 1, -5]))
    nlmsg_flags = draw(st.integers(0, 0xFFFF))
    header_ = NlMsgHdr(max(length, 0), nlmsg_type, nlmsg_flags, 1, 2)
    return NLMSGHDR[order].encode(header_) + body


@given(data=st.data())
def test_any_datagram(data: st.DataObject) -> None:
    order = data.draw(ORDERS)
    datagram = data.draw(
        st.one_of(
            st.binary(max_size=120),
            st.lists(messages(order), max_size=3).map(b"".join),
        )
    )
    decoded = decode(datagram, order)
    assert decoded
    for message in decoded:
        assert all(isinstance(line, str) for line in message_lines(message))
        assert json.loads(json.dumps(message_json(message))) == message_json(message)
    # Each message is kept as it was; together they are the datagram.
    position = 0
    for message in decoded:
        found = datagram.index(message.data, position)
        assert found - position < 4  # the padding between two
        position = found + len(message.data)
    assert len(datagram) - position < 4


def nested(levels: int, order: ByteOrder) -> bytes:
    data = b""
    for _ in range(levels):
        data = NLATTR[order].encode(NlAttr(len(data) + 4, 1 | NLA_F_NESTED)) + data
    return data


@pytest.mark.parametrize("order", [LITTLE, BIG], ids=lambda order: order.name)
@pytest.mark.parametrize("nlmsg_type", [TASKSTATS_ID, GENL_ID_CTRL, 0x77])
def test_nests_of_a_hostile_depth(nlmsg_type: int, order: ByteOrder) -> None:
    body = GENLMSGHDR[order].encode(GenlMsgHdr(1, 1, 0)) + nested(16_000, order)
    header = NlMsgHdr(NLMSG_HDRLEN + len(body), nlmsg_type, 1, 0, 0)
    (message,) = decode(NLMSGHDR[order].encode(header) + body, order)
    assert 1 <= sum(1 for _ in walk(message.attrs)) < 100
    assert list(message_lines(message))
    assert json.dumps(message_json(message))


def test_a_few_nests_are_shown() -> None:
    body = GENLMSGHDR[LITTLE].encode(GenlMsgHdr(1, 1, 0)) + nested(10, LITTLE)
    header = NlMsgHdr(NLMSG_HDRLEN + len(body), 0x77, 1, 0, 0)
    (message,) = decode(NLMSGHDR[LITTLE].encode(header) + body, LITTLE)
    assert sum(1 for _ in walk(message.attrs)) == 10


def test_errors_that_quote_errors() -> None:
    data = b""
    for _ in range(3000):
        quoted = data or bytes(NLMSG_HDRLEN)
        length = NLMSG_HDRLEN + NLMSGERR.size + len(quoted)
        header = NlMsgHdr(length, NLMSG_ERROR, 0, 0, 0)
        data = NLMSGHDR[LITTLE].encode(header) + NLMSGERR[LITTLE].encode(NlMsgErr(-1)) + quoted
    (message,) = decode(data, LITTLE)
    depth = 0
    about: Message | None = message
    while about is not None:
        about, depth = about.about, depth + 1
    assert 3 < depth < 100
    assert json.dumps(message_json(message))
