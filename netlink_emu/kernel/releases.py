"""Which kernel is emulated: from the name of a release to its :class:`Profile`.

The rows come from :mod:`netlink_emu.kernel.releases_table` alone; no other code knows a release.

A name without a patch level is the release itself, x.y.0, with one exception: 6.18 is 6.18.44,
the kernel that the recorded transcripts come from, and the default profile. What follows the
numbers (``-18-amd64``, ``-generic``, ``+``) is ignored: distributions that keep the patch level
out of the name (Debian's 6.1.0-18-amd64 is a 6.1.76) need the upstream number instead.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import re
from dataclasses import dataclass
from typing import Any, Final

from netlink_emu.kernel.profile import ARCHS, Arch, KernelConfig, Profile
from netlink_emu.kernel.releases_table import (
    CHANGES,
    FIRST_VALUES,
    UNALIGNED_ACCESS_SINCE,
    Change,
)
from netlink_emu.protocol.format import LITTLE, ByteOrder

# The mainline releases with TASKSTATS that were looked at.
SERIES: Final[tuple[str, ...]] = (
    *(f"2.6.{minor}" for minor in range(18, 40)),
    *(
        f"{major}.{minor}"
        for major, last in ((3, 19), (4, 20), (5, 19), (6, 19), (7, 3))
        for minor in range(last + 1)
    ),
)
_INDEX: Final = {series: index for index, series in enumerate(SERIES)}

# No stable series has had more levels: the longest, 4.9, has ended with 337.
MOST_LEVELS: Final = 500

# What the bare name of a series means, where it is not its patch level 0.
RECORDED: Final = {"6.18": 44}

ARCH_ALIASES: Final = {
    "amd64": "x86_64",
    "arm64": "aarch64",
    "armv6l": "arm",
    "armv7l": "arm",
    "armv8l": "arm",
    "i486": "i386",
    "i586": "i386",
    "i686": "i386",
    "x86": "i386",
}

# The fields of a profile that are not capabilities.
_NAMING: Final = frozenset({"release", "arch", "config"})
CAPABILITIES: Final[tuple[str, ...]] = tuple(
    f.name for f in dataclasses.fields(Profile) if f.name not in _NAMING
)


class UnknownReleaseError(ValueError):
    """No kernel of that name is known; ``nearest`` are some that are."""

    def __init__(self, problem: str, nearest: tuple[str, ...]) -> None:
        super().__init__(f"{problem}; nearest: {', '.join(nearest)}")
        self.nearest = nearest


class UnknownArchError(ValueError):
    """No machine of that name is known."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unknown architecture {name!r}; known are {', '.join(ARCHS)}")


@dataclass(frozen=True, slots=True, order=True)
class Release:
    """A place in history: the index of the mainline series, and the patch level in it."""

    index: int
    patch: int

    @property
    def series(self) -> str:
        return SERIES[self.index]

    def __str__(self) -> str:
        return f"{self.series}.{self.patch}"

    def has(self, change: Change) -> bool:
        """Whether the change had been made here, in mainline or in this stable series."""
        if self.index >= _INDEX[change.since]:
            return True
        backported = change.stable.get(self.series)
        return backported is not None and self.patch >= backported


_NAME: Final = re.compile(r"(\d+(?:\.\d+){1,3})(?![.\w])(-rc\d+)?(.*)", re.ASCII | re.DOTALL)


def parse_release(name: str) -> Release:
    """The release that ``name`` (as uname -r says it) stands for.

    Raises UnknownReleaseError with the nearest known names.
    """
    match = _NAME.fullmatch(name.strip())
    numbers = tuple(map(int, match[1].split("."))) if match else ()
    length = 3 if numbers[:1] == (2,) else 2  # of a series: 2.6.x, x.y
    if match is None or not length <= len(numbers) <= length + 1:
        raise UnknownReleaseError(f"{name!r} is not the name of a kernel release", _similar(name))
    series = ".".join(map(str, numbers[:length]))
    if match[2]:
        raise UnknownReleaseError(
            f"{name!r} is a release candidate, which changes from day to day",
            _nearest(numbers[:length]),
        )
    if series not in _INDEX:
        raise UnknownReleaseError(f"Linux {name} is not known", _nearest(numbers[:length]))
    patch = numbers[length] if len(numbers) > length else RECORDED.get(series, 0)
    if patch > MOST_LEVELS:
        raise UnknownReleaseError(
            f"Linux {name} is not known: no series has come to level {patch}", (series,)
        )
    return Release(_INDEX[series], patch)


def _similar(name: str) -> tuple[str, ...]:
    """The series whose names look most like ``name``; the first and the last if none does."""
    return tuple(difflib.get_close_matches(name, SERIES, n=3)) or (SERIES[0], SERIES[-1])


def _nearest(numbers: tuple[int, ...]) -> tuple[str, ...]:
    """The last series before these numbers, and the first that is not before them."""
    older = [s for s in SERIES if tuple(map(int, s.split("."))) < numbers]
    return (*older[-1:], *SERIES[len(older) : len(older) + 1])


def arch_named(name: str) -> Arch:
    """The machine that ``name`` (as uname -m or Debian says it) stands for.

    Raises UnknownArchError.
    """
    arch = ARCHS.get(ARCH_ALIASES.get(name, name))
    if arch is None:
        raise UnknownArchError(name)
    return arch


