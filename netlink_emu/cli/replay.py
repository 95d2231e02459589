"""``netlink-emu replay``: a command whose netlink sockets are answered from a recording."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from netlink_emu.cli.output.errors import UserError
from netlink_emu.cli.recordings.playing import (
    DEFAULT_PATIENCE,
    IgnoreOption,
    PatienceOption,
    RepeatOption,
    StrictOption,
    known_release,
    load_cassette,
)
from netlink_emu.cli.run import CONTEXT_SETTINGS, run
from netlink_emu.cli.running.observing import FaultOption, JournalOption
from netlink_emu.cli.usage.declare import Argument, Option
from netlink_emu.cli.usage.options import TaskChoice

__all__ = ["CONTEXT_SETTINGS", "replay"]


def replay(
    file: Annotated[
        Path, Argument(metavar="FILE", help="A cassette, as netlink-emu record writes it.")
    ],
    command: Annotated[
        list[str],
        Argument(rest=True, metavar="COMMAND...", help="The command and its arguments."),
    ],
    ignore: IgnoreOption = None,
    repeat: RepeatOption = False,
    strict: StrictOption = False,
    patience: PatienceOption = DEFAULT_PATIENCE,
    journal: JournalOption = None,
    fault: FaultOption = None,
    summary: Annotated[
        bool, Option("--summary", help="Print on stderr at the end what the command did.")
    ] = False,
) -> None:
    """Run an unmodified command; a cassette answers its netlink sockets.

    Sockets of every recorded protocol are emulated; the kernel has the recorded release. A
    request that is not on the cassette fails with EOPNOTSUPP, and the exit status is then 1.
    Otherwise the exit status is the command's.
    """
    if command[:1] == ["--"]:
        command = command[1:]
    if not command:
        raise UserError(f"which command? netlink-emu replay {file} -- COMMAND")
    cassette = load_cassette(file)
    run(
        command,
        release=known_release(cassette),
        arch=cassette.head.arch or None,
        tasks=TaskChoice.NONE,
        live_exits=False,
        journal=journal,
        fault=fault,
        cassette=file,
        ignore=ignore,
        repeat=repeat,
        strict=strict,
        patience=patience,
        summary=summary,
    )
