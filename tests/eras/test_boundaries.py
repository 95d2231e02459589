"""Both sides of every boundary, as a client sees them: tests/eras/boundaries.toml."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from netlink_emu.eras.probes import probes
from netlink_emu.kernel.releases import CAPABILITIES, RECORDED, SERIES, profile_for
from netlink_emu.kernel.releases_table import CHANGES, IA64

BOUNDARIES: list[dict[str, Any]] = tomllib.loads(
    Path(__file__).with_name("boundaries.toml").read_text()
)["boundary"]

SIDES = [
    pytest.param(
        boundary["capability"],
        release,
        boundary.get("arch", "x86_64"),
        seen["lines"],
        id=f"{boundary['capability']}-{release}-{boundary['seen'][0]['on'][0]}",
    )
    for boundary in BOUNDARIES
    for seen in boundary["seen"]
    for release in seen["on"]
]


@pytest.mark.parametrize(("capability", "release", "arch", "lines"), SIDES)
def test_what_a_client_sees(capability: str, release: str, arch: str, lines: list[str]) -> None:
    seen = probes()[capability].run(profile_for(release, arch=arch))
    assert len(seen) == len(lines), seen
    for actual, expected in zip(seen, lines, strict=True):
        if expected.startswith("re:"):
            assert re.fullmatch(expected[3:], actual)
        else:
            assert actual == expected


def test_each_side_of_each_line_of_the_table_is_here() -> None:
    held = {
        (boundary["capability"], boundary.get("arch", "x86_64"), release)
        for boundary in BOUNDARIES
        for seen in boundary["seen"]
        for release in seen["on"]
    }
    for change in CHANGES:
        arch = {None: "x86_64", IA64: "ia64"}.get(change.only, "mips64")
        before = SERIES[SERIES.index(change.since) - 1]
        sides = {before if before not in RECORDED else f"{before}.0", change.since}
        for series, patch in change.stable.items():
            sides |= {f"{series}.{patch - 1}", f"{series}.{patch}"}
        for release in sides:
            assert (change.capability, arch, release) in held


def test_the_two_sides_of_a_boundary_differ() -> None:
    for boundary in BOUNDARIES:
        outcomes = [tuple(seen["lines"]) for seen in boundary["seen"]]
        assert len(outcomes) == len(set(outcomes)) > 1, boundary["capability"]


def test_every_capability_has_a_probe_that_says_what_it_tries() -> None:
    assert probes().keys() == set(CAPABILITIES)
    assert all(probe.doing for probe in probes().values())


def test_a_probe_sees_nothing_but_its_capability_and_the_struct() -> None:
    # 6.18 against itself: the same text, although every run has its own machine.
    for probe in probes().values():
        assert probe.run(profile_for("6.18")) == probe.run(profile_for("6.18"))
