"""Pages in Chromium: what they show, and what keys and clicks do."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
from helpers.alone import alone
from helpers.nets import SECONDS

LOOK: Final = Path(__file__).parents[1] / "testing" / "browser" / "look.mjs"


@pytest.fixture(scope="module")
def modules(request: pytest.FixtureRequest) -> Path:
    """The npm package "playwright-core", installed once and kept in pytest's cache."""
    for program in ("node", "npm", "chromium"):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}")
    cache = request.config.cache
    assert cache is not None
    directory = Path(cache.mkdir("npm-playwright"))
    with alone("npm install of playwright-core"):
        if not (directory / "node_modules" / "playwright-core" / "package.json").exists():
            done = subprocess.run(
                [
                    "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts",
                    "playwright-core@1.65.1",
                ],
                cwd=directory, capture_output=True, text=True, timeout=SECONDS, check=False,
            )  # fmt: skip
            if done.returncode:
                pytest.skip(f"npm cannot install playwright-core: {done.stderr.strip()[-200:]}")
    return directory


class Browser:
    """Opens a page, does the steps, and gives what each of them found."""

    def __init__(self, modules: Path, folder: Path) -> None:
        self._modules = modules
        self._folder = folder

    def look(self, page: bytes, *steps: list[Any], theme: str = "light") -> list[Any]:
        path = self._folder / "page.html"
        path.write_bytes(page)
        told = self._ask(path.as_uri(), *steps, theme=theme)
        assert told["said"] == [], "errors, and dialogs of scripts that are not ours"
        assert told["asked"] == [path.as_uri()], "nothing is fetched"
        return list(told["found"])

    def visit(self, url: str, *steps: list[Any], theme: str = "light") -> list[Any]:
        """What the steps find at an address, and after ``["goto", ...]`` at others there."""
        told = self._ask(url, *steps, theme=theme)
        assert told["said"] == [], told["said"]
        assert all(asked.startswith(url) for asked in told["asked"]), (
            "nothing is fetched elsewhere"
        )
        return list(told["found"])

    def _ask(self, url: str, *steps: list[Any], theme: str) -> dict[str, Any]:
        asked = self._folder / "steps.json"
        asked.write_text(json.dumps({"url": url, "theme": theme, "steps": steps}))
        done = subprocess.run(
            ["node", str(LOOK), shutil.which("chromium") or "", str(asked)],
            cwd=self._modules, capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[:2000]
        return dict(json.loads(done.stdout))


@pytest.fixture
def browser(modules: Path, tmp_path: Path) -> Browser:
    return Browser(modules, tmp_path)
