"""Which line of the table was seen on a recorded kernel: ``seen.json``.

The file names, for each capability and recording, a case that fails with another value. It is
made by ``python -m netlink_emu.conformance.seen``, and a test holds every entry against the
recordings.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
import re

from netlink_emu.kernel.releases import parse_release, profile_for
from netlink_emu.kernel.releases_table import Change

_RELEASE = re.compile(r"[\d.]*\d")
_ARCHS = {"amd64": "x86_64"}


@functools.cache
def seen() -> dict[str, dict[str, list[str]]]:
    """For each capability and recording, the cases that decide it."""
    text = importlib.resources.files(__package__).joinpath("seen.json").read_text("utf-8")
    found: dict[str, dict[str, list[str]]] = json.loads(text)
    return found


def release_of(recording: str) -> str:
    """The release that ``5.10.262-amd64`` is of."""
    match = _RELEASE.match(recording)
    assert match is not None
    return match[0]


def arch_of(recording: str) -> str:
    """The architecture that ``5.10.262-amd64`` is of."""
    label = recording.rpartition("-")[2]
    return _ARCHS.get(label, label)


def witnesses(change: Change) -> tuple[list[str], list[str]]:
    """The recordings that show a line of the table: those with it, and those before it.

    Both are in the order of the releases.
    """
    after, before = [], []
    for recording in seen().get(change.capability, ()):
        profile = profile_for(release_of(recording), arch=arch_of(recording))
        if change.only is not None and not change.only.holds(profile.arch):
            continue
        has = parse_release(release_of(recording)).has(change)
        same = getattr(profile, change.capability) == change.value
        if has and same:
            after.append(recording)
        elif not has and not same:
            before.append(recording)
    return after, before


def told(change: Change) -> str:
    """The recordings that show a line, nearest to it: ``6.1.176, not on 5.10.262``."""
    after, before = witnesses(change)
    names = [_short(after[0])] if after else []
    if before:
        names.append(f"not on {_short(before[-1])}")
    return ", ".join(names)


def _short(recording: str) -> str:
    return recording.removesuffix("-amd64")
