"""A recording becomes a cassette: at the end of ``record``, or later of one that was killed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from netlink_emu.cli.output.errors import UserError, say
from netlink_emu.cli.output.loudness import remark
from netlink_emu.cli.recordings.playing import load_cassette

if TYPE_CHECKING:
    from netlink_emu.cassettes import Cassette, Stream
    from netlink_emu.cassettes.recording.unfinished import Plan, Unfinished


def write_finished(
    file: Path, plan: Plan, streams: tuple[Stream, ...], before: Cassette | None
) -> None:
    """Write a cassette of ``before`` and what was recorded; raises UserError."""
    from netlink_emu.cassettes import Cassette, write_cassette
    from netlink_emu.cassettes.read import MOST_BYTES
    from netlink_emu.cassettes.recording.finish import Incompatible, appended, finished, unmet
    from netlink_emu.cassettes.text import order_of
    from netlink_emu.host.files import write_whole

    cassette = finished(
        plan.head,
        streams,
        order_of(Cassette(plan.head)),
        redact=plan.redact,
        keep_secrets=plan.keep_secrets,
    )
    recorded = Cassette(plan.head, streams)
    for name in unmet(recorded, plan.redact, order_of(recorded)):
        say(f"--redact {name}: nothing that was recorded has an attribute of that name")
    if cassette.head.redacted:
        remark(f"{file}: blanked {', '.join(cassette.head.redacted)}")
    if before is not None:
        try:
            cassette = appended(before, cassette)
        except Incompatible as exc:
            raise UserError(f"{file} cannot be added to: {exc}") from exc
    data = write_cassette(cassette).encode()
    if len(data) > MOST_BYTES:
        say(f"{file} is longer than {MOST_BYTES >> 20} MiB and cannot be replayed: record less")
    try:
        write_whole(file, data)
    except OSError as exc:
        raise UserError(f"{file} cannot be written: {exc.strerror}") from exc


def load_unfinished(path: Path) -> Unfinished:
    """Read what a recorder left that was killed; raises UserError."""
    from netlink_emu.cassettes.recording.unfinished import (
        MOST_BYTES,
        UnfinishedError,
        read_unfinished,
    )
    from netlink_emu.cli.recordings.playing import read_file

    try:
        return read_unfinished(read_file(path, most=MOST_BYTES))
    except UnfinishedError as exc:
        raise UserError(f"{path}: {exc}") from exc


def finish_file(path: Path, output: Path | None) -> Path:
    """Finish it, beside itself or to ``output``, and remove it; raises UserError."""
    from netlink_emu.cassettes.recording.unfinished import SUFFIX

    left = load_unfinished(path)
    file = output
    if file is None:
        if path.suffix != SUFFIX:
            raise UserError(f"{path} does not end in {SUFFIX}: name the cassette with -o")
        file = path.with_suffix("")
    before = None
    if left.plan.append and output is None and file.exists():
        before = load_cassette(file)
    write_finished(file, left.plan, left.streams, before)
    path.unlink()
    if left.torn:
        remark(f"the last line of {path} was cut, and left out")
    return file
