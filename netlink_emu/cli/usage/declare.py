"""What a command takes, declared without typer, and two readings of it.

Importing typer takes as long as `netlink-emu run` does with everything else. So the parameters
of a command are declared with :class:`Option` and :class:`Argument` in its annotations, and
commands below one name with :class:`Group`; :func:`as_typer` makes typer's declarations of them,
and :func:`parse_plain` understands command lines that are plainly right. Whatever is not (help,
mistakes, rare spellings) is typer's.
"""

from __future__ import annotations

import enum
import inspect
import os
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Final,
    NamedTuple,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from netlink_emu.cli.output import loudness

if TYPE_CHECKING:
    import typer

Command = Callable[..., None]


class Option:
    """An option; ``--on/--off`` names both ways of a switch. The settings are typer.Option's."""

    def __init__(self, *names: str, **settings: Any) -> None:
        self.names: Final = names
        self.settings: Final = settings


class Argument:
    """What has no name; of type ``list[str]`` it takes all that are left.

    With ``rest`` it takes whatever follows the options, be it like an option or not. The settings
    are typer.Argument's.
    """

    def __init__(self, *, rest: bool = False, **settings: Any) -> None:
        self.rest: Final = rest
        self.settings: Final = settings


class Group:
    """Commands below one name, as ``netlink-emu tasks spawn``."""

    def __init__(self, name: str, help: str) -> None:
        self.name: Final = name
        self.help: Final = help
        self.commands: Final[dict[str, Command]] = {}

    def command(self, name: str | None = None) -> Callable[[Command], Command]:
        """Declare a command, named as its function by default."""

        def register(function: Command) -> Command:
            self.commands[name or function.__name__] = function
            return function

        return register


class _Parameter(NamedTuple):
    name: str
    kind: Any  # its type
    told: object  # an Option, an Argument, or something else
    default: Any


def _parameters(function: Command) -> list[_Parameter]:
    hints = get_type_hints(function, include_extras=True)
    found = []
    for name, declared in inspect.signature(function).parameters.items():
        kind, told = hints[name], None
        if get_origin(kind) is Annotated:
            kind, told, *_ = get_args(kind)
        found.append(_Parameter(name, kind, told, declared.default))
    return found


_LOUDNESS: Final = tuple(
    _Parameter(name, bool, Option(*flags, help=text), default=False)
    for name, flags, text in (loudness.QUIET, loudness.VERBOSE)
)


def take_loudness(values: dict[str, Any]) -> None:
    """Take ``-q`` and ``-v``, which every command has, out of what a command line says.

    Raises ValueError if both are given.
    """
    given = {each.name: bool(values.pop(each.name, False)) for each in _LOUDNESS}
    loudness.choose(**given)


def as_typer(function: Command, *, is_command: bool = True) -> Command:
    """The same function, declared for typer; a command has ``-q`` and ``-v``, too."""
    import typer

    def declared(**values: Any) -> None:
        if is_command:
            try:
                take_loudness(values)
            except ValueError as exc:
                raise typer.BadParameter(str(exc)) from exc
        function(**values)

    parameters = []
    for name, kind, told, default in [*_parameters(function), *_LOUDNESS * is_command]:
        info: Any = told
        if isinstance(told, Option):
            info = typer.Option(*told.names, **told.settings)
        elif isinstance(told, Argument):
            info = typer.Argument(**told.settings)
        parameters.append(
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=default,
                annotation=kind if info is None else Annotated[kind, info],
            )
        )
    declared.__name__, declared.__doc__ = function.__name__, function.__doc__
    declared.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # PEP 362
    declared.__annotations__ = {each.name: each.annotation for each in parameters}
    return declared


def group_as_typer(group: Group, epilog: Callable[[str], str | None]) -> typer.Typer:
    """A group, declared for typer; ``epilog`` gives what follows each command's options."""
    import typer

    app = typer.Typer(no_args_is_help=True, help=group.help)
    for name, function in group.commands.items():
        app.command(name, epilog=epilog(f"{group.name} {name}"))(as_typer(function))
    return app


