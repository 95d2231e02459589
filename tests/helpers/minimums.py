"""The oldest versions of what we need that pyproject.toml allows."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]


def minimums() -> list[str]:
    """Requirements of the package and of its tests, each with exactly its minimum.

    Raises ValueError for one that declares none.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = project["project"]["dependencies"] + project["dependency-groups"]["test"]
    # What builds the site is a group of its own, without which the quick tests do.
    return list(_pinned(Requirement(text) for text in wanted if isinstance(text, str)))


def oldest_python() -> tuple[int, ...]:
    """The oldest Python allowed, as (3, 11)."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return tuple(map(int, project["project"]["requires-python"].removeprefix(">=").split(".")))


def _pinned(requirements: Iterator[Requirement]) -> Iterator[str]:
    for wanted in requirements:
        lowest = [s.version for s in wanted.specifier if s.operator == ">="]
        if len(lowest) != 1:
            raise ValueError(f"{wanted} has no minimum")
        yield f"{wanted.name}=={lowest[0]}"
