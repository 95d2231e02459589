"""Recordings as the command line names them: what is shipped, and folders of one's own."""

from __future__ import annotations

import dataclasses
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import typer

from netlink_emu.cli.output.errors import UserError
from netlink_emu.conformance.cases.case import Case, CaseError
from netlink_emu.conformance.cases.corpora import UnknownCorpusError, choose, load_corpora
from netlink_emu.conformance.cases.corpus import load_corpus
from netlink_emu.conformance.cases.machine import (
    FILE_NAME,
    MachineError,
    machine_from_text,
    read_machine,
)
from netlink_emu.conformance.cases.transcripts import read_transcripts
from netlink_emu.conformance.record import NotReproducible
from netlink_emu.conformance.record import record as record_case
from netlink_emu.conformance.targets.kernel import KernelTarget
from netlink_emu.conformance.targets.real.here import describe_machine
from netlink_emu.conformance.targets.target import TargetError, Unsupported

_MOST_BYTES: Final = 1 << 26


def load_cases(vectors: Path | None, corpora: list[str] | None = None) -> list[Case]:
    """The shipped corpus, others that are shipped, or the transcripts of a folder."""
    if vectors is not None:
        if corpora:
            raise UserError("use --vectors (a folder) or --corpus (shipped recordings), not both")
        return _of_folder(vectors)
    if not corpora:
        return load_corpus()
    try:
        return load_corpora(choose(corpora))
    except UnknownCorpusError as exc:
        raise typer.BadParameter(str(exc), param_hint="--corpus") from exc


def _of_folder(vectors: Path) -> list[Case]:
    """The transcripts of a folder in either form, with its machine."""
    if not vectors.is_dir():
        raise UserError(f"{vectors} is not a folder")
    paths = [path for path in sorted(vectors.glob("*.json")) if path.name != FILE_NAME]
    if not paths and (inside := vectors / "transcripts").is_dir():
        return _of_folder(inside)
    if not paths:
        raise UserError(f"there are no transcripts (*.json) in {vectors}")
    try:
        machine = read_machine(vectors)
    except MachineError as exc:
        raise UserError(str(exc)) from exc
    cases = [case for path in paths for case in read_file(path)]
    return [dataclasses.replace(case, machine=machine) for case in cases]


def read_file(path: Path) -> list[Case]:
    """The case or cases of a file, in either form."""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise UserError(f"{path} is longer than {_MOST_BYTES >> 20} MiB: take a part of it")
        return read_transcripts(data.decode("utf-8"))
    except OSError as exc:
        raise UserError(f"cannot read {path}: {exc.strerror}") from exc
    except (CaseError, UnicodeDecodeError) as exc:
        raise UserError(f"{path} is not a transcript: {exc}") from exc


def machine_beside(output: Path | None, family_id: int | None) -> str:
    """The text of ``machine.json`` for this machine, to be written beside ``output``.

    Raises UserError where it would replace another machine's.
    """
    if output is None:
        return ""
    text = json.dumps(describe_machine(family_id), indent=1) + "\n"
    beside = output.with_name(FILE_NAME)
    if output.name == FILE_NAME:
        raise UserError(f"{output} is the name of the machine's description: name another file")
    try:
        there = read_machine(output.parent) if beside.exists() else None
    except MachineError as exc:
        raise UserError(f"{exc}: record into a folder of its own") from exc
    if there is not None and there != machine_from_text(text):
        raise UserError(f"{beside} describes another machine: record into a folder of its own")
    return text


@dataclass(frozen=True, slots=True)
class Tried:
    """A case that was to be recorded: what was made of it, or why nothing was."""

    case: Case
    made: Case | None
    trouble: str | None
    seconds: float

    def values(self) -> dict[str, Any]:
        """It in JSON, beside what names the case."""
        recorded = self.made is not None
        return {
            "recorded": recorded, "reason": self.trouble or "",
            "seconds": round(self.seconds, 6), "steps": len(self.case.steps),
        }  # fmt: skip


def try_to_record(case: Case, kernel: KernelTarget) -> Tried:
    """Record a case on this machine's kernel, twice, if that can be done here."""
    began = time.monotonic()
    made, trouble = None, kernel.cannot_record(case)
    try:
        if trouble is None:
            made = record_case(case, kernel)
    except (NotReproducible, Unsupported, TargetError) as exc:
        trouble = str(exc)
    return Tried(case, made, trouble, time.monotonic() - began)
