"""What the control family declares: numbers and kinds that programs of others rely upon."""

from __future__ import annotations

import pytest

from netlink_emu.protocol.ours import control
from netlink_emu.protocol.ours.control import AMOUNTS, FAULT, MACHINE, OPS, TASK, WATCH, NlemuTask
from netlink_emu.protocol.policy import NlaPolicy, NlaType
from netlink_emu.protocol.reading.describe import AttrSet

T = NlemuTask
# A letter for each attribute, in the order of their numbers.
LETTERS = {"u32": "i", "u64": "q", "string": "z", "binary": "b", "flag": "f", "nest": "n"}


@pytest.mark.parametrize(
    ("attrs", "prefix", "letters"),
    [
        (AMOUNTS, "NLEMU_A_AMOUNT_", "q" * 23),
        (TASK, "NLEMU_A_TASK_", "iiiziiiiiiiniifffiq"),
        (MACHINE, "NLEMU_A_MACHINE_", "iiziqqzqqqi"),
        (WATCH, "NLEMU_A_WATCH_", "iiziiifiqzzzbiz"),
        (FAULT, "NLEMU_A_FAULT_", "iziiiizi"),
    ],
    ids=["amounts", "task", "machine", "watch", "fault"],
)
def test_attributes(attrs: AttrSet, prefix: str, letters: str) -> None:
    assert [*attrs] == [*range(1, len(letters) + 1)]
    assert "".join(LETTERS[desc.kind.value] for desc in attrs.values()) == letters
    for desc in attrs.values():
        assert desc.name.startswith(prefix)
        assert desc.doc.endswith(".")


def test_what_is_nested_and_what_has_names() -> None:
    assert TASK[12].attrs is AMOUNTS
    assert TASK[10].values is control.NlemuState
    others = [*TASK.values(), *MACHINE.values(), *WATCH.values(), *FAULT.values()]
    assert [desc.name for desc in others if desc.attrs] == ["NLEMU_A_TASK_AMOUNTS"]
    assert [desc.name for desc in others if desc.values] == ["NLEMU_A_TASK_STATE"]


def test_numbers() -> None:
    assert [*map(int, control.NlemuCmd)] == [*range(1, 26)]
    assert [*map(int, control.NlemuState)] == [0, 1, 2, 3, 4, 5]
    assert (T.NLEMU_A_TASK_PID, T.NLEMU_A_TASK_LIFETIME) == (1, 19)


def test_the_family() -> None:
    assert control.NETLINK_EMU_GENL_NAME == control.NETLINK_EMU.name == "NETLINK_EMU"
    assert control.NETLINK_EMU_GENL_VERSION == 1
    assert control.NETLINK_EMU_MCGRP_JOURNAL == "journal"
    assert [op.cmd for op in OPS] == [*control.NlemuCmd]
    for op in OPS:
        assert control.NETLINK_EMU.commands[op.cmd] == op.cmd.name
        assert control.NETLINK_EMU.attrs_of(op.cmd) is op.attrs
        assert op.doc.endswith(".")


def test_amounts_say_what_they_are() -> None:
    said = {desc.name.removeprefix("NLEMU_A_AMOUNT_"): desc.doc for desc in AMOUNTS.values()}
    assert said["UTIME"] == "CPU time, user, in nanoseconds."
    assert said["STIME"] == "CPU time, system, in nanoseconds."
    assert said["CPU_DELAY"] == "One wait of the kind cpu, in nanoseconds."
    assert said["IRQ_DELAY"] == "One wait of the kind irq, in nanoseconds."
    assert said["NVCSW"] == said["CANCELLED_WRITE_BYTES"] == "Added to the counter of this name."
    memory = "Memory in use during the CPU time of the same message, in KiB."
    assert said["RSS_KIB"] == said["VM_KIB"] == memory


def test_the_policy_of_a_request_has_what_the_request_may_have() -> None:
    allowed = (T.NLEMU_A_TASK_PID, T.NLEMU_A_TASK_COMM, T.NLEMU_A_TASK_CORE)
    assert control.policy_of(
        TASK, (*allowed, T.NLEMU_A_TASK_AMOUNTS, T.NLEMU_A_TASK_LIFETIME)
    ) == {
        1: NlaPolicy(NlaType.NLA_U32),
        4: NlaPolicy(NlaType.NLA_NUL_STRING),
        12: NlaPolicy(NlaType.NLA_NESTED),
        15: NlaPolicy(NlaType.NLA_FLAG),
        19: NlaPolicy(NlaType.NLA_U64),
    }
    data = control.NlemuWatch.NLEMU_A_WATCH_DATA
    binary = {13: NlaPolicy(NlaType.NLA_BINARY)}
    assert control.policy_of(WATCH, (data,)) == binary
    assert control.policy_of(TASK, ()) == {}
