"""Monitors: htop on its terminal, collectd, and atop's accounting daemon."""

from __future__ import annotations

import os
import re
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from helpers.accounting import accounting_is_ours
from helpers.collectd import COLLECTD, said_enough, version_of_collectd, watching_a_sleeper
from helpers.interposed import NETLINK_EMU
from helpers.nets import SECONDS
from helpers.sides import SEARCHED, Side
from helpers.terminal import Terminal

pytestmark = pytest.mark.xdist_group("monitors")  # of atopacctd there can be one
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="monitors want root")


def prefix(side: Side, *options: str | os.PathLike[str]) -> list[str]:
    return [*NETLINK_EMU, "run", *map(str, options), "--"] if side.emulated else []


@contextmanager
def sleeping(program: Path | str = "sleep") -> Iterator[int]:
    """A process that does nothing."""
    with subprocess.Popen([program, str(10 * SECONDS)]) as process:
        try:
            yield process.pid
        finally:
            process.kill()


def waits_for_disk(pid: int) -> str:
    """A scenario: the process waits for its disk half of the time."""
    steps = (f"    {{ at = {n * 0.2:.1f}, wait = {{ blkio = 0.1 }} }},\n" for n in range(1500))
    head = f'task_delayacct = true\n[[task]]\ncomm = "sleep"\npid = {pid}\n'
    return f"{head}timeline = [\n{''.join(steps)}]\n"


# --- htop

HTOPRC = """\
htop_version=3.2.2
config_reader_min_version=3
hide_kernel_threads=1
hide_userland_threads=1
delay=5
header_layout=two_50_50
column_meters_0=Tasks
column_meter_modes_0=2
column_meters_1=Uptime
column_meter_modes_1=2
tree_view=0
screen:Main=PID PERCENT_CPU_DELAY PERCENT_IO_DELAY PERCENT_SWAP_DELAY Command
.sort_key=PID
.sort_direction=1
"""


@needs_root
@pytest.mark.skipif(shutil.which("htop") is None, reason="needs htop")
@pytest.mark.skipif(
    not list(Path("/usr/lib").glob("*/libnl-genl-3.so.200")), reason="needs libnl-genl-3-200"
)
def test_htop_shows_delays(side: Side, tmp_path: Path) -> None:
    """It consumes exactly an answer and its ack, or hangs."""
    scenario = tmp_path / "scenario.toml"
    htoprc = tmp_path / "htoprc"
    htoprc.write_text(HTOPRC)
    env = os.environ | {"HTOPRC": str(htoprc), "TERM": "xterm", "LC_ALL": "C"}
    with sleeping() as pid:
        scenario.write_text(waits_for_disk(pid))
        command = [*prefix(side, "--scenario", scenario), "htop", "-p", str(pid)]
        terminal = Terminal(*command, env=env, size=(40, 160))
        try:
            # PID, and how much of the time it waited for a CPU, its disk, swap: else "N/A".
            number = r"(?:\x1b\[[0-9;]*m| )+([0-9.]+)"
            terminal.expect(f"{pid}{number}{number}{number}")
            if side.emulated:
                # Afterwards only what has changed is drawn: half of the time, for its disk.
                terminal.expect(r"[3-7][0-9]\.[0-9]")
            terminal.type("q")
            assert terminal.process.wait(SECONDS) == 0
        finally:
            terminal.close()


# --- collectd


@needs_root
@pytest.mark.skipif(not COLLECTD.exists(), reason="needs collectd-core")
def test_collectd_takes_the_version_that_it_knows(side: Side, tmp_path: Path) -> None:
    """One version and nothing else; releases/test_clients.py has the kernels that it accepts."""
    config, sleep = watching_a_sleeper(tmp_path)
    with sleeping(sleep):
        done = side.run("sh", "-c", said_enough(config), options=["--release", "6.18"])
    rates = f"processes-{sleep.name}/delay_rate-delay-blkio"
    refused = "ts_delay_by_tgid failed: Protocol error"
    accepts = not side.emulated and version_of_the_real_kernel() == version_of_collectd()
    assert (rates in done.stdout) == accepts
    assert (refused in done.stdout) == (not accepts)


def version_of_the_real_kernel() -> int:
    """TASKSTATS_VERSION of the kernel beneath us."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16) as sock:
        sock.send(struct.pack("=IHHII BBxx HH12s", 36, 16, 1, 1, 0, 3, 1, 14, 2, b"TASKSTATS"))
        (family,) = struct.unpack_from("=H", sock.recv(4096), 40)
        sock.send(struct.pack("=IHHII BBxx HHI", 28, family, 1, 1, 0, 1, 1, 8, 1, os.getpid()))
        version: int = struct.unpack_from("=H", sock.recv(4096), 36)[0]
    return version


# --- atop's daemon for process accounting

# Starts the daemon, lets processes end, some more each time that the daemon has woken up and
# waits again, and ends the daemon, which leaves its pid there.
SCRIPT = """
atopacctd "$1" || exit 2
until [ -s /run/atopacctd.pid ]; do sleep 0.05; done
until [ -e "$1/pacct_shadow.d/current" ]; do sleep 0.05; done
daemon=$(cat /run/atopacctd.pid)
waits() { grep ^voluntary_ctxt_switches "/proc/$daemon/status"; }
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do
    before=$(waits)
    while [ "$(waits)" = "$before" ]; do true | true; done
done
ls "$1" "$1/pacct_shadow.d"
kill -TERM $daemon
while kill -0 $daemon 2>/dev/null; do sleep 0.05; done
rm /run/atopacctd.pid
ls "$1"
"""


@needs_root
@pytest.mark.skipif(shutil.which("atopacctd", path=SEARCHED) is None, reason="needs atop")
def test_atops_daemon_listens(side: Side, tmp_path: Path) -> None:
    with accounting_is_ours():
        done = side.run("sh", "-c", SCRIPT, "sh", str(tmp_path), options=["--summary"])
    assert done.returncode == 0
    assert done.stdout.split() == [
        f"{tmp_path}:", "pacct_shadow.d", "pacct_source",
        f"{tmp_path}/pacct_shadow.d:", "0000000000.paf", "current",
    ]  # fmt: skip
    if side.emulated:
        counts = re.search(r"(\d+) request datagrams, (\d+) datagrams received", done.stderr)
        assert counts is not None
        # Its family and its registration; then an exit at least each time that it woke up.
        assert int(counts[1]) == 2
        assert int(counts[2]) >= 20
