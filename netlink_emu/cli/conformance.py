"""``netlink-emu conformance``: recorded cases against the emulator, the kernel or a server."""

from __future__ import annotations

import contextlib
import datetime
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from netlink_emu.cli.output.errors import UserError, to_stderr
from netlink_emu.cli.output.lines import tell
from netlink_emu.cli.output.loudness import Loudness, loudness
from netlink_emu.cli.output.progress import has_terminal, progress
from netlink_emu.cli.recordings.corpora import load_cases, machine_beside, read_file, try_to_record
from netlink_emu.cli.recordings.taped import ask_machine, taped_cases
from netlink_emu.cli.usage.declare import as_typer
from netlink_emu.conformance.cases.case import Case
from netlink_emu.conformance.cases.corpus import load_corpus
from netlink_emu.conformance.cases.corpus_form import write_cases
from netlink_emu.conformance.cases.exceptions import not_emulated
from netlink_emu.conformance.cases.machine import FILE_NAME
from netlink_emu.conformance.cases.selection import ExpressionError, select
from netlink_emu.conformance.report.text import failure, totals
from netlink_emu.conformance.runner import Report, Result, Verdict, run
from netlink_emu.conformance.targets.emulator import EmulatorTarget
from netlink_emu.conformance.targets.kernel import KernelTarget
from netlink_emu.conformance.targets.server import ServerTarget
from netlink_emu.conformance.targets.target import Target, TargetError
from netlink_emu.kernel.config import ConfigError, configure, parse_settings
from netlink_emu.kernel.releases import UnknownArchError, UnknownReleaseError

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def _selected(cases: list[Case], expression: str | None) -> list[Case]:
    try:
        return select(cases, expression)
    except ExpressionError as exc:
        raise typer.BadParameter(str(exc), param_hint="-k") from exc


@contextlib.contextmanager
def open_target(
    target: str,
    release: str | None = None,
    arch: str | None = None,
    config: list[str] | None = None,
) -> Iterator[Target]:
    """What ``--target`` names."""
    for option, value in (("--release", release), ("--arch", arch), ("--config", config)):
        if value is not None and target != "emulator":
            raise typer.BadParameter("only the emulator can be another machine", param_hint=option)
    if target == "emulator":
        yield _emulator(release, arch, config or [])
    elif target == "kernel":
        with KernelTarget() as kernel:
            yield kernel
    else:
        try:
            with ServerTarget(Path(target)) as server:
                yield server
        except TargetError as exc:
            raise UserError(str(exc)) from exc


def _emulator(release: str | None, arch: str | None, config: list[str]) -> EmulatorTarget:
    try:
        settings = parse_settings(config)
        configure(settings)
        return EmulatorTarget(release, arch=arch, settings=settings)
    except UnknownReleaseError as exc:
        raise typer.BadParameter(str(exc), param_hint="--release") from exc
    except UnknownArchError as exc:
        raise typer.BadParameter(str(exc), param_hint="--arch") from exc
    except ConfigError as exc:
        raise typer.BadParameter(str(exc), param_hint="--config") from exc


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[Result], None]]:
    """How far it is. On a terminal, failures are told as they come."""
    with progress(total, "cases") as told:

        def advance(result: Result) -> None:
            told.advance(f"{result.verdict.value} {result.case.key}")
            failed = result.verdict is Verdict.FAILED
            if failed and has_terminal() and loudness() is Loudness.USUAL:
                to_stderr(f"FAILED {result.case.name}\n")

        yield advance


