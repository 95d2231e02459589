"""Policies: what a parse returns, rejects and reports. Expected bytes are of a 6.18 kernel."""

from __future__ import annotations

from errno import EINVAL, ERANGE
from typing import Any

import pytest

from netlink_emu.protocol.errors import NetlinkError, NetlinkExtAck
from netlink_emu.protocol.format import BIG, LITTLE
from netlink_emu.protocol.policy import (
    LIBERAL,
    STRICT,
    NlaPolicy,
    NlAttrType,
    NlaType,
    NlValidate,
    Parser,
    ParseRules,
    nla_parse,
    pad_u64,
    policy_attributes,
)

T = NlaType
U16 = NlaPolicy(T.NLA_U16)
U32 = NlaPolicy(T.NLA_U32)
NAME = NlaPolicy(T.NLA_NUL_STRING, 15)
# nlctrl's: CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME, CTRL_ATTR_OP
CTRL = {1: U16, 2: NAME, 10: U32}
TASKSTATS = {1: U32, 2: U32, 3: NlaPolicy(T.NLA_STRING)}

VIOLATED = "Attribute failed policy validation"
LEFTOVER = "bytes leftover after parsing attributes"
POLICY_U16 = "0c000400 0000000000000000 0c000500 ffff000000000000 08000100 03000000"
POLICY_U32 = "0c000400 0000000000000000 0c000500 ffffffff00000000 08000100 04000000"
POLICY_NAME = "08000700 0f000000 08000100 0c000000"


def parse(
    wire: str, policy: dict[int, NlaPolicy], maxtype: int = 10, **options: Any
) -> tuple[dict[int, bytes] | int, NetlinkExtAck]:
    """The attributes, or the errno; and the extended ack. The message starts 20 bytes before."""
    data = bytes(7) + bytes(20) + bytes.fromhex(wire)
    extack = NetlinkExtAck()
    try:
        found = nla_parse(
            data, 27, len(data), policy, maxtype=maxtype, extack=extack, base=7, **options
        )
    except NetlinkError as exc:
        return exc.errno, extack
    return found, extack


# --- what the kernel said ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wire", "validate", "errno", "msg", "offset", "policy"),
    [
        pytest.param(
            "05000100 01000000", LIBERAL, ERANGE, VIOLATED, 20, POLICY_U16, id="id too short"
        ),
        pytest.param(
            "0d000200 5441534b53544154 53000000",
            *(LIBERAL, EINVAL, VIOLATED, 20, POLICY_NAME),
            id="name without NUL",
        ),
        pytest.param(
            "15000200 6161616161616161 6161616161616161 61000000",
            *(LIBERAL, EINVAL, VIOLATED, 20, POLICY_NAME),
            id="long name without NUL",
        ),
        pytest.param(
            "15000200 5441534b53544154 5300000000000000 00000000",
            *(LIBERAL, ERANGE, VIOLATED, 20, POLICY_NAME),
            id="name padded to 17",
        ),
        pytest.param(
            "04006300", STRICT, EINVAL, "Unknown attribute type", 20, None, id="unknown type"
        ),
        pytest.param(
            "0e000200 5441534b53544154 53000000 08000300 01000000",
            *(STRICT, EINVAL, "Unsupported attribute", 36, None),
            id="no entry",
        ),
        pytest.param(
            "08000100 10000000",
            *(STRICT, EINVAL, "invalid attribute length", 20, POLICY_U16),
            id="id too long",
        ),
        pytest.param(
            "0e000200 5441534b53544154 53000000 06000a00 01000000",
            *(STRICT, EINVAL, "invalid attribute length", 36, POLICY_U32),
            id="op too short",
        ),
        pytest.param(
            "0e000280 5441534b53544154 53000000",
            *(STRICT, EINVAL, "NLA_F_NESTED not expected", 20, POLICY_NAME),
            id="a name is no nest",
        ),
        pytest.param(
            "0e000200 5441534b53544154 53000000 0102",
            *(STRICT, EINVAL, LEFTOVER, None, None),
            id="bytes left over",
        ),
    ],
)
def test_refused_as_live(
    wire: str, validate: NlValidate, errno: int, msg: str, offset: int | None, policy: str | None
) -> None:
    result, extack = parse(wire, CTRL, validate=validate)
    assert result == errno
    assert extack.msg == msg
    assert extack.bad_attr == offset
    assert extack.policy == (None if policy is None else bytes.fromhex(policy))
    assert (extack.cookie, extack.miss_type, extack.miss_nest) == (None, None, None)