def byte_order(arch: str) -> ByteOrder:
    """The byte order of a machine; of one that nobody knows, little-endian."""
    try:
        return arch_named(arch).order
    except UnknownArchError:
        return LITTLE


def _arch(name: str, release: Release) -> Arch:
    """The machine as kernels of that time saw it."""
    arch = arch_named(name)
    since = UNALIGNED_ACCESS_SINCE.get(arch.name)
    if since is not None and release.index < _INDEX[since]:
        return dataclasses.replace(arch, efficient_unaligned_access=False)
    return arch


@functools.lru_cache(maxsize=1024)
def _row(release: Release, arch: Arch) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(CAPABILITIES, False) | dict(FIRST_VALUES)
    for change in CHANGES:
        if release.has(change) and (change.only is None or change.only.holds(arch)):
            row[change.capability] = change.value
    return row


def profile_for(
    release: str, *, arch: str = "x86_64", config: KernelConfig | None = None
) -> Profile:
    """The capabilities of a release, from 2.6.18 to 7.3, on a machine.

    ``release`` is mainline's name of it (``"5.10"``, ``"2.6.35"``) or that of a stable level
    (``"6.1.192"``), see the module's docstring. Raises UnknownReleaseError, UnknownArchError.
    """
    place = parse_release(release)
    machine = _arch(arch, place)
    config = KernelConfig() if config is None else config
    if config.efficient_unaligned_access is not None:
        machine = dataclasses.replace(
            machine, efficient_unaligned_access=config.efficient_unaligned_access
        )
    return Profile(
        release=release.strip(),
        arch=machine,
        config=config,
        **_row(place, machine),
    )


@dataclass(frozen=True, slots=True)
class Era:
    """Kernels that no client can tell apart: the oldest of them, and its profile.

    ``kernels`` names them all. ``changes`` are the lines of the table that made it differ from
    the era before; in a stable series, from its release.
    """

    release: str
    profile: Profile
    kernels: str
    changes: tuple[Change, ...]


def _turns(index: int) -> list[Release]:
    """The patch levels of a series at which something may change, 0 first."""
    levels = {change.stable.get(SERIES[index], 0) for change in CHANGES} | {0}
    return [Release(index, patch) for patch in sorted(levels)]


def _candidates() -> list[tuple[str, Release]]:
    """Every release at which something may change, mainline's first."""
    mainline = [(series, parse_release(series)) for series in SERIES]
    stable = [turn for index in range(len(SERIES)) for turn in _turns(index)[1:]]
    return mainline + [(str(turn), turn) for turn in stable]


def _kernels(arch: str) -> dict[tuple[Any, ...], list[str]]:
    """For each row the kernels that have it, runs of whole series as one."""
    runs: dict[tuple[Any, ...], list[tuple[int, int, str]]] = {}
    for index, series in enumerate(SERIES):
        turns = _turns(index)
        for turn, following in zip(turns, [*turns[1:], None], strict=True):
            spans = runs.setdefault(_key(_row(turn, _arch(arch, turn))), [])
            if turn.patch:
                last = "" if following is None else f"-{series}.{following.patch - 1}"
                spans.append((-1, -1, f"{turn}{last or ' on'}"))
            elif following is not None:
                spans.append((-1, -1, f"{series}.0-{series}.{following.patch - 1}"))
            elif spans and spans[-1][1] == index - 1:
                first = spans[-1][0]
                spans[-1] = (first, index, f"{SERIES[first]}-{series}")
            else:
                spans.append((index, index, series))
    return {key: [text for _, _, text in spans] for key, spans in runs.items()}


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[capability] for capability in CAPABILITIES)


@functools.cache
def eras(arch: str = "x86_64") -> tuple[Era, ...]:
    """The eras that can be told apart on ``arch``, oldest first."""
    found: dict[tuple[Any, ...], tuple[str, Release]] = {}
    for name, place in _candidates():
        row = _row(place, _arch(arch, place))
        found.setdefault(_key(row), (name, place))
    kernels = _kernels(arch)
    result: list[Era] = []
    previous: Release | None = None
    for key, (name, place) in sorted(found.items(), key=lambda item: item[1][1]):
        base = previous if place.patch == 0 else Release(place.index, 0)
        result.append(
            Era(
                name,
                profile_for(name, arch=arch),
                ", ".join(kernels[key]),
                _changes(base, place, _arch(arch, place)),
            )
        )
        if place.patch == 0:
            previous = place
    return tuple(result)


def _changes(base: Release | None, place: Release, arch: Arch) -> tuple[Change, ...]:
    """The lines that are in force in ``place`` and were not in ``base``."""
    if base is None:
        return ()
    old, new = _row(base, arch), _row(place, arch)
    return tuple(
        change
        for change in CHANGES
        if place.has(change)
        and not base.has(change)
        and new[change.capability] == change.value != old[change.capability]
    )


def releases(arch: str = "x86_64") -> tuple[str, ...]:
    """One release of each era, oldest first: what a test of a client is parametrised by."""
    return tuple(era.release for era in eras(arch))


def differences(a: Profile, b: Profile) -> tuple[str, ...]:
    """The capabilities in which two profiles differ, in the profile's order."""
    return tuple(name for name in CAPABILITIES if getattr(a, name) != getattr(b, name))
