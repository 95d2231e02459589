"""What the commands share that control a kernel which runs elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from netlink_emu.cli.errors import UserError

if TYPE_CHECKING:
    from netlink_emu.protocol.reading.decode import Message
    from netlink_emu.testing.remote import Remote

SocketOption = Annotated[
    Path | None,
    typer.Option(
        "--socket", metavar="PATH", envvar="NETLINK_EMU_SOCKET",
        help="The server's socket; without it a netlink socket, for use under netlink-emu run.",
    ),
]  # fmt: skip


@contextmanager
def connected(path: Path | None) -> Iterator[Remote]:
    """A connection to the server; what it refuses ends the command in one sentence."""
    from netlink_emu.testing.remote import ControlError, Remote

    try:
        with Remote(path) as remote:
            yield remote
    except ControlError as exc:
        raise UserError(str(exc)) from exc


def attrs_of(message: Message, prefix: str) -> dict[str, Any]:
    """A message's attributes, named without ``prefix``, in lower case."""
    return {attr.name.removeprefix(prefix).lower(): attr.value for attr in message.attrs}


def print_table(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    """Print rows in columns; numbers to the right."""
    cells = [[str(row.get(column, "")) for column in columns] for row in rows]
    heads = [column.replace("_", " ") for column in columns]
    numeric = [
        bool(rows) and all(isinstance(row.get(column, 0), int) for row in rows)
        for column in columns
    ]
    widths = [max(len(line[i]) for line in [heads, *cells]) for i in range(len(columns))]
    for line in [heads, *cells]:
        padded = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ]
        print("  ".join(padded).rstrip())
