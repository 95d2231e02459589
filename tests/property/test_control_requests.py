"""Whatever an owner sends to NETLINK_EMU is answered: by what was asked for, or an errno."""

from __future__ import annotations

import struct
from collections import defaultdict

import pytest
from helpers.kernel import Bench, make_bench
from hypothesis import given, settings
from hypothesis import strategies as st

from netlink_emu.families.control import Control
from netlink_emu.families.own import Family
from netlink_emu.faults import Faults
from netlink_emu.journal import Journal
from netlink_emu.kernel.releases import profile_for
from netlink_emu.protocol.family import Attribute, AttributeSet, AttrType, Operation
from netlink_emu.protocol.ours.control import CONTROL, cmd_of

# Storms and waits are for other tests: they take as long as they are told to.
OPS = [op for op in CONTROL.operations if op.event is None and op.name not in ("task-storm",)]
LAMP = """
name: lamp
attribute-sets:
  - {name: lamp, attributes: [{name: id, type: u32}, {name: level, type: u8}]}
operations:
  list:
    - name: lamp-get
      attribute-set: lamp
      do: {request: {attributes: [id]}, reply: {attributes: [id, level]}}
    - {name: lamp-ntf, notify: lamp-get, mcgrp: events}
mcast-groups: {list: [{name: events}]}
"""
# What requests about this family say, by attribute.
LAMP_WORDS = defaultdict(
    lambda: [b"lamp\0"],
    json=[b'{"id": 1}\0', b'{"id": 2, "level": 3}\0', b'[{"level": 256}]\0', b"null\0", b"[[\0"],
    operation=[b"lamp-get\0", b"lamp-ntf\0"],
    attribute=[b"level\0", b"id.level\0"],
    group=[b"events\0"],
)
U32 = st.sampled_from([0, 1, 2, 4242, 0x7FFFFFFF, 0xFFFFFFFF]) | st.integers(0, 9)


def payloads(attribute: Attribute) -> st.SearchStrategy[bytes]:
    """Mostly what the attribute takes."""
    junk = st.binary(max_size=12)
    match attribute.type:
        case AttrType.U32:
            return U32.map(lambda n: struct.pack("=I", n)) | junk
        case AttrType.U64:
            return st.integers(0, 2**64 - 1).map(lambda n: struct.pack("=Q", n)) | junk
        case AttrType.STRING:
            known = [b"a\0", b"a/b\0", b"drop\0", b"cmd=X\0", b"\xff\0", b""]
            return st.sampled_from(known) | st.sampled_from(LAMP_WORDS[attribute.name]) | junk
        case AttrType.NEST if attribute.nested is not None:
            return st.lists(attributes(attribute.nested, nested=True), max_size=3).map(b"".join)
        case _:
            return st.just(b"") | junk


def attributes(attrs: AttributeSet, *, nested: bool = False) -> st.SearchStrategy[bytes]:
    """One attribute; now and then with a length, a type or flags that are not its own."""

    def pack(drawn: tuple[Attribute, int, int, bytes]) -> bytes:
        attribute, flags, wrong, payload = drawn
        flags |= 0x8000 if attribute.type is AttrType.NEST else 0
        head = struct.pack("=HH", (4 + len(payload) + wrong) & 0xFFFF, attribute.number | flags)
        return head + payload + bytes(-len(payload) % 4)

    mostly_right = st.sampled_from([0] * 12 + [-1, 1, 3])
    flags = st.sampled_from([0] * 12 + [0x8000, 0x4000, 64])
    one = st.sampled_from([*attrs]).flatmap(
        lambda a: st.tuples(st.just(a), flags, mostly_right, payloads(a))
    )
    return one.map(pack) if nested else one.map(pack) | st.binary(max_size=6)


REQUESTS = st.sampled_from(OPS).flatmap(
    lambda op: st.tuples(
        st.just(op),
        st.sampled_from([1, 5, 0x301]),
        st.lists(attributes(op.attributes), max_size=4).map(b"".join),
    )
)


def controlled(release: str) -> tuple[Bench, Control]:
    bench = make_bench(profile_for(release, arch="x86_64"))
    journal = Journal(bench.kernel)
    Family.from_spec(LAMP, state={"lamp": [{"id": 1}]}).attach(bench.kernel)
    return bench, Control(bench.kernel, journal, Faults(bench.kernel, journal))


@pytest.mark.parametrize("release", ["2.6.18", "4.11", "6.18"])
@settings(max_examples=100, deadline=None)
@given(requests=st.lists(REQUESTS, min_size=1, max_size=6))
def test_it_is_answered(release: str, requests: list[tuple[Operation, int, bytes]]) -> None:
    bench, control = controlled(release)
    sock = bench.sock(7)
    for op, flags, attrs in requests:
        body = struct.pack("=BBH", cmd_of(op), 1, 0) + attrs
        header = struct.pack("=IHHII", 16 + len(body), control.family.id, flags, 1, 0)
        bench.ask(sock, header + body)
    for pending in list(control.watch.waits):
        pending.expire()
    assert not control.watch.waits
