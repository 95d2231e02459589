"""Process accounting, acct(2), of which a machine has one."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from helpers.alone import alone
from helpers.nets import SECONDS

PID_FILE: Final = Path("/run/atopacctd.pid")
# Where distributions write it to; the kernel does not tell whether it is on.
FILES: Final = (
    "/run/pacct_source", "/var/account/pacct", "/var/cache/atop.d/atop.acct",
    "/var/log/account/pacct",
)  # fmt: skip


# Who has it, while a run of the suite does: the boot, a process, and when that began. Only root
# can write there.
OWNER: Final = Path("/run/netlink-emu-tests/accounting")


@contextmanager
def accounting_is_ours() -> Iterator[None]:
    """Nobody else has process accounting, and it is off at the end, whatever became of it.

    If this process is killed, the next one that comes here switches it off.
    """
    with alone("process accounting"):
        _end_what_a_killed_run_left()
        if PID_FILE.exists():
            pytest.skip(f"atopacctd runs already: {PID_FILE}")
        if _is_on():
            pytest.skip("process accounting is on already")
        OWNER.parent.mkdir(mode=0o700, exist_ok=True)
        OWNER.write_text(f"{_boot()} {os.getpid()} {_began(os.getpid())}")
        try:
            yield
        finally:
            _switch_off()


def _end_what_a_killed_run_left() -> None:
    try:
        boot, pid, began = OWNER.read_text().split()
    except (OSError, ValueError):
        return
    if boot == _boot() and _began(int(pid)) != began:
        _switch_off()


def _switch_off() -> None:
    _end_daemon()
    ctypes.CDLL(None).acct(None)
    OWNER.unlink(missing_ok=True)


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _began(pid: int) -> str:
    """When a process began, in ticks since boot; empty if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _is_on() -> bool:
    """Whether one of the usual files grows when a process ends."""
    before = _sizes()
    subprocess.run(["true"], check=True)
    return _sizes() != before


def _sizes() -> dict[str, int]:
    return {name: os.stat(name).st_size for name in FILES if os.path.exists(name)}


def _end_daemon() -> None:
    try:
        pid = int(PID_FILE.read_text())
    except (OSError, ValueError):
        return
    end = time.monotonic() + SECONDS
    with contextlib.suppress(OSError):  # it has ended
        while _comm(pid) == "atopacctd" and time.monotonic() < end:
            os.kill(pid, signal.SIGTERM)
            time.sleep(0.05)
    PID_FILE.unlink(missing_ok=True)


def _comm(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().rstrip("\n")
