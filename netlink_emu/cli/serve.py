"""``netlink-emu serve``: an emulated kernel on a Unix datagram socket, until a signal."""

from __future__ import annotations

import enum
import signal
from functools import partial
from pathlib import Path
from typing import Annotated

import trio
import typer

from netlink_emu.cli.declare import Option
from netlink_emu.cli.ending import Ending, ending
from netlink_emu.cli.errors import UserError, leaves, say
from netlink_emu.cli.observing import (
    ControlOption,
    FaultOption,
    JournalOption,
    Observation,
    VirtualTimeOption,
    observing,
)
from netlink_emu.cli.options import (
    ArchOption,
    ConfigOption,
    CpusOption,
    ReleaseOption,
    Sandbox,
    ScenarioOption,
    SpeedOption,
    StartOption,
    TaskChoice,
    TasksOption,
    build_sandbox,
    play_scenario,
    scenario_problem,
)
from netlink_emu.machine.scenario_table import ScenarioError
from netlink_emu.server.errors import ServerError
from netlink_emu.server.serve import Server
from netlink_emu.server.serve import serve as serve_kernel
from netlink_emu.server.service import everyone_is_root, everyone_is_themselves


class ClientsAre(enum.StrEnum):
    """As whom clients act."""

    ROOT = "root"
    THEMSELVES = "themselves"


def serve(
    socket: Annotated[
        Path,
        Option("--socket", metavar="PATH", help="The socket; its directory must be private."),
    ],
    release: ReleaseOption = None,
    arch: ArchOption = None,
    cpus: CpusOption = None,
    tasks: TasksOption = TaskChoice.NONE,
    scenario: ScenarioOption = None,
    start: StartOption = None,
    speed: SpeedOption = 1.0,
    config: ConfigOption = None,
    clients: Annotated[
        ClientsAre,
        Option("--clients", help="Act as the emulated root, or as their own user."),
    ] = ClientsAre.ROOT,
    journal: JournalOption = None,
    fault: FaultOption = None,
    control: ControlOption = False,
    virtual_time: VirtualTimeOption = False,
) -> None:
    """Serve an emulated kernel to AF_UNIX datagram clients, in any language.

    Ends with status 130 on SIGINT, 143 on SIGTERM, 129 on SIGHUP; SIGUSR1 prints statistics.
    """
    with ending() as end:
        sandbox = build_sandbox(
            release=release,
            arch=arch,
            cpus=cpus,
            tasks=tasks,
            scenario=scenario,
            start=start,
            speed=speed,
            config=config,
            virtual_time=virtual_time,
        )
        try:
            with observing(sandbox, journal=journal, faults=fault, control=control) as observation:
                status = trio.run(_serve, sandbox, socket, clients, observation, end)
        except* ScenarioError as group:
            failure = leaves(group)[0]
            assert isinstance(failure, ScenarioError)
            raise UserError(scenario_problem(scenario, failure)) from None
        except* ServerError as group:
            raise UserError(str(leaves(group)[0])) from None
    raise typer.Exit(status)


async def _serve(
    sandbox: Sandbox,
    path: Path,
    clients: ClientsAre,
    observation: Observation | None,
    end: Ending,
) -> int:
    policy = everyone_is_root if clients is ClientsAre.ROOT else everyone_is_themselves
    with trio.open_signal_receiver(*end.signals, signal.SIGUSR1) as signals:
        if end.noted:
            return 128 + end.noted[0]
        async with trio.open_nursery() as nursery:
            serve_at = partial(serve_kernel, sandbox.kernel, path, policy=policy)
            server: Server = await nursery.start(serve_at)
            say(f"ready at {path}")
            nursery.start_soon(play_scenario, sandbox)
            if observation is not None:
                nursery.start_soon(observation.look_after)
            async for number in signals:
                say(str(server.statistics()))
                if number != signal.SIGUSR1:
                    end.noted.append(number)
                    nursery.cancel_scope.cancel()
                    return 128 + number
    raise AssertionError("the signals do not end")
