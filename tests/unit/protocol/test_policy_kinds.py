"""Every kind of policy: what it takes, what it says of what it does not, how it is described.

Texts and order of the checks are those of lib/nlattr.c; that they are is compared with a running
kernel by tests/differential.
"""

from __future__ import annotations

from errno import EINVAL, ENOTTY, ERANGE

import pytest

from netlink_emu.protocol.attributes import NLA_F_NESTED, AttrWriter
from netlink_emu.protocol.errors import NetlinkError, NetlinkExtAck
from netlink_emu.protocol.format import BIG, LITTLE, ByteOrder
from netlink_emu.protocol.policy import (
    LIBERAL,
    REJECT_ALL,
    STRICT,
    NlaPolicy,
    NlaType,
    NlaValidation,
    NlValidate,
    ParseRules,
    PolicyDump,
    nla_parse,
    nla_policy_bitfield32,
    nla_policy_exact_len,
    nla_policy_exact_len_warn,
    nla_policy_mask,
    nla_policy_max,
    nla_policy_min,
    nla_policy_min_len,
    nla_policy_nested,
    nla_policy_nested_array,
    nla_policy_range,
    nla_policy_reject,
    nla_policy_validate_fn,
    policy_attributes,
)

T = NlaType
FAILED = "Attribute failed policy validation"
LENGTH = "invalid attribute length"
INTEGER = "integer out of range"
BINARY = "binary attribute size out of range"
RESERVED = "reserved bit set"


def u32(value: int, order: ByteOrder = LITTLE) -> bytes:
    return value.to_bytes(4, order.name)


def attributes(*parts: tuple[int, bytes], order: ByteOrder = LITTLE) -> bytes:
    writer = AttrWriter(order)
    for nla_type, payload in parts:
        writer.put(nla_type, payload)
    return bytes(writer.data)


def judge(
    rule: NlaPolicy,
    payload: bytes,
    validate: NlValidate = STRICT,
    *,
    flags: int = 0,
    order: ByteOrder = LITTLE,
    start: int = 0,
) -> tuple[int, str | None]:
    """The errno (0: taken) and the message for one attribute of a policy."""
    extack = NetlinkExtAck()
    data = attributes((1 | flags, payload), order=order)
    policy = {0: NlaPolicy(strict_start_type=start), 1: rule}
    try:
        nla_parse(
            data, 0, len(data), policy, maxtype=1, extack=extack, validate=validate, order=order
        )
    except NetlinkError as error:
        return error.errno, extack.msg
    return 0, extack.msg


OK = (0, None)


