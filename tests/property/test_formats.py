"""Every wire format: the derived codec equals construct's interpreter, both ways."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from construct import Struct
from hypothesis import given, settings
from hypothesis import strategies as st

import netlink_emu.protocol
from netlink_emu.protocol.format import BIG, LITTLE, ByteOrder, DecodeError, Format
from netlink_emu.protocol.taskstats import taskstats_layout


def _formats() -> Iterator[Any]:
    """Each Format that a module of netlink_emu.protocol declares."""
    for module in pkgutil.walk_packages(netlink_emu.protocol.__path__, "netlink_emu.protocol."):
        loaded = importlib.import_module(module.name)
        for name, value in vars(loaded).items():
            if isinstance(value, Format) and value[LITTLE].record.__module__ == loaded.__name__:
                yield pytest.param(value, id=f"{module.name.rpartition('.')[2]}.{name}")


FORMATS = [*_formats()]
ORDERS = pytest.mark.parametrize("order", [LITTLE, BIG], ids=lambda order: order.name)
LAYOUTS = [
    pytest.param(version, u64_align, id=f"v{version}, u64 aligned to {u64_align}")
    for version in range(1, 18)
    for u64_align in ((8, 4) if version in (2, 3) else (8,))
]


def _bytes(size: int) -> st.SearchStrategy[bytes]:
    """``size`` bytes; a short pattern repeated, which is quick to draw and to shrink."""
    patterns = st.one_of(st.binary(min_size=1, max_size=24), st.sampled_from([b"\0", b"\xff"]))
    return patterns.map(lambda pattern: (pattern * size)[:size])


def _values(declaration: Struct, wire: bytes) -> dict[str, Any]:
    """What construct reads: each value of each member can come of it."""
    parsed = declaration.parse(wire)
    return {member.name: parsed[member.name] for member in declaration.subcons if member.name}


def test_all_formats_are_found() -> None:
    names = {param.id for param in FORMATS}
    assert {"netlink.NLMSGHDR", "attributes.NLATTR", "bpf_common.SECCOMP_DATA"} <= names
    assert len(names) >= 9


@ORDERS
@pytest.mark.parametrize("format_", FORMATS)
@given(data=st.data())
def test_format_equals_its_declaration(
    format_: Format[Any], order: ByteOrder, data: st.DataObject
) -> None:
    codec = format_[order]
    junk = data.draw(_bytes(codec.size))
    values = _values(codec.construct, junk)
    record = codec.record(**values)
    assert codec.decode(junk) == record
    wire = codec.encode(record)
    assert wire == codec.construct.build(values)
    assert codec.decode(wire) == record


@ORDERS
@pytest.mark.parametrize("format_", FORMATS)
@given(junk=st.binary(max_size=70), offset=st.integers(0, 80))
def test_format_decodes_or_says_that_bytes_are_missing(
    format_: Format[Any], order: ByteOrder, junk: bytes, offset: int
) -> None:
    codec = format_[order]
    if len(junk) - offset >= codec.size:
        assert codec.decode(junk, offset) == codec.decode(junk[offset:])
    else:
        with pytest.raises(DecodeError):
            codec.decode(junk, offset)


@ORDERS
@pytest.mark.parametrize(("version", "u64_align"), LAYOUTS)
@given(data=st.data())
@settings(max_examples=40)
def test_taskstats_equals_its_declaration(
    version: int, u64_align: int, order: ByteOrder, data: st.DataObject
) -> None:
    layout = taskstats_layout(version, u64_align)
    codec, declaration = layout.codec(order), layout.construct(order)
    junk = data.draw(_bytes(layout.size))
    values = _values(declaration, junk)
    assert codec.decode(junk + b"what newer kernels append") == values
    wire = codec.encode(values)
    assert wire == declaration.build(values) == codec.pack(*values.values())
    assert codec.decode(wire) == values
