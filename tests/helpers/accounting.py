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


@contextmanager
def accounting_is_ours() -> Iterator[None]:
    """Nobody else has process accounting, and it is off at the end, whatever became of it."""
    with alone("process accounting"):
        if PID_FILE.exists():
            pytest.skip(f"atopacctd runs already: {PID_FILE}")
        if _is_on():
            pytest.skip("process accounting is on already")
        try:
            yield
        finally:
            _end_daemon()
            ctypes.CDLL(None).acct(None)


def _is_on() -> bool:
    """Whether one of the usual files grows when a process ends."""
    before = _sizes()
    subprocess.run(["true"], check=True)
    return _sizes() != before


def _sizes() -> dict[str, int]:
    return {name: os.stat(name).st_size for name in FILES if os.path.exists(name)}


def _end_daemon() -> None:
    if not PID_FILE.exists():
        return
    pid = int(PID_FILE.read_text() or 0)
    with contextlib.suppress(ProcessLookupError):
        if pid > 0:
            os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + SECONDS
    while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
        time.sleep(0.05)
    PID_FILE.unlink(missing_ok=True)
