"""The command line as plain data, read off typer's objects."""

from __future__ import annotations

import enum
import inspect
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, get_args

from typer.main import get_command

from netlink_emu.cli.main import COMMANDS, build
from netlink_emu.cli.output.loudness import QUIET, VERBOSE
from netlink_emu.cli.tasks import _STATES as STATES
from netlink_emu.cli.usage.examples import EXAMPLES
from netlink_emu.faults import FAULTS
from netlink_emu.kernel.profile import ARCHS
from netlink_emu.kernel.releases import SERIES
from netlink_emu.machine.acts import AMOUNTS, POLICIES

PROGRAM: Final = "netlink-emu"
_FILES: Final = {"FILE", "PATH", "[FILE|HEX]", "[FILE]...", "[SOCKET | -- COMMAND]..."}
_DIRECTORIES: Final = {"DIR"}
# What may stand where a metavar does.
_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "RELEASE": tuple(SERIES),
    "R": tuple(SERIES),
    "A": tuple(SERIES),
    "B": tuple(SERIES),
    "ARCH": tuple(ARCHS),
    "STATE": STATES,
    "[FAULT]": tuple(FAULTS),
    "RULE": tuple(FAULTS),
    "RULE...": tuple(FAULTS),
    "SHELL": ("bash", "zsh", "fish"),
    "emulator|kernel|PATH": ("emulator", "kernel"),
    "SIGNAL": ("SIGKILL", "SIGTERM", "SIGSEGV", "SIGABRT", "SIGINT", "SIGHUP"),
}
_POLICY: Final = "--policy"


class Values(enum.Enum):
    """What a value is, beside words that are listed."""

    NONE = "a switch: no value"
    ANY = "anything"
    FILE = "a file"
    DIRECTORY = "a directory"
    COMMAND = "a command with its arguments"


@dataclass(frozen=True, slots=True)
class Parameter:
    """An option, or an argument (that has no names)."""

    names: tuple[str, ...]
    metavar: str
    help: str
    values: Values
    words: tuple[str, ...] = ()
    default: str = ""
    repeated: bool = False

    @property
    def text(self) -> str:
        """The help, with the default."""
        known = f"By default {self.default}." if self.default else ""
        return " ".join(part for part in (self.help, known) if part)


@dataclass(frozen=True, slots=True)
class Command:
    """A command, or a group of them."""

    path: tuple[str, ...]
    help: str
    options: tuple[Parameter, ...]
    arguments: tuple[Parameter, ...]
    commands: tuple[Command, ...] = field(default=())

    @property
    def name(self) -> str:
        return " ".join(self.path)

    @property
    def title(self) -> str:
        """The first sentence of the help."""
        return " ".join(self.help.partition("\n\n")[0].split())

    @property
    def paragraphs(self) -> list[str]:
        return [" ".join(part.split()) for part in self.help.split("\n\n")]

    @property
    def examples(self) -> tuple[str, ...]:
        return EXAMPLES.get(self.name, ())

    @property
    def own_options(self) -> tuple[Parameter, ...]:
        """Those that not every command has."""
        return tuple(option for option in self.options if option not in self.shared_options)

    @property
    def shared_options(self) -> tuple[Parameter, ...]:
        """``-q`` and ``-v``, which every command has."""
        shared = (QUIET[1], VERBOSE[1])
        return tuple(option for option in self.options if option.names in shared)

    def walk(self) -> Iterator[Command]:
        """It and all below."""
        yield self
        for command in self.commands:
            yield from command.walk()

    def synopsis(self) -> str:
        """``netlink-emu tasks spawn [OPTIONS] COMM [AMOUNT=NUMBER]...``."""
        parts = [PROGRAM, *self.path]
        if self.options:
            parts.append("[OPTIONS]")
        if self.commands:
            parts.append("COMMAND ...")
        return " ".join([*parts, *(argument.metavar for argument in self.arguments)])


@cache
def tree() -> Command:
    """The whole command line."""
    return _command(get_command(build([])), ())


def _command(found: Any, path: tuple[str, ...]) -> Command:
    options: list[Parameter] = []
    arguments: list[Parameter] = []
    for param in found.params:
        parameter = _parameter(param)
        (options if parameter.names else arguments).append(parameter)
    below = getattr(found, "commands", {})
    if not path:
        below = {name: below[name] for name in COMMANDS}
    return Command(
        path,
        inspect.cleandoc(found.help or ""),
        tuple(option for option in options if "--help" not in option.names),
        tuple(arguments),
        tuple(_command(command, (*path, name)) for name, command in below.items()),
    )


def _parameter(param: Any) -> Parameter:
    is_option = param.param_type_name == "option"
    choices = _choices(param)
    metavar = param.metavar or ("|".join(choices) if choices else param.name.upper())
    values = Values.ANY
    if is_option and param.is_flag:
        values, metavar = Values.NONE, ""
    elif metavar in _FILES:
        values = Values.FILE
    elif metavar in _DIRECTORIES:
        values = Values.DIRECTORY
    elif metavar == "COMMAND...":
        values = Values.COMMAND
    names = (*param.opts, *param.secondary_opts) if is_option else ()
    words = choices or _WORDS.get(metavar, ())
    if _POLICY in names:
        words = tuple(POLICIES)
    elif metavar == "[AMOUNT=NUMBER]...":
        words = tuple(f"{name}=" for name in AMOUNTS)
    return Parameter(
        # Long names first.
        tuple(sorted(names, key=lambda name: not name.startswith("--"))),
        metavar,
        " ".join((param.help or "").split()),
        values,
        words,
        _default(param) if is_option and "default" not in (param.help or "") else "",
        bool(param.multiple) if is_option else param.nargs != 1,
    )


def _choices(param: Any) -> tuple[str, ...]:
    told = getattr(param, "type_descriptor", None)
    if told is None:
        return tuple(getattr(param.type, "choices", ()))
    for kind in (told.annotation, *get_args(told.annotation)):
        if inspect.isclass(kind) and issubclass(kind, enum.Enum):
            return tuple(str(member.value) for member in kind)
    return ()


def _default(param: Any) -> str:
    default = param.default
    if default is None or callable(default) or isinstance(default, list | tuple):
        return ""
    if isinstance(default, bool):
        if not param.secondary_opts:
            return ""
        return str((param.opts if default else param.secondary_opts)[0])
    if isinstance(default, enum.Enum):
        return str(default.value)
    if isinstance(default, float) and default == int(default):
        return str(int(default))
    return str(default) if isinstance(default, str | int | float | Path) else ""
