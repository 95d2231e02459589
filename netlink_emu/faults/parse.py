"""Faults from text: a name, and parameters."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from netlink_emu.faults.fault import Fault, FaultError
from netlink_emu.faults.kinds import FAULTS


def parse_fault(name: str, values: dict[str, Any]) -> Fault:
    """The fault of that name; ``values`` may be text. Raises FaultError with what there is."""
    cls = FAULTS.get(name)
    if cls is None:
        raise FaultError(f"there is no fault {name!r}; there are {', '.join(FAULTS)}")
    known = {f.name: f for f in fields(cls)}
    parsed = {}
    for key, value in values.items():
        if key not in known:
            has = ", ".join(known) or "no parameters"
            raise FaultError(f"{name} has no parameter {key!r}: it has {has}")
        parsed[key] = _parse_value(str(known[key].type), key, value)
    return cls(**parsed)


def _parse_value(annotation: str, key: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        if annotation == "float":
            return float(value)
        if "int" in annotation:
            return int(value, 0)
    except ValueError:
        if "str" not in annotation:
            raise FaultError(f"{key} is {value!r}, which is not a number") from None
    return value
