"""Options that several commands share; :mod:`netlink_emu.cli.running.sandbox` uses them."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated, Final

from netlink_emu.cli.usage.declare import Option
from netlink_emu.machine.start import Start

DEFAULT_RELEASE: Final = "6.18"


class TaskChoice(enum.StrEnum):
    """Which tasks there are beside a scenario's."""

    NONE = "none"
    HOST = "host"
    ANY = "any"


class ClientsAre(enum.StrEnum):
    """As whom clients act."""

    ROOT = "root"
    THEMSELVES = "themselves"


ReleaseOption = Annotated[
    str | None,
    Option(
        "--release", "-r", metavar="RELEASE",
        help="The kernel to emulate: 2.6.35, 5.10, 6.1.192... [default: the scenario's, or "
        f"{DEFAULT_RELEASE}]",
    ),
]  # fmt: skip
ArchOption = Annotated[
    str | None,
    Option(
        "--arch",
        metavar="ARCH",
        help="The kernel's architecture. [default: the scenario's, or this machine's]",
    ),
]
CpusOption = Annotated[
    int | None,
    Option(
        "--cpus", min=1, max=4096, metavar="N",
        help="The number of CPUs. [default: the scenario's, or this machine's]",
    ),
]  # fmt: skip
TasksOption = Annotated[
    TaskChoice,
    Option(
        "--tasks",
        help="Tasks besides the scenario's: none, this machine's (host), or one for every pid "
        "that a client asks for (any).",
    ),
]
ScenarioOption = Annotated[
    Path | None,
    Option(
        "--scenario", metavar="FILE",
        help="A TOML file with CPUs, tasks, families, and what they do; see docs/scenario.md.",
    ),
]  # fmt: skip
ConfigOption = Annotated[
    list[str] | None,
    Option(
        "--config", metavar="KEY=VALUE",
        help="Configure the kernel: task_delayacct=on, nr_cpus=64, rmem_max=8388608... "
        "May be repeated.",
    ),
]  # fmt: skip
StartOption = Annotated[
    Start | None,
    Option(
        "--start",
        help="When the scenario begins: when a client first listens (listener), when "
        "one first listens or asks (client), or at once (boot). [default: the scenario's, or "
        "client]",
    ),
]
SpeedOption = Annotated[
    float,
    Option("--speed", metavar="FACTOR", help="Run time faster or slower by this factor."),
]
ClientsOption = Annotated[
    ClientsAre,
    Option("--clients", help="Clients act as the emulated root, or as their own users."),
]
