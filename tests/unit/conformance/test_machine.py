"""What is taken from the description of a recording's machine, and what it decides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from netlink_emu.conformance.cases import ops
from netlink_emu.conformance.cases.case import Case, Step
from netlink_emu.conformance.cases.machine import (
    MachineError,
    RecordedMachine,
    machine_from_json,
    machine_from_text,
    read_machine,
)
from netlink_emu.conformance.cases.masked import Mask, MaskedBytes, Symbol
from netlink_emu.conformance.targets.emulator import EmulatorTarget, possible_cpus
from netlink_emu.protocol.format import BIG, LITTLE

DEBIAN: dict[str, Any] = {
    "release": "5.10.262",
    "arch": "x86_64",
    "user_mode_linux": False,
    "efficient_unaligned_access": True,
    "nr_cpus": 8192,
    "cpumask_offstack": True,
    "family_id": 28,
    "families": ["nlctrl", "TASKSTATS"],
    "cpus_possible": "0-1",
    "delay_accounting": False,
    "sysctl": {
        "kernel.task_delayacct": "",
        "net.core.rmem_max": "8388608",
        "kernel.pid_max": "99",
    },
    "skb_small_truesize": 768,
    "config": {"HZ": "250", "OTHER": "m"},
}
UML = DEBIAN | {"release": "6.1.176", "user_mode_linux": True, "efficient_unaligned_access": False}


def a_case(*steps: Step, **facts: Any) -> Case:
    return Case("a", "a case", "t", steps, **facts)


def test_what_a_file_tells() -> None:
    machine = machine_from_json(DEBIAN)
    assert (machine.release, machine.arch_name) == ("5.10.262", "x86_64")
    assert machine.families == ("nlctrl", "TASKSTATS")
    assert machine.settings == {
        "nr_cpus": 8192,
        "cpumask_offstack": True,
        "efficient_unaligned_access": True,
        "taskstats_family_id": 28,
        "task_delayacct": False,
        "pid_max": 99,
        "hz": 250,
        "rmem_max": 8388608,
    }


def test_what_the_builder_chose() -> None:
    chosen = {"HZ": "100", "TASK_XACCT": "n", "TASK_IO_ACCOUNTING": "y", "NET_RX_BUSY_POLL": "n"}
    settings = machine_from_json({"config": chosen}).settings
    assert settings == {
        "hz": 100,
        "task_xacct": False,
        "task_io_accounting": True,
        "net_rx_busy_poll": False,
    }


def test_the_older_form() -> None:
    source = {"uname": ["Linux", "host", "6.18.44-fc", "#1", "x86_64"], "CONFIG_NR_CPUS": 256}
    machine = machine_from_json(source)
    assert (machine.release, machine.arch, machine.nr_cpus) == ("6.18.44-fc", "x86_64", 256)
    assert machine_from_text("{}") == RecordedMachine()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it is no JSON"),
        ("[" * 100_000, "it is nested too deeply"),
        ("[]", "it describes no machine"),
        ('{"nr_cpus": "many"}', "nr_cpus cannot be 'many'"),
        ('{"nr_cpus": true}', "nr_cpus cannot be 'True'"),
        ('{"nr_cpus": 0}', "nr_cpus is between 1 and 8192, not 0"),
        ('{"families": [1]}', "families cannot be '[1]'"),
        ('{"sysctl": {"kernel.pid_max": "all"}}', "pid_max cannot be 'all'"),
    ],
)
def test_what_is_no_machine(text: str, problem: str) -> None:
    with pytest.raises(MachineError) as caught:
        machine_from_text(text)
    assert problem in str(caught.value)


def test_it_lies_in_the_folder_or_above(tmp_path: Path) -> None:
    folder = tmp_path / "transcripts"
    folder.mkdir()
    assert read_machine(folder) is None
    (tmp_path / "machine.json").write_text(json.dumps(DEBIAN))
    assert read_machine(folder) == machine_from_json(DEBIAN)
    (folder / "machine.json").write_text(json.dumps(UML))
    assert read_machine(folder) == machine_from_json(UML)
    (folder / "machine.json").write_text("{")
    with pytest.raises(MachineError, match=r"transcripts/machine\.json: it is no JSON"):
        read_machine(folder)


def test_the_emulator_is_the_recorded_machine() -> None:
    profile = EmulatorTarget().profile(a_case(machine=machine_from_json(DEBIAN)))
    assert (profile.release, profile.arch.name) == ("5.10.262", "x86_64")
    assert profile.arch.efficient_unaligned_access
    assert (profile.config.nr_cpus, profile.config.taskstats_family_id) == (8192, 28)


def test_user_mode_linux_is_an_architecture_of_its_own() -> None:
    case = a_case(machine=machine_from_json(UML), kernel="6.1.176", arch="x86_64")
    arch = EmulatorTarget().profile(case).arch
    assert (arch.name, arch.efficient_unaligned_access) == ("um", False)


def test_options_override_the_recording() -> None:
    case = a_case(machine=machine_from_json(UML), kernel="6.1.176", arch="x86_64")
    target = EmulatorTarget("6.18", arch="aarch64", settings={"nr_cpus": 4})
    profile = target.profile(case)
    assert (profile.release, profile.arch.name, profile.config.nr_cpus) == ("6.18", "aarch64", 4)
    assert profile.arch.efficient_unaligned_access  # was of the other machine
    assert profile.config.cpumask_offstack  # is still the recording's
    assert target.describe()["nr_cpus"] == "4"


def test_without_a_machine_the_family_has_its_recorded_id() -> None:
    symbol = Symbol("FAMILY_ID", "TASKSTATS")
    little = MaskedBytes(bytes(4) + b"\x23\0", (Mask(4, 2, symbol),))
    case = a_case(Step(ops.Send(sock="a", payload=little)))
    assert EmulatorTarget().profile(case).config.taskstats_family_id == 0x23
    big = MaskedBytes(bytes(4) + b"\0\x23", (Mask(4, 2, symbol),))
    case = a_case(Step(ops.Send(sock="a", payload=big)), arch="s390x")
    assert EmulatorTarget().profile(case).config.taskstats_family_id == 0x23


@pytest.mark.parametrize(
    ("facts", "arch", "config", "reason"),
    [
        ({"arch": "s390x"}, "x86_64", {}, "x86_64 is little-endian, the bytes of s390x are not"),
        ({"arch": "vax"}, None, {}, "unknown architecture 'vax'"),
        ({"kernel": "1.0"}, None, {}, "Linux 1.0 is not known"),
        ({"cpus_possible": "0"}, None, {}, "the machine has no CPU 1 to run tasks on"),
        ({"cpus_possible": "0-7"}, None, {"nr_cpus": 4}, "nr_cpus=4 has no 8 CPUs"),
    ],
)
def test_what_cannot_be_carried_out(
    facts: dict[str, str], arch: str | None, config: dict[str, int], reason: str
) -> None:
    case = a_case(Step(ops.Spawn(cpu=1), task="c1"), **facts)
    missing = EmulatorTarget(arch=arch, settings=config).premise_missing(case)
    assert missing is not None
    assert reason in missing


def test_possible_cpus_may_have_holes() -> None:
    assert possible_cpus("0-1,4") == (0, 1, 4)
    assert possible_cpus("0") == (0,)
    assert possible_cpus("") == (0, 1)
    case = a_case(cpus_possible="0,2-3")
    with EmulatorTarget().session(case) as session:
        assert session.kernel.machine.cpus.possible == (0, 2, 3)


def test_the_order_of_a_case_is_its_architectures() -> None:
    assert a_case(arch="s390x").order is BIG
    assert a_case(arch="amd64").order is LITTLE
    assert a_case().order is LITTLE
