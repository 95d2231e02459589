"""What is measured: a figure, its limit, and how near it shall come."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from bench.measure import Comparison, Spread


class Relation(enum.Enum):
    """How a figure stands to its limit; the value is what the goal's number means."""

    AT_MOST_TIMES = "≤ {:g} x"
    AT_LEAST_TIMES = "≥ {:g} x"
    AT_MOST_MORE = "≤ + {:g}"
    AT_MOST = "≤ {:g}"


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure: ``rounds`` of each figure, ``scale`` times as much in each."""

    rounds: int
    scale: float

    def times(self, count: int) -> int:
        return max(1, round(count * self.scale))


@dataclass(frozen=True, slots=True)
class Result:
    """A figure as measured. ``kernel`` is the real kernel's, for the reader's sense of scale."""

    name: str
    limit: str
    unit: str
    relation: Relation
    goal: float | None
    ours: Spread
    beside: Spread | None
    found: Spread
    kernel: Spread | None = None
    note: str = ""

    @property
    def goal_text(self) -> str:
        return self.relation.value.format(self.goal) if self.goal is not None else ""

    @property
    def reached(self) -> bool | None:
        """Whether the median does; None for a figure without a goal."""
        if self.goal is None:
            return None
        if self.relation is Relation.AT_LEAST_TIMES:
            return self.found.median >= self.goal
        return self.found.median <= self.goal


def compared(
    name: str,
    limit: str,
    unit: str,
    relation: Relation,
    goal: float | None,
    comparison: Comparison,
    kernel: Spread | None = None,
    note: str = "",
) -> Result:
    """The result of a figure that has a limit beside it."""
    return Result(
        name, limit, unit, relation, goal,
        comparison.ours, comparison.limit, comparison.relation, kernel, note,
    )  # fmt: skip


Figure = Callable[[Effort], list[Result]]
