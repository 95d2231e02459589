"""Whatever JSON an owner sends for a family from a spec: it is taken, or a ValueError says why."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netlink_emu.families.own import Family
from netlink_emu.protocol.family import Attribute, AttributeSet

# Sub-messages, which no generic netlink family of these specs has.
GATE = """
name: gate
attribute-sets:
  - name: gate
    attributes:
      - {name: kind, type: string}
      - {name: nest, type: nest, nested-attributes: inner}
      - {name: rows, type: indexed-array, sub-type: nest, nested-attributes: inner}
      - {name: data, type: sub-message, sub-message: data, selector: kind}
  - name: inner
    attributes:
      - {name: data, type: sub-message, sub-message: data, selector: kind}
      - {name: key, type: binary}
  - {name: speed, attributes: [{name: speed, type: u8}, {name: key, type: binary}]}
sub-messages: [{name: data, formats: [{value: fast, attribute-set: speed}]}]
operations:
  list:
    - name: get
      attribute-set: gate
      do: {request: {attributes: [kind]}, reply: {attributes: [nest]}}
"""
SPECS = Path(__file__).parents[1] / "data" / "specs" / "7.3"
FAMILIES = (
    "ethtool",
    "nl80211",
    "wireguard",
    "ovs_flow",
    "netdev",
    "devlink",
    "tcp_metrics",
    "gate",
)

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
    | st.sampled_from(["00ff", "10.0.0.1", "::1", "\ud800", "eth0"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def objects(attributes: AttributeSet, depth: int = 0) -> st.SearchStrategy[Any]:
    """Mostly attributes that there are, with a value that may not be of their type."""
    one = st.sampled_from([*attributes]).flatmap(
        lambda attribute: st.tuples(st.just(attribute.name), values(attribute, depth))
    )
    return st.lists(one, max_size=4).map(dict)


def values(attribute: Attribute, depth: int) -> st.SearchStrategy[Any]:
    if attribute.nested is None or depth > 2 or not len(attribute.nested):
        return ANY
    inner = objects(attribute.nested, depth + 1)
    return inner | st.lists(inner, max_size=2) | ANY


def made(name: str) -> Family:
    return Family.from_spec(GATE if name == "gate" else SPECS / f"{name}.yaml")


@pytest.mark.parametrize("kind", [["fast"], {"fast": 1}, None, 7])
def test_what_chooses_a_sub_message_may_be_anything(kind: Any) -> None:
    with pytest.raises(ValueError, match=r"^gate: (kind|data): "):
        made("gate").store.add("gate", {"kind": kind, "data": {"speed": 1}})


def test_bytes_of_a_sub_message_are_hex_in_nests_too() -> None:
    store = made("gate").store
    inner = {"data": {"speed": 1, "key": "00:ff"}, "key": "01"}
    store.add("gate", {"kind": "fast", "nest": inner, "rows": [inner], "data": inner["data"]})
    read = {"data": {"speed": 1, "key": b"\x00\xff"}, "key": b"\1"}
    assert store.objects("gate") == [
        {"kind": "fast", "nest": read, "rows": [read], "data": read["data"]}
    ]


@pytest.mark.parametrize("name", FAMILIES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_objects_and_answers(name: str, data: st.DataObject) -> None:
    family = made(name)
    kind = data.draw(st.sampled_from([*family.store.kinds.values()]))
    for change in (family.store.add, family.store.change, family.store.remove):
        given_: Any = data.draw(objects(kind.attributes) | ANY)
        with contextlib.suppress(ValueError, LookupError):
            change(kind.name, given_)
    assert all(isinstance(each, Mapping) for each in family.store.objects(kind.name))
    op = data.draw(st.sampled_from(family.declaration.operations))
    with contextlib.suppress(ValueError):
        family.reply_plain(op.name, data.draw(st.lists(objects(op.attributes)) | ANY))
