"""scripts/test: what fails beside others is looked at once more, and told."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.nets import SECONDS

CHECKOUT = Path(__file__).parents[2]

PROJECT = """
[tool.pytest]
addopts = ["-p", "no:asyncio", "-p", "no:netlink_emu"]
testpaths = ["tests"]

[tool.coverage.run]
source = ["protocol"]
"""

# Fails as often as NUMBER says.
TESTS = """
import pathlib

import protocol


def test_passes():
    assert protocol.ANSWER == 42


def attempt(number, name):
    attempts = pathlib.Path(__file__).with_name(name)
    attempts.write_text(attempts.read_text() + "." if attempts.exists() else ".")
    assert len(attempts.read_text()) > number
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout whose environment is that of these tests."""
    for folder in ("scripts", "tests", "protocol", ".venv"):
        (tmp_path / folder).mkdir()
    for script in ("test", "_env"):
        shutil.copy(CHECKOUT / "scripts" / script, tmp_path / "scripts")
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "protocol" / "__init__.py").write_text("ANSWER = 42\n")
    for part in ("bin", "lib", "pyvenv.cfg"):
        (tmp_path / ".venv" / part).symlink_to(Path(sys.prefix) / part)
    (tmp_path / ".venv" / ".ready-test").write_text(f"{tmp_path}\n")
    return tmp_path


def run(project: Path, *failures: int) -> subprocess.CompletedProcess[str]:
    """With a test for each of ``failures``, which fails that many times before it passes."""
    text = TESTS
    for index, number in enumerate(failures):
        text += f"\n\ndef test_{index}():\n    attempt({number}, 'attempts_{index}')\n"
    (project / "tests" / "test_some.py").write_text(text)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "COV_"))}
    return subprocess.run(
        ["scripts/test", "--no-install"],
        cwd=project,
        env=environment | {"PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


def test_passing(project: Path) -> None:
    done = run(project, 0, 0)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
    assert "once more" not in done.stderr
    assert "No such file" not in done.stderr


def test_what_fails_once_is_told(project: Path) -> None:
    done = run(project, 1, 0)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 failed, 2 passed" in done.stdout
    assert "1 failed beside others; once more, alone:" in done.stderr
    assert "UNSTEADY" in done.stderr


def test_what_fails_twice_fails(project: Path) -> None:
    done = run(project, 2, 1)
    assert done.returncode == 1
    assert "2 failed beside others; once more, alone:" in done.stderr
    assert "1 failed, 1 passed" in done.stdout
    assert "UNSTEADY" not in done.stderr


def test_many_failures_are_no_chance(project: Path) -> None:
    done = run(project, 1, 1, 1, 1)
    assert done.returncode == 1
    assert "once more" not in done.stderr
