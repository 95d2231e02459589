"""The corpus that is shipped with the package: one file per group, in :mod:`.corpus_form`."""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterable
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from .case import Case
from .corpus_form import read_cases, write_cases

# The order in which the groups are run and listed.
GROUPS: Final = (
    "framing",
    "attributes",
    "nlctrl",
    "taskstats",
    "cpumask",
    "events",
    "errors",
    "privileges",
    "cgroupstats",
    "socket",
    "receive",
)


def corpus_files() -> list[Traversable]:
    """The files of the shipped corpus, in the order of :data:`GROUPS`."""
    root = importlib.resources.files(__package__) / "corpus-data"
    files = {item.name: item for item in root.iterdir() if item.name.endswith(".json")}
    ordered = [f"{group}.json" for group in GROUPS if f"{group}.json" in files]
    return [files[name] for name in [*ordered, *sorted(files.keys() - set(ordered))]]


def load_corpus() -> list[Case]:
    """All cases of the shipped corpus."""
    return [case for file in corpus_files() for case in read_cases(file.read_text("utf-8"))]


def write_corpus(cases: Iterable[Case], directory: Path) -> list[Path]:
    """Write the files of a corpus, one per group; returns their paths."""
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.group, []).append(case)
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for group, members in groups.items():
        path = directory / f"{group}.json"
        path.write_text(write_cases(members), "utf-8")
        paths.append(path)
    return paths
