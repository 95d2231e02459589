"""What an open descriptor of a client refers to, as far as CGROUPSTATS_CMD_GET looks.

The kernel counts the tasks of a cgroup v1 directory; on the host they are those that its
``tasks`` file lists, in the states that /proc gives.
"""

from __future__ import annotations

import os
from pathlib import Path
from stat import S_ISDIR
from typing import Final

from netlink_emu.host.tasks import parse_stat
from netlink_emu.machine.cgroups import CgroupCounts, File

_O_PATH: Final = os.O_PATH
# Where the kernel sleeps in TASK_INTERRUPTIBLE | TASK_FREEZABLE, of which /proc shows an S alone:
# kernel/time/hrtimer.c, kernel/futex/, kernel/signal.c, net/unix/af_unix.c.
_FREEZABLE: Final = (
    "hrtimer_nanosleep", "do_nanosleep", "futex_", "__futex_", "do_sigtimedwait",
    "unix_stream_read_generic", "unix_stream_data_wait",
)  # fmt: skip
_STATES: Final = {
    b"R": "nr_running",
    b"S": "nr_sleeping",
    b"D": "nr_uninterruptible",
    b"T": "nr_stopped",
}


def file_of(pid: int, fd: int, proc: Path = Path("/proc")) -> File | None:
    """The open file ``fd`` of the process ``pid``, None if it is not open or not ours to see."""
    where = proc / str(pid) / "fd" / str(fd)
    try:
        flags = _open_flags(proc / str(pid) / "fdinfo" / str(fd))
        status = where.stat()
    except (OSError, ValueError):
        return None
    file = File(o_path=bool(flags & _O_PATH))
    if S_ISDIR(status.st_mode):
        file.identity = status.st_dev, status.st_ino
        if _on_cgroup_v1(proc, where):
            file.counts = _count(proc, where)
    return file


def _open_flags(fdinfo: Path) -> int:
    for line in fdinfo.read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "flags":
            return int(value, 8)
    raise ValueError(f"{fdinfo} has no flags")


def _on_cgroup_v1(proc: Path, where: Path) -> bool:
    """Whether a directory lies on a file system of type cgroup (v2 is cgroup2)."""
    try:
        device = where.stat().st_dev
        mounts = (proc / "self" / "mountinfo").read_text().splitlines()
    except OSError:
        return False
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in mounts:
        left, _, right = line.partition(" - ")
        if left.split()[2] == wanted:
            return right.split()[0] == "cgroup"
    return False


def sleeps_freezably(number: int, proc: Path = Path("/proc")) -> bool:
    """Whether a sleeping thread is one that a freezer lets sleep; False where we may not look."""
    try:
        where = (proc / str(number) / "wchan").read_text()
    except OSError:
        return False
    return where.startswith(_FREEZABLE)


def _count(proc: Path, where: Path) -> CgroupCounts:
    counts = CgroupCounts()
    try:
        numbers = (where / "tasks").read_text().split()
    except OSError:
        counts.removed = True  # a directory that was removed while it was open
        return counts
    for number in numbers:
        try:
            stat = parse_stat((proc / number / "stat").read_bytes())
        except (OSError, ValueError, IndexError):
            continue  # ended meanwhile
        name = _STATES.get(stat.state)
        if name == "nr_sleeping" and sleeps_freezably(int(number), proc):
            name = "nr_freezable"
        if name is not None:
            setattr(counts, name, getattr(counts, name) + 1)
    return counts
