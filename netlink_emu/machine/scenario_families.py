"""What a scenario has families of one's own do, and when: ``[[family]]`` in a scenario.

Nothing here knows families; names and values are checked by who carries them out.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, Final

from netlink_emu.machine.scenario_table import ScenarioError, Table

# What is said beside each of them, but for "at".
_KEYS: Final = {
    "add": ("values",),
    "change": ("values",),
    "remove": ("values",),
    "notify": ("values", "group"),
    "reply": ("values", "times"),
    "fail": ("errno", "message", "attr", "missing", "times"),
    "forget": (),
}
_MOST_TIMES: Final = 10**9


@dataclass(frozen=True, slots=True)
class FamilyStep:
    """One change; ``what`` is a kind of objects or an operation, ``values`` are as in JSON."""

    at_ns: int
    verb: str
    what: str
    path: str  # where it stands in the file
    values: Any = None
    group: str = ""
    errno: str | int = ""
    message: str = ""
    attr: str | None = None
    missing: str | None = None
    times: int | None = None


@dataclass(frozen=True, slots=True)
class FamilyPlan:
    """The changes of the family of that name, in the order of time."""

    name: str
    path: str
    steps: tuple[FamilyStep, ...]


def family_plan(table: Table) -> FamilyPlan:
    """Read one ``[[family]]``; raises ScenarioError."""
    name = table.string("name")
    if not table.has("timeline"):
        raise ScenarioError("the key 'timeline' is missing", path=table.path)
    steps = tuple(_step(step) for step in table.tables("timeline"))
    table.done()
    for before, step in itertools.pairwise(steps):
        if step.at_ns < before.at_ns:
            raise ScenarioError("the step before is later", path=f"{step.path}.at")
    return FamilyPlan(name, table.path, steps)


def _step(table: Table) -> FamilyStep:
    verbs = [verb for verb in _KEYS if table.has(verb)]
    if len(verbs) != 1:
        found = " and ".join(verbs) or "none"
        raise ScenarioError(
            f"needs exactly one of {', '.join(_KEYS)}; found {found}", path=table.path
        )
    [verb] = verbs
    keys = _KEYS[verb]
    rest: dict[str, Any] = {}
    for key in ("group", "message", "attr", "missing"):
        if key in keys and table.has(key):
            rest[key] = table.string(key)
    if "times" in keys:
        rest["times"] = table.integer("times", None, least=1, most=_MOST_TIMES)
    if "errno" in keys:
        rest["errno"] = table.name_or_number("errno")
    if "values" in keys:
        rest["values"] = table.value("values", {})
    step = FamilyStep(table.nanoseconds("at"), verb, table.string(verb), table.path, **rest)
    table.done()
    return step
