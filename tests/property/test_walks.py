"""Any bytes at all: the walks end, nothing but NetlinkError is raised."""

from __future__ import annotations

from errno import EINVAL, ERANGE
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlink_emu.protocol.attributes import NLA_F_NET_BYTEORDER, AttrWriter, nla_walk
from netlink_emu.protocol.errors import NetlinkError, NetlinkExtAck
from netlink_emu.protocol.format import BIG, LITTLE, ByteOrder
from netlink_emu.protocol.netlink import NLMSG_HDRLEN, NLMSGHDR, NlMsgHdr, nlmsg_align, nlmsg_walk
from netlink_emu.protocol.policy import (
    LIBERAL,
    STRICT,
    NlaPolicy,
    NlaType,
    NlValidate,
    Parser,
    ParseRules,
    nla_parse,
    policy_attributes,
)
from netlink_emu.protocol.policy.describe import DESCRIBED

ORDERS = st.sampled_from([LITTLE, BIG])
U16 = st.integers(0, 0xFFFF)


def _word(order: ByteOrder, value: int, size: int) -> bytes:
    return value.to_bytes(size, "little" if order is LITTLE else "big")


@st.composite
def near_messages(draw: st.DrawFn, order: ByteOrder) -> bytes:
    """Bytes that look like messages: lengths are right, or nearly."""
    data = b""
    for _ in range(draw(st.integers(0, 4))):
        payload = draw(st.binary(max_size=12))
        length = NLMSG_HDRLEN + len(payload) + draw(st.sampled_from([0, 0, 0, -1, 1, 99]))
        header = NlMsgHdr(length, draw(U16), draw(U16), 0, 0)
        data += NLMSGHDR[order].encode(header) + payload
        data += bytes(draw(st.sampled_from([-len(payload) % 4, 0, 1])))
    return data


@st.composite
def near_attributes(draw: st.DrawFn, order: ByteOrder) -> bytes:
    """Bytes that look like attributes: lengths are right, or nearly."""
    data = b""
    for _ in range(draw(st.integers(0, 6))):
        payload = draw(st.one_of(st.binary(max_size=9), st.just(b"name\0")))
        length = 4 + len(payload) + draw(st.sampled_from([0, 0, 0, 0, -1, 1, 0x7000]))
        kind = draw(st.integers(0, 5)) | draw(st.sampled_from([0, 0, 0x8000, 0x4000]))
        data += _word(order, max(length, 0), 2) + _word(order, kind, 2) + payload
        data += bytes(draw(st.sampled_from([-len(payload) % 4] * 4 + [0])))
    return data


@given(data=st.data())
def test_messages(data: st.DataObject) -> None:
    order = data.draw(ORDERS)
    datagram = data.draw(st.one_of(st.binary(max_size=100), near_messages(order)))
    expected = 0
    for offset, header in nlmsg_walk(datagram, order):
        assert offset == expected
        assert NLMSG_HDRLEN <= header.nlmsg_len <= len(datagram) - offset
        assert NLMSGHDR[order].decode(datagram, offset) == header
        expected = offset + nlmsg_align(header.nlmsg_len)
    # What is left does not start with a whole message.
    rest = datagram[expected:]
    if len(rest) >= NLMSG_HDRLEN:
        length = NLMSGHDR[order].decode(rest).nlmsg_len
        assert not NLMSG_HDRLEN <= length <= len(rest)


@given(data=st.data())
def test_attributes(data: st.DataObject) -> None:
    order = data.draw(ORDERS)
    payload = data.draw(st.one_of(st.binary(max_size=60), near_attributes(order)))
    start = data.draw(st.integers(0, len(payload)))
    end = data.draw(st.integers(0, len(payload)))
    expected = start + 4
    for nla_type, offset, length in nla_walk(payload, start, end, order):
        assert offset == expected
        assert 0 <= length <= end - offset
        assert payload[offset - 4 : offset] == _word(order, length + 4, 2) + _word(
            order, nla_type, 2
        )
        expected = offset + nlmsg_align(length) + 4


