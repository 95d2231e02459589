"""``netlink-emu watch``: a running kernel in the terminal."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

from netlink_emu.cli.output.errors import UserError
from netlink_emu.cli.output.loudness import remark
from netlink_emu.cli.running.ending import Ending, ending
from netlink_emu.cli.running.families import FamilyOption
from netlink_emu.cli.running.observing import FaultOption
from netlink_emu.cli.usage.declare import Argument, Option
from netlink_emu.cli.usage.options import (
    CpusOption,
    ReleaseOption,
    ScenarioOption,
    SpeedOption,
    TaskChoice,
    TasksOption,
)
from netlink_emu.cli.usage.remote import SocketOption

# Options after the command are the command's.
CONTEXT_SETTINGS: Final = {"allow_interspersed_args": False, "ignore_unknown_options": False}


def watch(
    what: Annotated[
        list[str] | None,
        Argument(
            rest=True,
            metavar="[SOCKET | -- COMMAND]...",
            help="The socket of a kernel that runs with --control; or a command, to be run as "
            "netlink-emu run does, with a kernel of its own.",
        ),
    ] = None,
    socket: SocketOption = None,
    output: Annotated[
        Path | None,
        Option("--output", metavar="FILE", help="Write what COMMAND prints to FILE, too."),
    ] = None,
    release: ReleaseOption = None,
    cpus: CpusOption = None,
    tasks: TasksOption = TaskChoice.HOST,
    scenario: ScenarioOption = None,
    speed: SpeedOption = 1.0,
    family: FamilyOption = None,
    fault: FaultOption = None,
) -> None:
    """Watch a running kernel: its sockets, listeners, tasks, messages, losses and faults.

    Keys pause, filter, scroll, end tasks and add faults; ? lists them. Without a terminal, it
    prints the journal as netlink-emu journal follow does. What COMMAND prints is in a pane, and
    its input is empty; the exit status is that of COMMAND, which ends with the view. For a
    command that needs the terminal, use netlink-emu run --control --socket PATH -- COMMAND, and
    netlink-emu watch PATH elsewhere.
    """
    words = what or []
    command = words[1:] if words[:1] == ["--"] else []
    options = _options(
        ("--release", release), ("--cpus", cpus),
        ("--tasks", None if tasks is TaskChoice.HOST else tasks.value),
        ("--scenario", scenario), ("--speed", None if speed == 1.0 else speed),
        *(("--family", each) for each in family or ()),
        *(("--fault", each) for each in fault or ()),
    )  # fmt: skip
    if not command:
        path = _path(words, socket)
        named = [*options[::2], *(["--output"] if output is not None else [])]
        if named:
            raise UserError(f"{named[0]} needs a kernel of watch's own: write -- and a command")
        _watch_server(path)
    else:
        _watch_command(options, command, output)


def _options(*named: tuple[str, object]) -> list[str]:
    return [word for name, value in named if value is not None for word in (name, str(value))]


def _path(words: list[str], socket: Path | None) -> Path | None:
    """The socket that is named, as a word or by the option."""
    if words == ["--"]:
        raise UserError("there is no command after --")
    if words[1:] or (words and "/" not in words[0] and shutil.which(words[0])):
        raise UserError(f"write -- before a command: netlink-emu watch -- {' '.join(words)}")
    return Path(words[0]) if words else socket


def _watch_server(path: Path | None) -> None:
    from netlink_emu.cli.watching.screen import NoTerminal, need_terminal
    from netlink_emu.cli.watching.show import show, where

    try:
        need_terminal()
    except NoTerminal as exc:
        _follow(path, str(exc))
        return
    name = "this process" if path is None else os.fspath(path)
    with _until_signal() as end:
        ended = show(path, name, end)
    if ended:
        raise UserError(f"the kernel {where(path)} has ended: {ended}")


def _follow(path: Path | None, why: str) -> None:
    from netlink_emu.cli import journal
    from netlink_emu.cli.usage.remote import connected, show
    from netlink_emu.cli.watching.show import way_out
    from netlink_emu.testing.errors import ControlError

    with connected(path) as connection:
        try:
            lines = journal.follow(connection)
        except ControlError as exc:
            raise UserError(f"{exc}{way_out(path)}") from exc
        remark(f"{why}, so the journal follows, as of netlink-emu journal follow")
        show(lines, as_json=False)


def _watch_command(options: list[str], command: list[str], output: Path | None) -> None:
    from netlink_emu.cli.watching.beneath import beneath, command_line
    from netlink_emu.cli.watching.screen import NoTerminal, need_terminal
    from netlink_emu.cli.watching.show import show

    try:
        need_terminal()
    except NoTerminal as exc:
        if output is not None:
            raise UserError(f"{exc}: --output is for the view alone") from None
        remark(
            f"{exc}, so the journal follows on standard error, as of netlink-emu run --journal -"
        )
        args = command_line([*options, "--journal", "-"], command)
        os.execv(args[0], args)
    with _until_signal() as end, beneath(options, command, output, end) as running:
        if not end.noted:
            show(running.path, command[0], end, running.lines)
    raise SystemExit(running.status)


@contextmanager
def _until_signal() -> Iterator[Ending]:
    """What notes the signals that end us; SystemExit after one, with the status of a shell.

    SIGQUIT is among them: it would leave the terminal as the view has it.
    """
    with ending(signal.SIGQUIT) as end:
        yield end
        if end.noted:
            raise SystemExit(128 + end.noted[0])
