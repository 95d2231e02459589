"""``python -m netlink_emu.conformance.cases.pack [NAME=]DIR...``: packs ``corpora.tar.xz`` anew.

Each DIR is a recording: ``machine.json``, and its cases beside it or in ``transcripts/``. What
was packed before under another name stays.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from . import corpora
from .case import Case
from .corpus import GROUPS
from .corpus_form import write_cases
from .machine import FILE_NAME
from .transcripts import read_transcripts


def files_of(name: str, folder: Path) -> dict[str, str]:
    """The files of one recording under the name that it has in the archive."""
    inside = folder / "transcripts"
    paths = sorted((inside if inside.is_dir() else folder).glob("*.json"))
    cases = [
        case
        for path in paths
        if path.name != FILE_NAME
        for case in read_transcripts(path.read_text("utf-8"))
    ]
    return {
        f"{name}/{FILE_NAME}": (folder / FILE_NAME).read_text("utf-8"),
        f"{name}/{corpora.CASES}": write_cases(_in_order(cases)),
    }


def _in_order(cases: Iterable[Case]) -> list[Case]:
    """As the groups are run, and by name in each."""
    ranks = {group: rank for rank, group in enumerate(GROUPS)}
    return sorted(cases, key=lambda case: (ranks.get(case.group, len(ranks)), case.name))


def main(arguments: list[str]) -> None:
    """Pack the folders that the arguments name into the shipped archive."""
    path = Path(__file__).with_name(corpora.ARCHIVE)
    files = dict(corpora.read_archive()) if path.exists() else {}
    for argument in arguments:
        name, _, folder = argument.rpartition("=")
        place = Path(folder)
        files |= files_of(name or place.name, place)
    path.write_bytes(corpora.write_archive(files))


if __name__ == "__main__":
    main(sys.argv[1:])
