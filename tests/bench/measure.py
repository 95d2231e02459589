"""Medians, spreads, and measuring two things by turns."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# One round of a measurement: what it came to.
Probe = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Spread:
    """A median and the quartiles around it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of one value at least."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Ours and the limit, each by itself, and their relation round by round."""

    ours: Spread
    limit: Spread
    relation: Spread
    rounds: int


def ratio(ours: float, limit: float) -> float:
    return ours / limit


def difference(ours: float, limit: float) -> float:
    return ours - limit


def by_turns(
    ours: Probe,
    limit: Probe,
    rounds: int,
    relation: Callable[[float, float], float] = ratio,
) -> Comparison:
    """Measure both ``rounds`` times; who is first changes with each round.

    The relation is taken within each round: its spread is free of what is slow for minutes.
    """
    ours(), limit()  # imports, caches, buffers
    mine: list[float] = []
    theirs: list[float] = []
    for number in range(rounds):
        if number % 2:
            theirs.append(limit())
            mine.append(ours())
        else:
            mine.append(ours())
            theirs.append(limit())
    relations = [relation(a, b) for a, b in zip(mine, theirs, strict=True)]
    return Comparison(Spread.of(mine), Spread.of(theirs), Spread.of(relations), rounds)


def repeated(probe: Probe, rounds: int) -> Spread:
    """One thing by itself."""
    return Spread.of([probe() for _ in range(rounds)])
