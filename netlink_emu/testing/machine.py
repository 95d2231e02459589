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
    """``kernel.cpus``: the CPUs, and which of them are online."""

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
        """Take a CPU offline; its tasks move to the next online CPU.

        Its listeners stay registered, and get no events. Raises ValueError for the last CPU.
        """
        self._call(lambda: acts.take_cpu_down(self._machine, cpu))

    def set_online(self, cpu: int) -> None:
        """Bring a CPU online."""
        self._call(lambda: self._cpus.set_online(cpu, online=True))


class CgroupHandle:
    """A cgroup (v1) of the emulated machine.

    ``path`` is a real directory that stands for it: a client opens it, and passes the
    descriptor to CGROUPSTATS_CMD_GET to ask for this cgroup.
    """

    def __init__(self, owner: CgroupsHandle, cgroup: Cgroup, path: Path) -> None:
        self._owner: Final = owner
        self.cgroup: Final = cgroup
        self.path: Final = path

    def __repr__(self) -> str:
        return f"<cgroup {self.path.name} with {len(self.cgroup.tasks)} tasks>"

    def attach(self, *tasks: TaskHandle) -> CgroupHandle:
        """Move single tasks here; other threads of their processes stay where they are."""
        from netlink_emu.testing.tasks import TaskHandle

        for task in tasks:
            checks.instance("attach()", task, TaskHandle, "kernel.tasks.spawn()")

        def attach() -> None:
            for task in tasks:
                self.cgroup.attach(task.task)

        self._owner.call(attach)
        return self

    def mkdir(self, name: str) -> CgroupHandle:
        """Create a cgroup below this one; raises ValueError if the name is taken."""
        child = self._owner.call(lambda: self.cgroup.mkdir(name))
        return self._owner.add(child, self.path / name)

    def rmdir(self) -> None:
        """Remove it, also for clients that have it open. Raises ValueError if it is not empty."""
        self._owner.call(self.cgroup.rmdir)
        # A descriptor stays good without the directory, as on a cgroup file system.
        self.path.rmdir()


class CgroupsHandle:
    """``kernel.cgroups``: one hierarchy, whose directories are created on demand."""

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
        """Create a cgroup below the root."""
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
