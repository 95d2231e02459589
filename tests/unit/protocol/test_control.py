"""What the control family declares: numbers and kinds that programs of others rely upon."""

from __future__ import annotations

import pytest

from netlink_emu.protocol.family import AttributeSet
from netlink_emu.protocol.format import LITTLE
from netlink_emu.protocol.ours import control
from netlink_emu.protocol.ours.control import (
    AMOUNT,
    CONTROL,
    FAMILY,
    FAULT,
    MACHINE,
    NETLINK_EMU,
    SOCKET,
    TASK,
    WATCH,
    cmd_of,
)
from netlink_emu.protocol.ours.control_values import TEXT_MAX, check, write
from netlink_emu.protocol.policy import NlaPolicy, NlaType, nla_policy_max, nla_policy_nested
from netlink_emu.protocol.reading.describe import Kind

# A letter for each attribute, in the order of their numbers.
LETTERS = {"u32": "i", "u64": "q", "string": "z", "binary": "b", "flag": "f", "nest": "n"}
COMMANDS = (
    "task-get", "task-new", "task-set", "task-end", "task-reap", "task-storm", "cpu-get",
    "cpu-set", "cgroup-new", "cgroup-del", "cgroup-attach", "machine-get", "machine-set",
    "listener-get", "wait", "fault-new", "fault-get", "fault-del", "fault-release", "overrun",
    "journal-get", "journal-note", "journal-clear", "journal-ntf", "reset",
    "family-get", "object-get", "object-new", "object-set", "object-del", "family-notify",
    "family-reply", "family-fail", "family-forget", "socket-get", "watch-get",
)  # fmt: skip


@pytest.mark.parametrize(
    ("attrs", "first", "last", "letters"),
    [
        (AMOUNT, "NLEMU_A_AMOUNT_UTIME", "NLEMU_A_AMOUNT_VM_KIB", "q" * 23),
        (TASK, "NLEMU_A_TASK_PID", "NLEMU_A_TASK_WORDS", "iiiziiiiiiiniifffiqiz"),
        (MACHINE, "NLEMU_A_MACHINE_CPU", "NLEMU_A_MACHINE_DELAYACCT", "iiziqqzqqqi"),
        (WATCH, "NLEMU_A_WATCH_PORTID", "NLEMU_A_WATCH_DROPS", "iiziiifiqzzzbiziii"),
        (SOCKET, "NLEMU_A_SOCKET_PORTID", "NLEMU_A_SOCKET_COUNT", "iizizziiiifii"),
        (FAULT, "NLEMU_A_FAULT_ID", "NLEMU_A_FAULT_COUNT", "iziiiizi"),
        (FAMILY, "NLEMU_A_FAMILY_NAME", "NLEMU_A_FAMILY_TIMES", "zizzzzzizzzi"),
    ],
    ids=["amounts", "task", "machine", "watch", "socket", "fault", "family"],
)
def test_attributes(attrs: AttributeSet, first: str, last: str, letters: str) -> None:
    assert [attribute.number for attribute in attrs] == [*range(1, len(letters) + 1)]
    assert "".join(LETTERS[attribute.type] for attribute in attrs) == letters
    assert all(attribute.doc.endswith(".") for attribute in attrs)
    names = [control.attr_name(attrs, attribute.name) for attribute in attrs]
    assert (names[0], names[-1]) == (first, last)


def test_what_is_nested_and_what_has_names() -> None:
    assert TASK["amounts"].nested is AMOUNT
    assert TASK["state"].enum is control.STATE
    others = [*TASK, *MACHINE, *WATCH, *SOCKET, *FAULT, *FAMILY]
    assert [attribute.name for attribute in others if attribute.nested] == ["amounts"]
    assert [attribute.name for attribute in others if attribute.enum] == ["state"]
    assert control.STATE.values == {
        "running": 0, "sleeping": 1, "uninterruptible": 2, "stopped": 3, "other": 4,
        "freezable": 5,
    }  # fmt: skip


