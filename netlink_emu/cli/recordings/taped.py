"""``netlink-emu conformance --cassette``: cassettes compared with this machine's kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from netlink_emu import __version__
from netlink_emu.cassettes import write_cassette
from netlink_emu.cassettes.recording.finish import finished
from netlink_emu.cli.output.errors import UserError
from netlink_emu.cli.recordings.playing import load_cassette
from netlink_emu.conformance.cassettes.run import Machine, TapedCase, cases_of
from netlink_emu.conformance.runner import Report, Result
from netlink_emu.conformance.targets.kernel import KernelTarget
from netlink_emu.host.head import head_here
from netlink_emu.protocol.format import HOST_ORDER

_COMMAND = ("netlink-emu", "conformance", "...")


def taped_cases(files: list[Path] | None, target: str, others: object) -> list[TapedCase] | None:
    """The cases of cassettes, None where no file is named.

    Raises UserError where ``others``, options for other cases and targets, are given, too.
    """
    if not files:
        return None
    if target != "kernel":
        raise UserError("a cassette is compared with a real kernel: add --target kernel")
    if others:
        raise UserError(
            "a cassette has its own cases and kernel: --cassette goes with none of --vectors, "
            "--corpus, --release, --arch and --config"
        )
    return [case for file in files for case in cases_of(file, load_cassette(file))]


def ask_machine(
    taped: list[TapedCase],
    ignore: Sequence[str],
    output: Path | None,
    progress: AbstractContextManager[Callable[[Result], None]],
) -> Report:
    """Ask this machine's kernel, and write its answers to ``output``; raises UserError."""
    machine = Machine(ignore)
    with progress as on_result:
        report = machine.run(taped, KernelTarget().describe(), on_result)
    if output is not None:
        made = finished(head_here(__version__, _COMMAND), tuple(machine.streams), HOST_ORDER)
        try:
            output.write_text(write_cassette(made))
        except OSError as exc:
            raise UserError(f"cannot write {output}: {exc.strerror}") from exc
    return report
