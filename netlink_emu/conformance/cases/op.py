"""What an operation of a transcript's step is: a record, found by its name and action."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, TypeVar, dataclass_transform

AnyOp = TypeVar("AnyOp", bound="Op")


class Op:
    """Base of all operations. ``NAME`` is the step's op, ``ACTION`` its action if it has one."""

    __slots__ = ()
    NAME: ClassVar[str]
    ACTION: ClassVar[str | None] = None

    def arguments(self) -> dict[str, Any]:
        """The arguments that are present, in the order of their declaration."""
        return {
            field.name: value
            for field in _fields(type(self))
            if (value := getattr(self, field.name)) is not None
        }


OPS: Final[dict[tuple[str, str | None], type[Op]]] = {}


@dataclass_transform(frozen_default=True, kw_only_default=True)
def op(name: str, action: str | None = None) -> Callable[[type[AnyOp]], type[AnyOp]]:
    """Make a class the record of an operation: of the step's op, and its action if it has one."""

    def declare(cls: type[AnyOp]) -> type[AnyOp]:
        made = dataclass(frozen=True, slots=True, kw_only=True)(cls)
        made.NAME, made.ACTION = name, action
        OPS[name, action] = made
        return made

    return declare


def op_type(name: str, action: str | None) -> type[Op] | None:
    """The record of an operation, None if there is none of that name."""
    return OPS.get((name, action)) or OPS.get((name, None))


def field_names(cls: type[Op]) -> frozenset[str]:
    """The arguments that an operation may have."""
    return frozenset(field.name for field in _fields(cls))


def _fields(cls: type[Op]) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(cls)  # type: ignore[arg-type]  # each Op is one, Op itself is not


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketOp(Op):
    """An operation on the socket of that name."""

    sock: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressOp(SocketOp):
    """An operation with an address: (pid, groups), the pid of a task, or a raw sockaddr."""

    pid: int | None = None
    groups: int | None = None
    pid_of: str | None = None
    addr_hex: str | None = None
