"""cgroup v1 hierarchies, and the files that a task can name to CGROUPSTATS."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netlink_emu.machine.task import Task


class Cgroup:
    """A directory of a cgroup v1 hierarchy; tasks are members one by one."""

    def __init__(self, name: str = "/", parent: Cgroup | None = None) -> None:
        self.name = name
        self.parent = parent
        self.tasks: dict[Task, None] = {}
        self.children: dict[str, Cgroup] = {}
        self.removed = False

    def mkdir(self, name: str) -> Cgroup:
        """A new child; raises ValueError if there is one of that name."""
        if name in self.children:
            raise ValueError(f"cgroup {name!r} exists in {self.name!r}")
        child = self.children[name] = Cgroup(name, self)
        return child

    def rmdir(self) -> None:
        """Remove it; open descriptors on it stay, and find it removed.

        Raises ValueError while it has tasks or children, as rmdir(2) gives EBUSY.
        """
        if self.tasks or self.children:
            raise ValueError(f"cgroup {self.name!r} is not empty")
        if self.parent is None:
            raise ValueError("the root of a hierarchy cannot be removed")
        del self.parent.children[self.name]
        self.removed = True

    def attach(self, task: Task) -> None:
        """Move one task here from the cgroup it is in (of this hierarchy)."""
        root = self.root()
        for cgroup in task.cgroups:
            if cgroup.root() is root:
                del cgroup.tasks[task]
        others = tuple(cgroup for cgroup in task.cgroups if cgroup.root() is not root)
        self.tasks[task] = None
        task.cgroups = (*others, self)

    def root(self) -> Cgroup:
        top = self
        while top.parent is not None:
            top = top.parent
        return top


@dataclass(slots=True)
class File:
    """What an open descriptor refers to, as far as CGROUPSTATS looks.

    ``cgroup`` is set for a directory of a cgroup v1 hierarchy; ``o_path`` for descriptors opened
    with O_PATH, which fdget() does not find. ``counts`` answers for a host's real cgroup.
    ``identity`` is (st_dev, st_ino) of a directory of the host, see Machine.stand_ins.
    """

    cgroup: Cgroup | None = None
    o_path: bool = False
    counts: CgroupCounts | None = None
    identity: tuple[int, int] | None = None


@dataclass(slots=True)
class CgroupCounts:
    """The five numbers of struct cgroupstats, counted elsewhere.

    Who sleeps so that a freezer need not wake it is ``nr_freezable``, which kernels count or not.
    """

    nr_sleeping: int = 0
    nr_running: int = 0
    nr_stopped: int = 0
    nr_uninterruptible: int = 0
    nr_io_wait: int = 0
    nr_freezable: int = 0
    removed: bool = field(default=False)
