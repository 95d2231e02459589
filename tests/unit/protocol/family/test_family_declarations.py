"""Declarations: numbers, what they refuse, and the policies that they mean."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from netlink_emu.protocol.family import (
    Attribute,
    AttributeSet,
    Enumeration,
    Exchange,
    FamilyDeclaration,
    McastGroup,
    Member,
    Operation,
    Struct,
)
from netlink_emu.protocol.format import BIG
from netlink_emu.protocol.policy import (
    NlaPolicy,
    NlaType,
    nla_policy_bitfield32,
    nla_policy_exact_len,
    nla_policy_mask,
    nla_policy_max,
    nla_policy_min,
    nla_policy_min_len,
    nla_policy_range,
)

T = NlaType
INNER = AttributeSet("inner", Attribute("one", "u8"), Attribute("two", "string"))


def test_attributes_are_numbered_as_they_come() -> None:
    a = AttributeSet("a", Attribute("one", "u8"), Attribute("five", "u8", 5), Attribute("six"
                     , "u8"))  # fmt: skip
    assert [(attribute.name, attribute.number) for attribute in a] == [
        ("one", 1), ("five", 5), ("six", 6),
    ]  # fmt: skip
    assert a.highest == 6
    assert a.get(5) is a["five"]
    assert a.get(4) is None
    assert "six" in a
    assert len(a) == 3


@pytest.mark.parametrize(
    ("attribute", "rule"),
    [
        (Attribute("a", "u8"), NlaPolicy(T.NLA_U8)),
        (Attribute("a", "s16", min=-1), nla_policy_min(T.NLA_S16, -1)),
        (Attribute("a", "uint", max=9), nla_policy_max(T.NLA_UINT, 9)),
        (Attribute("a", "u32", min=1, max=9), nla_policy_range(T.NLA_U32, 1, 9)),
        (Attribute("a", "u32", mask=3), nla_policy_mask(T.NLA_U32, 3)),
        (Attribute("a", "u16", byte_order=BIG), NlaPolicy(T.NLA_BE16)),
        (Attribute("a", "u32", byte_order=BIG, max=5), nla_policy_max(T.NLA_BE32, 5)),
        (Attribute("a", "u64", byte_order=BIG), NlaPolicy(T.NLA_U64)),
        (Attribute("a", "u8", enum=Enumeration("e", {"x": 0, "y": 1})),
         nla_policy_max(T.NLA_U8, 1)),
        (Attribute("a", "u8", enum=Enumeration("e", {"x": 1, "y": 2})),
         nla_policy_range(T.NLA_U8, 1, 2)),
        (Attribute("a", "u8", enum=Enumeration("e", {"x": 1, "y": 9})), NlaPolicy(T.NLA_U8)),
        (Attribute("a", "u32", enum=Enumeration("e", {"x": 1, "y": 4}, flags=True)),
         nla_policy_mask(T.NLA_U32, 5)),
        (Attribute("a", "u32", enum=Enumeration("e", {"x": 0, "y": 2}), enum_as_flags=True),
         nla_policy_mask(T.NLA_U32, 5)),
        (Attribute("a", "string", max_len=15), NlaPolicy(T.NLA_NUL_STRING, 15)),
        (Attribute("a", "string", unterminated_ok=True), NlaPolicy(T.NLA_STRING)),
        (Attribute("a", "binary"), NlaPolicy(T.NLA_BINARY)),
        (Attribute("a", "binary", max_len=4), NlaPolicy(T.NLA_BINARY, 4)),
        (Attribute("a", "binary", min_len=4), nla_policy_min_len(4)),
        (Attribute("a", "binary", exact_len=4), nla_policy_exact_len(4)),
        (Attribute("a", "binary", min_len=2, max_len=4), nla_policy_range(T.NLA_BINARY, 2, 4)),
        (Attribute("a", "flag"), NlaPolicy(T.NLA_FLAG)),
        (Attribute("a", "bitfield32", mask=7), nla_policy_bitfield32(7)),
        (Attribute("a", "bitfield32"), nla_policy_bitfield32(0xFFFFFFFF)),
        (Attribute("a", nested=INNER), NlaPolicy(T.NLA_NESTED, 2)),
        (Attribute("a", "indexed-array", sub_type="nest", nested=INNER),
         NlaPolicy(T.NLA_NESTED_ARRAY, 2)),
        (Attribute("a", "indexed-array", sub_type="u8"), NlaPolicy(T.NLA_NESTED)),
        (Attribute("a", "u8", policy=NlaPolicy(T.NLA_REJECT)), NlaPolicy(T.NLA_REJECT)),
        (Attribute("a", "pad"), None),
        (Attribute("a", "unused"), None),
    ],
    ids=range(29),
)  # fmt: skip
def test_policies(attribute: Attribute, rule: NlaPolicy | None) -> None:
    policy = AttributeSet("set", attribute).policy()
    assert policy.get(1) == rule
    if attribute.nested is not None:
        assert policy[1].nested is INNER.policy()


def test_a_set_may_be_nested_in_itself() -> None:
    loop = AttributeSet("loop", Attribute("level", "u8"))
    assert sorted(loop.policy()) == [1]
    loop.add(Attribute("again", nested=loop))
    policy = loop.policy()
    assert policy[2].nested is policy
    assert loop.policy() is policy


def test_a_policy_of_some() -> None:
    assert INNER.policy(["two"]) == {2: NlaPolicy(T.NLA_NUL_STRING)}
    with pytest.raises(ValueError, match="there is no attribute of inner 'tow', did you mean two"):
        INNER.policy(["tow"])


OP = Operation("get", INNER, do=Exchange(("one",), ("two",), 1, 1))
WIDE = Operation("wide", INNER, do=Exchange(cmd=256))


@pytest.mark.parametrize(
    ("declare", "complaint"),
    [
        (lambda: Attribute("a", "strng"), "there is no type 'strng', did you mean string"),
        (lambda: Attribute("a"), "a: a nest needs its attributes"),
        (lambda: Attribute("a", "indexed-array"), "the type of its elements"),
        (lambda: Attribute("a", "indexed-array", sub_type="nest"), "attributes of its nests"),
        (lambda: Attribute("a", "nest-type-value", nested=INNER), "the names of its levels"),
        (lambda: Attribute("a", "sub-message"), "its formats"),
        (lambda: Attribute("a", "u8", 16384), "at most 16383"),
        (lambda: AttributeSet("s", Attribute("a", "u8"), Attribute("a", "u8")), "two attributes"),
        (lambda: AttributeSet("s", Attribute("a", "u8"), Attribute("b", "u8", 1)), "same number"),
        (lambda: Member("m", "u7"), "there is no type of a member"),
        (lambda: Member("m", "binary"), "has a length"),
        (lambda: Member("m", "struct"), "a struct is of type struct"),
        (lambda: Struct("s", (Member("m", "u8"), Member("m", "u8"))), "two members of one name"),
        (lambda: Operation("o", INNER, do=Exchange(("three",))), "no attribute of inner 'three'"),
        (lambda: Operation("o", INNER, do=Exchange(cmd=1 << 16)), "type is a u16, not 65536"),
        (lambda: FamilyDeclaration("f", operations=(WIDE,)), "a command is a u8, not 256"),
        (lambda: FamilyDeclaration(""), "1 to 15 bytes"),
        (lambda: FamilyDeclaration("sixteen letters!"), "has 16"),
        (lambda: FamilyDeclaration("f", 256), "version is a u8"),
        (lambda: FamilyDeclaration("f", operations=(OP, OP)), "two operations of one name"),
        (lambda: FamilyDeclaration("f", operations=(Operation("o", INNER, mcgrp="g"),)), "group"),
        (lambda: FamilyDeclaration("f", operations=(OP,)).operation("gte"), "did you mean get"),
        (lambda: FamilyDeclaration("f", groups=(McastGroup("sixteen letters!"),)), "has 16"),
        (lambda: FamilyDeclaration("f", groups=(McastGroup("g"),) * 2), "f has two groups 'g'"),
        (lambda: Attribute("a", "string", max=15),
         "a: min, max and mask are for numbers, not for a string: it has min_len, max_len"),
        (lambda: Attribute("a", "flag", mask=1), "a: min, max and mask are .* not for a flag"),
        (lambda: Attribute("a", "u8", max_len=1), "are for strings and binaries, not for a u8"),
        (lambda: Attribute("a", "u8", max=256), "a: 256 does not fit in u8"),
        (lambda: Attribute("a", "s8", min=-129), "a: -129 does not fit in s8"),
        (lambda: Attribute("a", "u32", min=5, max=3), "a: min 5 is more than max 3"),
        (lambda: Enumeration("e", {"x": "1"}), "e: 'x' is a number, not '1'"),  # type: ignore[dict-item]
    ],
    ids=range(31),
)  # fmt: skip
def test_what_is_wrong_is_said_at_once(declare: Callable[[], object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        declare()


def test_a_family_knows_its_operations() -> None:
    family = FamilyDeclaration("f", operations=(OP,), groups=(McastGroup("news"),))
    assert family.operation("get") is OP
    assert family.groups[0].caps is None
