"""Specs in the kernel's format become declarations; mistakes are named with their place."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlink_emu.documents import DocumentError
from netlink_emu.protocol.family import AttrType, decode, encode
from netlink_emu.protocol.format import BIG, LITTLE
from netlink_emu.protocol.genetlink import GenlOpFlags
from netlink_emu.specs import read_spec

SPECS = Path(__file__).parents[2] / "data/specs"
FILES = sorted(SPECS.glob("*/*.yaml"))

LAMP = """
name: lamp
protocol: genetlink
version: 2
doc: A lamp.
definitions:
  - {name: most, type: const, value: 11}
  - {name: wg-most, name-prefix: x-, type: const, value: 12}
  - {name: text, type: const, value: words}
  - {name: colour, type: enum, value-start: 5, entries: [red, {name: green, value: 9}, blue]}
  - {name: caps, type: flags, entries: [dim, {name: blink, value: 4}, glow]}
  - name: outer
    type: struct
    members:
      - {name: a, type: u16, byte-order: big-endian}
      - {name: b, type: binary, struct: inner}
      - {name: c, type: pad, len: 2}
      - {name: d, type: string, len: most}
  - {name: inner, type: struct, members: [{name: x, type: u8, enum: colour}, {name: y, type: u8}]}
attribute-sets:
  - name: lamp
    attributes:
      - {name: id, type: u32, checks: {min: 1, max: most}}
      - {name: level, type: u32, value: 7, byte-order: big-endian, checks: {max: s32-max}}
      - {name: colour, type: u8, enum: colour}
      - {name: caps, type: u32, enum: caps}
      - {name: parts, type: nest, nested-attributes: part, multi-attr: true}
      - {name: table, type: indexed-array, sub-type: nest, nested-attributes: part}
      - {name: old, type: array-nest, sub-type: u32}
      - {name: kind, type: string, checks: {max-len: 8, unterminated-ok: true}}
      - {name: more, type: sub-message, sub-message: kinds, selector: kind}
      - {name: raw, type: binary, struct: outer}
      - {name: stat, type: u64, type-value: [id]}
  - name: part
    attributes:
      - {name: whole, type: nest, nested-attributes: part}
      - {name: size, type: uint}
  - name: lamp-few
    subset-of: lamp
    attributes:
      - {name: id}
      - {name: level, checks: {max: 3}}
sub-messages:
  - name: kinds
    formats:
      - {value: bulb, attribute-set: part}
      - {value: tube, fixed-header: inner}
operations:
  list:
    - name: get
      attribute-set: lamp
      flags: [admin-perm]
      dont-validate: [strict]
      do: {request: {attributes: [id]}, reply: {attributes: &all [id, level]}}
      dump: {reply: {attributes: *all}}
    - {name: changed, notify: get, mcgrp: news}
    - {name: burnt, value: 9, attribute-set: lamp, event: {attributes: [id]}, mcgrp: news}
    - {name: reset, attribute-set: lamp, do: {request: {attributes: [nosuch]}}}
mcast-groups:
  list: [{name: news}, {name: logs, value: 5}]
"""


def test_a_family() -> None:
    spec = read_spec(LAMP, "lamp.yaml")
    family = spec.declaration
    assert (family.name, family.version, spec.protonum) == ("lamp", 2, 16)
    assert [group.name for group in family.groups] == ["news", "logs"]
    assert spec.group_numbers == {"logs": 5}
    assert family.enums["colour"].values == {"red": 5, "green": 9, "blue": 10}
    assert family.enums["caps"].values == {"dim": 1, "blink": 16, "glow": 32}
    lamp = family.attribute_sets["lamp"]
    assert [(attr.name, attr.number) for attr in lamp][:4] == [
        ("id", 1), ("level", 7), ("colour", 8), ("caps", 9),
    ]  # fmt: skip
    assert (lamp["id"].min, lamp["id"].max) == (1, 11)
    assert (lamp["level"].byte_order, lamp["level"].max) == (BIG, (1 << 31) - 1)
    assert lamp["old"].type is AttrType.INDEXED_ARRAY
    few = family.attribute_sets["lamp-few"]
    assert (few["level"].number, few["level"].max, few["level"].byte_order) == (7, 3, BIG)
    assert family.structs["outer"].size == 17
    [remark] = spec.remarks
    assert remark.reason == "there is no attribute 'nosuch' here"
    assert str(remark.place) == "lamp.yaml:58:70"


def test_operations() -> None:
    family = read_spec(LAMP).declaration
    get, changed, burnt, reset = family.operations
    assert get.flags == GenlOpFlags.GENL_ADMIN_PERM
    assert get.validate == {"strict"}
    assert get.do is not None
    assert get.dump is not None
    assert (get.do.request, get.do.reply, get.do.cmd) == (("id",), ("id", "level"), 1)
    assert (get.dump.request, get.dump.reply) == ((), ("id", "level"))
    assert changed.event is not None
    assert (changed.notify, changed.mcgrp, changed.event.reply_cmd) == ("get", "news", 2)
    assert changed.attributes is get.attributes
    assert burnt.event is not None
    assert (burnt.event.reply, burnt.event.reply_cmd) == (("id",), 9)
    assert reset.do is not None
    assert (reset.do.cmd, reset.do.reply, reset.do.request) == (10, None, ())


def test_directional_numbers() -> None:
    spec = read_spec("""