@given(
    attributes=st.lists(st.tuples(U16, st.binary(max_size=20)), max_size=8),
    order=ORDERS,
)
def test_what_is_written_is_walked(attributes: list[tuple[int, bytes]], order: ByteOrder) -> None:
    writer = AttrWriter(order)
    for nla_type, payload in attributes:
        writer.put(nla_type, payload)
    data = bytes(writer.data)
    assert len(data) % 4 == 0
    assert [
        (nla_type, data[offset : offset + length])
        for nla_type, offset, length in nla_walk(data, 0, len(data), order)
    ] == attributes


@given(children=st.lists(st.tuples(U16, st.binary(max_size=8)), max_size=4), order=ORDERS)
def test_a_nest_holds_what_was_put_into_it(
    children: list[tuple[int, bytes]], order: ByteOrder
) -> None:
    writer = AttrWriter(order)
    with writer.nest(7):
        for nla_type, payload in children:
            writer.put(nla_type, payload)
    data = bytes(writer.data)
    ((nla_type, start, length),) = nla_walk(data, 0, len(data), order)
    assert nla_type == 7
    inner = nla_walk(data, start, start + length, order)
    assert [(kind, data[at : at + size]) for kind, at, size in inner] == children


POLICIES = st.dictionaries(
    st.integers(1, 5),
    st.builds(NlaPolicy, st.sampled_from([*NlaType]), st.sampled_from([0, 1, 4, 8])),
)
RULES = st.builds(
    ParseRules,
    attr_type_mask=st.sampled_from([0x3FFF, 0xFFFF]),
    extack_policy_msg=st.booleans(),
    extack_policy=st.booleans(),
    extack_leftover_msg=st.booleans(),
    nul_string=st.booleans(),
)
VALIDATIONS = st.lists(st.sampled_from([*NlValidate])).map(
    lambda parts: NlValidate(sum(part.value for part in set(parts)))
)


@given(data=st.data(), policy=POLICIES, validate=VALIDATIONS, rules=RULES)
def test_a_parse_gives_attributes_or_an_errno(
    data: st.DataObject, policy: dict[int, NlaPolicy], validate: NlValidate, rules: ParseRules
) -> None:
    order = data.draw(ORDERS)
    payload = data.draw(st.one_of(st.binary(max_size=60), near_attributes(order)))
    extack = NetlinkExtAck()
    walked = [*nla_walk(payload, 0, len(payload), order)]
    found: dict[int, bytes] | None = None
    errno = 0
    try:
        found = nla_parse(
            payload, 0, len(payload), policy, maxtype=5, extack=extack,
            validate=validate, order=order, rules=rules,
        )  # fmt: skip
    except NetlinkError as exc:
        errno = exc.errno
    if found is not None:
        # The last one of each known type, unvalidated ones included.
        assert found == {
            kind: payload[offset : offset + length]
            for nla_type, offset, length in walked
            if 0 < (kind := nla_type & rules.attr_type_mask) <= 5
        }
        assert (extack.bad_attr, extack.policy) == (None, None)
        # A message on success can only be that of bytes left over.
        assert extack.msg is None or rules.extack_leftover_msg
    elif extack.bad_attr is None:
        assert errno == EINVAL
        assert NlValidate.NL_VALIDATE_TRAILING in validate
    else:
        assert errno in (EINVAL, ERANGE)
        assert extack.bad_attr in [offset - 4 for _, offset, _ in walked]
        assert extack.policy is None or rules.extack_policy


def _outcome(parser: Parser, data: bytes) -> tuple[object, ...]:
    extack = NetlinkExtAck()
    found: object
    try:
        found = parser.parse(data, 0, len(data), extack)
    except NetlinkError as exc:
        found = exc.errno
    return found, extack.msg, extack.bad_attr, extack.policy


@given(data=st.data(), policy=POLICIES, validate=VALIDATIONS, rules=RULES)
def test_lengths_that_are_good_by_themselves_change_nothing(
    data: st.DataObject, policy: dict[int, NlaPolicy], validate: NlValidate, rules: ParseRules
) -> None:
    order = data.draw(ORDERS)
    payload = data.draw(near_attributes(order))
    parser = Parser(policy, maxtype=5, validate=validate, order=order, rules=rules)
    careful = Parser(policy, maxtype=5, validate=validate, order=order, rules=rules)
    careful._good.clear()
    assert _outcome(parser, payload) == _outcome(careful, payload)


