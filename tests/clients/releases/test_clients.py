"""Unmodified clients, from Debian and PyPI, on kernels that suit them and on those that do not."""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.charged import EXPECTED, PID, charged_kernel
from helpers.collectd import COLLECTD, said_enough, version_of_collectd, watching_a_sleeper
from helpers.interposed import Result, needs_interposer, run_supervised
from helpers.waiting import waiting_kernel

pytestmark = needs_interposer


def on_waiting_tasks(release: str, *command: str) -> Result:
    """A command where every task reads 1 MB/s and waits for its disk half of the time."""
    return run_supervised(command, waiting_kernel(release))


# --- iotop-c copies what it knows of the struct. Debian 12 has 1.23, with the headers of version
# 13 and no look at the version; Debian 13 has 1.30, which refuses what is too old and knows 15

# An iteration later: PID PRIO USER DISK READ DISK WRITE SWAPIN IO COMMAND
ROW = re.compile(
    r"\d+ +\S+ +(?P<user>\S+) +(?P<read>[\d.]+) [BKM]/s +[\d.]+ [BKM]/s "
    r"+(?P<swapin>[\d.]+) % +(?P<io>[\d.]+) % +\[?sleep"
)


# Until a child has executed its program, it is another shell.
SLEEPS = "sleep 1000 & pid=$!; until grep -q sleep /proc/$pid/comm; do :; done"