@pytest.mark.parametrize(
    ("wire", "found"),
    [
        pytest.param("", {}, id="nothing"),
        pytest.param("0600010010000000", {1: b"\x10\0"}, id="exact"),
        pytest.param("0800010010000000", {1: b"\x10\0\0\0"}, id="longer"),
        pytest.param("06000180 10000000", {1: b"\x10\0"}, id="nested flag"),
        pytest.param("060001c0 10000000", {1: b"\x10\0"}, id="both flags"),
        pytest.param("06000100 10000000 06000100 11000000", {1: b"\x11\0"}, id="last one wins"),
        pytest.param("04000000 04006300 04000b00", {}, id="type 0, unknown ones"),
        pytest.param("05000300 01000000", {3: b"\x01"}, id="no entry"),
        pytest.param("05000200 00000000", {2: b"\0"}, id="empty name"),
        pytest.param(
            "14000200 5441534b53544154 5300000000000000",
            {2: b"TASKSTATS" + bytes(7)},
            id="name padded to 16",
        ),
    ],
)
def test_accepted_by_a_liberal_parse(wire: str, found: dict[int, bytes]) -> None:
    result, extack = parse(wire, CTRL)
    assert result == found
    assert extack.msg is None


@pytest.mark.parametrize("junk", ["01", "0102", "010203", "03000100", "ffff0100", "00000000"])
def test_what_is_left_over_is_told_and_tolerated(junk: str) -> None:
    wire = "06000100 10000000"
    result, extack = parse(wire + junk, CTRL)
    assert result == {1: b"\x10\0"}
    assert extack.msg == LEFTOVER
    assert (extack.bad_attr, extack.policy) == (None, None)
    assert parse(wire + junk, CTRL, validate=NlValidate.NL_VALIDATE_TRAILING)[0] == EINVAL


def test_padding_is_not_left_over() -> None:
    for wire in ("05000300 01", "05000300 0100", "05000300 010000"):
        # 1 to 3 bytes of padding may be missing at the end; there may be a part of them.
        result, extack = parse(wire, CTRL)
        assert result == {3: b"\x01"}
        assert extack.msg is None


def test_every_attribute_is_validated_before_any_is_used() -> None:
    good, short = "08000100 01000000", "06000200 01000000"
    assert parse(good + short, TASKSTATS)[0] == parse(short + good, TASKSTATS)[0] == ERANGE
    assert parse("06000100 01000000" + good, TASKSTATS)[0] == ERANGE
    # An earlier offence wins over bytes that are left over.
    assert parse(short + "01", TASKSTATS)[1].msg == VIOLATED


# --- each type --------------------------------------------------------------------------------


