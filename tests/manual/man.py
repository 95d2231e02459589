"""docs/man/netlink-emu.1: the manual page, in man(7)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from manual.tree import PROGRAM, Command, Parameter, tree
from netlink_emu import __version__

_INTRODUCTION = (
    "boots an emulated Linux kernel of any release from 2.6.18 on, in user space and without "
    "privileges: generic netlink with the families nlctrl and TASKSTATS. Unmodified programs "
    "that use netlink get from it what a real kernel would answer, byte for byte."
)
_STATUS = (
    ("0", "Success."),
    ("1", "An error that the user can fix; a line on standard error describes it."),
    ("2", "Wrong usage."),
    ("70", "A bug in netlink-emu; please report it with the text on standard error."),
    ("141", "The reader of standard output has gone."),
    ("124", "journal wait: time is up."),
    ("126, 127", "run: the command cannot be run, or is not found. Otherwise its own status."),
    ("129, 130, 143", "Ended by SIGHUP, SIGINT, or SIGTERM."),
)
_ENVIRONMENT = (("NETLINK_EMU_SOCKET", "The default of --socket for tasks, faults and journal."),)


def page() -> str:
    """The manual page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    root = tree()
    yield '.\\" Made by scripts/write-docs from the commands themselves. Do not edit.'
    yield f'.TH NETLINK\\-EMU 1 "" "netlink\\-emu {_escape(__version__)}" "User Commands"'
    yield ".SH NAME"
    yield "netlink\\-emu \\- a kernel's netlink, in user space, for people who write its clients"
    yield ".SH SYNOPSIS"
    for command in root.commands:
        yield from _synopsis(command)
        yield ".br"
    yield ".SH DESCRIPTION"
    yield ".B netlink\\-emu"
    yield _escape(_INTRODUCTION)
    yield ".SH OPTIONS OF EVERY COMMAND"
    for parameter in root.commands[0].shared_options:
        yield ".TP"
        yield _names(parameter)
        yield _escape(parameter.text)
    yield ".SH COMMANDS"
    for command in root.commands:
        yield from _section(command)
    yield ".SH EXIT STATUS"
    yield from _list(_STATUS)
    yield ".SH ENVIRONMENT"
    yield from _list(_ENVIRONMENT)
    yield ".SH EXAMPLES"
    for command in root.commands:
        if command.examples:
            yield ".EX"
            yield from (_escape(example) for example in command.examples)
            yield ".EE"
            yield ".PP"
    yield ".SH SEE ALSO"
    yield ".BR netlink (7),"
    yield ".BR genl (8)"


def _synopsis(command: Command) -> Iterator[str]:
    name, _, rest = command.synopsis().removeprefix(f"{PROGRAM} ").partition(" ")
    yield f".B netlink\\-emu {_escape(name)}"
    if rest:
        yield _variables(rest)


def _variables(text: str) -> str:
    """Words in capitals are in italics: they stand for something."""
    return re.sub(r"[A-Z][A-Z]+", lambda found: f"\\fI{found[0]}\\fR", _escape(text))


def _section(command: Command) -> Iterator[str]:
    yield f".SS {_escape(command.name)}"
    if len(command.path) > 1:
        yield from _synopsis(command)
        yield ".PP"
    for number, paragraph in enumerate(command.paragraphs):
        if number:
            yield ".PP"
        yield _escape(paragraph)
    for parameter in (*command.arguments, *command.own_options):
        yield ".TP"
        yield _names(parameter)
        yield _escape(parameter.text) or "\\&"
    for below in command.commands:
        yield from _section(below)


def _names(parameter: Parameter) -> str:
    names = ", ".join(f"\\fB{_escape(name)}\\fR" for name in parameter.names)
    metavar = f"\\fI{_escape(parameter.metavar)}\\fR" if parameter.metavar else ""
    return " ".join(part for part in (names, metavar) if part)


def _list(rows: tuple[tuple[str, str], ...]) -> Iterator[str]:
    for name, text in rows:
        yield ".TP"
        yield f".B {_escape(name)}"
        yield _escape(text)


def _escape(text: str) -> str:
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text)