name: way
operations:
  enum-model: directional
  list:
    - {name: a, do: {request: {value: 3}, reply: {value: 7}}}
    - {name: told, event: {}}
    - {name: b, do: {request: {}}}
    - {name: c, dump: {request: {}, reply: {}}}
    - {name: d, notify: a, value: 20}
    - {name: e, do: {request: {}, reply: {}}}
""")
    numbers = [
        (exchange.cmd, exchange.reply_cmd)
        for op in spec.declaration.operations
        for exchange in (op.do, op.dump, op.event)
        if exchange is not None
    ]
    assert numbers == [(3, 7), (0, 8), (4, 9), (5, 9), (0, 20), (6, 21)]


def test_notifications_may_be_numbered_apart() -> None:
    spec = read_spec("""
name: way
operations:
  enum-model: notify-split
  list:
    - {name: a, do: {request: {}, reply: {}}}
    - {name: told, event: {}}
    - {name: b, value: 5, do: {request: {}}, dump: {reply: {}}}
    - {name: d, notify: a, value: 9}
    - {name: c, do: {request: {}}}
    - {name: e, notify: a}
""")
    numbers = {
        op.name: {(e.cmd, e.reply_cmd) for e in (op.do, op.dump, op.event) if e is not None}
        for op in spec.declaration.operations
    }
    assert numbers == {
        "a": {(1, 1)}, "told": {(0, 1)}, "b": {(5, 5)}, "d": {(0, 9)}, "c": {(6, 6)},
        "e": {(0, 10)},
    }  # fmt: skip


def test_values_by_name() -> None:
    lamp = read_spec(LAMP).declaration.attribute_sets["lamp"]
    values = {
        "id": 4,
        "colour": "green",
        "caps": ["dim", "glow"],
        "parts": [{"size": 1}, {"whole": {"size": 1 << 40}}],
        "kind": "bulb",
        "more": {"size": 3},
        "raw": {"a": 1, "b": {"x": "red", "y": 2}, "d": "hello"},
    }
    for order in (LITTLE, BIG):
        assert decode(lamp, encode(lamp, values, order), order) == values


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_the_kernels_own(file: Path) -> None:
    spec = read_spec(file.read_bytes(), file.name)
    raw = spec.declaration.protocol == "netlink-raw"
    assert (spec.protonum == 16) != raw
    # Slips of the kernel's files, which its own tools pass over as well.
    assert all("twice" in each.reason or "no attribute" in each.reason for each in spec.remarks)


def test_what_the_kernels_specs_hold() -> None:
    """All is read: as many attributes and operations as there are lines for them."""
    attributes: Counter[str] = Counter()
    operations = 0
    for file in SPECS.glob("7.3/*.yaml"):
        family = read_spec(file.read_bytes(), file.name).declaration
        operations += len(family.operations)
        for each in family.attribute_sets.values():
            attributes.update(str(attribute.type) for attribute in each)
    assert len(FILES) == 52
    assert operations == 340
    assert attributes["sub-message"] >= 8
    assert attributes["u32"] >= 1006


def test_numbers_that_c_has() -> None:
    """Numbers of the UAPI headers: include/uapi/linux/{if_link,ethtool_netlink,netdev}.h."""

    def numbers(file: str, name: str) -> dict[str, int]:
        family = read_spec((SPECS / file).read_bytes()).declaration
        return {attr.name: attr.number for attr in family.attribute_sets[name]}

    link = numbers("7.3/rt-link.yaml", "link-attrs")
    assert (link["address"], link["ifname"], link["mtu"], link["linkinfo"]) == (1, 3, 4, 18)
    assert numbers("7.3/ethtool.yaml", "header")["flags"] == 3
    assert numbers("7.3/netdev.yaml", "dev")["xdp-features"] == 3
    ethtool = read_spec((SPECS / "7.3/ethtool.yaml").read_bytes()).declaration
    rings = ethtool.operation("rings-get").do
    assert rings is not None
    # ETHTOOL_MSG_RINGS_GET is 15 both of the user's and of the kernel's messages less one.
    assert (rings.cmd, rings.reply_cmd) == (15, 16)


WRONG = [
    ("a: ]", "not YAML", "x:1:4"),
    ("- a", "not a mapping", "x:1:1"),
    ("name: [1]", "name is a string, not a list", "x:1:7"),
    ("name: x\nname: y", "name is there twice", "x:2:1"),
    ("protocol: genetlink", "name is missing", "x:1:1"),
    ("name: a-name-that-is-too-long", "a family's name has 1 to 15 bytes", "x:1:1"),
    ("name: x\nprotocol: smtp", "protocol is one of genetlink", "x:2:11"),
    ("name: x\nprotocol: netlink-raw", "protonum is missing", "x:1:1"),
    ("name: x\nversion: '1'", "version is a number, not '1'", "x:2:10"),
    ("name: x\ndefinitions: {a: b}", "definitions is a list, not a mapping", "x:2:14"),
    ("name: x\ndefinitions: [{name: a, type: enum, entries: [on]}]", "quote it", "x:2:47"),
    ("name: x\ndefinitions: [{name: a, type: enum, entries: [b, b]}]", "two entries", "x:2:50"),
    ("name: x\ndefinitions: [{name: a, type: flags, entries: [{name: b, value: 64}]}]",
     "one of 64 bits", "x:2:48"),
    ("name: x\ndefinitions: [{name: a, type: struct, members: [{name: b, type: binary, "
     "struct: a}]}]", "the struct a is inside of itself", "x:2:15"),
    ("name: x\ndefinitions: [{name: a, type: struct, members: [{name: b, type: u3}]}]",
     "there is no type of a member 'u3'", "x:2:49"),
    ("name: x\ndefinitions: [{name: a, type: struct, members: [{name: b, type: pad, "
     "len: 99999999}]}]", "too long", "x:2:75"),
    ("name: x\nattribute-sets: [{name: a, attributes: [{name: b, type: u99}]}]",
     "there is no type 'u99'", "x:2:57"),
    ("name: x\nattribute-sets: [{name: a, attributes: [{name: b, type: nest}]}]",
     "needs its attributes", "x:2:41"),
    ("name: x\nattribute-sets: [{name: a, attributes: [{name: b, type: u8, value: 20000}]}]",
     "at most 16383", "x:2:41"),
    ("name: x\nattribute-sets: [{name: a, attributes: [{name: b, type: u8}, "
     "{name: b, type: u8}]}]", "two attributes 'b'", "x:2:62"),
    ("name: x\nattribute-sets: [{name: a, subset-of: c, attributes: []}]",
     "there is no attribute set 'c'", "x:2:39"),
    ("name: x\nattribute-sets: [{name: a, attributes: [{name: b, type: u8, "
     "checks: {max: lots}}]}]", "there is no constant 'lots'", "x:2:75"),
    ("name: x\noperations: {list: [{name: a, do: {}, flags: [root]}]}",
     "there is no flag 'root'", "x:2:46"),
    ("name: x\noperations: {list: [{name: a, notify: b}]}", "there is no operation 'b'",
     "x:2:39"),
    ("name: x\noperations: {enum-model: other, list: []}", "enum-model is unified", "x:2:26"),
    ("name: x\noperations: {list: [{name: a, value: 256, do: {}}]}", "a command is a u8",
     "x:1:1"),
    ("name: x\noperations: {list: [{name: a, do: {}, mcgrp: m}]}", "group of x", "x:1:1"),
    ("name: &a [*a]", "nested deeper", "x:1:7"),
    ("name: !!python/object/apply:os.system [id]", "name is a string", "x:1:7"),
    ("{name: x, <<: {a: b}}", "a key is a name", "x:1:11"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "reason", "place"), WRONG, ids=[text for text, *_ in WRONG])
def test_mistakes(text: str, reason: str, place: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read_spec(text, "x")
    assert reason in caught.value.reason
    assert str(caught.value.place) == place


def test_what_is_not_known_is_remarked_upon() -> None:
    spec = read_spec("name: x\nverison: 3\n", "x")
    [remark] = spec.remarks
    assert str(remark) == "x:2:10: 'verison' is not known here, did you mean version?"


def test_bounds() -> None:
    with pytest.raises(DocumentError, match="longer than 4 MiB"):
        read_spec("#" * (5 << 20))
    with pytest.raises(DocumentError, match="nested deeper"):
        read_spec("a: " + "[" * 60 + "]" * 60)
    with pytest.raises(DocumentError, match="nest"):
        read_spec("a: " + "[" * 20000)
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
    )
    with pytest.raises(DocumentError, match="more than 300,000 values"):
        read_spec(laughs)


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200)))
def test_any_bytes(text: str | bytes) -> None:
    try:
        read_spec(text)
    except DocumentError:
        return


@given(st.sampled_from(FILES), st.integers(0, 1 << 32))
def test_damaged_files(file: Path, seed: int) -> None:
    """A real spec with lines gone, doubled, swapped and changed: a spec, or a DocumentError."""
    draw = random.Random(seed)
    lines = file.read_text("utf-8").splitlines()
    start = draw.randrange(max(1, len(lines) - 400))
    lines = ["name: x", *lines[start : start + 400]] if draw.random() < 0.5 else lines[:400]
    for _ in range(draw.randrange(1, 6)):
        at = draw.randrange(len(lines))
        match draw.randrange(5):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, lines[draw.randrange(len(lines))])
            case 2:
                lines[at] = lines[at].replace("name", draw.choice(["type", "value", "enum"]))
            case 3:
                lines[at] = lines[at] + draw.choice(["]", ": 3", " &a", " *a", "\t", " -1", " on"])
            case _:
                lines[at] = lines[at][draw.randrange(3) :]
    try:
        read_spec("\n".join(lines))
    except DocumentError:
        return