@pytest.mark.parametrize("kind", [*NlaType])
@pytest.mark.parametrize("strict", [LIBERAL, STRICT], ids=["liberal", "strict"])
@pytest.mark.parametrize("limit", [0, 1, 4, 9])
@pytest.mark.parametrize("rules", [ParseRules(), ParseRules(attr_type_mask=0xFFFF)])
def test_each_length_is_judged_as_if_none_were_good_by_itself(
    kind: NlaType, strict: NlValidate, limit: int, rules: ParseRules
) -> None:
    parser = Parser({1: NlaPolicy(kind, limit)}, maxtype=2, validate=strict, rules=rules)
    careful = Parser({1: NlaPolicy(kind, limit)}, maxtype=2, validate=strict, rules=rules)
    careful._good.clear()
    for length, fill, flags in product(range(14), (b"\0", b"a"), (0, 0x4000, 0x8000)):
        padded = fill * length + bytes(-length % 4)
        attribute = _word(LITTLE, 4 + length, 2) + _word(LITTLE, 1 | flags, 2) + padded
        assert _outcome(parser, attribute) == _outcome(careful, attribute), (length, fill, flags)


def outcome(
    attributes: list[tuple[int, bytes]], policy: dict[int, NlaPolicy], validate: NlValidate
) -> tuple[object, ...]:
    """The attributes or the errno, and what the extended ack says."""
    writer = AttrWriter()
    for nla_type, payload in attributes:
        writer.put(nla_type, payload)
    data, extack = bytes(writer.data), NetlinkExtAck()
    result: object
    try:
        result = nla_parse(data, 0, len(data), policy, maxtype=5, extack=extack, validate=validate)
    except NetlinkError as exc:
        result = exc.errno
    return result, extack.msg, extack.bad_attr, extack.policy


@given(
    attributes=st.lists(
        st.tuples(st.integers(0, 6), st.one_of(st.binary(max_size=9), st.just(b"ab\0"))),
        max_size=4,
    ),
    policy=POLICIES,
    validate=VALIDATIONS,
)
def test_net_byteorder_changes_nothing(
    attributes: list[tuple[int, bytes]], policy: dict[int, NlaPolicy], validate: NlValidate
) -> None:
    """Nothing in validate_nla() asks for that flag, and the type is masked."""
    flagged = [(nla_type | NLA_F_NET_BYTEORDER, payload) for nla_type, payload in attributes]
    assert outcome(flagged, policy, validate) == outcome(attributes, policy, validate)


@given(
    attributes=st.lists(st.tuples(st.integers(0, 6), st.binary(max_size=9)), max_size=4),
    policy=POLICIES,
    validate=VALIDATIONS,
)
def test_the_first_offence_decides(
    attributes: list[tuple[int, bytes]], policy: dict[int, NlaPolicy], validate: NlValidate
) -> None:
    whole = outcome(attributes, policy, validate)
    for count in range(len(attributes)):
        part = outcome(attributes[: count + 1], policy, validate)
        if isinstance(part[0], int):
            assert whole == part
            return
    assert whole[0] == {nla_type: payload for nla_type, payload in attributes if 0 < nla_type <= 5}


@given(kind=st.sampled_from([*NlaType]), length=st.integers(0, 0xFFFF), order=ORDERS)
def test_a_policy_is_described_by_whole_attributes(
    kind: NlaType, length: int, order: ByteOrder
) -> None:
    described = policy_attributes(NlaPolicy(kind, length), order)
    if kind not in DESCRIBED:
        assert not described
        return
    attributes = [*nla_walk(described, 0, len(described), order)]
    assert sum(4 + size for _, _, size in attributes) == len(described)
    nla_type, offset, size = attributes[-1]
    assert nla_type == 1
    assert described[offset : offset + size] == _word(order, DESCRIBED[kind], 4)


@pytest.mark.parametrize("order", [LITTLE, BIG], ids=lambda order: order.name)
def test_the_longest_datagrams_are_walked(order: ByteOrder) -> None:
    empty = NLMSGHDR[order].encode(NlMsgHdr(16, 1, 0, 0, 0))
    assert sum(1 for _ in nlmsg_walk(empty * 13_000, order)) == 13_000
    attribute = _word(order, 4, 2) + _word(order, 1, 2)
    assert sum(1 for _ in nla_walk(attribute * 50_000, 0, 200_000, order)) == 50_000
