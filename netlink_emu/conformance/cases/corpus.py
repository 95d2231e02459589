"""The corpus that is shipped with the package: one file per group, in :mod:`.corpus_form`."""

from __future__ import annotations

import importlib.resources
from importlib.resources.abc import Traversable
from typing import Final

from .case import Case
from .corpus_form import read_cases

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
