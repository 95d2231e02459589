"""docs/reference-commands.md: every command with its options and examples."""

from __future__ import annotations

import re
from collections.abc import Iterator

from manual.tree import Command, Parameter, tree


def page() -> str:
    """The page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# The command line"
    yield ""
    yield "<!-- Made by scripts/write-docs from the commands themselves. Do not edit. -->"
    yield ""
    yield (
        "`man netlink-emu` shows this page as a manual page. The exit status is 0 for success, 1 "
        "for an error that the user can fix, 2 for wrong usage, 130 after Ctrl-C, 141 if the "
        "reader of the output has gone, and 70 for a bug of netlink-emu. Each command lists its "
        "own exit statuses. An error is one sentence on standard error."
    )
    yield ""
    yield (
        "A bug is reported with its traceback, versions and the command line, but without the "
        "arguments of the command that was run. If the bug happens while that command runs, the "
        "command's netlink calls fail from then on, netlink-emu reports how the command ended, "
        "and the exit status is 70. If the command has already ended, its exit status stays."
    )
    yield ""
    yield (
        "With `-q`, every command reports only errors: no remarks, no progress. With `-v` it also "
        "reports each step, the versions, the emulated kernel, what the command of `run` did, and "
        "how long it took. Neither changes what is printed on standard output. A command that "
        "takes long shows a bar on a terminal; elsewhere it prints a line every ten seconds, with "
        "the time left."
    )
    yield ""
    yield "`--json` is for programs: [JSON of the commands](reference-json.md) has all keys."
    for command in tree().commands:
        yield from _command(command)


def _command(command: Command) -> Iterator[str]:
    yield ""
    yield f"{'#' * (len(command.path) + 1)} {command.name}"
    yield ""
    yield f"    {command.synopsis()}"
    for paragraph in command.paragraphs:
        yield ""
        yield _markup(paragraph)
    if command.arguments or command.own_options:
        yield ""
        yield "| | |"
        yield "|---|---|"
        for parameter in (*command.arguments, *command.own_options):
            yield f"| {_names(parameter)} | {_cell(parameter)} |"
    if command.examples:
        yield ""
        yield "```text"
        yield from command.examples
        yield "```"
    for below in command.commands:
        yield from _command(below)


def _names(parameter: Parameter) -> str:
    names = ", ".join(f"`{name}`" for name in parameter.names)
    metavar = parameter.metavar.replace("|", "\\|")
    return " ".join(part for part in (names, f"*{metavar}*" if metavar else "") if part)


def _cell(parameter: Parameter) -> str:
    return _markup(parameter.text).replace("|", "\\|")


def _markup(text: str) -> str:
    text = text.replace("<", "&lt;").replace("*", "\\*")
    return re.sub(r"(?<![\w`-])(--[a-z-]+)", r"`\1`", text)