def attribute(nla_type: int, payload: bytes) -> str:
    return (
        (4 + len(payload)).to_bytes(2, "little")
        + nla_type.to_bytes(2, "little")
        + payload
        + bytes(-len(payload) % 4)
    ).hex()


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (NlaPolicy(T.NLA_U8), [1, 2], {0: ERANGE}),
        (NlaPolicy(T.NLA_U16), [2, 3], {0: ERANGE, 1: ERANGE}),
        (NlaPolicy(T.NLA_U32), [4, 8], {0: ERANGE, 3: ERANGE}),
        (NlaPolicy(T.NLA_U64), [8, 9], {7: ERANGE}),
        (NlaPolicy(T.NLA_FLAG), [0], {1: ERANGE}),
        (NlaPolicy(T.NLA_BINARY), [0, 1, 999], {}),
        (NlaPolicy(T.NLA_BINARY, 8), [0, 8], {9: ERANGE}),
        (NlaPolicy(T.NLA_STRING), [1, 99], {0: ERANGE}),
        (NlaPolicy(T.NLA_STRING, 3), [1, 3], {0: ERANGE, 4: ERANGE}),
        (NlaPolicy(T.NLA_NESTED), [0, 4, 8], {1: ERANGE, 3: ERANGE}),
        (NlaPolicy(T.NLA_UNSPEC), [0, 5], {}),
        (NlaPolicy(T.NLA_UNSPEC, 4), [4, 5], {3: ERANGE}),
    ],
    ids=lambda value: f"{value.type.name[4:]}-{value.len}" if hasattr(value, "type") else "",
)
def test_lengths(rule: NlaPolicy, good: list[int], bad: dict[int, int]) -> None:
    for length in good:
        payload = b"x" * length
        assert parse(attribute(1, payload), {1: rule})[0] == {1: payload}
    for length, errno in bad.items():
        assert parse(attribute(1, b"x" * length), {1: rule})[0] == errno


@pytest.mark.parametrize(
    ("payload", "outcome"),
    [
        (b"", EINVAL),
        (b"abc", EINVAL),
        (b"abc\0", None),
        (b"a\0\0\0", None),
        (b"abcd\0", EINVAL),
        (b"abc\0\0", ERANGE),  # 4 without the last NUL
        (b"\0", None),
        (b"\0abcdefg", ERANGE),
    ],
)
def test_nul_strings_of_3(payload: bytes, outcome: int | None) -> None:
    rule = NlaPolicy(T.NLA_NUL_STRING, 3)
    expected = {1: payload} if outcome is None else outcome
    assert parse(attribute(1, payload), {1: rule})[0] == expected


def test_nul_strings_of_any_length() -> None:
    rule = {1: NlaPolicy(T.NLA_NUL_STRING)}
    assert parse(attribute(1, b"x" * 500 + b"\0"), rule)[0] == {1: b"x" * 500 + b"\0"}
    assert parse(attribute(1, b"x" * 500), rule)[0] == EINVAL
    assert parse(attribute(1, b""), rule)[0] == EINVAL


def test_strings_do_not_count_one_nul() -> None:
    rule = {1: NlaPolicy(T.NLA_STRING, 3)}
    assert parse(attribute(1, b"abc\0"), rule)[0] == {1: b"abc\0"}
    assert parse(attribute(1, b"ab\0\0"), rule)[0] == {1: b"ab\0\0"}
    assert parse(attribute(1, b"abc\0\0"), rule)[0] == ERANGE


# --- strictness, part by part -----------------------------------------------------------------


def test_maxtype() -> None:
    validate = NlValidate.NL_VALIDATE_MAXTYPE
    for nla_type in (0, 11, 0x3FFF):
        result, extack = parse(attribute(nla_type, b""), CTRL, validate=validate)
        assert (result, extack.msg) == (EINVAL, "Unknown attribute type")
    assert parse(attribute(9, b""), CTRL, validate=validate)[0] == {9: b""}


def test_unspec() -> None:
    validate = NlValidate.NL_VALIDATE_UNSPEC
    policy = {1: NlaPolicy(T.NLA_UNSPEC, 4)}
    for nla_type in (1, 2):
        result, extack = parse(attribute(nla_type, bytes(4)), policy, validate=validate)
        assert (result, extack.msg) == (EINVAL, "Unsupported attribute")
        assert extack.policy is None
    assert parse(attribute(99, b""), policy, validate=validate)[0] == {}


