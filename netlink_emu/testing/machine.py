"""CPUs and cgroups of the emulated machine, as a test handles them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from netlink_emu.machine import acts
from netlink_emu.machine.cgroups import Cgroup
from netlink_emu.testing import checks
from netlink_emu.testing.directory import Directory
from netlink_emu.testing.errors import hide

if TYPE_CHECKING:
    from netlink_emu.families import BootedKernel
    from netlink_emu.testing.tasks import TaskHandle

__tracebackhide__ = hide

Call = Callable[[Callable[[], Any]], Any]


class CpusHandle:
    """``kernel.cpus``: which CPUs there are, and which are online."""

    def __init__(self, kernel: BootedKernel, call: Call) -> None:
        self._cpus: Final = kernel.machine.cpus
        self._machine: Final = kernel.machine
        self._call: Final = call

    @property
    def possible(self) -> tuple[int, ...]:
        """The CPUs that listeners may register for."""
        return self._cpus.possible

    @property
    def online(self) -> tuple[int, ...]:
        return self._cpus.online

    def __len__(self) -> int:
        return len(self.possible)

    def set_offline(self, cpu: int) -> None:
        """Take a CPU down; its tasks go on on the next one that is online.

        Listeners stay registered for it, and hear nothing. Raises ValueError for the last one.
        """
        self._call(lambda: acts.take_cpu_down(self._machine, cpu))

    def set_online(self, cpu: int) -> None:
        """Bring a CPU up."""
        self._call(lambda: self._cpus.set_online(cpu, online=True))


class CgroupHandle:
    """A cgroup (v1) of the emulated machine.

    ``path`` is a real directory that stands for it: a client that opens it, and names the
    descriptor to CGROUPSTATS_CMD_GET, asks for this cgroup.
    """

    def __init__(self, owner: CgroupsHandle, cgroup: Cgroup, path: Path) -> None:
        self._owner: Final = owner
        self.cgroup: Final = cgroup
        self.path: Final = path

    def __repr__(self) -> str:
        return f"<cgroup {self.path.name} with {len(self.cgroup.tasks)} tasks>"

    def attach(self, *tasks: TaskHandle) -> CgroupHandle:
        """Move tasks here, one by one: a thread of a process can be elsewhere."""
        from netlink_emu.testing.tasks import TaskHandle

        for task in tasks:
            checks.instance("attach()", task, TaskHandle, "kernel.tasks.spawn()")

        def attach() -> None:
            for task in tasks:
                self.cgroup.attach(task.task)

        self._owner.call(attach)
        return self

    def mkdir(self, name: str) -> CgroupHandle:
        """A new cgroup below this one; raises ValueError if there is one of that name."""
        child = self._owner.call(lambda: self.cgroup.mkdir(name))
        return self._owner.add(child, self.path / name)

    def rmdir(self) -> None:
        """Remove it; who has it open finds it removed. Raises ValueError while it is not empty."""
        self._owner.call(self.cgroup.rmdir)
        # A descriptor stays good without the directory, as on a cgroup file system.
        self.path.rmdir()


class CgroupsHandle:
    """``kernel.cgroups``: one hierarchy, whose directories are made when they are asked for."""

    def __init__(self, kernel: BootedKernel, call: Call) -> None:
        self._root: Final = kernel.machine.cgroups
        self._stand_ins: Final = kernel.machine.stand_ins
        self.call: Final = call
        self._directory: Final = Directory("netlink-emu-cgroup-")
        self._top: CgroupHandle | None = None

    @property
    def root(self) -> CgroupHandle:
        """The root of the hierarchy."""
        if self._top is None:
            self.call(lambda: None)  # no directory is made after the end
            self._top = self.add(self._root, self._directory.path)
        return self._top

    def mkdir(self, name: str) -> CgroupHandle:
        """A new cgroup below the root."""
        return self.root.mkdir(name)

    def add(self, cgroup: Cgroup, path: Path) -> CgroupHandle:
        """Have a real directory stand for a cgroup."""
        path.mkdir(exist_ok=True)
        status = path.stat()
        identity = status.st_dev, status.st_ino
        self.call(lambda: self._stand_ins.update({identity: cgroup}))
        return CgroupHandle(self, cgroup, path)

    def close(self) -> None:
        """Remove the directories."""
        self._directory.remove()
