"""What is derived from several declarations, or for one purpose, is equal to them."""

from __future__ import annotations

import pytest
from construct import Container
from hypothesis import given
from hypothesis import strategies as st

from netlink_emu.protocol.attributes import NLATTR, NlAttr, nla_scalar
from netlink_emu.protocol.format import BIG, LITTLE, ByteOrder, chain
from netlink_emu.protocol.genetlink import GENL_HEADERS, GENLMSGHDR, GenlMsgHdr
from netlink_emu.protocol.netlink import NLMSGHDR, NlMsgHdr
from netlink_emu.protocol.taskstats import BLANK, NEWEST_VERSION, taskstats_layout

U8, U16, U32 = st.integers(0, 0xFF), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF_FFFF)
ORDERS = st.sampled_from([LITTLE, BIG])
MESSAGES = st.builds(NlMsgHdr, U32, U16, U16, U32, U32)
GENERIC = st.builds(GenlMsgHdr, U8, U8, U16)


@given(order=ORDERS, outer=MESSAGES, inner=GENERIC)
def test_both_headers_at_once_are_one_after_the_other(
    order: ByteOrder, outer: NlMsgHdr, inner: GenlMsgHdr
) -> None:
    data = NLMSGHDR[order].encode(outer) + GENLMSGHDR[order].encode(inner)
    values = (
        outer.nlmsg_len, outer.nlmsg_type, outer.nlmsg_flags, outer.nlmsg_seq, outer.nlmsg_pid,
        inner.cmd, inner.version, inner.reserved,
    )  # fmt: skip
    assert GENL_HEADERS[order.char].pack(*values) == data
    assert GENL_HEADERS[order.char].unpack(data) == values


@given(order=ORDERS, attrs=st.lists(st.builds(NlAttr, U16, U16), max_size=3))
def test_a_chain_is_its_links(order: ByteOrder, attrs: list[NlAttr]) -> None:
    whole = chain(order.char, *[NLATTR[order].construct] * len(attrs))
    values = [value for attr in attrs for value in (attr.nla_len, attr.nla_type)]
    assert whole.pack(*values) == b"".join(NLATTR[order].encode(attr) for attr in attrs)


@pytest.mark.parametrize("size", [1, 2, 4, 8])
@given(order=ORDERS, data=st.data())
def test_a_scalar_is_its_bytes(size: int, order: ByteOrder, data: st.DataObject) -> None:
    value = data.draw(st.integers(0, (1 << 8 * size) - 1))
    expected = value.to_bytes(size, "little" if order is LITTLE else "big")
    assert nla_scalar(size, order).pack(value) == expected


@given(
    order=ORDERS,
    version=st.integers(1, NEWEST_VERSION),
    u64_align=st.sampled_from([4, 8]),
    known=st.dictionaries(st.sampled_from([*BLANK]), st.integers(0, 0xFF)),
)
def test_a_row_is_what_the_declaration_takes_from_a_mapping(
    order: ByteOrder, version: int, u64_align: int, known: dict[str, int]
) -> None:
    values = BLANK | known | {"ac_comm": b"task"}
    layout = taskstats_layout(version, u64_align)
    codec = layout.codec(order)
    by_construct = layout.construct(order).build(
        Container({**values, "ac_comm": b"task".ljust(32, b"\0")})
    )
    assert codec.pack(*codec.row(values)) == by_construct == codec.encode(values)
