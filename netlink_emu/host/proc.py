"""What the host's /proc tells of a task: proc_pid_status(5), proc_pid_fd(5).

All functions take a thread id as this process numbers it, and raise OSError (ENOENT, ESRCH)
when the task is gone.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_STATUS_MAX: Final = 8192


@dataclass(frozen=True, slots=True)
class Status:
    """/proc/T/status.

    ``ns_tgid`` is the process id in the task's own pid namespace, ``nested`` whether that lies
    below ours; a ``zombie`` has ended.
    Ids are (real, effective, saved, file system). Signals are masks, bit 0 being signal 1:
    pending for the thread, pending for the process, blocked, ignored.
    """

    tgid: int
    ns_tgid: int
    nested: bool
    zombie: bool
    uids: tuple[int, int, int, int]
    gids: tuple[int, int, int, int]
    cap_eff: int
    threads: int
    thread_pending: int
    process_pending: int
    blocked: int
    ignored: int

    @property
    def deliverable_to_thread(self) -> int:
        """Signals that wait for this very thread and are neither blocked nor ignored."""
        return self.thread_pending & ~self.blocked & ~self.ignored

    @property
    def deliverable_to_process(self) -> int:
        """Signals that wait for the process and that this thread would take."""
        return self.process_pending & ~self.blocked & ~self.ignored

    @property
    def capabilities(self) -> frozenset[int]:
        """The effective capabilities' numbers."""
        return frozenset(n for n in range(self.cap_eff.bit_length()) if self.cap_eff >> n & 1)


def parse_status(text: str) -> Status:
    """Parse the file; KeyError for one without the fields, which no kernel since 4.1 lacks."""
    fields = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    uids = [int(number) for number in fields["Uid"].split()]
    gids = [int(number) for number in fields["Gid"].split()]
    return Status(
        tgid=int(fields["Tgid"]),
        ns_tgid=int(fields["NStgid"].split()[-1]),
        zombie=fields["State"].startswith(("Z", "X")),
        nested=len(fields["NStgid"].split()) > 1,
        uids=(uids[0], uids[1], uids[2], uids[3]),
        gids=(gids[0], gids[1], gids[2], gids[3]),
        cap_eff=int(fields["CapEff"], 16),
        threads=int(fields["Threads"]),
        thread_pending=int(fields["SigPnd"], 16),
        process_pending=int(fields["ShdPnd"], 16),
        blocked=int(fields["SigBlk"], 16),
        ignored=int(fields["SigIgn"], 16),
    )


def uid_of(tid: int) -> int:
    """The real user id of a thread, -1 if it is gone or hidden."""
    try:
        return read_status(tid).uids[0]
    except (OSError, KeyError):
        return -1


def read_status(tid: int) -> Status:
    """/proc/T/status, read once."""
    return parse_status(Path(f"/proc/{tid}/status").read_text(encoding="latin-1"))


_NO_SIGNAL: Final = b"\nSigPnd:\t" + b"0" * 16 + b"\nShdPnd:\t" + b"0" * 16 + b"\n"


class StatusFile:
    """/proc/T/status kept open, for who reads it often; it stays this task's."""

    def __init__(self, tid: int) -> None:
        self._fd = os.open(f"/proc/{tid}/status", os.O_RDONLY | os.O_CLOEXEC)

    def read(self) -> Status:
        return parse_status(self._read().decode("latin-1"))

    def read_if_signalled(self) -> Status | None:
        """None if no signal waits for the thread or its process, blocked ones included."""
        data = self._read()
        return None if _NO_SIGNAL in data else parse_status(data.decode("latin-1"))

    def _read(self) -> bytes:
        return os.pread(self._fd, _STATUS_MAX, 0)

    def close(self) -> None:
        os.close(self._fd)


def comm_of(tid: int) -> str:
    """The task's name; empty when it is gone, for nobody's answer depends on it."""
    try:
        return Path(f"/proc/{tid}/comm").read_text(errors="replace").removesuffix("\n")
    except OSError:
        return ""


def is_thread_of(tid: int, tgid: int) -> bool:
    """Whether the thread ``tid`` is one of the process ``tgid`` now."""
    try:
        Path(f"/proc/{tgid}/task/{tid}").lstat()
    except OSError:
        return False
    return True


def count_descriptors(tid: int) -> int:
    """How many the task has open; PermissionError where we may not look."""
    # The directory's size is the number since Linux 6.2, and 0 before: proc_fd_getattr().
    return Path(f"/proc/{tid}/fd").stat().st_size or len(descriptors(tid))


def descriptors(tid: int) -> set[int]:
    """The numbers of all that the task has open."""
    return {int(entry.name) for entry in Path(f"/proc/{tid}/fd").iterdir()}


def thread_seen_from(tid: int, number: int) -> int | None:
    """The thread that the pid namespace of ``tid`` numbers ``number``, as ours numbers it.

    None if there is none in that very namespace, or we may not look.
    """
    try:
        namespace = pid_namespace(tid)
        if namespace == pid_namespace(os.getpid()):
            return number
    except OSError:
        return None
    return thread_in(namespace, number)


def thread_in(namespace: int, number: int, proc: Path = Path("/proc")) -> int | None:
    """The thread that a pid namespace, known by its inode, numbers ``number``; as ours does.

    None if there is none in that very namespace, or we may not look.
    """
    for process in proc.iterdir():
        if not process.name.isdigit():
            continue
        try:
            if pid_namespace(int(process.name), proc) != namespace:
                continue
            for thread in (process / "task").iterdir():
                if _innermost_number(thread / "status") == number:
                    return int(thread.name)
        except OSError:
            continue  # it has ended, or is not ours to see
    return None


def pid_namespace(tid: int, proc: Path = Path("/proc")) -> int:
    """The inode that stands for the task's pid namespace."""
    return (proc / str(tid) / "ns" / "pid").stat().st_ino


def _innermost_number(status: Path) -> int:
    """The last number of the line NSpid."""
    _, _, rest = status.read_text(encoding="latin-1").partition("\nNSpid:")
    return int(rest.partition("\n")[0].split()[-1])


def host_delayacct() -> bool | None:
    """The sysctl kernel.task_delayacct of the host; None where it does not have it."""
    try:
        return Path("/proc/sys/kernel/task_delayacct").read_text().strip() != "0"
    except OSError:
        return None
