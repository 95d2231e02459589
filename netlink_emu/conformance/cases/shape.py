"""Whether a case read from a file has what its records say: types, and masks within bytes."""

from __future__ import annotations

import dataclasses
import functools
import re
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Final

from . import ops
from .case import Case, CaseError
from .masked import MaskedBytes

_MOST_CPUS: Final = 8192  # CONFIG_NR_CPUS of the largest kernels
_CPU_LIST: Final = re.compile(r"(\d{1,4}(-\d{1,4})?(,\d{1,4}(-\d{1,4})?)*)?", re.ASCII)


def check_shape(case: Case) -> None:
    """Raise CaseError for a case that no recorder could have written."""
    _check(case, Case, "case")
    for index, step in enumerate(case.steps):
        if step.expect.datagrams is not None and not isinstance(step.op, ops.Recv):
            raise CaseError(f"case.steps[{index}]: {step.op.NAME} brings no datagrams")
    numbers = re.findall(r"\d+", case.cpus_possible)
    if not _CPU_LIST.fullmatch(case.cpus_possible) or any(
        int(number) >= _MOST_CPUS for number in numbers
    ):
        raise CaseError(f"cpus_possible is {case.cpus_possible[:40]!r}")


@functools.cache
def _fields(cls: type[Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(cls, localns={"MaskedBytes": MaskedBytes})
    return {name: hint for name, hint in hints.items() if _origin(hint) is not typing.ClassVar}


# Asked for each of a corpus's million values.
_origin: Final[Callable[[Any], Any]] = functools.cache(typing.get_origin)
_arguments: Final[Callable[[Any], tuple[Any, ...]]] = functools.cache(typing.get_args)
_PLAIN: Final = frozenset({str, int, bool, bytes, float})


def _check(value: Any, wanted: Any, where: str) -> None:
    """``wanted`` is a type as in an annotation."""
    if wanted is Any or (type(value) is wanted and wanted in _PLAIN):
        return
    origin, arguments = _origin(wanted), _arguments(wanted)
    if origin in (typing.Union, types.UnionType):
        for one in arguments:
            if _is(value, one):
                break
        else:
            _refuse(value, where)
        _check(value, one, where)
    elif not _is(value, wanted):
        _refuse(value, where)
    elif origin is list or (origin is tuple and arguments[1:] == (...,)):
        for index, item in enumerate(value):
            _check(item, arguments[0], f"{where}[{index}]")
    elif origin is tuple:
        for index, (item, one) in enumerate(zip(value, arguments, strict=True)):
            _check(item, one, f"{where}[{index}]")
    elif dataclasses.is_dataclass(value):
        # An operation has more members than its base says.
        cls: Any = type(value)
        for name, hint in _fields(cls).items():
            member = getattr(value, name)
            if member is not None or type(None) not in _arguments(hint):
                _check(member, hint, f"{where}.{name}")
        if isinstance(value, MaskedBytes):
            _check_masks(value, where)
    elif origin is not None and issubclass(origin, Mapping):
        for key, item in value.items():
            _check(key, arguments[0], f"{where}'s key")
            _check(item, arguments[1], f"{where}[{str(key)[:40]}]")


def _is(value: Any, wanted: Any) -> bool:
    """The outermost type alone. JSON's true is no number."""
    if wanted is Any:
        return True
    cls = _origin(wanted) or wanted
    if cls is int and isinstance(value, bool):
        return False
    return isinstance(value, cls)


def _check_masks(masked: MaskedBytes, where: str) -> None:
    end = 0
    for mask in masked.masks:
        if not (mask.length > 0 and end <= mask.offset and mask.end <= len(masked.data)):
            raise CaseError(f"{where}: a mask of {mask.length} bytes at {mask.offset}")
        end = mask.end


def _refuse(value: Any, where: str) -> None:
    raise CaseError(f"{where} cannot be a {type(value).__name__}")
