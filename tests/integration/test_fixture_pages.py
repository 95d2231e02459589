"""The pages for people who write tests: whatever they show is done, and does what they say."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from helpers.interposed import needs_interposer
from helpers.pages import ROOT, Page, like

PAGES = sorted(
    [
        *ROOT.glob("docs/howto-*.md"),
        *ROOT.glob("docs/reference-*.md"),
        ROOT / "docs/index.md",
        ROOT / "docs/tutorial.md",
        ROOT / "docs/tutorial-cassettes.md",
        ROOT / "docs/tutorial-family.md",
        ROOT / "docs/checked.md",
        ROOT / "docs/limits.md",
    ]
)

NEEDS = {
    "tutorial-cassettes": "ip",
    "tutorial-family": "wg",
    "howto-c": "cc",
    "howto-go": "go",
    "howto-make": "make",
    "howto-ctest": "ctest",
}


@needs_interposer
@pytest.mark.slow
@pytest.mark.parametrize("page", [pytest.param(page, id=page.stem) for page in PAGES])
def test_page(page: Path, tmp_path: Path) -> None:
    needed = NEEDS.get(page.stem)
    if needed is not None and shutil.which(needed) is None:
        pytest.skip(f"needs {needed}")
    if page.stem == "tutorial-cassettes" and iproute2() >= 7:
        pytest.skip("this ip asks for more than the one that was recorded")
    Page(page, tmp_path).run()


def iproute2() -> int:
    """The number before the first dot."""
    said = subprocess.run(["ip", "-V"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"iproute2-(\d+)\.", said)
    return int(found[1]) if found else 0


@needs_interposer
def test_the_first_test_of_the_readme(tmp_path: Path) -> None:
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    page = Page(ROOT / "README.md", tmp_path)
    page.run()
    page.command("pytest -q test_first.py", [".*100%]", "1 passed in *"])


def test_patterns_of_lines() -> None:
    assert like(["a", "b", "c"], ["a", "...", "c"])
    assert like(["a", "c"], ["a", "...", "c"])
    assert like(["1 passed in 0.1s"], ["1 passed in *"])
    assert not like(["a", "b"], ["a"])
    assert not like(["a"], ["a", "b"])
    assert not like([], ["*"])
