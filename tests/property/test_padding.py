"""Pads before 64-bit numbers, as machines have them that align these."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlink_emu.protocol.attributes import NLA_TYPE_MASK, nla_walk
from netlink_emu.protocol.family import (
    Attribute,
    AttributeSet,
    decode,
    encode,
    pad_64bit,
)
from netlink_emu.protocol.format import BIG, LITTLE, ByteOrder

INNER = AttributeSet(
    "inner", Attribute("pad", "pad"), Attribute("small", "u8"), Attribute("big", "s64")
)
BARE = AttributeSet("bare", Attribute("big", "u64"))
OUTER = AttributeSet(
    "outer",
    Attribute("name", "string"),
    Attribute("count", "u64", multi=True),
    Attribute("either", "uint"),
    Attribute("filler", "pad"),
    Attribute("nest", nested=INNER),
    Attribute("bare", nested=BARE),
    Attribute("rows", "indexed-array", sub_type="nest", nested=INNER),
    Attribute("tree", "nest-type-value", nested=INNER, type_value=("a", "b")),
)
U64 = st.integers(0, 2**64 - 1)
INNERS = st.fixed_dictionaries(
    {}, optional={"small": st.integers(0, 255), "big": st.integers(-(2**63), 2**63 - 1)}
)
TREE = st.builds(
    lambda a, b, inner: {"a": a, "b": b, **inner}, st.integers(0, 99), st.integers(0, 99), INNERS
)
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "name": st.text("abc", max_size=9),
        "count": st.lists(U64, min_size=1, max_size=3),
        "either": U64,
        "nest": INNERS,
        "bare": st.fixed_dictionaries({"big": U64}),
        "rows": st.lists(INNERS, max_size=3),
        "tree": TREE,
        99: st.binary(max_size=5),
    },
)


def numbers(data: bytes, start: int, end: int, order: ByteOrder, at: int) -> Iterator[int]:
    """Where the 64-bit numbers are that need a pad, and pads that are not before such."""
    padded = False
    for nla_type, place, length in nla_walk(data, start, end, order):
        number = nla_type & NLA_TYPE_MASK
        if number == 4:
            assert length == 0
            padded = True
            continue
        if number == 2:
            assert (at + place) % 8 == 0
            # The pad is there because it would not be so without.
            padded = False
            yield place
        assert not padded


@given(VALUES, st.sampled_from([LITTLE, BIG]), st.integers(0, 7).map(lambda n: n & ~3))
def test_numbers_are_aligned_and_nothing_else_changes(
    values: dict[Any, Any], order: ByteOrder, at: int
) -> None:
    data = encode(OUTER, values, order)
    padded = pad_64bit(OUTER, data, order, at)
    assert decode(OUTER, padded, order) == decode(OUTER, data, order)
    assert len([*numbers(padded, 0, len(padded), order, at)]) == len(values.get("count", ()))
    # Once aligned there is nothing to do, but for the pads that are there.
    assert len(padded) >= len(data)


@pytest.mark.parametrize(
    ("values", "at", "written"),
    [
        ({"count": [1]}, 4, "0c000200" "0100000000000000"),
        ({"count": [1]}, 0, "04000400" "0c000200" "0100000000000000"),
        ({"count": [1, 2]}, 4, "0c000200" "0100000000000000" "04000400" "0c000200"
                               "0200000000000000"),
        ({"either": 1 << 40}, 0, "0c000300" "0000000000010000"),
        ({"bare": {"big": 1}}, 4, "10000680" "0c000100" "0100000000000000"),
        ({"nest": {"big": 1}}, 0, "10000580" "0c000300" "0100000000000000"),
        ({"nest": {"big": 1}}, 4, "14000580" "04000100" "0c000300" "0100000000000000"),
        ({"rows": [{"big": 1}]}, 4, "14000780" "10000180" "0c000300" "0100000000000000"),
        ({"rows": [{"big": 1}]}, 0, "18000780" "14000180" "04000100" "0c000300"
                                    "0100000000000000"),
        ({"tree": {"a": 5, "b": 6, "big": 1}}, 4,
         "1c000880" "18000580" "14000680" "04000100" "0c000300" "0100000000000000"),
        ({"nest": b"\1\2\3\4\5"}, 0, "09000500" "0102030405000000"),
        ({99: b"\1"}, 0, "05006300" "01000000"),
    ],
)  # fmt: skip
def test_where_pads_are(values: dict[Any, Any], at: int, written: str) -> None:
    assert pad_64bit(OUTER, encode(OUTER, values), LITTLE, at).hex() == written


def test_what_is_longer_than_a_datagram_stays_as_it_is() -> None:
    data = encode(OUTER, {"count": [1] * 3000})
    assert pad_64bit(OUTER, data, LITTLE, 0) == data