@pytest.mark.parametrize(
    ("rule", "payload", "expected"),
    [
        pytest.param(nla_policy_range(T.NLA_U8, 2, 4), b"\x02", OK, id="u8 range, least"),
        pytest.param(nla_policy_range(T.NLA_U8, 2, 4), b"\x04", OK, id="u8 range, greatest"),
        pytest.param(
            nla_policy_range(T.NLA_U8, 2, 4), b"\x05", (ERANGE, INTEGER), id="u8 range, above"
        ),
        pytest.param(
            nla_policy_range(T.NLA_U8, 2, 4), b"\x01", (ERANGE, INTEGER), id="u8 range, below"
        ),
        pytest.param(nla_policy_min(T.NLA_U32, 1), u32(0), (ERANGE, INTEGER), id="u32 min"),
        pytest.param(nla_policy_min(T.NLA_U32, 1), u32(0xFFFFFFFF), OK, id="u32 min, greatest"),
        pytest.param(
            nla_policy_max(T.NLA_U64, 9), (10).to_bytes(8, "little"), (ERANGE, INTEGER), id="u64"
        ),
        pytest.param(
            nla_policy_max(T.NLA_MSECS, 9), (10).to_bytes(8, "little"), (ERANGE, INTEGER), id="ms"
        ),
        pytest.param(
            nla_policy_range(T.NLA_U32, 0, 1 << 20, wide=True),
            u32((1 << 20) + 1),
            (ERANGE, INTEGER),
            id="full range",
        ),
        pytest.param(nla_policy_min(T.NLA_S8, -3), b"\xfd", OK, id="s8 min"),
        pytest.param(nla_policy_min(T.NLA_S8, -3), b"\xfc", (ERANGE, INTEGER), id="s8 below"),
        pytest.param(nla_policy_max(T.NLA_S32, -1), u32(0), (ERANGE, INTEGER), id="s32 above"),
        pytest.param(nla_policy_max(T.NLA_S32, -1), u32(0xFFFFFFFF), OK, id="s32 -1"),
        pytest.param(nla_policy_max(T.NLA_BE16, 5), b"\0\x05", OK, id="be16"),
        pytest.param(nla_policy_max(T.NLA_BE16, 5), b"\x05\0", (ERANGE, INTEGER), id="be16 high"),
        pytest.param(nla_policy_max(T.NLA_BE32, 5), b"\0\0\0\x06", (ERANGE, INTEGER), id="be32"),
        pytest.param(nla_policy_mask(T.NLA_U8, 0x0F), b"\x0f", OK, id="mask"),
        pytest.param(nla_policy_mask(T.NLA_U8, 0x0F), b"\x10", (EINVAL, RESERVED), id="reserved"),
        pytest.param(nla_policy_mask(T.NLA_BE16, 1), b"\0\x01", OK, id="be16 mask"),
        pytest.param(nla_policy_mask(T.NLA_UINT, 3), bytes(7) + b"\1", (EINVAL, RESERVED), id="u"),
        pytest.param(NlaPolicy(T.NLA_UINT), u32(7), OK, id="uint of 4"),
        pytest.param(NlaPolicy(T.NLA_UINT), bytes(8), OK, id="uint of 8"),
        pytest.param(NlaPolicy(T.NLA_UINT), bytes(6), (EINVAL, LENGTH), id="uint of 6"),
        pytest.param(NlaPolicy(T.NLA_SINT), b"", (EINVAL, LENGTH), id="sint of 0"),
        pytest.param(nla_policy_min(T.NLA_UINT, 1), u32(0), (ERANGE, INTEGER), id="uint min"),
        pytest.param(nla_policy_min(T.NLA_SINT, -1), b"\xff" * 4, OK, id="sint of 4, -1"),
        pytest.param(
            nla_policy_min(T.NLA_SINT, -1), b"\xfe" + b"\xff" * 7, (ERANGE, INTEGER), id="sint -2"
        ),
        pytest.param(NlaPolicy(T.NLA_U32), bytes(8), (EINVAL, LENGTH), id="long u32"),
        pytest.param(NlaPolicy(T.NLA_U32), bytes(3), (EINVAL, LENGTH), id="short u32"),
        pytest.param(NlaPolicy(T.NLA_MSECS), bytes(9), OK, id="long msecs"),
        pytest.param(NlaPolicy(T.NLA_MSECS), bytes(7), (ERANGE, FAILED), id="short msecs"),
        pytest.param(nla_policy_exact_len(6), bytes(6), OK, id="exact"),
        pytest.param(nla_policy_exact_len(6), bytes(7), (ERANGE, BINARY), id="too long"),
        pytest.param(nla_policy_exact_len(6), bytes(5), (ERANGE, BINARY), id="too short"),
        pytest.param(nla_policy_min_len(4), bytes(3), (ERANGE, BINARY), id="min len"),
        pytest.param(nla_policy_min_len(4), bytes(99), OK, id="beyond min len"),
        pytest.param(nla_policy_exact_len_warn(6), bytes(7), (EINVAL, LENGTH), id="warn, strict"),
        pytest.param(nla_policy_exact_len_warn(6), bytes(5), (ERANGE, BINARY), id="warn, short"),
        pytest.param(nla_policy_bitfield32(3), u32(1) + u32(3), OK, id="bitfield"),
        pytest.param(nla_policy_bitfield32(3), u32(0) + u32(4), (EINVAL, FAILED), id="selector"),
        pytest.param(nla_policy_bitfield32(3), u32(4) + u32(4), (EINVAL, FAILED), id="value"),
        pytest.param(nla_policy_bitfield32(3), u32(1) + u32(2), (EINVAL, FAILED), id="unselected"),
        pytest.param(nla_policy_bitfield32(3), u32(1), (ERANGE, FAILED), id="short bitfield"),
        pytest.param(nla_policy_bitfield32(0), bytes(8), (EINVAL, FAILED), id="no valid bits"),
        pytest.param(nla_policy_reject(), b"", (EINVAL, FAILED), id="reject"),
        pytest.param(nla_policy_reject("not today"), b"", (EINVAL, "not today"), id="why not"),
        pytest.param(NlaPolicy(), b"", (EINVAL, "Unsupported attribute"), id="unspec"),
        pytest.param(NlaPolicy(T.NLA_FLAG), b"\0", (ERANGE, FAILED), id="flag with a payload"),
        pytest.param(NlaPolicy(T.NLA_NESTED), b"", (EINVAL, "NLA_F_NESTED is missing"), id="nest"),
        pytest.param(
            NlaPolicy(T.NLA_NESTED_ARRAY), b"", (EINVAL, "NLA_F_NESTED is missing"), id="array"
        ),
    ],
)
def test_strictly(rule: NlaPolicy, payload: bytes, expected: tuple[int, str | None]) -> None:
    assert judge(rule, payload) == expected