def test_nested() -> None:
    validate = NlValidate.NL_VALIDATE_NESTED
    policy = {1: NlaPolicy(T.NLA_NESTED), 2: U32}
    assert parse(attribute(0x8001, b""), policy, validate=validate)[0] == {1: b""}
    assert parse(attribute(2, bytes(4)), policy, validate=validate)[0] == {2: bytes(4)}
    # Nothing is known of an attribute without an entry.
    assert parse(attribute(0x8003, b""), policy, validate=validate)[0] == {3: b""}
    result, extack = parse(attribute(1, b""), policy, validate=validate)
    assert (result, extack.msg) == (EINVAL, "NLA_F_NESTED is missing")
    result, extack = parse(attribute(0x8002, bytes(4)), policy, validate=validate)
    assert (result, extack.msg) == (EINVAL, "NLA_F_NESTED not expected")


def test_strict_attrs_concerns_integers_only() -> None:
    validate = NlValidate.NL_VALIDATE_STRICT_ATTRS
    assert parse(attribute(1, bytes(2)), CTRL, validate=validate)[0] == {1: bytes(2)}
    for length in (0, 1, 3):
        assert parse(attribute(1, bytes(length)), CTRL, validate=validate)[0] == EINVAL
    assert parse(attribute(2, b"a\0\0"), CTRL, validate=validate)[0] == {2: b"a\0\0"}


def test_strict_is_all_of_it() -> None:
    assert STRICT == ~NlValidate.NL_VALIDATE_LIBERAL


def test_liberal_is_none_of_it() -> None:
    assert not LIBERAL


def test_offsets_count_from_the_beginning_unless_told_otherwise() -> None:
    extack = NetlinkExtAck()
    parser = Parser({1: U32}, maxtype=1)
    with pytest.raises(NetlinkError):
        parser.parse(bytes(20) + bytes.fromhex("05000100 00000000"), 20, 28, extack)
    assert extack.bad_attr == 20


# --- eras -------------------------------------------------------------------------------------


def test_types_were_compared_raw_up_to_2_6_23() -> None:
    rules = ParseRules(attr_type_mask=0xFFFF)
    assert parse(attribute(0x8001, b""), TASKSTATS, rules=rules)[0] == {}
    assert parse(attribute(0x8001, b""), TASKSTATS)[0] == ERANGE


@pytest.mark.parametrize(
    ("rules", "msg", "policy"),
    [
        (ParseRules(extack_policy_msg=False, extack_policy=False), None, None),
        (ParseRules(extack_policy=False), VIOLATED, None),
        (ParseRules(), VIOLATED, bytes.fromhex(POLICY_U32)),
    ],
    ids=["4.12", "4.19", "5.10"],
)
def test_what_the_extended_ack_tells(
    rules: ParseRules, msg: str | None, policy: bytes | None
) -> None:
    result, extack = parse(attribute(1, b""), TASKSTATS, rules=rules)
    assert result == ERANGE
    assert (extack.msg, extack.bad_attr, extack.policy) == (msg, 20, policy)


def test_bytes_left_over_were_not_told_before_4_20() -> None:
    result, extack = parse("01", TASKSTATS, rules=ParseRules(extack_leftover_msg=False))
    assert result == {}
    assert extack.msg is None


@pytest.mark.parametrize(
    ("payload", "outcome"),
    [
        (b"", ERANGE),
        (b"nlctrl", None),
        (b"nlctrl\0", None),
        (b"x" * 15, None),
        (b"x" * 15 + b"\0", None),
        (b"x" * 16, EINVAL),
        (b"nlctrl" + bytes(11), EINVAL),
    ],
)
def test_names_needed_no_nul_in_2_6_18(payload: bytes, outcome: int | None) -> None:
    expected = {2: payload} if outcome is None else outcome
    assert parse(attribute(2, payload), CTRL, rules=ParseRules(nul_string=False))[0] == expected


