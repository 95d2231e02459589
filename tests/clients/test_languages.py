"""Clients in Go and JavaScript, and the pyroute2 that Debian has."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from helpers.alone import alone
from helpers.building import go_program
from helpers.nets import SECONDS
from helpers.sides import Side

pytestmark = pytest.mark.xdist_group("languages")  # they are built, or installed, once
PROGRAMS = Path(__file__).parent / "programs"
STATS = {
    "version 8 of 328 bytes", "version 9 of 344 bytes", "version 10 of 352 bytes",
    "version 11 of 368 bytes", "version 12 of 400 bytes", "version 13 of 416 bytes",
    "version 14 of 432 bytes", "version 15 of 560 bytes", "version 16 of 560 bytes",
    "version 17 of 688 bytes",
}  # fmt: skip

# --- Go, without libc


@pytest.fixture(scope="module")
def go_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return go_program(PROGRAMS / "genl.go", tmp_path_factory.mktemp("go"))


def test_a_static_go_program(side: Side, go_client: Path) -> None:
    done = side.run(go_client)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines.pop(4) in STATS
    assert lines == [
        "TASKSTATS 1 0",
        "NOSUCH is not there: true",
        "listed: true nlctrl",
        "pid right: true",
        "stats: netlink receive: no such process",
        "mask 0: <nil>",
        "mask 99999: netlink receive: numerical result out of range",
        "mask x: netlink receive: invalid argument",
        "deadline kept: true",
        "closing ends a read: true",
    ]


# --- node


@pytest.fixture(scope="module")
def node_path(request: pytest.FixtureRequest) -> Path:
    """The npm package "netlink", installed once and kept in pytest's cache."""
    if shutil.which("node") is None:
        pytest.skip("needs node")
    cache = request.config.cache
    assert cache is not None
    directory = Path(cache.mkdir("npm-netlink"))
    modules = directory / "node_modules"
    with alone("npm install in a cache"):
        if not (modules / "netlink" / "package.json").exists():
            if shutil.which("npm") is None:
                pytest.skip("needs npm")
            done = subprocess.run(
                ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "netlink@0.3.0"],
                cwd=directory,
                capture_output=True,
                text=True,
                check=False,
                timeout=SECONDS,
            )
            if done.returncode:
                pytest.skip(f"npm cannot install netlink: {done.stderr.strip()[-200:]}")
    return modules


def test_a_node_program(side: Side, node_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NODE_PATH", str(node_path))
    done = side.run("node", PROGRAMS / "stats.js")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines.pop(4) in STATS
    assert lines == [
        "TASKSTATS 1 1 4",
        "listed: true nlctrl",
        "NOSUCH: Request rejected: ENOENT",
        "pid right: true",
        "stats: Request rejected: ESRCH",
    ]


# --- Python, as Debian has it

SYSTEM_PYTHON = "/usr/bin/python3"
# pyroute2 0.7 is synchronous, 0.9 an asyncio program.
PYROUTE2 = """
import os
from pyroute2 import TaskStats
from pyroute2.netlink.exceptions import NetlinkError
ts = TaskStats()
ts.bind()
aggregate = ts.get_pid_stat(os.getpid())[0].get_attr("TASKSTATS_TYPE_AGGR_PID")
stats = aggregate.get_attr("TASKSTATS_TYPE_STATS")
print(stats["version"], stats["ac_comm"], stats["cpu_count"] > 0)
try:
    ts.get_pid_stat(0x7ffffff0)
except NetlinkError as exc:
    print(exc)
ts.register_mask("0")
ts.deregister_mask("0")
print("registered")
ts.close()
"""


def test_debians_pyroute2(side: Side) -> None:
    known = subprocess.run(
        [SYSTEM_PYTHON, "-c", "import pyroute2"], capture_output=True, check=False, timeout=SECONDS
    )
    if known.returncode:
        pytest.skip("needs python3-pyroute2")
    done = side.run(SYSTEM_PYTHON, "-c", PYROUTE2)
    assert (done.returncode, done.stderr) == (0, "")
    version, comm, counted = (lines := done.stdout.splitlines())[0].split()
    assert int(version) >= 8
    assert comm.startswith("python3")
    assert counted == "True"
    assert lines[1:] == ["(3, 'No such process')", "registered"]
