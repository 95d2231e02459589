"""``netlink-emu record``: a command on this machine's own kernel, kept to be replayed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from netlink_emu import __version__
from netlink_emu.cli.output.errors import UserError, say
from netlink_emu.cli.output.loudness import remark
from netlink_emu.cli.recordings.playing import load_cassette
from netlink_emu.cli.run import CONTEXT_SETTINGS
from netlink_emu.cli.running.command_end import finish
from netlink_emu.cli.usage.declare import Argument, Option
from netlink_emu.interpose.foreground import end_like
from netlink_emu.interpose.recording.foreground import RecordedForeground
from netlink_emu.interpose.recording.missed import missed
from netlink_emu.kernel.kernel import MAX_LINKS

if TYPE_CHECKING:
    from netlink_emu.cassettes import Cassette
    from netlink_emu.cassettes.recording.recording import Recording
    from netlink_emu.cassettes.recording.unfinished import Plan
    from netlink_emu.host.keeping import FileKeeper

__all__ = ["CONTEXT_SETTINGS", "record"]

SUFFIX: Final = ".cassette"


def record(
    command: Annotated[
        list[str],
        Argument(rest=True, metavar="COMMAND...", help="The command and its arguments."),
    ],
    output: Annotated[
        Path | None,
        Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write to this file, and replace what is there. [default: COMMAND.cassette]",
        ),
    ] = None,
    append: Annotated[
        bool, Option("--append", help="Add to the file instead of replacing it.")
    ] = False,
    protocol: Annotated[
        str | None,
        Option(
            "--protocol",
            metavar="NAMES",
            help="Record only these protocols: route,generic. [default: all]",
        ),
    ] = None,
    redact: Annotated[
        list[str] | None,
        Option(
            "--redact",
            metavar="FAMILY.ATTRIBUTE",
            help="Blank this attribute, like keys. May be repeated.",
        ),
    ] = None,
    keep_secrets: Annotated[
        bool, Option("--keep-secrets", help="Do not blank keys: the file is then secret.")
    ] = False,
) -> None:
    """Run an unmodified command on this machine's own kernel, and record its netlink sockets.

    netlink-emu replay then answers the command from the recording, on any machine.
    The exit status is the command's; 127 if it is not found, 126 if it cannot be run.
    """  # fmt: skip
    if command[:1] == ["--"]:
        command = command[1:]
    if not command:
        raise UserError("which command? netlink-emu record -- COMMAND")
    from netlink_emu.cassettes.recording.recording import Recording

    protocols = _protocols(protocol)
    file = _file(output, command[0], append=append)
    before = load_cassette(file) if append and file.exists() else None
    plans = _Plans(command, _attributes(redact or ()), keep_secrets, append)
    keeper = _keeper(file, plans)
    recording = Recording(keeper)
    saving = _Saving(file, plans, keeper, recording, before)
    foreground = RecordedForeground(recording, command, protocols, saving.save)
    try:
        finished = finish(foreground)
    except SystemExit:  # we have failed, and said so
        if foreground.started:
            saving.save()
        raise
    if foreground.failure is not None:
        raise foreground.failure
    if output is None:
        remark(f"recorded to {file}")
    if not recording.sockets:
        remark("the command made no netlink socket" + (" of these protocols" if protocols else ""))
    for what in missed(recording, foreground.unseen, finished.summary):
        remark(f"not recorded: {what}")
    end_like(finished)


def _protocols(names: str | None) -> frozenset[int]:
    """The netlink protocols that are recorded, all where it is empty."""
    from netlink_emu.cassettes.model import PROTOCOLS

    found = set()
    for name in filter(None, (names or "").split(",")):
        number = int(name) if name.isdecimal() else PROTOCOLS.get(name.lower())
        if number is None or number >= MAX_LINKS:
            raise UserError(
                f"--protocol: there is no netlink protocol {name}: {', '.join(PROTOCOLS)}"
            )
        found.add(number)
    return frozenset(found)


def _attributes(names: Sequence[str]) -> Sequence[str]:
    for name in names:
        family, _, attribute = name.partition(".")
        if not family or not attribute:
            raise UserError(
                f"--redact is FAMILY.ATTRIBUTE, as route.IFLA_ADDRESS or wireguard.4, not {name}"
            )
    return names


def _file(output: Path | None, program: str, *, append: bool) -> Path:
    """Where the cassette goes; raises UserError where it cannot, before anything is done."""
    file = Path(Path(program).name + SUFFIX) if output is None else output
    if output is None and file.exists() and not append:
        raise UserError(f"{file} is there already: name a file with -o, or --append to it")
    folder = file.parent
    if file.is_dir():
        raise UserError(f"{file} is a folder: name a file with -o")
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}")
    if not os.access(file if file.exists() else folder, os.W_OK):
        raise UserError(f"{file} may not be written")
    return file


@dataclass(frozen=True, slots=True)
class _Plans:
    """What the command line says of the cassette."""

    command: Sequence[str]
    redact: Sequence[str]
    keep_secrets: bool
    append: bool

    def now(self) -> Plan:
        """With the families that this machine has by now."""
        from netlink_emu.cassettes.recording.unfinished import Plan
        from netlink_emu.host.head import head_here

        head = head_here(__version__, self.command)
        return Plan(head, tuple(self.redact), self.keep_secrets, self.append)


def _keeper(file: Path, plans: _Plans) -> FileKeeper | None:
    """Keeps what is recorded beside the file, as it goes; None beside /dev/stdout and its like.

    Raises UserError.
    """
    from netlink_emu.cassettes.recording.unfinished import SUFFIX as UNFINISHED
    from netlink_emu.host.keeping import FileKeeper

    if file.exists() and not file.is_file():
        return None
    kept = file.with_name(file.name + UNFINISHED)

    def failed(exc: OSError) -> None:
        say(f"{kept} cannot be written ({exc.strerror}): a killed recording is lost")

    if kept.exists():
        raise UserError(
            f"{kept} is left of a killed recording: run netlink-emu cassette finish {kept}, or "
            "remove it"
        )
    return FileKeeper(kept, plans.now, failed)


@dataclass(slots=True)
class _Saving:
    """Where a recording goes."""

    file: Path
    plans: _Plans
    keeper: FileKeeper | None
    recording: Recording
    before: Cassette | None

    def save(self, status: int | None = None) -> None:
        """Write the cassette; raises UserError, and what was kept as it went stays then."""
        from netlink_emu.cli.recordings.finishing import write_finished

        plan = self.plans.now()
        plan = replace(plan, head=replace(plan.head, status=status))
        try:
            write_finished(self.file, plan, self.recording.streams, self.before)
        except UserError:
            if self.keeper is not None and self.keeper.exists:
                kept = self.keeper.path
                what = "the recording" if self.keeper.whole else "the beginning of the recording"
                say(f"{kept} has {what}: netlink-emu cassette finish {kept} -o FILE")
            raise
        if self.keeper is not None:
            self.keeper.remove()
