"""``-k`` expressions."""

from __future__ import annotations

import pytest

from netlink_emu.conformance.cases.case import Case
from netlink_emu.conformance.cases.selection import ExpressionError, parse, select

EXEC = Case("event_exec_true", "a child that executed /bin/true", "events", ())
MASK = Case("mask_register_0", "REGISTER of CPU 0", "cpumask", ())
DUMP = Case("ctrl_dump_busy", "EBUSY while a dump goes on", "nlctrl", ())
ALL = [EXEC, MASK, DUMP]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (None, ALL),
        ("  ", ALL),
        ("exec", [EXEC]),
        ("EXEC", [EXEC]),
        ("cpumask", [MASK]),  # a group
        ("EBUSY", [DUMP]),  # a title
        ("exec or dump", [EXEC, DUMP]),
        ("not exec", [MASK, DUMP]),
        ("not exec and not dump", [MASK]),
        ("not (exec or dump)", [MASK]),
        ("exec or dump and mask", [EXEC]),  # and binds tighter
        ("'child that'", [EXEC]),
        ('"a dump goes" or mask', [MASK, DUMP]),
        ("/bin/true", [EXEC]),
        ("nothing", []),
    ],
)
def test_select(expression: str | None, expected: list[Case]) -> None:
    assert select(ALL, expression) == expected


@pytest.mark.parametrize(
    "expression",
    ["and", "exec and", "exec or or dump", "(exec", "exec)", "exec dump", "not", "()"],
)
def test_nonsense(expression: str) -> None:
    with pytest.raises(ExpressionError):
        parse(expression)
