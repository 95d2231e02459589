"""What /proc tells of tasks, and waiting for it by looking again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

PATIENCE: Final = 10.0  # seconds; on a busy machine everything takes longer
_LOOK_AGAIN: Final = 0.0002  # seconds


def wait_until(condition: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    """Look until the condition holds; raises TimeoutError."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {patience:g} s for {what}")
        time.sleep(_LOOK_AGAIN)


def _stat(pid: int, tid: int | None = None) -> list[str] | None:
    """The fields of a stat file behind the comm: state first, then ppid."""
    path = Path(f"/proc/{pid}/task/{pid if tid is None else tid}/stat")
    try:
        return path.read_bytes().rpartition(b")")[2].decode().split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def state(pid: int, tid: int | None = None) -> str | None:
    """R, S, D, T, Z...; None for a task that is gone."""
    fields = _stat(pid, tid)
    return fields[0] if fields else None


def parent(pid: int) -> int | None:
    fields = _stat(pid)
    return int(fields[1]) if fields else None


def has_ended(pid: int, tid: int | None = None) -> bool:
    return state(pid, tid) in (None, "Z", "X")


def executable(pid: int) -> tuple[int, int] | None:
    """(st_dev as the kernel encodes it for users of 64 bits, inode) of a task's binary."""
    try:
        status = Path(f"/proc/{pid}/exe").stat()
    except OSError:
        return None
    return exe_device(status.st_dev), status.st_ino


def executable_at(path: str) -> tuple[int, int]:
    """The same of a file."""
    status = Path(path).stat()
    return exe_device(status.st_dev), status.st_ino


def exe_device(st_dev: int) -> int:
    """new_encode_dev(): how ac_exe_dev holds a device number."""
    major, minor = os.major(st_dev), os.minor(st_dev)
    return (minor & 0xFF) | (major << 8) | ((minor & ~0xFF) << 12)


def switches(pid: int) -> int:
    """How often a task has gone to sleep."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("voluntary_ctxt_switches"):
            return int(line.split()[1])
    return 0


def wait_settled(pid: int) -> None:
    """Wait until a task sleeps, and has slept for a moment; one that has ended is settled."""

    def settled() -> bool:
        if has_ended(pid):
            return True
        if state(pid) != "S":
            return False
        before = switches(pid)
        time.sleep(0.02)
        return state(pid) == "S" and switches(pid) == before

    wait_until(settled, f"task {pid} to settle")


def _is_asleep(pid: int, tid: int) -> bool:
    return state(pid, tid) not in ("R", "D")


def wait_asleep(pid: int) -> None:
    """Wait until no thread of a process runs."""
    try:
        tids = [int(entry.name) for entry in Path(f"/proc/{pid}/task").iterdir()]
    except FileNotFoundError:
        return
    for tid in tids:
        wait_until(
            partial(_is_asleep, pid, tid),
            f"task {tid} to sleep",
        )
