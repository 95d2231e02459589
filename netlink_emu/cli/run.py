"""``netlink-emu run``: a command whose generic netlink sockets belong to an emulated kernel."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from netlink_emu.cli.output.errors import UserError, report, say
from netlink_emu.cli.output.loudness import Loudness, loudness, remark
from netlink_emu.cli.recordings.playing import (
    DEFAULT_PATIENCE,
    CassetteOption,
    IgnoreOption,
    PatienceOption,
    RepeatOption,
    StrictOption,
    playing_on,
)
from netlink_emu.cli.running.command_end import finish
from netlink_emu.cli.running.families import FamilyOption
from netlink_emu.cli.running.observing import ControlOption, FaultOption, JournalOption, observing
from netlink_emu.cli.running.served import ServedOption, StayOption, check_place, stay_until_signal
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
from netlink_emu.host.settings import Settings, SettingsError, find_settings
from netlink_emu.interpose.deferred import DeferredForeground
from netlink_emu.interpose.foreground import Finished, Foreground, end_like
from netlink_emu.interpose.summary import Summary

# What is needed when there is a kernel is imported with it, which is with the first call of a
# client where nothing is said of the kernel.
if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from netlink_emu.cli.recordings.playing import Playing
    from netlink_emu.cli.running.observing import Observation
    from netlink_emu.cli.running.sandbox import Sandbox
    from netlink_emu.families import BootedKernel
    from netlink_emu.interpose.client.clients import CredentialPolicy
    from netlink_emu.kernel.profile import Arch
    from netlink_emu.machine.machine import Machine

# Options after the command are the command's.
CONTEXT_SETTINGS: Final = {"allow_interspersed_args": False, "ignore_unknown_options": False}
EXIT_UNUSED: Final = 1
EXIT_UNMATCHED: Final = 1
# A kernel is without these because its user, or the client's network namespace, wants that.
_EMULATED: Final = frozenset({"nlctrl", "TASKSTATS"})


def run(
    command: Annotated[
        list[str], Argument(rest=True, metavar="COMMAND...", help="The command and its arguments.")
    ],
    release: ReleaseOption = None,
    arch: ArchOption = None,
    cpus: CpusOption = None,
    tasks: TasksOption = TaskChoice.HOST,
    scenario: ScenarioOption = None,
    start: StartOption = None,
    speed: SpeedOption = 1.0,
    config: ConfigOption = None,
    clients: ClientsOption = ClientsAre.ROOT,
    uid: Annotated[
        int | None,
        Option(
            "--uid",
            min=0,
            max=0xFFFFFFFE,
            metavar="UID",
            help="Clients act as this user in the emulated kernel.",
        ),
    ] = None,
    cap_net_admin: Annotated[
        bool | None,
        Option(
            "--cap-net-admin/--no-cap-net-admin",
            help="Whether clients have CAP_NET_ADMIN. [default: yes, or as --clients says]",
        ),
    ] = None,
    fake_root: Annotated[
        bool,
        Option("--fake-root", help="Make the command believe that it is root of this machine."),
    ] = False,
    connect: Annotated[
        Path | None,
        Option(
            "--connect",
            metavar="PATH",
            help="Use the kernel of the server at this socket; see netlink-emu serve.",
        ),
    ] = None,
    socket: ServedOption = None,
    stay: StayOption = False,
    allow_io_uring: Annotated[
        bool,
        Option(
            "--allow-io-uring",
            help="Allow io_uring, although its netlink sockets are not emulated.",
        ),
    ] = False,
    live_exits: Annotated[
        bool,
        Option(
            "--live-exits/--no-live-exits",
            help="With --tasks host: send exit events for the tasks of this command.",
        ),
    ] = True,
    family: FamilyOption = None,
    journal: JournalOption = None,
    fault: FaultOption = None,
    control: ControlOption = False,
    cassette: CassetteOption = None,
    ignore: IgnoreOption = None,
    repeat: RepeatOption = False,
    strict: StrictOption = False,
    patience: PatienceOption = DEFAULT_PATIENCE,
    summary: Annotated[
        bool,
        Option("--summary", help="Print on stderr at the end what the command did."),
    ] = False,
    require_use: Annotated[
        bool,
        Option("--require-use", help="Fail if the command opened no generic netlink socket."),
    ] = False,
) -> None:
    """Run an unmodified command; an emulated kernel answers its generic netlink.

    The exit status is the command's, 127 if it is not found, or 126 if it cannot be run.
    """
    failed = False
    client = partial(
        Foreground, command=command, allow_io_uring=allow_io_uring, fake_root=fake_root
    )
    own = {
        "--release": release, "--arch": arch, "--cpus": cpus, "--scenario": scenario,
        "--start": start, "--socket": socket, "--stay": stay or None,
        "--config": config, "--journal": journal, "--fault": fault,
        "--control": control or None, "--cassette": cassette, "--family": family,
        "--speed": None if speed == 1.0 else speed,
        "--tasks": None if tasks is TaskChoice.HOST else tasks,
        "--clients": None if clients is ClientsAre.ROOT else clients,
    }  # fmt: skip
    said = [name for name, value in own.items() if value is not None]
    about_clients = uid is not None or cap_net_admin is not None
    about_playing = ignore or repeat or strict or patience != DEFAULT_PATIENCE
    if connect is not None:
        _refuse_with_connect(said)
        finished = _run_connected(client, connect, uid, cap_net_admin)
    elif not (said or about_clients or about_playing) and _nothing_is_noted():
        finished = _run_unspecified(
            command, live_exits=live_exits, allow_io_uring=allow_io_uring, fake_root=fake_root
        )
    else:
        from netlink_emu.cli.running.sandbox import build_sandbox

        sandbox = build_sandbox(
            release=release, arch=arch, cpus=cpus, tasks=tasks, scenario=scenario, start=start,
            speed=speed, config=config, families=family,
        )  # fmt: skip
        _need_our_byte_order(sandbox.kernel.arch)
        playing = playing_on(
            sandbox.kernel, cassette, ignore=ignore, repeat=repeat, strict=strict,
            patience=patience,
        )  # fmt: skip
        check_place(socket, stay=stay)
        in_sandbox = partial(
            client,
            sandbox.kernel,
            credentials=_credentials(sandbox.kernel.machine, clients, uid, cap_net_admin),
            native_waits=not (fault or control or cassette or socket),
            at_once=socket is not None,
            afterwards=stay_until_signal if stay else None,
            live_exits=sandbox.kernel if live_exits and tasks is TaskChoice.HOST else None,
        )
        looking_on = observing(sandbox, journal=journal, faults=fault, control=control)
        finished = _run_in(sandbox, in_sandbox, looking_on, playing, socket, scenario)
        failed = playing is not None and playing.tell(finished.exit_code)
    _tell_summary(finished.summary, wanted=summary or loudness() is Loudness.VERBOSE)
    if require_use and not finished.summary.sockets:
        say("the command made no generic netlink socket")
        if not finished.wait_status:
            raise SystemExit(EXIT_UNUSED)
    if failed and not finished.wait_status:
        raise SystemExit(EXIT_UNMATCHED)
    end_like(finished)


def _run_in(
    sandbox: Sandbox,
    client: Callable[..., Foreground],
    looking_on: AbstractContextManager[Observation | None],
    playing: Playing | None,
    socket: Path | None,
    scenario: Path | None,
) -> Finished:
    """Run the command in the sandbox's kernel, and what has to run beside it."""
    finished = None
    with _after(lambda: finished), looking_on as observation:
        foreground = client(
            companion=_companion(sandbox, observation, playing, socket),
            catch_up=None if sandbox.timeline is None else sandbox.timeline.run_due,
        )
        finished = finish(foreground, scenario)
        _compare_with_host(sandbox.kernel, finished.summary)
    assert finished is not None
    if sandbox.timeline is not None and not sandbox.timeline.begun:
        remark("the scenario has not begun: no client listened or asked; see --start")
    return finished


