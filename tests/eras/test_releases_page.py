"""docs/releases.md is what the table of eras says."""

from __future__ import annotations

from pathlib import Path

from manual.releases import page

from netlink_emu.kernel.releases import eras
from netlink_emu.kernel.releases_table import CHANGES

PAGE = Path(__file__).parents[2] / "docs" / "releases.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == page(), "run scripts/write-docs"


def test_the_page_has_every_era_and_every_change() -> None:
    lines = page().splitlines()
    for era in eras():
        assert any(line.startswith(f"| {era.release} | {era.kernels} |") for line in lines)
    for change in CHANGES:
        row = f"| {change.since} | "
        assert any(
            line.startswith(row) and f"| `{change.capability}` |" in line for line in lines
        ), change
