"""From options to an emulated kernel."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from netlink_emu.cli.output.errors import UserError
from netlink_emu.cli.running.sandbox import build_sandbox, read_scenario
from netlink_emu.cli.usage.options import TaskChoice
from netlink_emu.machine.start import Start
from netlink_emu.machine.task import Task


def _find(nr: int, tasks: TaskChoice) -> Task | None:
    machine = build_sandbox(tasks=tasks).kernel.machine
    return machine.tasks.find_task_by_pid_ns(nr, machine.init_pid_ns)


def test_defaults_are_this_machine_and_the_recorded_release() -> None:
    sandbox = build_sandbox()
    assert sandbox.kernel.profile.release == "6.18"
    assert sandbox.kernel.machine.cpus.nr_cpu_ids == os.sysconf("SC_NPROCESSORS_CONF")
    assert sandbox.timeline is None


def test_the_option_comes_before_the_scenario(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text('cpus = 6\ntask_delayacct = true\n[[task]]\ncomm = "t"\npid = 77\n')
    assert build_sandbox(scenario=file).kernel.machine.cpus.nr_cpu_ids == 6
    sandbox = build_sandbox(scenario=file, cpus=3, release="5.10", arch="mips64")
    assert sandbox.kernel.machine.cpus.nr_cpu_ids == 3
    assert sandbox.kernel.profile.arch.name == "mips64"
    assert sandbox.kernel.task_delayacct
    assert sandbox.timeline is not None
    sandbox.timeline.begin()
    sandbox.timeline.run_due()
    tasks = sandbox.kernel.machine.tasks
    assert tasks.find_task_by_pid_ns(77, sandbox.kernel.machine.init_pid_ns) is not None


@pytest.mark.parametrize(
    ("options", "begun"),
    [
        ({}, False),
        ({"start": Start.BOOT}, True),
        ({"start": Start.LISTENER}, False),
        ({"virtual_time": True}, True),
        ({"virtual_time": True, "start": Start.CLIENT}, False),
    ],
)
def test_when_a_scenario_begins(tmp_path: Path, options: dict[str, Any], begun: bool) -> None:
    file = tmp_path / "s.toml"
    file.write_text('[[task]]\ncomm = "t"\n')
    timeline = build_sandbox(scenario=file, **options).timeline
    assert timeline is not None
    assert timeline.begun == begun
    file.write_text('start = "boot"\n[[task]]\ncomm = "t"\n')
    timeline = build_sandbox(scenario=file, **options).timeline
    assert timeline is not None
    assert timeline.begun == (options.get("start", Start.BOOT) is Start.BOOT)


def test_more_cpus_than_the_usual_kernel_is_built_for() -> None:
    assert build_sandbox(cpus=1024).kernel.profile.config.nr_cpus == 1024


def test_the_hosts_tasks_are_there_when_asked_for() -> None:
    assert _find(os.getpid(), TaskChoice.NONE) is None
    own = _find(os.getpid(), TaskChoice.HOST)
    assert own is not None
    assert own.cred.uid == os.getuid()
    anybody = _find(31999, TaskChoice.ANY)
    assert anybody is not None
    assert anybody.comm == b"any/31999"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"release": "6.99"}, "Linux 6.99 is not known; nearest: "),
        ({"start": Start.BOOT}, "--start says when a scenario begins: --scenario FILE is missing"),
        ({"release": "tuesday"}, "'tuesday' is not the name of a kernel release"),
        ({"arch": "pdp11"}, "unknown architecture 'pdp11'"),
        ({"speed": 0.0}, "time cannot pass 0 times as fast"),
        ({"scenario": Path("/nonexistent/s.toml")}, "cannot be read: No such file"),
    ],
)
def test_what_cannot_be_built_is_said_in_a_sentence(options: dict[str, object], said: str) -> None:
    with pytest.raises(UserError) as caught:
        build_sandbox(**options)  # type: ignore[arg-type]
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"cpus = = 4\n", ":1:8: Invalid value"),
        (b"cpus = 0\n", ":1:1: cpus: must be between 1 and 4096, found 0"),
        (b"\xff", " is not text in UTF-8"),
    ],
)
def test_a_wrong_scenario_is_named_with_its_place(
    tmp_path: Path, content: bytes, said: str
) -> None:
    file = tmp_path / "s.toml"
    file.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_scenario(file)
    assert f"{file}{said}" in str(caught.value)


def test_configuration() -> None:
    kernel = build_sandbox(cpus=2, config=["task_delayacct=on", "nr_cpus=4"]).kernel
    assert kernel.task_delayacct is True
    assert kernel.profile.config.nr_cpus == 4
    assert build_sandbox(config=["taskstats=off"]).kernel.taskstats is None


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (["nr_cpus=4"], "a kernel with nr_cpus=4 does not run on 8 CPUs"),
        (["nr_cpus=0"], "nr_cpus is between 1 and 8192, not 0"),
        (["nr_cpus"], "'nr_cpus' is not of the form key=value"),
    ],
)
def test_wrong_configurations(settings: list[str], problem: str) -> None:
    with pytest.raises(UserError) as caught:
        build_sandbox(cpus=8, config=settings)
    assert str(caught.value) == problem


def test_a_scenario_describes_the_kernel_and_options_come_first(tmp_path: Path) -> None:
    scenario = tmp_path / "old.toml"
    scenario.write_text(
        'release = "2.6.35"\narch = "mips64"\n[config]\nrmem_max = 65536\ntaskstats = false\n'
    )
    profile = build_sandbox(scenario=scenario).kernel.profile
    assert (profile.release, profile.arch.name) == ("2.6.35", "mips64")
    assert (profile.config.rmem_max, profile.config.taskstats) == (65536, False)
    other = build_sandbox(
        scenario=scenario, release="5.10", arch="x86_64", config=["taskstats=on"]
    ).kernel.profile
    assert (other.release, other.arch.name) == ("5.10", "x86_64")
    assert (other.config.rmem_max, other.config.taskstats) == (65536, True)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('release = "9.9"', "9.9"),
        ("[config]\nrmem_max = 1.5", "config.rmem_max"),
        ("[config]\nnothing = 1", "nothing"),
        ("config = 3", "config"),
    ],
)
def test_a_scenario_that_describes_no_kernel(tmp_path: Path, text: str, sentence: str) -> None:
    scenario = tmp_path / "bad.toml"
    scenario.write_text(text)
    with pytest.raises(UserError, match=sentence):
        build_sandbox(scenario=scenario)
