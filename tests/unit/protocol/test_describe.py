"""What describes messages: every attribute's name, number and kind, as the headers have them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from netlink_emu.protocol.genetlink import GenlOpFlags
from netlink_emu.protocol.policy import NlAttrType
from netlink_emu.protocol.reading.describe import (
    ANY,
    EXTACK,
    INTEGER_SIZES,
    NLCTRL,
    SIGNED,
    TASKSTATS,
    AttrDesc,
    AttrSet,
    Kind,
)


def rows(attrs: AttrSet, indent: str = "") -> Iterator[str]:
    """``number name kind`` of each, nests below; ``*`` is any number."""
    for number, desc in attrs.items():
        shown = "*" if number == ANY else str(number)
        yield indent + " ".join(filter(None, (shown, desc.name, desc.kind.value)))
        yield from rows(desc.attrs, indent + " ")


POLICY_TYPE = [
    "1 NL_POLICY_TYPE_ATTR_TYPE u32",
    "2 NL_POLICY_TYPE_ATTR_MIN_VALUE_S s64",
    "3 NL_POLICY_TYPE_ATTR_MAX_VALUE_S s64",
    "4 NL_POLICY_TYPE_ATTR_MIN_VALUE_U u64",
    "5 NL_POLICY_TYPE_ATTR_MAX_VALUE_U u64",
    "6 NL_POLICY_TYPE_ATTR_MIN_LENGTH u32",
    "7 NL_POLICY_TYPE_ATTR_MAX_LENGTH u32",
    "8 NL_POLICY_TYPE_ATTR_POLICY_IDX u32",
    "9 NL_POLICY_TYPE_ATTR_POLICY_MAXTYPE u32",
    "10 NL_POLICY_TYPE_ATTR_BITFIELD32_MASK u32",
    "11 NL_POLICY_TYPE_ATTR_PAD pad",
    "12 NL_POLICY_TYPE_ATTR_MASK u64",
]
AGGR = [
    "1 TASKSTATS_TYPE_PID u32",
    "2 TASKSTATS_TYPE_TGID u32",
    "3 TASKSTATS_TYPE_STATS struct taskstats",
    "6 TASKSTATS_TYPE_NULL pad",
]


def test_the_controller() -> None:
    assert NLCTRL.name == "nlctrl"
    assert NLCTRL.commands[1] == "CTRL_CMD_NEWFAMILY"
    assert NLCTRL.commands[10] == "CTRL_CMD_GETPOLICY"
    for number in NLCTRL.commands:
        assert [*rows(NLCTRL.attrs_of(number))] == [
            "1 CTRL_ATTR_FAMILY_ID u16",
            "2 CTRL_ATTR_FAMILY_NAME string",
            "3 CTRL_ATTR_VERSION u32",
            "4 CTRL_ATTR_HDRSIZE u32",
            "5 CTRL_ATTR_MAXATTR u32",
            "6 CTRL_ATTR_OPS nest",
            " * nest",
            "  1 CTRL_ATTR_OP_ID u32",
            "  2 CTRL_ATTR_OP_FLAGS u32",
            "  3 CTRL_ATTR_OP_POLICY flag",
            "  4 CTRL_ATTR_OP_DOIT flag",
            "  5 CTRL_ATTR_OP_DUMPIT flag",
            "7 CTRL_ATTR_MCAST_GROUPS nest",
            " * nest",
            "  1 CTRL_ATTR_MCAST_GRP_NAME string",
            "  2 CTRL_ATTR_MCAST_GRP_ID u32",
            "8 CTRL_ATTR_POLICY nest",
            " * nest",
            "  * nest",
            *(f"   {row}" for row in POLICY_TYPE),
            "9 CTRL_ATTR_OP_POLICY nest",
            " * nest",
            "  1 CTRL_ATTR_POLICY_DO u32",
            "  2 CTRL_ATTR_POLICY_DUMP u32",
            "10 CTRL_ATTR_OP u32",
        ]


def test_numbers_with_names() -> None:
    ops: Any = NLCTRL.attrs_of(1)[6].attrs[ANY].attrs
    assert ops[2].values is GenlOpFlags
    assert EXTACK[4].attrs[1].values is NlAttrType


@pytest.mark.parametrize(
    ("cmd", "name", "expected"),
    [
        (
            1,
            "TASKSTATS_CMD_GET",
            [
                "1 TASKSTATS_CMD_ATTR_PID u32",
                "2 TASKSTATS_CMD_ATTR_TGID u32",
                "3 TASKSTATS_CMD_ATTR_REGISTER_CPUMASK string",
                "4 TASKSTATS_CMD_ATTR_DEREGISTER_CPUMASK string",
            ],
        ),
        (
            2,
            "TASKSTATS_CMD_NEW",
            [
                *AGGR,
                "4 TASKSTATS_TYPE_AGGR_PID nest",
                *(f" {row}" for row in AGGR),
                "5 TASKSTATS_TYPE_AGGR_TGID nest",
                *(f" {row}" for row in AGGR),
            ],
        ),
        (4, "CGROUPSTATS_CMD_GET", ["1 CGROUPSTATS_CMD_ATTR_FD u32"]),
        (5, "CGROUPSTATS_CMD_NEW", ["1 CGROUPSTATS_TYPE_CGROUP_STATS struct cgroupstats"]),
    ],
)
def test_taskstats(cmd: int, name: str, expected: list[str]) -> None:
    assert TASKSTATS.name == "TASKSTATS"
    assert TASKSTATS.commands[cmd] == name
    assert [*rows(TASKSTATS.attrs_of(cmd))] == expected


def test_extended_acks() -> None:
    assert [*rows(EXTACK)] == [
        "1 NLMSGERR_ATTR_MSG string",
        "2 NLMSGERR_ATTR_OFFS u32",
        "3 NLMSGERR_ATTR_COOKIE binary",
        "4 NLMSGERR_ATTR_POLICY nest",
        *(f" {row}" for row in POLICY_TYPE),
        "5 NLMSGERR_ATTR_MISS_TYPE u32",
        "6 NLMSGERR_ATTR_MISS_NEST u32",
    ]


def test_an_unknown_command_has_no_attributes() -> None:
    assert TASKSTATS.attrs_of(99) == NLCTRL.attrs_of(99) == {}


def test_integers() -> None:
    sizes = {kind.value: size for kind, size in INTEGER_SIZES.items()}
    assert sizes == {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "s32": 4, "s64": 8}
    assert {kind.value for kind in SIGNED} == {"s32", "s64"}
    assert ANY < 0  # what no attribute's type is


def test_what_need_not_be_said() -> None:
    desc = AttrDesc("name", Kind.U8)
    assert (desc.attrs, desc.values, desc.declared) == ({}, None, None)