def test_the_family() -> None:
    assert (CONTROL.name, CONTROL.version) == ("NETLINK_EMU", 1)
    assert [group.name for group in CONTROL.groups] == ["journal"]
    assert [op.name for op in CONTROL.operations] == [*COMMANDS]
    assert [cmd_of(op) for op in CONTROL.operations] == [*range(1, 37)]
    assert all(op.doc.endswith(".") for op in CONTROL.operations)


def test_what_decoders_know() -> None:
    assert NETLINK_EMU.name == "NETLINK_EMU"
    assert NETLINK_EMU.commands[2] == "NLEMU_CMD_TASK_NEW"
    for op in CONTROL.operations:
        described = NETLINK_EMU.attrs_of(cmd_of(op))
        assert [*described] == [attribute.number for attribute in op.attributes]
        for attribute in op.attributes:
            desc = described[attribute.number]
            assert desc.name == control.attr_name(op.attributes, attribute.name)
            assert desc.kind is Kind(attribute.type)
    task = NETLINK_EMU.attrs_of(2)
    assert task[12].attrs[1].name == "NLEMU_A_AMOUNT_UTIME"
    assert task[10].values is control.NlemuState


def test_amounts_say_what_they_are() -> None:
    said = {attribute.name: attribute.doc for attribute in AMOUNT}
    assert said["utime"] == "CPU time, user, in nanoseconds."
    assert said["stime"] == "CPU time, system, in nanoseconds."
    assert said["cpu-delay"] == "One wait of the kind cpu, in nanoseconds."
    assert said["irq-delay"] == "One wait of the kind irq, in nanoseconds."
    assert said["nvcsw"] == said["cancelled-write-bytes"] == "Added to the counter of this name."
    memory = "Memory in use during the CPU time of the same message, in KiB."
    assert said["rss-kib"] == said["vm-kib"] == memory


def test_the_policy_of_a_request_has_what_the_request_may_have() -> None:
    named = ("pid", "comm", "state", "amounts", "core", "lifetime")
    assert TASK.policy(named) == {
        1: NlaPolicy(NlaType.NLA_U32),
        4: NlaPolicy(NlaType.NLA_NUL_STRING),
        10: nla_policy_max(NlaType.NLA_U32, 5),
        12: nla_policy_nested(AMOUNT.policy(), 23),
        15: NlaPolicy(NlaType.NLA_FLAG),
        19: NlaPolicy(NlaType.NLA_U64),
    }
    assert WATCH.policy(("data",)) == {13: NlaPolicy(NlaType.NLA_BINARY)}
    assert TASK.policy(()) == {}


def test_values_are_made_to_fit() -> None:
    values = {"nice": -5, "comm": "ä" * TEXT_MAX, "core": False, "zombie": True, "cpu": None}
    assert write(TASK, values, LITTLE) == b"".join(
        [
            bytes.fromhex("08 00 08 00 fb ff ff ff"),
            (4 + TEXT_MAX + 1).to_bytes(2, "little") + b"\4\0",
            "ä".encode() * (TEXT_MAX // 2) + bytes(4),
            bytes.fromhex("04 00 11 00"),
        ]
    )
    # argv's bytes that are no UTF-8
    assert write(WATCH, {"text": "\udcff!"}, LITTLE) == bytes.fromhex("06 00 0b 00 21 00 00 00")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"pid": 1 << 32}, "NLEMU_A_TASK_PID has 32 bits: 4294967296 does not fit"),
        ({"nice": -(1 << 31) - 1}, "NLEMU_A_TASK_NICE has 32 bits"),
        ({"amounts": {"utime": 1 << 64}}, "NLEMU_A_AMOUNT_UTIME has 64 bits"),
    ],
)
def test_numbers_that_would_be_others(values: dict[str, int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check(TASK, values)
    check(TASK, {"nice": -5, "pid": (1 << 32) - 1, "amounts": {"utime": 0}, "comm": "x"})
