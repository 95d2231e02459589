"""What a command takes, declared without typer, and two readings of it.

Importing typer takes as long as `netlink-emu run` does with everything else. So the parameters
of a command are declared with :class:`Option` and :class:`Argument` in its annotations;
:func:`as_typer` makes typer's declarations of them, and :func:`parse_plain` understands command
lines that are plainly right. Whatever is not (help, mistakes, rare spellings) is typer's.
"""

from __future__ import annotations

import enum
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Union, get_args, get_origin, get_type_hints


class Option:
    """An option; ``--on/--off`` names both ways of a switch. The settings are typer.Option's."""

    def __init__(self, *names: str, **settings: Any) -> None:
        self.names: Final = names
        self.settings: Final = settings


class Argument:
    """All that follows the options. The settings are typer.Argument's."""

    def __init__(self, **settings: Any) -> None:
        self.settings: Final = settings


def as_typer(function: Callable[..., None]) -> Callable[..., None]:
    """The same function, declared for typer."""
    import typer

    assert isinstance(function, types.FunctionType)
    declared = types.FunctionType(
        function.__code__, function.__globals__, function.__name__,
        function.__defaults__, function.__closure__,
    )  # fmt: skip
    declared.__kwdefaults__ = function.__kwdefaults__
    declared.__doc__ = function.__doc__
    declared.__annotations__ = get_type_hints(function, include_extras=True)
    for name, (kind, told) in _parameters(function).items():
        info: Any
        if isinstance(told, Option):
            info = typer.Option(*told.names, **told.settings)
        elif isinstance(told, Argument):
            info = typer.Argument(**told.settings)
        else:
            continue
        declared.__annotations__[name] = Annotated[kind, info]
    return declared


def _parameters(function: Callable[..., None]) -> dict[str, tuple[Any, object]]:
    """Each parameter's type and what is told of it: an Option, an Argument, or something else."""
    found = {}
    for name, hint in get_type_hints(function, include_extras=True).items():
        if get_origin(hint) is Annotated:
            kind, told, *_ = get_args(hint)
            found[name] = kind, told
        elif name != "return":
            found[name] = hint, None
    return found


def parse_plain(function: Callable[..., None], args: Sequence[str]) -> dict[str, Any] | None:
    """What a plain command line says, by parameter; None if typer is to look at it."""
    options: dict[str, tuple[str, Any, bool | None, Option]] = {}
    argument = None
    for name, (kind, told) in _parameters(function).items():
        if isinstance(told, Argument) and kind == list[str]:
            argument = name
        elif isinstance(told, Option):
            for flags in told.names:
                on, _, off = flags.partition("/")
                options[on] = name, kind, True, told
                if off:
                    options[off] = name, kind, False, told
        else:
            return None
    if argument is None:
        return None
    found: dict[str, Any] = {}
    rest = [*args]
    while rest and rest[0].startswith("-"):
        flag = rest.pop(0)
        if flag == "--":
            break
        flag, equals, value = flag.partition("=")
        if flag not in options:
            return None
        name, kind, on_off, option = options[flag]
        if kind is bool:
            if equals:
                return None
            found[name] = on_off
            continue
        if not equals:
            if not rest:
                return None
            value = rest.pop(0)
        try:
            _note(found, name, _inner(kind), value, option)
        except ValueError:
            return None
    if not rest:
        return None
    found[argument] = rest
    return found


def _inner(kind: Any) -> Any:
    """A type without its None."""
    if get_origin(kind) in (Union, types.UnionType):
        kinds = [inner for inner in get_args(kind) if inner is not type(None)]
        return kinds[0] if len(kinds) == 1 else None
    return kind


def _note(found: dict[str, Any], name: str, kind: Any, value: str, option: Option) -> None:
    """Read an option's value; ValueError if it is not plainly one of its type."""
    if not value or value.startswith("-"):
        raise ValueError(value)
    if kind == list[str]:
        found.setdefault(name, []).append(value)
        return
    low, high = option.settings.get("min"), option.settings.get("max")
    if kind in (int, float):
        digits = value.replace(".", "", 1) if kind is float else value
        if not (digits.isascii() and digits.isdigit()):
            raise ValueError(value)
        number = kind(value)
        if (low is not None and number < low) or (high is not None and number > high):
            raise ValueError(value)
        found[name] = number
    elif kind in (str, Path) or (isinstance(kind, type) and issubclass(kind, enum.StrEnum)):
        found[name] = kind(value)
    else:
        raise ValueError(value)