def _nothing_is_noted() -> bool:
    """Whether the project says nothing of the kernel, and nobody wants to read of it."""
    if loudness() is Loudness.VERBOSE:
        return False
    try:
        return find_settings(Path.cwd()) == Settings()
    except (SettingsError, OSError):
        return False


def _run_unspecified(
    command: Sequence[str], *, live_exits: bool, allow_io_uring: bool, fake_root: bool
) -> Finished:
    """Run the command in a kernel that nothing is said of, so that nothing is wrong with it."""
    booted: list[BootedKernel] = []

    def make() -> BootedKernel:
        from netlink_emu.cli.running.sandbox import build_sandbox

        booted.append(build_sandbox(tasks=TaskChoice.HOST).kernel)
        return booted[0]

    foreground = DeferredForeground(
        make, command, live_exits=live_exits, allow_io_uring=allow_io_uring,
        fake_root=fake_root, native_waits=True,
    )  # fmt: skip
    finished = finish(foreground)
    for kernel in booted:
        _compare_with_host(kernel, finished.summary)
    return finished


def _tell_summary(summary: Summary, *, wanted: bool) -> None:
    if wanted:
        for line in summary.lines():
            say(line)
    else:
        for line in summary.misses():
            remark(line)


def _compare_with_host(kernel: BootedKernel, summary: Summary) -> None:
    """Note in what clients may have been misled by a machine that is not the emulated one."""
    from netlink_emu.host.proc import host_delayacct

    if kernel.nlctrl.unknown:
        from netlink_emu.host.families import host_has_family  # rarely wanted

        for name, count in kernel.nlctrl.unknown.items():
            if name not in _EMULATED and host_has_family(name):
                summary.unemulated[name] = count
    accounted = host_delayacct()
    if accounted is not None and accounted != kernel.task_delayacct:
        summary.delayacct = kernel.task_delayacct, accounted