@pytest.mark.parametrize(
    ("rule", "payload", "expected"),
    [
        (NlaPolicy(T.NLA_U32), bytes(8), OK),
        (NlaPolicy(T.NLA_S16), bytes(1), (ERANGE, FAILED)),
        (NlaPolicy(T.NLA_UINT), bytes(6), (EINVAL, LENGTH)),
        (nla_policy_exact_len_warn(6), bytes(7), OK),
        (nla_policy_exact_len(6), bytes(7), (ERANGE, BINARY)),
        (NlaPolicy(), b"", OK),
        (NlaPolicy(T.NLA_NESTED), b"", OK),
        (NlaPolicy(T.NLA_NESTED_ARRAY), b"abc", (ERANGE, FAILED)),
        (NlaPolicy(T.NLA_U32, 2), bytes(2), OK),  # len is then the shortest
        (nla_policy_max(T.NLA_U16, 5), b"\x05\0\xff\xff", OK),  # the first bytes count
    ],
    ids=range(10),
)
def test_liberally(rule: NlaPolicy, payload: bytes, expected: tuple[int, str | None]) -> None:
    assert judge(rule, payload, LIBERAL) == expected


def test_a_family_can_be_strict_from_a_type_on() -> None:
    assert judge(NlaPolicy(T.NLA_U32), bytes(8), LIBERAL, start=1) == (EINVAL, LENGTH)
    assert judge(NlaPolicy(T.NLA_U32), bytes(8), LIBERAL, start=2) == OK


def test_numbers_in_network_order_are_that_on_every_machine() -> None:
    rule = nla_policy_max(T.NLA_BE16, 5)
    assert judge(rule, b"\0\x05", order=BIG) == judge(rule, b"\0\x05") == OK
    assert judge(nla_policy_max(T.NLA_U16, 5), b"\0\x05", order=BIG) == OK


def test_a_function_has_the_last_word() -> None:
    def fussy(payload: bytes) -> None:
        if payload == b"no":
            raise NetlinkError(ENOTTY, "no is no answer")
        if payload == b"hm":
            raise NetlinkError(ENOTTY)

    rule = nla_policy_validate_fn(T.NLA_BINARY, fussy, 2)
    assert judge(rule, b"no") == (ENOTTY, "no is no answer")
    assert judge(rule, b"hm") == (ENOTTY, None)
    assert judge(rule, b"ok") == OK
    assert judge(rule, b"longer") == (ERANGE, FAILED)


# --- nests


INNER = {1: NlaPolicy(T.NLA_U32), 2: nla_policy_range(T.NLA_U8, 1, 9)}


def complain(policy: dict[int, NlaPolicy], data: bytes) -> tuple[int, str | None, int | None]:
    """The errno, the message and the offset that a strict parse gives."""
    extack = NetlinkExtAck()
    with pytest.raises(NetlinkError) as caught:
        nla_parse(data, 0, len(data), policy, maxtype=9, extack=extack, validate=STRICT)
    return caught.value.errno, extack.msg, extack.bad_attr


