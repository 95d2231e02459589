"""The descriptors of a case's tasks, and the cgroup hierarchies that some of them lead to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from errno import EBUSY, EINVAL, ENOENT
from typing import Final

from netlink_emu.conformance.cases import ops
from netlink_emu.machine.cgroups import Cgroup, File
from netlink_emu.machine.task import Task
from netlink_emu.protocol.errors import NetlinkError

_CGROUP_V1: Final = "/sys/fs/cgroup/"
_O_PATH: Final = 0o10000000


class EmulatedFiles:
    """``task_of`` and ``fds_of`` find a task, and the names that a case gave its descriptors.

    ``like`` is :attr:`.process.EmulatedTasks.like`.
    """

    def __init__(
        self,
        freezer: Cgroup,
        task_of: Callable[[str], Task],
        fds_of: Callable[[str], dict[str, int]],
    ) -> None:
        self.like: Mapping[str, int] = {}
        self._task_of = task_of
        self._fds_of = fds_of
        self._cgroups: Final[dict[str, Cgroup]] = {"freezer": freezer}

    def cgroup(self, path: str) -> Cgroup:
        """The v1 directory at a path; ENOENT if there is none."""
        if not path.startswith(_CGROUP_V1):
            raise NetlinkError(ENOENT)
        hierarchy, *names = path.removeprefix(_CGROUP_V1).strip("/").split("/")
        if hierarchy == "unified":
            raise NetlinkError(EINVAL)
        cgroup = self._cgroups.setdefault(hierarchy, Cgroup())
        for name in names:
            if name not in cgroup.children:
                raise NetlinkError(ENOENT)
            cgroup = cgroup.children[name]
        return cgroup

    def mkdir(self, path: str) -> None:
        """mkdir(2) of a cgroup, unless there is one; of other directories nothing is seen."""
        if not path.startswith(_CGROUP_V1):
            return
        above, _, name = path.rstrip("/").rpartition("/")
        parent = self.cgroup(above)
        if name not in parent.children:
            parent.mkdir(name)

    def rmdir(self, path: str) -> None:
        """rmdir(2); EBUSY for a cgroup that is not empty."""
        if not path.startswith(_CGROUP_V1):
            return
        try:
            self.cgroup(path).rmdir()
        except ValueError as exc:
            raise NetlinkError(EBUSY) from exc

    def open(self, name: str, op: ops.Open) -> int:
        """A new descriptor of the task, the lowest number that is free."""
        try:
            cgroup = self.cgroup(op.path) if op.path is not None else None
        except NetlinkError:
            cgroup = None  # an ordinary file, as far as CGROUPSTATS looks
        number = self.install(name, File(cgroup, o_path=bool((op.flags or 0) & _O_PATH)))
        self._fds_of(name)[op.fd] = number
        return number

    def install(self, name: str, file: File) -> int:
        """fd_install() of the lowest free descriptor above the standard ones, or as ``like``."""
        files, fds = self._task_of(name).files, self._fds_of(name)
        free = 3
        while free in files:
            free += 1
        number = self.like.get("fd") or free
        if number in files:  # of a socket, whose real number nobody knows: it is another
            files[free] = files[number]
            fds.update({each: free for each, taken in fds.items() if taken == number})
        files[number] = file
        return number

    def close(self, name: str, fd: str) -> None:
        """Close a descriptor by its name in the case."""
        self._task_of(name).files.pop(self._fds_of(name).pop(fd), None)
