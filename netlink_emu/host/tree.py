"""Which of the host's threads descend from a process."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Final

from netlink_emu.host.tasks import Stat, parse_stat

_PROC: Final = Path("/proc")


def start_of(pid: int, proc: Path = _PROC) -> int:
    """When a process began, in ticks since boot; 0 if it is gone."""
    stat = _stat(proc, pid)
    return 0 if stat is None else stat.starttime


def threads_below(pid: int, since: int = 0, proc: Path = _PROC) -> list[int]:
    """All threads of the processes that descend from ``pid``.

    Not of children, nor of what descends from those, that began before ``since``, in ticks.
    """
    families = _families(proc)
    threads: list[int] = []
    parents = [child for child, starttime in families[pid] if starttime >= since]
    while parents:
        parent = parents.pop()
        threads += _numbers(proc / str(parent) / "task")
        parents += [child for child, _ in families[parent]]
    return threads


def _families(proc: Path) -> defaultdict[int, list[tuple[int, int]]]:
    """The children of each process, and when they began."""
    families: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for nr in _numbers(proc):
        stat = _stat(proc, nr)
        if stat is not None:
            families[stat.ppid].append((nr, stat.starttime))
    return families


def _stat(proc: Path, pid: int) -> Stat | None:
    try:
        return parse_stat((proc / str(pid) / "stat").read_bytes())
    except (OSError, ValueError, IndexError):
        return None  # it has just ended


def _numbers(where: Path) -> list[int]:
    try:
        return [int(entry.name) for entry in where.iterdir() if entry.name.isdigit()]
    except OSError:
        return []
