"""The [[family]] tables of a scenario, read."""

from __future__ import annotations

import pytest

from netlink_emu.machine.scenario import ScenarioError, parse_scenario
from netlink_emu.machine.scenario_families import FamilyStep


def steps(text: str) -> tuple[FamilyStep, ...]:
    (plan,) = parse_scenario(f'[[family]]\nname = "lamps"\ntimeline = [{text}]\n').changes
    assert plan.name == "lamps"
    return plan.steps


def test_what_a_step_says() -> None:
    at = "family[0].timeline"
    assert steps(
        '{ at = 0.5, add = "lamp", values = { id = 1, rgb = [1, 2] } },'
        '{ at = 0.5, notify = "lamp-ntf", group = "events" },'
        '{ at = 2, fail = "lamp-get", errno = 5, attr = "id", missing = "rgb", times = 2 },'
        '{ at = 3, forget = "lamp-get" }'
    ) == (
        FamilyStep(500_000_000, "add", "lamp", f"{at}[0]", {"id": 1, "rgb": [1, 2]}),
        FamilyStep(500_000_000, "notify", "lamp-ntf", f"{at}[1]", {}, group="events"),
        FamilyStep(
            2_000_000_000, "fail", "lamp-get", f"{at}[2]", errno=5, attr="id", missing="rgb",
            times=2,
        ),
        FamilyStep(3_000_000_000, "forget", "lamp-get", f"{at}[3]"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{ at = 1 }", "needs exactly one of add, change, remove, notify, reply, fail, forget"),
        ('{ at = 1, add = "a", remove = "a" }', "found add and remove"),
        ('{ add = "a" }', "the key 'at' is missing"),
        ("{ at = 1, add = 3 }", "must be a string, found 3"),
        ('{ at = 1, forget = "a", values = {} }', "unknown key; known are at, forget"),
        ('{ at = 1, fail = "a" }', "the key 'errno' is missing"),
        ('{ at = 1, fail = "a", errno = -1 }', "must be at least 0, found -1"),
        ('{ at = 1, reply = "a", times = 0 }', "must be between 1 and 1000000000, found 0"),
        ('{ at = 1, forget = "a" }, { at = 0, forget = "a" }', "the step before is later"),
    ],
)
def test_mistakes(text: str, said: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        steps(text)
    assert said in str(refused.value)
    assert refused.value.line == 3


@pytest.mark.parametrize("text", ["timeline = []", 'name = "lamps"', 'name = "lamps"\nx = 1'])
def test_a_table_needs_a_name_and_steps(text: str) -> None:
    with pytest.raises(ScenarioError, match=r"the key '(name|timeline)' is missing"):
        parse_scenario(f"[[family]]\n{text}\n")
