"""The emulated kernel that options and a scenario describe."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from netlink_emu.cli.output.circumstances import note
from netlink_emu.cli.output.errors import UserError
from netlink_emu.cli.output.loudness import remark
from netlink_emu.cli.usage.options import DEFAULT_RELEASE, TaskChoice
from netlink_emu.families import BootedKernel, boot
from netlink_emu.host.clock import RealClock
from netlink_emu.host.settings import Settings, SettingsError, find_settings
from netlink_emu.host.tasks import HostTasks
from netlink_emu.kernel.config import ConfigError, configure, parse_settings
from netlink_emu.kernel.profile import KernelConfig, Profile
from netlink_emu.kernel.releases import UnknownArchError, UnknownReleaseError, profile_for
from netlink_emu.machine.any_tasks import AnyTasks
from netlink_emu.machine.clock import PlannedClock, VirtualClock
from netlink_emu.machine.machine import Machine
from netlink_emu.machine.scenario_table import ScenarioError
from netlink_emu.machine.start import Start

# Scenarios are imported when there is one: `netlink-emu run` starts without that often.
if TYPE_CHECKING:
    from netlink_emu.families.own import Family
    from netlink_emu.kernel.kernel import Kernel
    from netlink_emu.machine.scenario import Scenario
    from netlink_emu.machine.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Sandbox:
    """An emulated kernel in real time, or none, and what its scenario has still to do."""

    kernel: BootedKernel
    clock: RealClock | VirtualClock
    timeline: Timeline | None
    families: tuple[Family, ...] = ()


def read_scenario(path: Path) -> Scenario:
    """Read a scenario file; raises UserError, as file:line:column where that is known."""
    from netlink_emu.machine.scenario import MOST_TEXT, parse_scenario

    try:
        with path.open("rb") as file:
            # Not all of it: it may be as long as a disk, or without an end.
            data = file.read(MOST_TEXT + 1)
        if len(data) > MOST_TEXT:
            raise UserError(f"the scenario {path} is longer than {MOST_TEXT >> 20} MiB")
        return parse_scenario(data.decode("utf-8").replace("\r\n", "\n"))
    except OSError as exc:
        raise UserError(f"the scenario {path} cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise UserError(f"the scenario {path} is not text in UTF-8") from exc
    except ScenarioError as exc:
        raise UserError(scenario_problem(path, exc)) from exc


def scenario_problem(path: Path | None, exc: ScenarioError) -> str:
    """What is wrong with a scenario, as file:line:column where that is known."""
    if path is None:
        return str(exc)
    return f"{path}: {exc}" if exc.line is None else f"{path}:{exc.line}:{exc.column}: {exc}"


def _check_described(path: Path, script: Scenario) -> None:
    """The kernel that a scenario describes must be one, whatever options say."""
    checks: list[tuple[str, Callable[[], object]]] = [
        ("release", lambda: profile_for(script.release or DEFAULT_RELEASE)),
        ("arch", lambda: profile_for(DEFAULT_RELEASE, arch=script.arch or "x86_64")),
    ]
    for setting in script.config:
        key = setting.partition("=")[0]
        checks.append((f"config.{key}", partial(_configure_one, setting)))
    for key, check in checks:
        try:
            check()
        except (ConfigError, UnknownReleaseError, UnknownArchError) as exc:
            raise UserError(scenario_problem(path, script.error(str(exc), key))) from exc


def _project() -> Settings:
    try:
        return find_settings(Path.cwd())
    except SettingsError as exc:
        raise UserError(str(exc)) from exc
    except OSError:  # the working directory is gone
        return Settings()


def _configure_one(setting: str) -> KernelConfig:
    return configure(parse_settings([setting]))


def build_sandbox(
    *,
    release: str | None = None,
    arch: str | None = None,
    cpus: int | None = None,
    tasks: TaskChoice = TaskChoice.NONE,
    scenario: Path | None = None,
    start: Start | None = None,
    speed: float = 1.0,
    config: Sequence[str] | None = None,
    virtual_time: bool = False,
    families: Sequence[str] | None = None,
) -> Sandbox:
    """Boot the kernel that these options describe, or else the scenario; raises UserError."""
    if start is not None and scenario is None:
        raise UserError("--start says when a scenario begins: --scenario FILE is missing")
    for name, value in (("--release", release), ("--arch", arch)):
        if value == "":
            raise UserError(f"{name} is empty")
    script = None
    if scenario is not None:
        script = read_scenario(scenario)
        _check_described(scenario, script)
    project = _project()
    settings = [*(script.config if script else ()), *(config or ())]
    if script is not None:
        cpus, release, arch = cpus or script.cpus, release or script.release, arch or script.arch
    release, arch = release or project.release, arch or project.arch
    if not families and not (script and script.families):
        families = [*map(str, project.families)]
    cpus = cpus or project.cpus or os.sysconf("SC_NPROCESSORS_CONF")
    if not 0 < speed <= 1e6:
        raise UserError(f"time cannot pass {speed:g} times as fast: --speed takes 0 to 1000000")
    if virtual_time and tasks is TaskChoice.HOST:
        raise UserError("--tasks host needs real time: this machine's tasks live in it")
    clock = VirtualClock() if virtual_time else RealClock(speed)
    profile = _profile(release, arch, cpus, tasks, settings, script)
    note("emulated kernel", f"Linux {profile.release}, {profile.arch.name}, {cpus} CPUs")
    machine = Machine(
        cpus=cpus,
        clock=PlannedClock(clock) if script is not None and not virtual_time else clock,
        random=_below,
        pid_max=profile.config.pid_max,
    )
    if tasks is TaskChoice.HOST:
        machine.tasks.sources.append(HostTasks(machine, profile=profile))
    elif tasks is TaskChoice.ANY:
        machine.tasks.sources.append(AnyTasks(machine))
    kernel = boot(machine, profile)
    own = _families(kernel, families, script, scenario)
    timeline = None
    if script is not None and (script.tasks or script.changes):
        # Time that stands still passes when somebody says so: they want it to happen then.
        begins = start or script.start or (Start.BOOT if virtual_time else Start.CLIENT)
        try:
            timeline = _timeline(script, kernel, begins)
        except ScenarioError as exc:
            raise UserError(scenario_problem(scenario, exc)) from exc
    return Sandbox(kernel, clock, timeline, own)


def _profile(
    release: str | None,
    arch: str | None,
    cpus: int,
    tasks: TaskChoice,
    settings: Sequence[str],
    script: Scenario | None,
) -> Profile:
    """The kernel to boot, configured as ``settings`` say; raises UserError."""
    default = KernelConfig()
    config = replace(
        default,
        task_delayacct=script.task_delayacct if script else None,
        nr_cpus=max(default.nr_cpus, cpus),
        pid_max=_host_pid_max() if tasks is TaskChoice.HOST else default.pid_max,
    )
    try:
        config = configure(parse_settings(settings), config)
        profile = profile_for(
            release or DEFAULT_RELEASE, arch=arch or os.uname().machine, config=config
        )
    except (ConfigError, UnknownReleaseError, UnknownArchError) as exc:
        raise UserError(str(exc)) from exc
    if cpus > config.nr_cpus:
        raise UserError(f"a kernel with nr_cpus={config.nr_cpus} does not run on {cpus} CPUs")
    return profile


def _families(
    kernel: BootedKernel,
    options: Sequence[str] | None,
    script: Scenario | None,
    scenario: Path | None,
) -> tuple[Family, ...]:
    """The families of options and of the scenario, whose files stand beside it."""
    described = () if script is None or scenario is None else script.families
    if not options and not described:
        return ()
    from netlink_emu.cli.running.families import (  # rarely wanted
        attach_families,
        load_described_family,
        load_family,
    )

    families = [load_family(text) for text in options or ()]
    if scenario is not None:
        families += [load_described_family(text, scenario.parent) for text in described]
    attach_families(kernel, families)
    return tuple(families)


def _timeline(script: Scenario, kernel: Kernel, start: Start) -> Timeline:
    from netlink_emu.families.starting import Starter
    from netlink_emu.machine.timeline import Timeline

    prepare = None
    if script.changes:
        from netlink_emu.families.own.changes import changes_in

        prepare = changes_in(kernel)
    timeline = Timeline(script, kernel.machine, begin=start is Start.BOOT, prepare=prepare)
    if start is not Start.BOOT:
        Starter(kernel, timeline, start)
    return timeline


async def play_scenario(sandbox: Sandbox) -> None:
    """Carry out the scenario if there is one in real time; say who still waits when it is over."""
    if sandbox.timeline is None or not isinstance(sandbox.clock, RealClock):
        return
    from netlink_emu.server.timeline import play, who_still_listens  # imports trio

    await play(sandbox.timeline, sandbox.clock)
    names = " and ".join(await who_still_listens(sandbox.kernel))
    remark(f"the scenario is over; still waiting for exits: {names}")


def _host_pid_max() -> int:
    try:
        return int(Path("/proc/sys/kernel/pid_max").read_text())
    except (OSError, ValueError):
        return 4194304  # PID_MAX_LIMIT on 64 bits


def _below(bound: int) -> int:
    return int.from_bytes(os.urandom(8), "little") % bound