def iotop_c_version() -> tuple[int, int]:
    said = subprocess.run(["iotop-c", "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"(\d+)\.(\d+)", said.stdout)
    assert found is not None, said.stdout
    return int(found[1]), int(found[2])


def last_row(release: str, seconds: float) -> re.Match[str]:
    """What it says of a task after so long."""
    look = f"iotop-c -b -n 2 -d {seconds} -P -p $pid"
    finished = on_waiting_tasks(release, "sh", "-c", f"{SLEEPS}; {look}; kill $pid; wait $pid")
    rows = [match for line in finished.stdout.splitlines() if (match := ROW.match(line.strip()))]
    assert len(rows) == 2, finished.stdout + finished.stderr
    return rows[-1]


@pytest.mark.skipif(shutil.which("iotop-c") is None, reason="needs Debian's iotop-c")
@pytest.mark.skipif(os.geteuid() != 0, reason="iotop-c refuses to start without CAP_NET_ADMIN")
@pytest.mark.parametrize(
    ("release", "reads", "swaps", "waits"),
    [
        ("2.6.18", False, True, False),  # version 1: no ac_*, and all else elsewhere
        ("2.6.20", False, False, True),  # version 3: what follows ac_sched is 4 or 8 lower
        ("2.6.21", True, False, True),
        ("4.19", True, False, True),
        ("6.13", True, False, True),
        ("6.14", False, True, False),  # version 15: Tomas-M/iotop issue 82
        ("6.14.9", True, False, True),
        ("7.3", True, False, True),
        # A machine that aligns: before AGGR the padding is skipped, inside the nest it takes
        # the place of STATS.
        ("4.6/mips64el", True, False, True),
        ("4.7/mips64el", False, False, False),
        ("6.18/riscv64", False, False, False),
    ],
)
def test_iotop_c(release: str, reads: bool, swaps: bool, waits: bool) -> None:
    looks = iotop_c_version() >= (1, 30)
    if looks and release in ("2.6.18", "2.6.20", "6.14"):
        reads = waits = release == "6.14"
        swaps = False
    if iotop_c_version() >= (1, 31) and "/" in release:
        reads = waits = True  # it knows of the padding
    row = last_row(release, 0.4)
    for seconds in (2, 10):  # on a busy machine a short look is a wrong one
        if not waits or 25 < float(row["io"]) < 75:
            break
        row = last_row(release, seconds)
    assert (float(row["read"]) > 0) is reads
    assert (float(row["swapin"]) > 0) is swaps
    assert (float(row["io"]) > 0) is waits
    if waits:
        assert 25 < float(row["io"]) < 75
    assert (row["user"] == "root") is (looks or release != "6.14")  # ac_uid is read elsewhere, too


# --- iotop of Debian 12, in Python: unpacks the struct at fixed offsets, from version 4 on


@pytest.mark.skipif(shutil.which("iotop") is None, reason="needs Debian's iotop")
@pytest.mark.skipif(os.geteuid() != 0, reason="iotop refuses to start without CAP_NET_ADMIN")
@pytest.mark.parametrize(
    ("release", "rows", "reads"),
    [
        ("2.6.20", 0, False),  # shorter than 272 bytes: left out
        ("2.6.21", 2, True),
        ("6.13", 2, True),
        ("6.14", 2, False),
        ("6.14.9", 2, True),
        ("6.18/riscv64", 2, True),
    ],
)
def test_iotop(release: str, rows: int, reads: bool) -> None:
    finished = on_waiting_tasks(
        release,
        "sh", "-c",
        f"{SLEEPS}; iotop -b -k -n 2 -d 0.4 -P -p $pid; kill $pid; wait $pid",
    )  # fmt: skip
    found = re.findall(
        r"^ *\d+ +\S+ +\S+ +([\d.]+) K/s.* sleep 1000$", finished.stdout, re.MULTILINE
    )
    assert len(found) == rows, finished.stdout + finished.stderr
    assert any(float(rate) > 0 for rate in found) is reads


# --- pyroute2 0.9: knows version 15; takes others for version 11, or a shorter prefix of it

SCRIPT = f"""
import json
from pyroute2 import TaskStats
with TaskStats() as ts:
    ts.bind()
    message = ts.get_pid_stat({PID})[0]
stats = message.get_attr("TASKSTATS_TYPE_AGGR_PID").get_attr("TASKSTATS_TYPE_STATS")
print(json.dumps(len(stats) if isinstance(stats, bytes) else {{
    name: value.rstrip(b"\\0").decode() if isinstance(value, bytes) else value
    for name, value in dict(stats).items()
}}))
"""


SO_DOMAIN = 39


def pyroute2(release: str) -> dict[str, int | str] | int:
    """What it makes of the struct: its members, or the length of bytes that it left alone."""
    # Python asks for SO_DOMAIN and SO_PROTOCOL, which came with 2.6.32.
    kernel = charged_kernel(release, newest_so=SO_DOMAIN)
    finished = run_supervised([sys.executable, "-c", SCRIPT], kernel)
    assert finished.returncode == 0, finished.stderr
    seen: dict[str, int | str] | int = json.loads(finished.stdout)
    return seen


@pytest.mark.parametrize(
    ("release", "version"),
    [
        ("2.6.26", 6),
        ("2.6.35", 7),
        ("4.19", 8),
        ("5.18", 11),
        ("6.3", 13),
        ("6.14", 15),
        ("6.14.9", 16),
        ("7.3", 17),
    ],
)
def test_pyroute2_reads(release: str, version: int) -> None:
    seen = pyroute2(release)
    assert isinstance(seen, dict)
    assert seen["version"] == version
    for name, value in seen.items():
        if name in EXPECTED:
            assert value == EXPECTED[name], name
    for name in ("ac_comm", "ac_pid", "blkio_delay_total", "read_bytes", "nvcsw"):
        assert name in seen
    # What version 15 inserted is found there, and there only.
    assert ("cpu_delay_max" in seen) is (version == 15)


@pytest.mark.parametrize(("release", "length"), [("2.6.18", 72), ("2.6.20", 264), ("2.6.23", 288)])
def test_pyroute2_leaves_shorter_structs_alone(release: str, length: int) -> None:
    assert pyroute2(release) == 4 + length  # the attribute as it came, its header in front


# --- collectd insists on the struct that it was compiled with


VERSIONS = {"5.18": 11, "5.19": 13, "6.3": 13, "6.4": 14, "6.18": 16}  # TASKSTATS_VERSION


@pytest.mark.skipif(
    not COLLECTD.exists(),
    reason="needs Debian's collectd-core, installed or unpacked below $COLLECTD_ROOT",
)
@pytest.mark.parametrize("release", VERSIONS)
def test_collectd(release: str, tmp_path: Path) -> None:
    config, sleep = watching_a_sleeper(tmp_path)
    finished = on_waiting_tasks(
        release,
        "sh", "-c",
        f"{sleep} 1000 & pid=$!; {said_enough(config)}; kill $pid; wait $pid",
    )  # fmt: skip
    rates = re.findall(
        rf"processes-{sleep.name}/delay_rate-delay-blkio \S+ \S+:([\d.]+)", finished.stdout
    )
    refused = finished.stdout.count("ts_delay_by_tgid failed: Protocol error")
    if VERSIONS[release] == version_of_collectd():
        assert refused == 0
        assert rates
        # One may be off when the machine is busy; half of the time it is.
        assert 0.3 < statistics.median(map(float, rates)) < 0.7, rates
    else:
        assert refused > 0
        assert rates == []