def test_what_is_wrong_in_a_nest_is_told_of_the_inner_attribute() -> None:
    policy = {3: nla_policy_nested(INNER)}
    inner = attributes((1, u32(7)), (2, b"\x0a"))
    data = attributes((3 | NLA_F_NESTED, inner))
    assert complain(policy, data) == (ERANGE, INTEGER, 12)
    unknown = attributes((3 | NLA_F_NESTED, attributes((4, b""))))
    assert complain(policy, unknown) == (EINVAL, "Unknown attribute type", 4)
    trailing = attributes((3 | NLA_F_NESTED, attributes((1, u32(7))) + b"xx"))
    assert complain(policy, trailing) == (
        EINVAL, "bytes leftover after parsing attributes", None,
    )  # fmt: skip


def test_entries_of_an_array_may_have_any_type() -> None:
    policy = {3: nla_policy_nested_array(INNER)}
    good = attributes((2, b"\x05"))
    entries = attributes((0, good), (4711, good), (1, b""))
    data = attributes((3 | NLA_F_NESTED, entries))
    extack = NetlinkExtAck()
    parsed = nla_parse(data, 0, len(data), policy, maxtype=3, extack=extack, validate=STRICT)
    assert parsed == {3: entries}
    bad = attributes((3 | NLA_F_NESTED, attributes((0, good), (1, attributes((2, b"\0"))))))
    assert complain(policy, bad) == (ERANGE, INTEGER, 20)
    short = attributes((3 | NLA_F_NESTED, attributes((0, b"abc"))))
    assert complain(policy, short) == (ERANGE, "Array element too short", 4)


def recursive() -> dict[int, NlaPolicy]:
    policy: dict[int, NlaPolicy] = {2: NlaPolicy(T.NLA_U32)}
    policy[1] = nla_policy_nested(policy, 2)
    return policy


def nests(depth: int) -> bytes:
    data = attributes((2, u32(1)))
    for _ in range(depth):
        data = attributes((1 | NLA_F_NESTED, data))
    return data


def test_a_policy_may_hold_itself_but_nobody_looks_deeper_than_ten() -> None:
    policy, extack = recursive(), NetlinkExtAck()
    data = nests(9)
    assert nla_parse(data, 0, len(data), policy, maxtype=2, extack=extack, validate=STRICT)
    for depth in (10, 11, 5000):
        assert complain(policy, nests(depth)) == (
            EINVAL, "allowed policy recursion depth exceeded", None,
        )  # fmt: skip


def test_no_attribute_is_taken_where_all_are_rejected() -> None:
    for data, message in ((attributes((1, b"")), FAILED), (attributes((2, b"")), None)):
        extack = NetlinkExtAck()
        with pytest.raises(NetlinkError):
            nla_parse(data, 0, 4, REJECT_ALL, maxtype=1, extack=extack, validate=STRICT)
        assert extack.msg == (message or "Unknown attribute type")
        assert extack.policy is None


def test_without_a_policy_only_the_highest_type_counts() -> None:
    data, extack = attributes((2, b"any")), NetlinkExtAck()
    assert nla_parse(data, 0, 8, None, maxtype=2, extack=extack, validate=STRICT) == {2: b"any"}
    with pytest.raises(NetlinkError):
        nla_parse(data, 0, 8, None, maxtype=1, extack=extack, validate=STRICT)


# --- declarations


@pytest.mark.parametrize(
    "declare",
    [
        lambda: nla_policy_range(T.NLA_U8, 3, 2),
        lambda: nla_policy_range(T.NLA_U8, 0, 256),
        lambda: nla_policy_min(T.NLA_S8, -129),
        lambda: nla_policy_min(T.NLA_U8, -1),
        lambda: nla_policy_min(T.NLA_STRING, 1),
        lambda: nla_policy_mask(T.NLA_S8, 1),
        lambda: nla_policy_mask(T.NLA_MSECS, 1),
        lambda: nla_policy_validate_fn(T.NLA_NESTED, lambda payload: None),
        lambda: NlaPolicy(T.NLA_U8, nested={}),
        lambda: NlaPolicy(T.NLA_BINARY, 1 << 16),
        lambda: NlaPolicy(T.NLA_BITFIELD32, mask=-1),
    ],
    ids=range(11),
)
def test_what_no_kernel_could_declare_is_refused(declare: object) -> None:
    assert callable(declare)
    with pytest.raises(ValueError, match=r"has no|is a u16|unsigned"):
        declare()


# --- descriptions


