"""Thread groups of the host: who belongs to them, and what is kept of their dead."""

from __future__ import annotations

from typing import Final, Protocol

from netlink_emu.families.tsacct import Sums
from netlink_emu.machine.task import Task, ThreadGroup


class ThreadSource(Protocol):
    """Who reads threads: HostTasks."""

    def read_thread(self, nr: int, tgid: int) -> Task | None:
        """The thread ``nr`` of the process ``tgid`` as it is now, None if it is gone."""
        ...

    def thread_numbers(self, tgid: int) -> list[int]:
        """The numbers of its threads now, none if it is gone."""
        ...

    def sums_of_dead(self, group: HostThreadGroup, runtime_ns: int) -> Sums | None:
        """What its ended threads have used of ``runtime_ns``, its CPU time; None if none has."""
        ...


class WatchedGroup:
    """A thread group of several threads whose ends are watched: more than /proc tells of it.

    ``sums`` is its taskstats block. ``ending`` are the threads whose end has been told, though
    some may still be seen; ``dead``: the last one's, too.
    """

    def __init__(self, leader: Task, sums: Sums | None) -> None:
        self.sums = sums
        self.ending: Final[set[int]] = set()
        self.dead = False
        self._start_time_ns: Final = leader.start_time_ns

    def is_of(self, leader: Task) -> bool:
        """Whether it is this process: a number may be used again.

        Start times are multiples of a tick (10 ms), but for the error of their conversion.
        """
        return abs(leader.start_time_ns - self._start_time_ns) < 5_000_000


class HostThreadGroup(ThreadGroup):
    """A group whose other threads are read when somebody looks at them: most never are.

    ``count`` is how many threads it had when ``task`` was read, and ``runtime_ns`` the CPU time
    of the process just before.
    """

    def __init__(
        self, task: Task, source: ThreadSource, tgid: int, *, count: int, runtime_ns: int
    ) -> None:
        self.tgid: Final = tgid
        self._read: dict[int, Task] = {task.pid: task}
        self._found: Final = task.pid
        self._count: Final = count
        self._complete = False
        self._source = source
        self._runtime_ns: int | None = runtime_ns
        self._sums: Sums | None = None
        super().__init__(task)

    def _thread(self, nr: int) -> Task | None:
        if nr not in self._read:
            thread = self._source.read_thread(nr, self.tgid)
            if thread is None:
                return None
            thread.group = self
            self._read[nr] = thread
        return self._read[nr]

    @property
    def leader(self) -> Task:
        """The leader; when it has just ended, a thread that was found."""
        return self._thread(self.tgid) or next(iter(self._read.values()))

    @leader.setter
    def leader(self, leader: Task) -> None:
        """Only the constructor sets it; /proc knows better."""

    @property
    def threads(self) -> list[Task]:
        if not self._complete:
            for nr in self._source.thread_numbers(self.tgid):
                self._thread(nr)
            self._complete = True
        return [self._read[nr] for nr in sorted(self._read)]

    @threads.setter
    def threads(self, threads: list[Task]) -> None:
        """Only the constructor sets it; /proc knows better."""

    @property
    def thread_group_empty(self) -> bool:
        """Whether there was only the leader as it was found; beside another thread it is."""
        return self._found == self.tgid and self._count == 1

    @property
    def stats(self) -> Sums | None:
        """The sums of its dead threads, worked out when they are asked for."""
        if self._runtime_ns is not None:
            self._sums = self._source.sums_of_dead(self, self._runtime_ns)
            self._runtime_ns = None
        return self._sums

    @stats.setter
    def stats(self, stats: Sums | None) -> None:
        if stats is not None:  # else it is the constructor
            self._sums, self._runtime_ns = stats, None
