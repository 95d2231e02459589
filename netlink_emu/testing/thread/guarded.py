"""Objects that belong to the kernel's thread, for use from any other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from netlink_emu.testing.checks import nearest
from netlink_emu.testing.errors import NoSuchName, hide

__tracebackhide__ = hide

T = TypeVar("T")


def guarded(target: T, call: Callable[[Callable[[], Any]], Any]) -> T:
    """The same object to look at, whose attributes are read and methods called by ``call``."""
    return _Guarded(target, call)  # type: ignore[return-value]  # but it has all of a T


class _Guarded:
    def __init__(self, target: Any, call: Callable[[Callable[[], Any]], Any]) -> None:
        self._target = target
        self._call = call

    def __getattr__(self, name: str) -> Any:
        try:
            value = self._call(lambda: getattr(self._target, name))
        except AttributeError:
            kind = type(self._target).__name__
            known = [known for known in dir(self._target) if not known.startswith("_")]
            raise NoSuchName(f"{kind} has no {name!r}; {nearest(name, known)}") from None
        if not callable(value):
            return value

        def method(*args: Any, **kwargs: Any) -> Any:
            return self._call(lambda: value(*args, **kwargs))

        method.__doc__ = value.__doc__
        return method

    def __dir__(self) -> list[str]:
        return dir(self._target)

    def __repr__(self) -> str:
        return repr(self._target)

    def __len__(self) -> int:
        return int(self._call(lambda: len(self._target)))

    def __iter__(self) -> Any:
        return iter(self._call(lambda: list(self._target)))
