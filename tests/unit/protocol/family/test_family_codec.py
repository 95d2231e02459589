"""Values by name to bytes and back: every type, what is unknown, what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from netlink_emu.protocol.attributes import AttrWriter
from netlink_emu.protocol.family import (
    Attribute,
    AttributeSet,
    Enumeration,
    Member,
    Struct,
    SubMessage,
    SubMessageFormat,
    decode,
    encode,
)
from netlink_emu.protocol.format import BIG, LITTLE

COLOURS = Enumeration("colour", {"red": 0, "green": 1, "blue": 2})
RIGHTS = Enumeration("right", {"read": 1, "write": 2, "run": 4}, flags=True)
TIME = Struct("time", (Member("sec", "u64"), Member("pad", "pad", 4), Member("nsec", "u32")))
INNER = AttributeSet("inner", Attribute("one", "u8"), Attribute("two", "string"))
BYTE = AttributeSet("byte", Attribute("level", "u8"))
KINDS = SubMessage(
    "kinds",
    {
        "nested": SubMessageFormat(attributes=INNER),
        "timed": SubMessageFormat(fixed_header=TIME, attributes=BYTE),
        "struct": SubMessageFormat(fixed_header=TIME),
    },
)
ALL = AttributeSet(
    "all",
    Attribute("unspec", "unused", 0),
    Attribute("flag", "flag"),
    Attribute("u8", "u8"),
    Attribute("u16", "u16"),
    Attribute("s32", "s32"),
    Attribute("u64", "u64"),
    Attribute("uint", "uint"),
    Attribute("sint", "sint"),
    Attribute("text", "string"),
    Attribute("bytes", "binary"),
    Attribute("port", "u16", byte_order=BIG),
    Attribute("colour", "u8", enum=COLOURS),
    Attribute("colours", "u32", enum=COLOURS, enum_as_flags=True),
    Attribute("rights", "u32", enum=RIGHTS),
    Attribute("bits", "bitfield32", enum=RIGHTS),
    Attribute("mac", "binary", display_hint="mac"),
    Attribute("address", "binary", display_hint="ipv4-or-v6"),
    Attribute("ip", "u32", byte_order=BIG, display_hint="ipv4"),
    Attribute("when", "binary", struct=TIME),
    Attribute("numbers", "binary", sub_type="u16"),
    Attribute("nest", nested=INNER),
    Attribute("many", "u8", multi=True),
    Attribute("nests", nested=INNER, multi=True),
    Attribute("array", "indexed-array", sub_type="nest", nested=INNER),
    Attribute("words", "indexed-array", sub_type="u32"),
    Attribute("tree", "nest-type-value", nested=BYTE, type_value=("row", "column")),
    Attribute("kind", "string"),
    Attribute("data", "sub-message", sub_message=KINDS, selector="kind"),
    Attribute("pad", "pad"),
)


@pytest.mark.parametrize("order", [LITTLE, BIG], ids=["little", "big"])
@pytest.mark.parametrize(
    "values",
    [
        {"flag": True},
        {"u8": 255, "u16": 65535, "s32": -1, "u64": 1 << 63},
        {"uint": 7, "sint": -7},
        {"uint": 1 << 40, "sint": -(1 << 40)},
        {"text": "grün", "bytes": b"\0\1"},
        {"text": ""},
        {"port": 51820},
        {"colour": "blue"},
        {"colour": 9},
        {"colours": ["red", "blue"]},
        {"rights": ["read", "run"]},
        {"rights": ["read", 64]},
        {"rights": []},
        {"bits": {"value": ["read"], "selector": ["read", "write"]}},
        {"mac": "02:00:00:00:00:01", "address": "fe80::1", "ip": "10.0.0.1"},
        {"address": "192.0.2.1"},
        {"when": {"sec": 5, "nsec": 6}},
        {"numbers": [1, 2, 3]},
        {"nest": {"one": 1, "two": "2"}},
        {"nest": {}},
        {"many": [1, 2, 2], "nests": [{"one": 1}, {}]},
        {"array": [{"one": 1}, {"two": "b"}], "words": [1, 2]},
        {"array": []},
        {"tree": {"row": 3, "column": 4, "level": 5}},
        {"kind": "nested", "data": {"one": 1}},
        {"kind": "timed", "data": {"sec": 1, "nsec": 2, "level": 3}},
        {"kind": "struct", "data": {"sec": 1, "nsec": 2}},
        {"data": b"no kind", "nest": {99: b"unknown"}},
        {99: [b"a", b"b"], "unspec": b"x"},
    ],
    ids=repr,
)
def test_what_is_written_is_read(values: dict[str | int, Any], order: Any) -> None:
    assert decode(ALL, encode(ALL, values, order), order) == values


@pytest.mark.parametrize(
    ("values", "wire"),
    [
        ({"u8": 1}, "05000200 01000000"),
        ({"port": 1}, "06000a00 00010000"),
        ({"flag": True}, "04000100"),
        ({"flag": False, "u8": None}, ""),
        ({"text": "a"}, "06000800 61000000"),
        ({"nest": {"one": 5}}, "0c001480 05000100 05000000"),
        ({"words": [7, 8]}, "14001880 08000100 07000000 08000200 08000000"),
        ({"tree": {"row": 3, "column": 4, "level": 5}},
         "14001980 10000380 0c000480 05000100 05000000"),
        ({"uint": 1}, "08000600 01000000"),
        ({"uint": 1 << 32}, "0c000600 00000000 01000000"),
        ({"rights": "read"}, "08000d00 01000000"),
        ({"colours": "blue"}, "08000c00 04000000"),
        ({"u8": b"raw"}, "07000200 72617700"),
        ({2: b"\1"}, "05000200 01000000"),
        ({"when": {"nsec": 1}}, "14001200 0000000000000000 00000000 01000000"),
        ({"many": 3}, "05001500 03000000"),
    ],
    ids=range(16),
)  # fmt: skip
def test_on_the_wire(values: dict[str | int, Any], wire: str) -> None:
    assert encode(ALL, values) == bytes.fromhex(wire)


@pytest.mark.parametrize(
    ("nla_type", "payload", "value"),
    [
        (2, b"", {"u8": b""}),
        (2, b"\1\2", {"u8": b"\1\2"}),
        (6, b"\1\2", {"uint": b"\1\2"}),
        (8, b"\xff\xfe", {"text": b"\xff\xfe"}),
        (8, b"a\0b", {"text": "a"}),
        (1, b"!", {"flag": b"!"}),
        (14, b"short", {"bits": b"short"}),
        (16, b"odd", {"address": b"odd"}),
        (18, b"short", {"when": b"short"}),
        (19, b"odd", {"numbers": b"odd"}),
        (20, b"\3\0\0\0", {"nest": b"\3\0\0\0"}),
        (23, b"junk!", {"array": b"junk!"}),
        (25, b"", {"tree": b""}),
        (28, b"", {}),
        (500, b"any", {500: b"any"}),
    ],
)
def test_what_is_not_understood_stays_bytes(
    nla_type: int, payload: bytes, value: dict[str | int, Any]
) -> None:
    writer = AttrWriter()
    writer.put(nla_type, payload)
    assert decode(ALL, bytes(writer.data)) == value


def test_the_last_one_counts_where_there_should_be_one() -> None:
    data = encode(ALL, {"u8": 1}) + encode(ALL, {"u8": 2})
    assert decode(ALL, data) == {"u8": 2}
    assert decode(ALL, data + b"xx") == {"u8": 2}


def test_a_selector_may_come_late_and_from_outside() -> None:
    late = {"data": {"one": 1}, "kind": "nested"}
    assert decode(ALL, encode(ALL, late)) == late
    deep = AttributeSet("deep", Attribute("data", "sub-message", 1, sub_message=KINDS,
                                          selector="kind"))  # fmt: skip
    outer = AttributeSet("outer", Attribute("kind", "string"), Attribute("deep", nested=deep))
    values = {"kind": "nested", "deep": {"data": {"two": "x"}}}
    assert decode(outer, encode(outer, values)) == values


def test_nests_in_nests_end_somewhere() -> None:
    loop = AttributeSet("loop", Attribute("level", "u8"))
    loop.add(Attribute("again", nested=loop))
    values: dict[str | int, Any] = {"level": 1}
    for _ in range(30):
        values = {"again": values}
    assert decode(loop, encode(loop, values)) == values
    for _ in range(3):
        values = {"again": values}
    with pytest.raises(ValueError, match="32 deep at most"):
        encode(loop, values)
    data = b""
    for _ in range(5000):
        writer = AttrWriter()
        writer.put(2 | 0x8000, data)
        data = bytes(writer.data)
    found = decode(loop, data)
    for _ in range(33):
        found = found["again"]
    assert isinstance(found, bytes)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"colur": 1}, "no attribute of all 'colur', did you mean colour or colours"),
        ({"u8": 256}, "u8: 256 does not fit in u8"),
        ({"u8": -1}, "u8: -1 does not fit in u8"),
        ({"u8": "1"}, "u8: '1' is no u8"),
        ({"u8": True}, "u8: True is no u8"),
        ({"uint": 1 << 64}, "does not fit in uint"),
        ({"text": 5}, "text: 5 is no string"),
        ({"bytes": "5"}, "bytes: '5' is not bytes"),
        ({"flag": 1}, "flag: 1 is no flag"),
        ({"nest": 5}, "nest: attributes are given by name, not as 5"),
        ({"nest": {"one": 999}}, "nest: one: 999 does not fit in u8"),
        ({"nests": [{}, {"three": 3}]}, "nests: there is no attribute of inner 'three'"),
        ({"array": {"one": 1}}, "array: an array is a list"),
        ({"array": [{}, {"one": "x"}]}, "array: 1: one: 'x' is no u8"),
        ({"colour": "pink"}, "colour: there is no value of colour 'pink'"),
        ({"colour": ["red"]}, "colour takes one name"),
        ({"rights": ["fly"]}, "there is no value of right 'fly'"),
        ({"mac": "zz"}, "mac: "),
        ({"ip": "::1"}, "::1 is not an ipv4 address"),
        ({"when": {"minute": 1}}, "there is no member of struct time 'minute'"),
        ({"when": {"nsec": 1 << 32}}, "does not fit a u32"),
        ({"tree": {"row": 1, "level": 2}}, "column is a number, not None"),
        ({"data": {"one": 1}}, "kind does not say what this is"),
        ({"kind": "struct", "data": {"level": 1}}, "there is no member 'level'"),
        ({"bits": 5}, "a bitfield32 has value and selector"),
        ({"numbers": [70000]}, "70000 does not fit in u16"),
        ({99: "text"}, "attribute 99 has no name"),
        ({"bytes": bytes(70000)}, "70000 bytes are too many"),
        ({"nest": {"two": "x" * 65530}}, "nest: a nest has 65535 bytes at most"),
    ],
    ids=range(29),
)
def test_mistakes_are_told_with_their_place(values: dict[str | int, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        encode(ALL, values)
