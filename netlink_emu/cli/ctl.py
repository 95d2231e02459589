"""``netlink-emu ctl``: many commands over one connection, for test code in any language."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, TextIO

from netlink_emu.cli import family_control, faults, journal, tasks
from netlink_emu.cli.output.errors import UserError
from netlink_emu.cli.usage.declare import Argument, group_as_typer, parse_plain
from netlink_emu.cli.usage.remote import (
    Call,
    Connection,
    Controls,
    Lines,
    SocketOption,
    as_line,
    connected,
)

_GROUPS: Final[dict[str, Controls]] = {
    group.name: group for group in (tasks.app, faults.app, journal.app, family_control.app)
}


def ctl(
    file: Annotated[
        str,
        Argument(metavar="FILE|-", help="A file with one command per line; - is standard input."),
    ],
    socket: SocketOption = None,
) -> None:
    """Run commands of tasks, faults, journal and family, one per line, over one connection.

    Each command is answered with a JSON object in one line. If ok is true, it has the result, if
    any. If ok is false, it has the error in one sentence, and the kernel's errno, if any. Empty
    lines and lines that begin with # are ignored. The exit status is 1 if a command failed.
    """
    failed = False
    with _opened(file) as lines, connected(socket) as connection:
        for words in _commands(lines):
            answer = carry_out(connection, words)
            failed |= not answer["ok"]
            print(as_line(answer), flush=True)
    if failed:
        raise SystemExit(1)


@contextmanager
def _opened(file: str) -> Iterator[TextIO]:
    if file == "-":
        if sys.stdin is None:
            raise UserError("standard input is closed: name a file of commands")
        yield sys.stdin
        return
    try:
        with Path(file).open(encoding="utf-8") as lines:
            yield lines
    except OSError as exc:
        raise UserError(f"{file} cannot be read: {exc.strerror}") from exc


def _commands(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        if line.strip() and not line.lstrip().startswith("#"):
            yield line


def carry_out(connection: Connection, line: str) -> dict[str, Any]:
    """Carry out one command; what to answer: ok, and an error or perhaps a result."""
    from netlink_emu.protocol.errors import errno_name
    from netlink_emu.testing.errors import ControlError

    try:
        call, values = _understand(line)
        answer = call(connection, **values)
        if isinstance(answer, Lines) and answer.endless:
            raise UserError("journal follow does not end: run it as a command of its own")
        if answer is None:
            return {"ok": True}
        found = [json.loads(each) for each in answer.json()]
    except UserError as exc:
        return {"ok": False, "error": str(exc)}
    except ControlError as exc:
        return {"ok": False, "error": str(exc), "errno": errno_name(exc.errno)}
    return {"ok": True, "result": found if answer.many else found[0]}


def _understand(line: str) -> tuple[Call, dict[str, Any]]:
    """What a line asks for; UserError where it is not plain."""
    try:
        words = shlex.split(line)
    except ValueError as exc:
        raise UserError(f"{line.strip()}: {exc}") from exc
    group = _GROUPS.get(words[0]) if words else None
    if group is None:
        raise UserError(f"there is no {words[0]!r} here; there are {', '.join(_GROUPS)}")
    call = group.calls.get(words[1]) if words[1:] else None
    if call is None:
        raise UserError(f"{group.name} takes one of {', '.join(group.calls)}")
    values = parse_plain(group.commands[words[1]], words[2:])
    if values is None:
        values = _by_typer(group, words)
    for name in ("socket", "as_json", "quiet", "verbose"):
        values.pop(name, None)
    return call, values


def _by_typer(group: Controls, words: list[str]) -> dict[str, Any]:
    """The values of what is not plain; typer's own words where it is wrong."""
    from typer.main import get_command

    name = words[1]
    if "--help" in words:
        raise UserError(f"netlink-emu {group.name} {name} --help tells how it is used")
    command: Any = get_command(group_as_typer(group, lambda _: None))
    try:
        with command.commands[name].make_context(name, words[2:]) as context:
            return dict(context.params)
    except Exception as exc:  # click's, which typer has inside of it
        told = getattr(exc, "format_message", None)
        if told is None:
            raise
        raise UserError(f"{group.name} {name}: {told()}") from exc
