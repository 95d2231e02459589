"""The measuring itself: turns, medians, verdicts, what is told of them."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest
from bench import exits, kernel_alone, plot, report
from bench.figure import Effort, Relation, Result, compared
from bench.growth import Curve
from bench.measure import Comparison, Spread, by_turns, difference

BRIEF = Effort(rounds=1, scale=0.01)


def result(relation: Relation, goal: float | None, found: float) -> Result:
    spread = Spread(found, found / 2, found * 2)
    return compared(
        "a figure", "a limit", "µs", relation, goal, Comparison(spread, spread, spread, 3)
    )


def test_turns_are_taken_and_compared_within_a_round() -> None:
    order: list[str] = []
    mine, theirs = iter([99.0, 2.0, 4.0, 60.0]), iter([99.0, 1.0, 2.0, 20.0])

    def ours() -> float:
        order.append("o")
        return next(mine)

    def limit() -> float:
        order.append("l")
        return next(theirs)

    comparison = by_turns(ours, limit, 3)
    # The first of each is only for warmth.
    assert "".join(order) == "olollool"
    assert comparison.relation == Spread(2.0, 2.0, 2.5)
    assert (comparison.ours.median, comparison.limit.median) == (4.0, 2.0)


def test_a_difference_is_a_relation_too() -> None:
    comparison = by_turns(lambda: 130.0, lambda: 20.0, 2, difference)
    assert comparison.relation.median == 110.0


@pytest.mark.parametrize(
    ("relation", "goal", "found", "reached"),
    [
        (Relation.AT_MOST_TIMES, 1.3, 1.3, True),
        (Relation.AT_MOST_TIMES, 1.3, 1.31, False),
        (Relation.AT_LEAST_TIMES, 0.5, 0.5, True),
        (Relation.AT_LEAST_TIMES, 0.5, 0.49, False),
        (Relation.AT_MOST_MORE, 250, 251, False),
        (Relation.AT_MOST, 150, 123, True),
        (Relation.AT_MOST_TIMES, None, 9, None),
    ],
)
def test_verdicts(relation: Relation, goal: float | None, found: float, reached: bool) -> None:
    assert result(relation, goal, found).reached is reached


@pytest.mark.parametrize(
    ("value", "told"),
    [(0.123, "0.12"), (12.34, "12.3"), (123.4, "123"), (366012.3, "366,012")],
)
def test_numbers(value: float, told: str) -> None:
    assert report.number(value) == told


def test_what_is_told() -> None:
    results = [result(Relation.AT_MOST_TIMES, 1.3, 2.0), result(Relation.AT_LEAST_TIMES, 0.5, 0.6)]
    curve = Curve("tasks", "tasks")
    for count in (1, 100):
        curve.note("an exit", count, Spread(8.0, 7.0, 9.0))
    assert "2.00 x (1.00 to 4.00)" in report.table(results)
    assert report.markdown(results, {"python": "Python 3"}).count("| a figure |") == 2
    told = json.loads(report.as_json(results, [curve]))
    assert [figure["reached"] for figure in told["figures"]] == [False, True]
    assert told["growth"][0]["lines"]["an exit"][1]["count"] == 100
    root = ElementTree.fromstring(plot.svg(results, [curve]))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    # A bar to the left of the goal, and one to its right.
    fills = [rect.get("fill") for rect in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert [fill for fill in fills if fill != "#ffffff"] == [plot.BAD, plot.GOOD]


def test_the_kernel_is_measured() -> None:
    (found,) = kernel_alone.figures(BRIEF)
    assert found.ours.median > 0


def test_exits_are_measured() -> None:
    assert [each.ours.median > 0 for each in exits.figures(BRIEF)] == [True, True, True]
