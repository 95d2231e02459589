"""A user's project, with the wheel and nothing else of ours: docs/examples/project.

It has a client in C, and a package called ``protocol``.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from helpers.installed import ROOT, run_pytest
from helpers.interposed import needs_interposer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("installed"),  # the wheel is built once
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler"),
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    leave_out = shutil.ignore_patterns("__pycache__")
    return shutil.copytree(ROOT / "docs/examples/project", tmp_path / "project", ignore=leave_out)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


@needs_interposer
def test_it_passes(user_python: Path, project: Path) -> None:
    done = run_pytest(user_python, project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10 passed" in done.stdout


@needs_interposer
def test_it_passes_with_xdist(user_python: Path, project: Path) -> None:
    done = run_pytest(user_python, project, ["-n", "2"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10 passed" in done.stdout


@needs_interposer
def test_a_client_that_prints_nonsense(user_python: Path, project: Path) -> None:
    edit(project / "monitor.c", "ts->ac_exitcode >> 8);", "ts->ac_exitcode);")
    done = run_pytest(user_python, project, ["-k", "test_every_cpu and 5.10"])
    assert done.returncode == 1
    said = done.stdout
    assert "'exit 256'" in said  # pytest's own comparison
    said = said[said.index("netlink-emu: Linux 5.10") :]
    assert "monitor" in said
    assert "TASKSTATS_CMD_ATTR_REGISTER_CPUMASK" in said
    assert "ended on CPU 1, code 1" in said
    assert "ac_exitcode=256" in said
    assert "site-packages/netlink_emu" not in said


@needs_interposer
def test_a_client_that_asks_for_the_wrong_thing(user_python: Path, project: Path) -> None:
    edit(project / "monitor.c", "ask(fd, family, TASKSTATS_CMD_GET", "ask(fd, family, 77")
    done = run_pytest(user_python, project, ["-k", "test_a_signal"])
    assert done.returncode == 1
    said = [line for line in done.stdout.splitlines() if line.startswith("E ")]
    assert "waited for a listener on CPU 0" in said[0]
    # It did not wait on, for there was nobody left who could become one.
    assert any("every client has ended" in line for line in said)
    assert any("monitor: cannot listen on CPUs 0: Operation not supported" in x for x in said)
    assert any("EOPNOTSUPP" in line for line in said)


@pytest.mark.skipif(shutil.which("man") is None, reason="man is not installed")
def test_the_manual_page_is_found_beside_the_command(user_python: Path) -> None:
    done = subprocess.run(
        ["man", "-w", "netlink-emu"],
        env={"PATH": f"{user_python.parent}:/usr/bin:/bin"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    page = user_python.parents[1] / "share/man/man1/netlink-emu.1"
    assert done.stdout.strip() == str(page), done.stderr
