"""``netlink-emu serve``: an emulated kernel on a Unix datagram socket, until a signal."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import trio
import typer

from netlink_emu.cli.output.errors import UserError, leaves, say
from netlink_emu.cli.output.loudness import remark
from netlink_emu.cli.recordings.playing import (
    DEFAULT_PATIENCE,
    CassetteOption,
    IgnoreOption,
    PatienceOption,
    Playing,
    RepeatOption,
    StrictOption,
    known_release,
    load_cassette,
    playing_on,
)
from netlink_emu.cli.run import EXIT_UNMATCHED
from netlink_emu.cli.running.beside import (
    Beside,
    check_descriptor,
    place,
    tell_ready,
    wait_for_server,
)
from netlink_emu.cli.running.ending import Ending, ending
from netlink_emu.cli.running.families import FamilyOption
from netlink_emu.cli.running.observing import (
    ControlOption,
    FaultOption,
    JournalOption,
    Observation,
    VirtualTimeOption,
    observing,
)
from netlink_emu.cli.running.sandbox import Sandbox, build_sandbox, play_scenario, scenario_problem
from netlink_emu.cli.usage.declare import Argument, Option
from netlink_emu.cli.usage.options import (
    ArchOption,
    ClientsAre,
    ClientsOption,
    ConfigOption,
    CpusOption,
    ReleaseOption,
    ScenarioOption,
    SpeedOption,
    StartOption,
    TaskChoice,
    TasksOption,
)
from netlink_emu.machine.scenario_table import ScenarioError
from netlink_emu.protocol.netlink import NETLINK_GENERIC
from netlink_emu.server.errors import ServerError
from netlink_emu.server.serve import Server
from netlink_emu.server.serve import serve as serve_kernel
from netlink_emu.server.service import everyone_is_root, everyone_is_themselves

# Options after the command are the command's.
CONTEXT_SETTINGS: Final = {"allow_interspersed_args": False, "ignore_unknown_options": False}


def serve(
    command: Annotated[
        list[str] | None,
        Argument(
            rest=True,
            metavar="COMMAND...",
            help="Run this command when the server is ready, with NETLINK_EMU_SOCKET set, and "
            "serve as long as it runs.",
        ),
    ] = None,
    socket: Annotated[
        Path | None,
        Option(
            "--socket",
            metavar="PATH",
            help="The server's socket, in a private directory. [default with COMMAND: a temporary "
            "one]",
        ),
    ] = None,
    release: ReleaseOption = None,
    arch: ArchOption = None,
    cpus: CpusOption = None,
    tasks: TasksOption = TaskChoice.NONE,
    scenario: ScenarioOption = None,
    start: StartOption = None,
    speed: SpeedOption = 1.0,
    config: ConfigOption = None,
    clients: ClientsOption = ClientsAre.ROOT,
    family: FamilyOption = None,
    cassette: CassetteOption = None,
    ignore: IgnoreOption = None,
    repeat: RepeatOption = False,
    strict: StrictOption = False,
    patience: PatienceOption = DEFAULT_PATIENCE,
    journal: JournalOption = None,
    fault: FaultOption = None,
    control: ControlOption = False,
    virtual_time: VirtualTimeOption = False,
    ready_fd: Annotated[
        int | None,
        Option(
            "--ready-fd",
            metavar="FD",
            help="Write the socket's path to this descriptor, and close it, when clients can "
            "connect.",
        ),
    ] = None,
    wait: Annotated[
        float | None,
        Option(
            "--wait",
            metavar="SECONDS",
            help="Do not serve, but wait until another server is ready at --socket.",
        ),
    ] = None,
) -> None:
    """Serve an emulated kernel to AF_UNIX datagram clients, in any language.

    The exit status is 130 after SIGINT, 143 after SIGTERM, and 129 after SIGHUP. SIGUSR1 prints
    statistics. With COMMAND, the server ends when the command ends, with its exit status.
    """
    command = command or []
    if socket is None and (wait is not None or not command):
        raise typer.BadParameter("Missing option '--socket', or a COMMAND to serve as long as")
    if wait is not None and socket is not None:
        wait_for_server(socket, wait)
        return
    if ready_fd is not None:
        check_descriptor(ready_fd)
    if cassette is not None:
        recorded = load_cassette(cassette)
        release = release or known_release(recorded)
        arch = arch or recorded.head.arch or None
    with ending() as end, place(socket) as path:
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
            families=family,
        )
        playing = playing_on(
            sandbox.kernel, cassette, ignore=ignore, repeat=repeat, strict=strict,
            patience=patience,
        )  # fmt: skip
        try:
            with observing(sandbox, journal=journal, faults=fault, control=control) as observation:
                beside = Beside(command, path) if command else None
                serving = partial(_serve, sandbox, path, clients, observation, end, playing)
                status = trio.run(partial(serving, beside=beside, ready_fd=ready_fd))
        except* ScenarioError as group:
            failure = leaves(group)[0]
            assert isinstance(failure, ScenarioError)
            raise UserError(scenario_problem(scenario, failure)) from None
        except* ServerError as group:
            raise UserError(str(leaves(group)[0])) from None
    if playing is not None and playing.tell() and command:
        status = status or EXIT_UNMATCHED
    raise typer.Exit(status)


async def _serve(
    sandbox: Sandbox,
    path: Path,
    clients: ClientsAre,
    observation: Observation | None,
    end: Ending,
    playing: Playing | None,
    *,
    beside: Beside | None,
    ready_fd: int | None,
) -> int:
    policy = everyone_is_root if clients is ClientsAre.ROOT else everyone_is_themselves
    with trio.open_signal_receiver(*end.signals, signal.SIGUSR1) as signals:
        if end.noted:
            return 128 + end.noted[0]
        async with trio.open_nursery() as nursery:
            protocol = NETLINK_GENERIC if playing is None else playing.protocol
            serve_at = partial(
                serve_kernel, sandbox.kernel, path, policy=policy, protocol=protocol
            )
            server: Server = await nursery.start(serve_at)
            if ready_fd is not None:
                tell_ready(ready_fd, path)
            if beside is None:
                remark(f"ready at {path}")
            nursery.start_soon(play_scenario, sandbox)
            if observation is not None:
                nursery.start_soon(observation.look_after)
            if playing is not None:
                nursery.start_soon(playing.look_after)
            status = await _until_the_end(signals, server, end, beside)
            nursery.cancel_scope.cancel()
            return status
    raise AssertionError("the nursery swallows nothing")


async def _until_the_end(
    signals: AsyncIterator[int], server: Server, end: Ending, beside: Beside | None
) -> int:
    """The exit status: that of the command, or what says which signal ended us."""
    status = 0

    async def run(command: Beside) -> None:
        nonlocal status
        status = await command.run()
        if not end.noted:
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        if beside is not None:
            nursery.start_soon(run, beside)
        async for number in signals:
            tell = say if number == signal.SIGUSR1 else remark  # who asks is told
            tell(str(server.statistics()))
            if number != signal.SIGUSR1:
                end.noted.append(number)
                if beside is not None:
                    await beside.end(number)
                nursery.cancel_scope.cancel()
                return 128 + number
    return status
