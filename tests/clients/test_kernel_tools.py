"""getdelays and procacct, the kernel's own examples, built from Debian's linux-source."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

import pytest
from helpers.interposed import emulated, what_is_missing
from helpers.nobody import AS_NOBODY as NOBODY
from helpers.sides import Side

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("kernel-tools"),  # they are built once
    pytest.mark.skipif(os.geteuid() != 0, reason="they want CAP_NET_ADMIN"),
]


def test_getdelays_of_a_process(side: Side, tools: Path) -> None:
    done = side.run(tools / "getdelays", "-d", "-i", "-q", "-p", str(os.getpid()))
    assert done.returncode == 0
    assert "fatal" not in done.stderr
    assert f"PID\t{os.getpid()}" in done.stdout
    count, real, virtual = re.findall(r"^ +(\d+) +(\d+) +(\d+)", done.stdout, re.MULTILINE)[0]
    assert int(count) > 0
    # Counted by ticks, and by the scheduler: on a busy machine they come apart.
    assert int(virtual) / 3 < int(real) < 3 * int(virtual)
    io = re.search(r"(\S+): read=(\d+), write=(\d+), cancelled_write=(\d+)", done.stdout)
    assert io is not None
    assert io[1] == Path("/proc/self/comm").read_text().strip()


def test_getdelays_of_a_thread_group(side: Side, tools: Path) -> None:
    done = side.run(tools / "getdelays", "-d", "-t", str(os.getpid()))
    assert f"TGID\t{os.getpid()}" in done.stdout
    assert "fatal" not in done.stderr


def test_getdelays_of_nobody(side: Side, tools: Path) -> None:
    done = side.run(tools / "getdelays", "-p", "4194303")
    assert "fatal reply error,  errno -3" in done.stderr


@pytest.mark.parametrize("status", [0, 3])
def test_getdelays_of_a_command_that_it_starts(side: Side, tools: Path, status: int) -> None:
    """It waits for SIGCHLD, and asks for the zombie."""
    done = side.run(tools / "getdelays", "-d", "-i", "-c", "/bin/sh", "-c", f"exit {status}")
    assert done.returncode == 0
    assert "fatal" not in done.stderr
    pid = re.search(r"PID\t(\d+)", done.stdout)
    assert pid is not None
    assert int(pid[1]) > 1
    assert re.search(r"^sh: read=\d+, write=\d+", done.stdout, re.MULTILINE)


@pytest.mark.skipif(bool(what_is_missing()), reason="no interposer here")
def test_getdelays_of_a_command_needs_no_root(tools: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="netlink-emu-test-") as name:
        Path(name).chmod(0o755)  # pytest's own directories are closed to others
        tool = shutil.copy(tools / "getdelays", name)
        command = (tool, "-d", "-i", "-c", "/bin/sh", "-c", "echo I am $$ of $(id -u); exit 3")
        done = emulated(*command, prefix=NOBODY)
    assert (done.returncode, done.stderr) == (0, "")
    pid = re.search(r"^I am (\d+) of 65534$", done.stdout, re.MULTILINE)
    assert pid is not None
    assert f"PID\t{pid[1]}" in done.stdout
    assert re.search(r"^sh: read=\d+, write=\d+", done.stdout, re.MULTILINE)


LISTENS = """
stdbuf -oL "$@" > "$OUT" 2>&1 & listener=$!
until grep -Eq "$ROW" "$OUT"; do sh -c 'exit 5'; sleep 0.05; done
kill $listener
cat "$OUT"
"""


def test_getdelays_listens(
    side: Side, tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = r"^sh: read=[0-9]+, write=[0-9]+, cancelled_write=[0-9]+"
    monkeypatch.setenv("OUT", str(tmp_path / "out"))
    monkeypatch.setenv("ROW", row)
    cpus = f"0-{(os.cpu_count() or 1) - 1}"
    tool = str(tools / "getdelays")
    done = side.run("sh", "-c", LISTENS, "sh", tool, "-m", cpus, "-l", "-i")
    assert f"cpumask {cpus} maskset 1" in done.stdout
    assert re.search(row, done.stdout, re.MULTILINE)


def test_procacct_listens(
    side: Side, tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the executable by its device and inode."""
    shell = Path("/bin/sh").stat()
    device = f"{os.major(shell.st_dev)}:{os.minor(shell.st_dev)}"
    row = (
        r"^P pid=([0-9]+) tgid=\1 uid=0 wall=[0-9]+ gwall=[0-9]+ cpu=[0-9]+ vmpeak=[0-9]+ "
        rf"rsspeak=[0-9]+ dev={device} inode={shell.st_ino} comm=sh$"
    )
    monkeypatch.setenv("OUT", str(tmp_path / "out"))
    monkeypatch.setenv("ROW", row)  # others' shells end, too, some in a root of their own
    cpus = f"0-{(os.cpu_count() or 1) - 1}"
    done = side.run("sh", "-c", LISTENS, "sh", str(tools / "procacct"), "-m", cpus)
    assert re.search(row, done.stdout, re.MULTILINE), done.stdout


def test_getdelays_of_a_cgroup(side: Side, tools: Path) -> None:
    """The number of a descriptor, in the client's own table."""
    done = side.run(tools / "getdelays", "-C", "/")
    assert "fatal reply error,  errno -22" in done.stderr
    group = next((p for p in Path("/sys/fs/cgroup").glob("*/tasks")), None)
    if group is None:
        pytest.skip("no cgroup v1 is mounted")
    done = side.run(tools / "getdelays", "-C", str(group.parent))
    counts = re.search(r"sleeping (\d+), blocked \d+, running (\d+)", done.stdout)
    assert counts is not None
    assert int(counts[1]) + int(counts[2]) > 0