@app.callback(invoke_without_command=True)
@as_typer
def conformance(
    context: typer.Context,
    target: Annotated[
        str,
        typer.Option(
            metavar="emulator|kernel|PATH",
            help="What to test: the emulator, this machine's kernel (as root), or the server at "
            "a Unix datagram socket.",
        ),
    ] = "emulator",
    vectors: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Run the transcripts of this folder instead of the shipped ones, on the machine "
            "that its machine.json describes.",
        ),
    ] = None,
    corpus: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Run the shipped recordings of another kernel: 5.10, 6.1-s390x, um, or all. "
            "May be repeated.",
        ),
    ] = None,
    release: Annotated[
        str | None,
        typer.Option(metavar="R", help="Emulate this release instead of the recorded one."),
    ] = None,
    arch: Annotated[
        str | None,
        typer.Option(
            metavar="ARCH", help="Emulate this architecture instead of the recorded one."
        ),
    ] = None,
    config: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Change the configuration of the recorded kernel: nr_cpus=64. May be repeated.",
        ),
    ] = None,
    expression: Annotated[
        str | None,
        typer.Option(
            "-k",
            metavar="EXPRESSION",
            help="Run only cases whose name, group or title matches: 'events and not exec'.",
        ),
    ] = None,
    junit_xml: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a JUnit report.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write an HTML report.")
    ] = None,
    cassette: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Ask this machine's kernel what this cassette's client asked (--target kernel). "
            "May be repeated.",
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ATTRIBUTE",
            help="With --cassette: ignore the value of this attribute. May be repeated.",
        ),
    ] = None,
    record_to: Annotated[
        Path | None,
        typer.Option(
            "--record",
            metavar="FILE",
            help="With --cassette: write what this machine's kernel answered, as a cassette.",
        ),
    ] = None,
    listing: Annotated[
        bool, typer.Option("--list", help="List the cases without running them.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per case.")
    ] = False,
) -> None:
    """Run cases that were recorded on a real kernel, and compare byte for byte.

    The exit status is 0 if no case failed, 1 if one failed, and 2 for wrong usage.
    """
    if context.invoked_subcommand is not None:
        return
    taped = taped_cases(cassette, target, vectors or corpus or release or arch or config)
    if taped is None and (ignore or record_to):
        raise UserError("--ignore and --record go with --cassette")
    cases = _selected(
        load_cases(vectors, corpus) if taped is None else [each.case for each in taped], expression
    )
    if listing:
        _list(cases, as_json=as_json)
        return
    if not cases:
        raise UserError(f"no case matches {expression!r}")
    if taped is not None:
        chosen = [each for each in taped if each.case in cases]
        report = ask_machine(chosen, ignore or (), record_to, _progress(len(chosen)))
    else:
        with open_target(target, release, arch, config) as opened:
            exceptions = not_emulated() if opened.name == "emulator" else {}
            with _progress(len(cases)) as on_result:
                report = run(cases, opened, on_result, exceptions)
    if as_json:
        for result in report.results:
            print(json.dumps(_result_values(result)))
    else:
        _show(report)
    _write(report, junit_xml, html)
    raise typer.Exit(1 if report.failed else 0)


def _list(cases: list[Case], *, as_json: bool) -> None:
    for case in cases:
        if as_json:
            print(json.dumps(_case_values(case)))
            continue
        where = f"{case.corpus}/{case.group}" if case.corpus else case.group
        tell(f"{where}/{case.name}: {case.title}")


@app.command()
@as_typer
def record(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE]...", help="Cases in either format. [default: the shipped ones]"
        ),
    ] = None,
    expression: Annotated[
        str | None, typer.Option("-k", metavar="EXPRESSION", help="Record only these cases.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write to FILE instead of stdout, and a machine.json, which describes this "
            "machine, beside it.",
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print one JSON object per case: whether it was recorded, or why not. Needs "
            "--output.",
        ),
    ] = False,
) -> None:
    """Record cases on this machine's kernel: keep their steps, replace every outcome.

    This needs root. Each case runs twice. Its transcript is written if both runs are equal, apart
    from what may vary. A case that cannot be recorded here is named on stderr, and the exit
    status is then 1.
    """
    if as_json and output is None:
        raise typer.BadParameter("--output is missing, for the transcripts", param_hint="--json")
    cases = [case for file in files for case in read_file(file)] if files else load_corpus()
    cases = _selected(cases, expression)
    with KernelTarget() as kernel, progress(len(cases), "cases") as told:
        machine = machine_beside(output, kernel.family_id)
        tried = []
        for case in cases:
            tried.append(try_to_record(case, kernel))
            trouble = tried[-1].trouble
            if trouble is not None and not as_json:
                to_stderr(f"{case.name}: not recorded: {trouble}\n")
            told.advance(f"recorded {case.key}" if trouble is None else "")
    made = [each.made for each in tried if each.made is not None]
    if as_json:
        for each in tried:
            print(json.dumps({**_case_values(each.case), **each.values()}))
    if not made:
        raise UserError("nothing was recorded")
    text = write_cases(made)
    if output is not None:
        _write_file(output, text)
        _write_file(output.with_name(FILE_NAME), machine)
    else:
        print(text, end="")
    raise typer.Exit(0 if len(made) == len(tried) else 1)


def _write_file(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as exc:
        raise UserError(f"cannot write {path}: {exc.strerror}") from exc


def _case_values(case: Case) -> dict[str, Any]:
    return {
        "case": case.name,
        "group": case.group,
        "corpus": case.corpus,
        "title": case.title,
    }


def _result_values(result: Result) -> dict[str, Any]:
    return {
        **_case_values(result.case),
        "verdict": result.verdict.value,
        "seconds": round(result.seconds, 6),
        "attempts": result.attempts,
        "reason": result.reason,
        "mismatches": [
            {"step": mismatch.step, "what": mismatch.what, "text": mismatch.text}
            for mismatch in result.mismatches
        ],
    }


def _show(report: Report) -> None:
    for result in report.results:
        if result.verdict is Verdict.FAILED:
            print("\n".join(failure(result)), end="\n\n")
    for line in totals(report):
        tell(line)


def _write(report: Report, junit: Path | None, html: Path | None) -> None:
    if junit is not None:
        from netlink_emu.conformance.report.junit import junit_xml

        _write_file(junit, junit_xml(report))
    if html is not None:
        from netlink_emu.conformance.report.html import html_page

        when = datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
        _write_file(html, html_page(report, when))
