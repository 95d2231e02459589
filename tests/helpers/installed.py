"""The package as users have it: a wheel, in an environment of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from pathlib import Path

from helpers.nets import SECONDS

ROOT = Path(__file__).resolve().parents[2]


def copy_package(copy: Path) -> None:
    """What a wheel is made of: setuptools leaves its own files beside it."""
    leave_out = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("netlink_emu", "protocol", "docs/man"):
        shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=leave_out)
    for name in ("pyproject.toml", "docs/package.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)


def build_wheel(copy: Path, out: Path) -> Path:
    """A wheel in ``out``, built in ``copy``."""
    copy_package(copy)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", f"--outdir={out}"]
    built = subprocess.run(
        [*command, str(copy)], capture_output=True, text=True, check=False, timeout=SECONDS
    )
    assert built.returncode == 0, built.stdout + built.stderr
    said = built.stdout + built.stderr
    assert "importable" not in said, said  # setuptools' word for data that it may leave out
    (path,) = out.glob("*.whl")
    return path


def build_sdist(copy: Path, out: Path) -> Path:
    """An sdist in ``out``, built in ``copy``, and from it a wheel beside it."""
    leave_out = shutil.ignore_patterns(
        "__pycache__", "*.egg-info", "_build", ".git", ".venv", ".*_cache", ".hypothesis"
    )
    shutil.copytree(ROOT, copy, symlinks=True, ignore=leave_out)
    built = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", f"--outdir={out}", str(copy)],
        capture_output=True, text=True, check=False, timeout=SECONDS,
    )  # fmt: skip
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = out.glob("*.tar.gz")
    return path


def make_environment(wheel: Path, home: Path) -> Path:
    """The interpreter of an environment with the wheel; what it depends on is lent by ours."""
    venv.create(home, symlinks=True)
    scheme = sysconfig.get_paths("venv", vars={"base": str(home), "platbase": str(home)})
    python = Path(scheme["scripts"]) / "python"
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-index"]
    subprocess.run(
        [*command, "--no-deps", "--quiet", "--disable-pip-version-check", str(wheel)],
        check=True,
        timeout=SECONDS,
    )
    # Paths in a .pth file come last, and those of its own directory are not read: our
    # editable netlink_emu stays out.
    lent = Path(scheme["purelib"]) / "lent.pth"
    lent.write_text(sysconfig.get_path("purelib") + "\n")
    return python


def run_pytest(
    python: Path, directory: Path, args: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """pytest of a user's project, without anything of ours around it."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST", "PYTHON", "COV"))
    }
    command = [str(python), "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:asyncio"]
    return subprocess.run(
        [*command, "--rootdir=.", *args], cwd=directory, env=environment,
        capture_output=True, text=True, check=False, timeout=SECONDS,
    )  # fmt: skip
