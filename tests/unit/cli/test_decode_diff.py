"""``netlink-emu decode A --diff B``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.messages import get, receive
from helpers.nets import SECONDS

from netlink_emu.testing import EmulatedKernel

DECODE = [sys.executable, "-m", "netlink_emu", "decode"]


def decode(*args: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*DECODE, *args], capture_output=True, text=True, timeout=SECONDS, check=False
    )


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """The same client on two releases; on the second it asks once more."""
    found = []
    for release, pids in (("5.10", [4242]), ("6.1", [4242, 99])):
        path = tmp_path / f"{release}.jsonl"
        with EmulatedKernel(release, tasks=[{"comm": "postgres", "pid": 4242}]) as kernel:
            sock = kernel.connect()
            for pid in pids:
                sock.send(get(pid))
                receive(sock)
            lines = [json.dumps(entry.json()) for entry in kernel.journal]
        path.write_text("\n".join(lines))
        found.append(path)
    return found[0], found[1]


def test_two_releases(files: tuple[Path, Path]) -> None:
    done = decode(files[0], "--diff", files[1])
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert "-     AGGR_PID/STATS/version 10" in lines
    assert "+     AGGR_PID/STATS/version 13" in lines
    assert lines[-1].endswith("1 of them differ; 0 only in the first file, 2 only in the second")
    assert any(line.startswith("+ #") and "PID 99" in line for line in lines)
    assert not any("nlmsg_pid" in line for line in lines)


def test_in_json(files: tuple[Path, Path]) -> None:
    done = decode(files[0], "--diff", files[1], "--json")
    changed, asked, refused = map(json.loads, done.stdout.splitlines())
    assert {"name": "AGGR_PID/STATS/version", "a": "10", "b": "13"} in changed["fields"]
    assert (asked["a"], refused["a"]) == (None, None)
    assert "PID 99" in asked["summary"]


def test_no_difference(files: tuple[Path, Path]) -> None:
    done = decode(files[0], "--diff", files[0])
    assert done.returncode == 0
    assert ", 0 of them differ; " in done.stdout
    assert decode(files[0], "--diff", files[0], "--json").stdout == ""


def test_on_a_page(files: tuple[Path, Path]) -> None:
    done = decode(files[0], "--diff", files[1], "--html")
    assert done.returncode == 1
    assert '"side":"A"' in done.stdout
    assert '"side":"B"' in done.stdout


def test_a_file_that_is_not_there(files: tuple[Path, Path], tmp_path: Path) -> None:
    done = decode(files[0], "--diff", tmp_path / "none")
    assert done.returncode == 1
    assert done.stderr == f"netlink-emu: {tmp_path}/none is neither a file nor hex\n"