def parse_plain(function: Command, args: Sequence[str]) -> dict[str, Any] | None:
    """What a plain command line says, by parameter; None if typer is to look at it.

    It may have ``-q`` or ``-v``, which :func:`take_loudness` takes out again.
    """
    parameters = [*_parameters(function), *_LOUDNESS]
    options = _options(parameters)
    arguments = [each for each in parameters if isinstance(each.told, Argument)]
    if any(not isinstance(each.told, Option | Argument) for each in parameters):
        return None
    has_rest = any(isinstance(each.told, Argument) and each.told.rest for each in arguments)
    found: dict[str, Any] = {}
    words: list[str] = []
    rest = [*args]
    try:
        while rest:
            word = rest.pop(0)
            if word == "--":
                words += rest
                break
            if not word.startswith("-") or (word == "-" and not has_rest):
                words.append(word)
                if has_rest:
                    words += rest
                    break
                continue
            _read_option(word, rest, options, found)
        _read_arguments(arguments, words, found)
        _read_environment(parameters, found)
    except ValueError:
        return None
    both = all(each.name in found for each in _LOUDNESS)
    return None if both else found


class _Way(NamedTuple):
    """One of an option's names; ``on`` says what a switch becomes by it."""

    parameter: _Parameter
    on: bool


def _options(parameters: Sequence[_Parameter]) -> dict[str, _Way]:
    options = {}
    for parameter in parameters:
        if isinstance(parameter.told, Option):
            for flags in parameter.told.names:
                on, _, off = flags.partition("/")
                options[on] = _Way(parameter, on=True)
                if off:
                    options[off] = _Way(parameter, on=False)
    return options


def _read_option(
    word: str, rest: list[str], options: Mapping[str, _Way], found: dict[str, Any]
) -> None:
    """Read an option and its value; ValueError if they are not plain."""
    flag, equals, value = word.partition("=")
    if flag not in options:
        raise ValueError(flag)
    (name, kind, told, _), on = options[flag]
    assert isinstance(told, Option)
    if kind is bool:
        if equals:
            raise ValueError(word)
        found[name] = on
        return
    if not equals:
        if not rest:
            raise ValueError(word)
        value = rest.pop(0)
    if not value or value.startswith("-"):
        raise ValueError(value)
    if _inner(kind) == list[str]:
        found.setdefault(name, []).append(value)
    else:
        found[name] = _value(kind, value, told.settings)


def _read_arguments(
    arguments: Sequence[_Parameter], words: Sequence[str], found: dict[str, Any]
) -> None:
    """Give the words to the arguments in turn; ValueError where too many or few are left."""
    left = [*words]
    for name, kind, told, default in arguments:
        assert isinstance(told, Argument)
        if not left:
            if default is inspect.Parameter.empty:
                raise ValueError(name)
        elif _inner(kind) == list[str]:
            found[name], left = left, []
        else:
            found[name] = _value(kind, left.pop(0), told.settings)
    if left:
        raise ValueError(left[0])


def _read_environment(parameters: Sequence[_Parameter], found: dict[str, Any]) -> None:
    for name, kind, told, _ in parameters:
        if isinstance(told, Option) and name not in found and "envvar" in told.settings:
            text = os.environ.get(told.settings["envvar"])
            if text:
                found[name] = _value(kind, text, told.settings)


def _inner(kind: Any) -> Any:
    """A type without its None."""
    if get_origin(kind) in (Union, types.UnionType):
        kinds = [inner for inner in get_args(kind) if inner is not type(None)]
        return kinds[0] if len(kinds) == 1 else None
    return kind


def _value(kind: Any, text: str, settings: Mapping[str, Any]) -> Any:
    """A word as a value; ValueError if it is not plainly one of its type."""
    kind = _inner(kind)
    if kind in (int, float):
        digits = text.replace(".", "", 1) if kind is float else text
        if not (digits.isascii() and digits.isdigit()):
            raise ValueError(text)
        number = kind(text)
        low, high = settings.get("min"), settings.get("max")
        if (low is not None and number < low) or (high is not None and number > high):
            raise ValueError(text)
        return number
    if kind in (str, Path) or (isinstance(kind, type) and issubclass(kind, enum.StrEnum)):
        return kind(text)
    raise ValueError(text)