@pytest.mark.parametrize(
    ("rule", "wire"),
    [
        pytest.param(
            nla_policy_range(T.NLA_U32, 1, 0xFFFFFFFF, wide=True),
            "0c000400 0100000000000000 0c000500 ffffffff00000000 08000100 04000000",
            id="range",
        ),
        pytest.param(
            nla_policy_min(T.NLA_S8, -3),
            "0c000200 fdffffffffffffff 0c000300 7f00000000000000 08000100 06000000",
            id="signed",
        ),
        pytest.param(nla_policy_mask(T.NLA_UINT, 5), "0c000c00 0500000000000000 08000100 11000000",
                     id="mask of a uint"),
        pytest.param(NlaPolicy(T.NLA_MSECS),
                     "0c000400 0000000000000000 0c000500 ffffffffffffffff 08000100 05000000",
                     id="milliseconds are a u64"),
        pytest.param(nla_policy_exact_len(16),
                     "08000600 10000000 08000700 10000000 08000100 0a000000", id="exact length"),
        pytest.param(nla_policy_exact_len_warn(16),
                     "08000600 10000000 08000700 10000000 08000100 0a000000", id="warned length"),
        pytest.param(nla_policy_min_len(16), "08000100 0a000000", id="min len is not told"),
        pytest.param(nla_policy_bitfield32(7), "08000a00 07000000 08000100 0f000000", id="bits"),
        pytest.param(nla_policy_nested_array(INNER), "08000100 0e000000", id="array of no number"),
        pytest.param(NlaPolicy(T.NLA_BE32), "", id="network order is not told"),
        pytest.param(nla_policy_reject("no"), "", id="reject is not told"),
        pytest.param(NlaPolicy(), "", id="unspec is not told"),
    ],
)  # fmt: skip
def test_described(rule: NlaPolicy, wire: str) -> None:
    assert policy_attributes(rule) == bytes.fromhex(wire)


def test_a_release_without_uint_describes_none() -> None:
    assert policy_attributes(NlaPolicy(T.NLA_UINT), uint=False) == b""
    extack = NetlinkExtAck()
    with pytest.raises(NetlinkError):
        nla_parse(
            attributes((1, b"")), 0, 4, {1: NlaPolicy(T.NLA_UINT)}, maxtype=1, extack=extack,
            rules=ParseRules(uint_policies=False),
        )  # fmt: skip
    assert extack.policy is None


def test_a_release_without_masks_describes_none() -> None:
    dump = PolicyDump()
    dump.add({1: nla_policy_mask(T.NLA_U8, 1), 2: NlaPolicy(T.NLA_U8)}, 2)
    assert [kind for _, kind, _ in dump.described(masks=False)] == [2]
    assert [kind for _, kind, _ in dump.described()] == [1, 2]


def test_policies_are_numbered_breadth_first() -> None:
    innermost = {1: NlaPolicy(T.NLA_FLAG)}
    left = {1: nla_policy_nested(innermost)}
    right = {1: NlaPolicy(T.NLA_U8)}
    top = {
        1: nla_policy_nested(left),
        2: nla_policy_nested_array(right),
        3: nla_policy_nested(left),
    }
    dump = PolicyDump()
    assert not dump
    dump.add(top, 3)
    dump.add(right, 1)
    dump.add(top, 2)  # another highest attribute: another policy
    dump.add(None, 3)
    dump.add(top, 0)
    assert [dump.index(*known) for known in ((top, 3), (left, 1), (right, 1), (innermost, 1))] == [
        0, 1, 2, 3,
    ]  # fmt: skip
    assert dump.index(top, 2) == 4
    described = [(number, kind) for number, kind, _ in dump.described()]
    assert described == [(0, 1), (0, 2), (0, 3), (1, 1), (2, 1), (3, 1), (4, 1), (4, 2)]
    assert next(dump.described())[2] == bytes.fromhex(
        "08000800 01000000 08000900 01000000 08000100 0d000000"
    )


def test_a_policy_of_itself_is_numbered_once() -> None:
    policy = recursive()
    dump = PolicyDump()
    dump.add(policy, 2)
    assert [number for number, _, _ in dump.described()] == [0, 0]


def test_kinds_of_validation_are_numbered_as_in_the_kernel() -> None:
    assert [kind.value for kind in NlaValidation] == [*range(8)]
    assert [kind.value for kind in NlaType] == [*range(22)]
