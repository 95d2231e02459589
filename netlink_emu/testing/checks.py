"""What a test says by mistake: one sentence with what was expected, and the nearest name."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from typing import Any, TypeVar

from netlink_emu.testing.errors import WrongType, WrongValue, hide

T = TypeVar("T")
__tracebackhide__ = hide


def nearest(name: object, known: Iterable[str]) -> str:
    """The name that was meant, if one is near, else all names."""
    known = sorted(map(str, known))
    close = difflib.get_close_matches(str(name), known, 3)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"there are {', '.join(known)}"


def name(what: str, value: object, known: Iterable[str]) -> None:
    """It is one of these names."""
    known = list(known)
    if value not in known:
        raise WrongValue(f"there is no {what} {value!r}; {nearest(value, known)}")


def keywords(what: str, given: Iterable[str], known: Iterable[str]) -> None:
    """They are keywords of ``what``."""
    known = list(known)
    for one in given:
        if one not in known:
            raise WrongType(f"{what} has no {one!r}; {nearest(one, known)}")


def number(what: str, value: object, *, least: float | None = None) -> None:
    """It is a number, and not below ``least``."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise WrongType(f"{what} is a number, not {value!r}")
    if least is not None and not float(value) >= least:
        raise WrongValue(f"{what} is {least:g} or more, not {value!r}")


def whole(what: str, value: object) -> None:
    """It is a whole number."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise WrongType(f"{what} is a whole number, not {value!r}")


def text(what: str, value: object, example: str) -> None:
    """It is a str."""
    if not isinstance(value, str):
        raise WrongType(f"{what} is a string such as {example!r}, not {value!r}")


def cpus(value: object) -> None:
    """It is a number of CPUs, or which there are."""
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 1:
            raise WrongValue(f"cpus is the number of CPUs, 1 or more, not {value}")
        return
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise WrongType(f"cpus is a number, or a list of numbers, not {value!r}")


def argv(method: str, value: object) -> None:
    """It is a program and its arguments."""
    if isinstance(value, (str, bytes, os.PathLike)):
        raise WrongType(f"{method}() takes a list, [{value!r}], not {value!r}; see shlex.split()")
    if not isinstance(value, Iterable) or not value:
        raise WrongType(f"{method}() takes a program and its arguments in a list, not {value!r}")
    for one in value:
        if not isinstance(one, (str, os.PathLike)):
            raise WrongType(f"{method}() takes a list of strings and paths; {one!r} is none")


def starting(
    method: str, argv_given: object, options: Iterable[str], known: Iterable[str]
) -> None:
    """They are a program with its arguments, and options of a method that starts one."""
    argv(method, argv_given)
    keywords(f"{method}()", options, known)


def function(what: str, value: object) -> None:
    """It can be called."""
    if not callable(value):
        raise WrongType(
            f"{what} takes a function, and its arguments behind it, not what it returns: {value!r}"
        )


def instance(what: str, value: object, kind: type[object], how: str) -> None:
    """It is one of ours; ``how`` says where to get one."""
    if not isinstance(value, kind):
        raise WrongType(f"{what} takes what {how} gives, not {value!r}")


def mapped(what: str, value: str, known: Mapping[str, T]) -> T:
    """What a name stands for."""
    name(what, value, known)
    return known[value]


def called(function: Callable[..., Any]) -> list[str]:
    """The names of a function's keywords."""
    code = function.__code__
    return list(code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount])
