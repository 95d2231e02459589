"""What a test's markers and the project's settings say of its kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

import pytest

from netlink_emu.testing.settings.options import KernelDefaults, KernelOptions

if TYPE_CHECKING:
    from pathlib import Path

    from netlink_emu.host.settings import Settings


_OPTIONS: Final = ("release", *KernelOptions.__annotations__)
MARKER: Final = (
    f"netlink_emu({', '.join(_OPTIONS)}, here): the defaults of the kernels that this test makes; "
    "with here=True the whole test function runs in a thread whose netlink is the kernel's"
)
_CASSETTE_OPTIONS: Final = ("ignore", "repeat", "news", "patience")
CASSETTE_MARKER: Final = (
    f"netlink_cassette(name, {', '.join(_CASSETTE_OPTIONS)}): the kernels that this test makes "
    "answer from cassettes beside it, in the folder cassettes, named as the test by default"
)
SUFFIX: Final = ".cassette"
_MOST_NAME: Final = 180  # bytes: with what is added to it a file's name has 255 at most
_OWNERS: Final = pytest.StashKey[dict[Any, str]]()  # the test of each cassette without a name


def project_options(config: pytest.Config) -> KernelDefaults:
    """What pytest's settings say, or else [tool.netlink-emu] of the project's pyproject.toml."""
    from netlink_emu.testing.settings.project import project_defaults

    try:
        return project_defaults(settings_of(config))
    except ValueError as exc:
        raise pytest.UsageError(str(exc)) from exc


def settings_of(config: pytest.Config) -> Settings:
    from dataclasses import replace

    from netlink_emu.host.settings import find_settings

    try:
        settings = find_settings(config.rootpath)
    except ValueError as exc:
        raise pytest.UsageError(str(exc)) from exc
    own = {name: config.getini(f"netlink_emu_{name}") for name in ("release", "arch", "cassettes")}
    settings = replace(settings, **{name: value for name, value in own.items() if value})
    families, cpus = config.getini("netlink_emu_families"), config.getini("netlink_emu_cpus")
    if families:
        settings = replace(settings, families=tuple(families))
    if cpus:
        if not cpus.isdecimal():
            raise pytest.UsageError(f"netlink_emu_cpus takes a number, not {cpus!r}")
        settings = replace(settings, cpus=int(cpus))
    return settings


def marked(node: pytest.Item) -> tuple[KernelDefaults, bool]:
    """The arguments of the test's markers, and ``here``; the nearest comes first."""
    __tracebackhide__ = True
    options: dict[str, Any] = {}
    for marker in node.iter_markers("netlink_emu"):
        own = dict(marker.kwargs)
        if marker.args:
            own["release"], *more = marker.args
            if more:
                raise pytest.UsageError("netlink_emu takes one argument by position, the release")
        unknown = own.keys() - {*_OPTIONS, "here"}
        if unknown:
            raise _unknown("netlink_emu", unknown, sorted([*_OPTIONS, "here"]))
        options = {**own, **options}
    tape = node.get_closest_marker("netlink_cassette")
    if tape is not None:
        unknown = tape.kwargs.keys() - {"name", *_CASSETTE_OPTIONS}
        if unknown:
            raise _unknown("netlink_cassette", unknown, ["name", *_CASSETTE_OPTIONS])
        options |= {key: value for key, value in tape.kwargs.items() if key != "name"}
    here = bool(options.pop("here", False))
    return KernelDefaults(**options), here  # type: ignore[typeddict-item]  # checked above


def _unknown(marker: str, unknown: Iterable[str], known: Iterable[str]) -> pytest.UsageError:
    import difflib

    unknown, known = sorted(unknown), list(known)
    close = [name for each in unknown for name in difflib.get_close_matches(each, known, 1)]
    hint = f"; did you mean {' and '.join(close)}?" if close else ""
    return pytest.UsageError(
        f"{marker} has no {', '.join(unknown)}; it has {', '.join(known)}{hint}"
    )


def _within(node: pytest.Item) -> str:
    """The name of the test within its file; pytest-xdist adds things to nodeid."""
    parts = (part for part in node.listchain() if isinstance(part, pytest.Class | pytest.Item))
    return ".".join(part.name for part in parts)


def _fitting(name: str) -> str:
    """A name that a file can have: of a long one the beginning, and a hash."""
    data = name.encode()
    if len(data) <= _MOST_NAME:
        return name
    import hashlib

    begin = data[:_MOST_NAME].decode(errors="ignore")
    return f"{begin}-{hashlib.sha256(data).hexdigest()[:8]}"


def cassette_files(node: pytest.Item) -> Callable[[], Path] | None:
    """Names the cassette of each kernel that a test makes, if its marker asks for that."""
    marker = node.get_closest_marker("netlink_cassette")
    if marker is None:
        return None
    import itertools
    import re

    name, *more = [*marker.args, *filter(None, [marker.kwargs.get("name")]), None]
    if len(more) > 1 or not isinstance(name, str | None) or name == "":
        raise pytest.UsageError("netlink_cassette takes one name, as a string")
    folder = node.path.parent / (settings_of(node.config).cassettes or "cassettes")
    if name is None:
        folder /= node.path.stem
        name = _fitting(re.sub(r"[^\w.-]+", "-", _within(node)).strip("-"))
        other = node.config.stash.setdefault(_OWNERS, {}).setdefault(folder / name, node.nodeid)
        if other != node.nodeid:
            raise pytest.UsageError(
                f"{other} has the same cassette, {folder / name}{SUFFIX}: name one of them, "
                "netlink_cassette(name)"
            )
    file = folder / (name if name.endswith(SUFFIX) else f"{name}{SUFFIX}")
    numbers = itertools.count(1)

    def next_file() -> Path:
        number = next(numbers)
        return file if number == 1 else file.with_stem(f"{file.stem}-{number}")

    return next_file