# --- descriptions -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "wire"),
    [
        (U16, POLICY_U16),
        (U32, POLICY_U32),
        (NAME, POLICY_NAME),
        (NlaPolicy(T.NLA_STRING), "08000100 0b000000"),
        (NlaPolicy(T.NLA_BINARY, 8), "08000700 08000000 08000100 0a000000"),
        (NlaPolicy(T.NLA_FLAG), "08000100 01000000"),
        (NlaPolicy(T.NLA_NESTED), "08000100 0d000000"),
    ],
    ids=lambda value: value.type.name[4:] if isinstance(value, NlaPolicy) else "",
)
def test_description(rule: NlaPolicy, wire: str) -> None:
    assert policy_attributes(rule) == bytes.fromhex(wire)


PAD = "04000b00"
MIN_U = "0c000400 0000000000000000"
MAX_U32 = "0c000500 ffffffff00000000"


@pytest.mark.parametrize(
    ("position", "wire"),
    [
        (0, f"{PAD} {MIN_U} {PAD} {MAX_U32} 08000100 04000000"),
        (4, f"{MIN_U} {PAD} {MAX_U32} 08000100 04000000"),
        # Nothing that begins at an odd address would come to be aligned.
        (1, f"{MIN_U} {MAX_U32} 08000100 04000000"),
    ],
)
def test_numbers_of_64_bits_are_aligned(position: int, wire: str) -> None:
    """nla_align_64bit(): the payload, four bytes behind the attribute, at a multiple of 8."""
    assert pad_u64(policy_attributes(U32), position) == bytes.fromhex(wire)
    assert pad_u64(policy_attributes(NAME), position) == policy_attributes(NAME)


def test_types_are_numbered_as_in_the_uapi() -> None:
    """enum netlink_attribute_type."""
    numbers = {kind.name.removeprefix("NL_ATTR_TYPE_"): kind.value for kind in NlAttrType}
    assert numbers == {
        "INVALID": 0, "FLAG": 1, "U8": 2, "U16": 3, "U32": 4, "U64": 5, "S8": 6, "S16": 7,
        "S32": 8, "S64": 9, "BINARY": 10, "STRING": 11, "NUL_STRING": 12, "NESTED": 13,
        "NESTED_ARRAY": 14, "BITFIELD32": 15, "SINT": 16, "UINT": 17,
    }  # fmt: skip


def test_description_in_big_endian() -> None:
    assert policy_attributes(U16, BIG) == bytes.fromhex(
        "000c0004 0000000000000000 000c0005 000000000000ffff 00080001 00000003"
    )
    assert policy_attributes(U16, LITTLE) != policy_attributes(U16, BIG)


def test_a_big_endian_message() -> None:
    data = bytes.fromhex("00080001 00000001")
    extack = NetlinkExtAck()
    found = nla_parse(data, 0, 8, TASKSTATS, maxtype=4, extack=extack, order=BIG)
    assert found == {1: b"\0\0\0\x01"}
    with pytest.raises(NetlinkError):
        nla_parse(
            bytes.fromhex("00060001 00010000"), 0, 8, CTRL | TASKSTATS, maxtype=4, extack=extack,
            order=BIG,
        )  # fmt: skip
    assert extack.policy == policy_attributes(U32, BIG)


def test_an_attribute_longer_than_what_is_left_ends_the_walk_wherever_that_begins() -> None:
    """What stands behind the end is of another message, and is not looked at."""
    data = bytes(8) + b"\x0c\0\1\0" + bytes(4) + b"next"
    extack = NetlinkExtAck()
    assert nla_parse(data, 8, 16, TASKSTATS, maxtype=4, extack=extack) == {}
    assert extack.msg == "bytes leftover after parsing attributes"
    assert nla_parse(data, 8, 20, TASKSTATS, maxtype=4, extack=extack) == {1: bytes(4) + b"next"}
