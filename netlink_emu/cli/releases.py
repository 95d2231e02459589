"""``netlink-emu releases``: the kernels that can be emulated, and what tells them apart."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from netlink_emu.cli.output.errors import UserError
from netlink_emu.cli.usage.declare import as_typer
from netlink_emu.eras.report import (
    HEADINGS,
    capability_values,
    compare,
    describe,
    difference_values,
    era_rows,
    era_values,
)
from netlink_emu.kernel.profile import Profile
from netlink_emu.kernel.releases import UnknownArchError, UnknownReleaseError, eras, profile_for

app = typer.Typer(
    help="The kernels that can be emulated, and what tells them apart.",
    invoke_without_command=True,
    rich_markup_mode=None,
)

ArchOption = Annotated[
    str, typer.Option("--arch", metavar="ARCH", help="The architecture: x86_64, i386, mips64...")
]

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]


def _print_json(objects: Iterable[dict[str, Any]]) -> None:
    for values in objects:
        print(json.dumps(values))


def _profile(release: str, arch: str) -> Profile:
    try:
        return profile_for(release, arch=arch)
    except (UnknownReleaseError, UnknownArchError) as exc:
        raise UserError(str(exc)) from exc


@app.callback()
@as_typer
def table(
    context: typer.Context, arch: ArchOption = "x86_64", as_json: JsonOption = False
) -> None:
    """List the eras: a client cannot tell apart the kernels in one line."""
    if context.invoked_subcommand is not None:
        return
    try:
        eras(arch)
    except UnknownArchError as exc:
        raise UserError(str(exc)) from exc
    if as_json:
        _print_json(era_values(arch))
        return
    rows = list(era_rows(arch))
    if sys.stdout.isatty():
        _print_rich(rows)
    else:
        _print_plain(rows)


def _print_plain(rows: list[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(HEADINGS, *rows, strict=True)]
    for row in (HEADINGS, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


def _print_rich(rows: list[tuple[str, ...]]) -> None:
    # typer brings rich along; it takes long to import, and only a terminal wants it.
    from rich.console import Console
    from rich.table import Table

    grid = Table(*HEADINGS)
    for row in rows:
        grid.add_row(*row)
    Console().print(grid)


@app.command()
@as_typer
def diff(
    a: Annotated[str, typer.Argument(metavar="A", help="A release: 5.10")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another release: 6.1.192")],
    arch: ArchOption = "x86_64",
    to_arch: Annotated[
        str | None, typer.Option("--to-arch", metavar="ARCH", help="B's architecture, if not A's.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show in words and bytes what changes for a client from kernel A to kernel B."""
    one, other = _profile(a, arch), _profile(b, to_arch or arch)
    if as_json:
        _print_json(difference_values(one, other))
        return
    for line in compare(one, other):
        print(line)


@app.command()
@as_typer
def show(
    release: Annotated[str, typer.Argument(metavar="RELEASE", help="A release: 6.1.192")],
    arch: ArchOption = "x86_64",
    as_json: JsonOption = False,
) -> None:
    """Show everything that a client can find out about one kernel."""
    profile = _profile(release, arch)
    if as_json:
        _print_json(capability_values(profile))
        return
    for line in describe(profile):
        print(line)
