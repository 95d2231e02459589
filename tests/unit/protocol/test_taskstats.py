"""struct taskstats against the offsets that compilers gave the headers of each version."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from netlink_emu.protocol import taskstats
from netlink_emu.protocol.format import BIG, LITTLE, ByteOrder, DecodeError, EncodeError
from netlink_emu.protocol.taskstats import TaskstatsField, taskstats_layout

VERSIONS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "data" / "taskstats_layouts.json").read_text()
)
ORDERS = pytest.mark.parametrize("order", [LITTLE, BIG], ids=lambda order: order.name)


def compiled_fields(version: dict[str, Any], *, i386: bool) -> dict[str, TaskstatsField]:
    """The members as compiled; padding left out, timespecs as two members."""
    fields = {}
    for name, ctype, offset, size in version["fields"]:
        if i386:
            offset = version["offsets_i386"].get(name, offset)
        if name in ("padding", "ac_pad"):
            continue
        if ctype == "struct __kernel_timespec":
            fields[f"{name}_sec"] = TaskstatsField(offset, 8, "__s64")
            fields[f"{name}_nsec"] = TaskstatsField(offset + 8, 8, "__s64")
        else:
            fields[name] = TaskstatsField(offset, size, ctype)
    return fields


def test_every_version_is_there() -> None:
    assert [row["version"] for row in VERSIONS] == list(range(1, 18))


@pytest.mark.parametrize("version", VERSIONS, ids=lambda row: f"v{row['version']}")
@pytest.mark.parametrize("i386", [False, True], ids=["64-bit", "i386"])
def test_layout_as_compiled(version: dict[str, Any], i386: bool) -> None:
    layout = taskstats_layout(version["version"], 4 if i386 else 8)
    assert layout.size == version["size_i386" if i386 else "size"]
    # The order of the members is the order on the wire, and that of pack().
    assert list(layout.fields.items()) == list(compiled_fields(version, i386=i386).items())
    assert layout.names == tuple(layout.fields)


@pytest.mark.parametrize("version", range(1, 18))
@pytest.mark.parametrize("u64_align", [4, 8])
@ORDERS
def test_declaration_and_codec_have_the_layout(
    version: int, u64_align: int, order: ByteOrder
) -> None:
    layout = taskstats_layout(version, u64_align)
    codec = layout.codec(order)
    assert codec.size == layout.size == layout.construct(order).sizeof()
    assert codec.names == layout.names
    for name, (offset, size, _) in layout.fields.items():
        # A one in the lowest place stands in that member's bytes, and nowhere else.
        if name == "ac_comm":
            data, one = codec.encode({name: b"\x01"}), b"\x01" + bytes(31)
        else:
            data = codec.encode({name: 1})
            one = (1).to_bytes(size, "little" if order is LITTLE else "big")
        assert data == bytes(offset) + one + bytes(layout.size - offset - size)


def test_prefixes() -> None:
    """A client that knows version 4 to 14 or 16 can read the start of every later one but 15."""
    newest = list(taskstats_layout(17).fields.items())
    for version in (*range(4, 15), 16):
        older = list(taskstats_layout(version).fields.items())
        assert newest[: len(older)] == older
    assert taskstats_layout(15).size == taskstats_layout(16).size
    assert taskstats_layout(15).fields["ac_comm"].offset == 128


def test_layouts_are_made_once() -> None:
    assert taskstats_layout(16) is taskstats_layout(16)
    assert taskstats_layout(16).codec(BIG) is taskstats_layout(16).codec(BIG)


@pytest.mark.parametrize("version", [0, 18, -1])
def test_no_such_version(version: int) -> None:
    with pytest.raises(ValueError, match=f"of version {version}"):
        taskstats_layout(version)


def test_no_such_alignment() -> None:
    with pytest.raises(ValueError, match="u64_align is 2"):
        taskstats_layout(16, 2)


@ORDERS
def test_a_struct_of_6_18(order: ByteOrder) -> None:
    codec = taskstats_layout(16).codec(order)
    values: dict[str, int | bytes] = {
        "version": 16,
        "ac_exitcode": 3 << 8,
        "ac_flag": taskstats.AFORK | taskstats.AGROUP,
        "ac_nice": 246,
        "ac_comm": b"postgres",
        "ac_pid": 4242,
        "irq_delay_min": 2**64 - 1,
    }
    data = codec.encode(values)
    assert len(data) == 560
    assert data[80:112] == b"postgres" + bytes(24)
    assert data[:10] == struct.pack(f"{order.char}HxxIBB", 16, 768, 33, 246)
    assert data[552:] == b"\xff" * 8
    decoded = codec.decode(data)
    assert decoded.pop("ac_comm") == b"postgres" + bytes(24)
    del values["ac_comm"]
    assert {name: value for name, value in decoded.items() if value} == values


def test_members_of_other_versions_are_left_out() -> None:
    values = {"version": 14, "nvcsw": 5, "irq_delay_max": 7, "cpu_delay_max_ts_nsec": 8}
    data = taskstats_layout(14).codec().encode(values)
    assert taskstats_layout(14).codec().decode(data)["nvcsw"] == 5
    assert data.count(7) == data.count(8) == 0
    assert taskstats_layout(1).codec().encode({"nvcsw": 5}) == bytes(72)


def test_timespec_is_signed() -> None:
    codec = taskstats_layout(17).codec()
    data = codec.encode({"irq_delay_max_ts_sec": -1, "irq_delay_max_ts_nsec": 999_999_999})
    assert data[672:] == b"\xff" * 8 + (999_999_999).to_bytes(8, "little")
    assert codec.decode(data)["irq_delay_max_ts_sec"] == -1


def test_pack_takes_the_values_in_order() -> None:
    codec = taskstats_layout(1).codec()
    assert codec.names[:2] == ("version", "cpu_count")
    assert codec.pack(*range(1, 10)) == codec.encode(
        dict(zip(codec.names, range(1, 10), strict=True))
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"blkio_count": -1}, "blkio_count is -1, __u64 takes 0 to 18446744073709551615"),
        ({"blkio_count": 2**64}, "blkio_count is 18446744073709551616, __u64"),
        ({"ac_pid": 2**32}, "ac_pid is 4294967296, __u32 takes 0 to 4294967295"),
        ({"ac_nice": -10}, "ac_nice is -10, __u8 takes 0 to 255"),
        ({"version": 70_000}, "version is 70000, __u16 takes"),
        ({"nvcsw": 1.5}, "nvcsw is 1.5, __u64 takes"),
        ({"ac_pid": b"1"}, "ac_pid is b'1', __u32 takes"),
        ({"ac_comm": "bash"}, "ac_comm is 'bash', there is room for 32 bytes"),
        ({"ac_comm": b"x" * 33}, "xxx', there is room for 32 bytes"),
        ({"ac_comm": b"bash", "nvcsw": -1, "nivcsw": -2}, "nvcsw is -1, __u64 takes 0 to 1844"),
        ({"ac_comm": b"bash", "nvcsw": -1, "nivcsw": -2}, "5; nivcsw is -2, __u64 takes"),
        ({"ac_comn": b"x", "version": 16}, "struct taskstats has no ac_comn"),
    ],
)
def test_what_cannot_be_encoded(values: dict[str, Any], message: str) -> None:
    with pytest.raises(EncodeError) as caught:
        taskstats_layout(16).codec().encode(values)
    assert message in str(caught.value)


def test_the_timespecs_have_limits_too() -> None:
    with pytest.raises(EncodeError, match=r"cpu_delay_max_ts_sec is 9223372036854775808, __s64"):
        taskstats_layout(17).codec().encode({"cpu_delay_max_ts_sec": 1 << 63})


def test_too_few_bytes() -> None:
    codec = taskstats_layout(16).codec()
    assert codec.decode(bytes(570), 10)["version"] == 0
    with pytest.raises(DecodeError, match="needs 560 bytes at 11, found 559"):
        codec.decode(bytes(570), 11)


def test_numbers_of_the_family() -> None:
    assert taskstats.TASKSTATS_GENL_NAME == "TASKSTATS"
    assert taskstats.TASKSTATS_GENL_VERSION == 1
    assert [*map(int, taskstats.TaskstatsCmd)] == [0, 1, 2]
    assert [*map(int, taskstats.TaskstatsCmdAttr)] == [0, 1, 2, 3, 4]
    assert [*map(int, taskstats.TaskstatsType)] == [0, 1, 2, 3, 4, 5, 6]
    assert [*map(int, taskstats.AcFlag)] == [1, 2, 4, 8, 16, 32]


def test_an_error_names_what_does_not_fit_and_nothing_else() -> None:
    codec = taskstats_layout(16, 8).codec(LITTLE)
    values: dict[str, int | bytes] = {
        "ac_comm": b"comm",
        "ac_pid": -1,
        "ac_uid": 0,
        "ac_gid": (1 << 32) - 1,
    }
    with pytest.raises(EncodeError) as caught:
        codec.encode(values)
    assert str(caught.value) == "ac_pid is -1, __u32 takes 0 to 4294967295"
    with pytest.raises(EncodeError) as caught:
        codec.encode(values | {"ac_ppid": 1 << 32})
    assert str(caught.value) == (
        "ac_pid is -1, __u32 takes 0 to 4294967295; "
        "ac_ppid is 4294967296, __u32 takes 0 to 4294967295"
    )
    with pytest.raises(EncodeError, match=r"struct taskstats has no a, b$"):
        codec.encode({"b": 1, "a": 1})


@pytest.mark.parametrize(
    ("ctype", "low", "high"),
    [
        ("__u8", 0, 2**8 - 1),
        ("__u16", 0, 2**16 - 1),
        ("__u32", 0, 2**32 - 1),
        ("__u64", 0, 2**64 - 1),
        ("__s64", -(2**63), 2**63 - 1),
    ],
)
def test_values_wrap_as_in_c(ctype: str, low: int, high: int) -> None:
    layout = taskstats_layout(17)
    codec = layout.codec()
    names = [name for name, field in layout.fields.items() if field.ctype == ctype]
    assert names
    for value, becomes in (
        (low, low), (high, high), (low - 1, high), (high + 1, low), (high + 3, low + 2),
    ):  # fmt: skip
        wrapped = codec.wrapped(dict.fromkeys(names, value))
        assert wrapped == dict.fromkeys(names, becomes)
        assert codec.decode(codec.encode(wrapped))[names[0]] == becomes
    for value in (low - 1, high + 1):
        said = f"{names[0]} is {value}, {ctype} takes {low} to {high}"
        with pytest.raises(EncodeError) as caught:
            codec.encode({names[0]: value})
        assert str(caught.value) == said


def test_what_is_no_number_does_not_wrap() -> None:
    codec = taskstats_layout(1).codec()
    assert codec.wrapped({"ac_comm": b"x", "nvcsw": -1}) == {"ac_comm": b"x", "nvcsw": -1}


@pytest.mark.parametrize("name", ["ac_pad", "padding"])
def test_padding_is_no_member(name: str) -> None:
    assert name not in taskstats.BLANK
    for version in (1, 2, 17):
        with pytest.raises(EncodeError, match=f"struct taskstats has no {name}"):
            taskstats_layout(version).codec().encode({name: 0})