@contextlib.contextmanager
def _after(finished: Callable[[], Finished | None]) -> Iterator[None]:
    """A mistake of ours when the command has ended is told, and its status stays."""
    try:
        yield
    except Exception as exc:
        if finished() is None:
            raise
        report(exc)


def _need_our_byte_order(machine: Arch) -> None:
    if machine.order.name != sys.byteorder:
        raise UserError(
            f"{machine.name} is {machine.order.name}-endian, and a command of this "
            f"{sys.byteorder}-endian machine cannot read its messages"
        )


def _refuse_with_connect(options: list[str]) -> None:
    if options:
        raise UserError(f"{options[0]} cannot be used with --connect: give it to the server")


def _run_connected(
    client: Callable[..., Foreground], path: Path, uid: int | None, cap_net_admin: bool | None
) -> Finished:
    """Run the command in the kernel of a server."""
    from netlink_emu.backends.connect import ConnectError, connect  # rarely wanted

    try:
        kernel = connect(path, uid=uid, net_admin=cap_net_admin is not False)
    except ConnectError as exc:
        raise UserError(str(exc)) from None
    try:
        _need_our_byte_order(kernel.arch)
        finished = finish(client(kernel, attend=kernel.attend))
        if kernel.wire.dead:
            say(f"the server at {path} was gone before the command ended")
        return finished
    finally:
        kernel.close()


def _credentials(
    machine: Machine, clients: ClientsAre, uid: int | None, cap_net_admin: bool | None
) -> CredentialPolicy | None:
    """Whom the emulated kernel believes the clients to be; None for its root."""
    if clients is ClientsAre.ROOT and uid is None and cap_net_admin is None:
        return None
    from netlink_emu.interpose.client import credentials  # rarely wanted

    if clients is ClientsAre.THEMSELVES:
        if uid is not None:
            raise UserError("use --uid or --clients themselves, not both")
        return credentials.with_net_admin(credentials.Themselves(machine), allowed=cap_net_admin)
    allowed = True if cap_net_admin is None else cap_net_admin
    return credentials.with_net_admin(credentials.same_for_all(machine, uid or 0), allowed=allowed)


def _companion(
    sandbox: Sandbox,
    observation: Observation | None,
    playing: Playing | None,
    socket: Path | None,
) -> Callable[[], Awaitable[None]] | None:
    """What has to run beside the command, if anything has."""
    tasks: list[Callable[[], Awaitable[None]]] = []
    if sandbox.timeline is not None:
        from netlink_emu.cli.running.sandbox import play_scenario

        tasks.append(partial(play_scenario, sandbox))
    if observation is not None:
        tasks.append(observation.look_after)
    if playing is not None:
        tasks.append(playing.look_after)
    if socket is not None:
        from netlink_emu.server.serve import serve  # rarely wanted

        tasks.append(partial(serve, sandbox.kernel, socket))
    return partial(_all, tasks) if tasks else None


async def _all(tasks: Sequence[Callable[[], Awaitable[None]]]) -> None:
    import trio

    async with trio.open_nursery() as nursery:
        for task in tasks:
            nursery.start_soon(task)
