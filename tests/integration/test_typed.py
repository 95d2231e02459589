"""A user's test in the eyes of mypy and pyright: py.typed is kept."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.nets import SECONDS

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("typed")]  # installed once

ROOT = Path(__file__).parents[2]
GOOD = """
import subprocess
from typing import assert_type

import pytest

from netlink_emu import EmulatedKernel, KernelFactory, releases
from netlink_emu.testing.process import ClientProcess


@pytest.mark.parametrize("release", releases())
def test_it(netlink_emu: KernelFactory, release: str) -> None:
    kernel = netlink_emu(release, cpus=[0, 2], tasks=["a", {"comm": "b"}], allow_unused="fault")
    assert_type(kernel, EmulatedKernel)
    assert_type(kernel.popen(["x"]), ClientProcess[str])
    assert_type(kernel.popen(["x"], text=False, stdin=subprocess.PIPE).stdout, bytes)
    assert_type(kernel.popen(["x"]).read_until(), str)
    assert_type(kernel.popen(["x"]).read_until(b"y"), bytes)
    assert_type(kernel.run(["x"], timeout=3).stdout, str)
    assert_type(kernel.run(["x"], text=False).stdout, bytes)
    assert_type(kernel.thread(divmod, 7, 2).result(), tuple[int, int])
    assert_type(kernel.tasks.spawn("x", utime=1.5).pid, int)
    assert_type(kernel.wait_until(lambda k: len(k.journal)), int)


def test_directly() -> None:
    with EmulatedKernel("6.1", cpus=4) as kernel:
        kernel.usage.assert_used()
"""
# Each line with a comment is a mistake that both must see, and no other is.
BAD = """
from netlink_emu import EmulatedKernel, KernelFactory


def client(number: int) -> int:
    return number


def test_it(netlink_emu: KernelFactory, netlink_emu_kernel: EmulatedKernel) -> None:
    netlink_emu(6.1)  # no release
    netlink_emu(cpus="4")  # no number
    netlink_emu(nonsense=1)  # no option
    kernel = netlink_emu("6.1", cpus=4)
    kernel.popen(["x"], cwdd="/")  # no option
    kernel.popen(["x"]).stdout.startswith(b"x")  # text
    kernel.run(["x"], timeout="3")  # no number
    kernel.thread(client, "3")  # not what it takes
    kernel.spwan("x")  # no method
    netlink_emu_kernel.advance("1")  # no number
"""


def wrong_lines() -> list[int]:
    return [number for number, line in enumerate(BAD.splitlines(), 1) if "  # " in line]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "test_good.py").write_text(GOOD)
    (tmp_path / "test_bad.py").write_text(BAD)
    # As a wheel would have it: our directory is found by its name alone.
    site = tmp_path / "site"
    site.mkdir()
    (site / "netlink_emu").symlink_to(ROOT / "netlink_emu")
    return tmp_path


def test_mypy(project: Path) -> None:
    pytest.importorskip("mypy")
    done = subprocess.run(
        [
            sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context",
            "--no-pretty", "--cache-dir", str(project / "cache"), "test_good.py", "test_bad.py",
        ],
        cwd=project, env={"MYPYPATH": str(project / "site"), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    found = re.findall(r"^(test_\w+\.py):(\d+): error", done.stdout, re.MULTILINE)
    assert {name for name, _ in found} == {"test_bad.py"}, done.stdout + done.stderr
    assert sorted({int(line) for _, line in found}) == wrong_lines(), done.stdout


@pytest.fixture(scope="module")
def pyright(request: pytest.FixtureRequest) -> Path:
    """The npm package "pyright", installed once and kept in pytest's cache."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("needs node and npm")
    cache = request.config.cache
    assert cache is not None
    directory = Path(cache.mkdir("npm-pyright"))
    program = directory / "node_modules" / "pyright" / "index.js"
    if not program.exists():
        done = subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "pyright@1.1.407"],
            cwd=directory, capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        if done.returncode:
            pytest.skip(f"npm cannot install pyright: {done.stderr.strip()[-200:]}")
    return program


def test_pyright(project: Path, pyright: Path) -> None:
    settings = {
        "typeCheckingMode": "strict", "extraPaths": ["site"], "include": ["*.py"],
        "reportMissingTypeStubs": False,
    }  # fmt: skip
    (project / "pyrightconfig.json").write_text(json.dumps(settings))
    done = subprocess.run(
        ["node", str(pyright), "--outputjson", "--pythonpath", sys.executable, "-p", "."],
        cwd=project, capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    errors = [
        (Path(found["file"]).name, found["range"]["start"]["line"] + 1)
        for found in json.loads(done.stdout)["generalDiagnostics"]
        if found["severity"] == "error"
    ]
    assert {name for name, _ in errors} == {"test_bad.py"}, done.stdout
    assert sorted({line for _, line in errors}) == wrong_lines(), done.stdout
