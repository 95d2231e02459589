"""The oldest versions of our dependencies that pyproject.toml allows, and nothing newer."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from helpers.alone import alone
from helpers.minimums import ROOT, minimums, oldest_python
from helpers.nets import SECONDS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.version_info[:2] != oldest_python(), reason="the oldest versions go with that Python"
    ),
]
# What uses trio, typer, construct and Hypothesis most, in half a minute.
QUICK = (
    "tests/property/test_formats.py", "tests/unit/cli", "tests/unit/server",
    "tests/unit/test_groups.py",
    "tests/integration/test_run.py", "tests/integration/test_serve.py",
    "tests/integration/test_serve_command.py", "tests/testing/test_kernel.py",
)  # fmt: skip


def pip(python: Path, *arguments: str | os.PathLike[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pip", "--python", str(python), "--quiet"]
    return subprocess.run(
        [*command, "--disable-pip-version-check", *arguments],
        capture_output=True, text=True, check=False, timeout=SECONDS,
    )  # fmt: skip


@pytest.fixture
def oldest(request: pytest.FixtureRequest) -> Path:
    """An interpreter with exactly the minimums; made once, and kept in pytest's cache."""
    wanted = [*minimums(), f"python=={sys.version}"]
    cache = request.config.cache
    assert cache is not None
    name = hashlib.sha256("\n".join([*wanted, str(ROOT)]).encode()).hexdigest()[:16]
    home = Path(cache.mkdir("minimums")) / name
    python, made = home / "bin" / "python", home / "made"
    with alone("the oldest versions in a cache"):
        if not made.exists():
            make(python, home)
            made.touch()
    return python


def make(python: Path, home: Path) -> None:
    venv.create(home, clear=True, symlinks=True)
    done = pip(python, "install", *minimums())
    if done.returncode and pip(python, "download", "--no-deps", "-d", home, "trio").returncode:
        pytest.skip("pip reaches no index")
    assert done.returncode == 0, done.stderr
    done = pip(python, "install", "--no-deps", "--no-build-isolation", "--editable", ROOT)
    assert done.returncode == 0, done.stderr


def test_the_quick_tests_pass(oldest: Path) -> None:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST", "PYTHON", "COV"))
    }
    # Others' warnings of versions that came later are not ours.
    command = [str(oldest), "-m", "pytest", "-q", "-W", "default::DeprecationWarning"]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", *QUICK],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
        timeout=3 * SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout.splitlines()[-1]
