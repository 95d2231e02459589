"""``current``: who makes a system call, as the emulated kernel asks for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from netlink_emu.machine.cgroups import File
from netlink_emu.machine.credentials import Cred
from netlink_emu.machine.namespaces import NetNamespace, PidNamespace, UserNamespace
from netlink_emu.machine.task import (
    PF_SUPERPRIV,
    Task,
)


def _no_files(_fd: int) -> File | None:
    return None


@dataclass(slots=True)
class Current:
    """The calling task: an emulated one, or a client of ours that stands in for one.

    ``tgid_vnr`` is its process id as its own pid namespace numbers it; ``fget`` finds what one of
    its descriptors refers to; ``comm`` gives its name to whoever observes, asked only then.
    ``tid`` is what the host calls a client's thread, for who carries its calls elsewhere.
    ``host_uid`` gives the user id that a client really has on the host, whoever it is here: -1 if
    that is not to be known any more. None where there is no client but us.
    """

    cred: Cred
    net: NetNamespace
    pid_ns: PidNamespace
    tgid_vnr: int
    task: Task | None = None
    fget: Callable[[int], File | None] = _no_files
    comm: Callable[[], str] = str
    tid: int = 0
    host_uid: Callable[[], int] | None = None

    @classmethod
    def of(cls, task: Task) -> Current:
        """An emulated task as the caller."""
        return cls(
            task.cred,
            task.net,
            task.pid_ns,
            task.tgid_nr_ns(task.pid_ns),
            task,
            task.files.get,
            lambda: task.comm.decode(errors="replace"),
        )

    def ns_capable(self, ns: UserNamespace, cap: int) -> bool:
        """ns_capable(); using a capability leaves its mark on the task (ASU)."""
        if not self.cred.ns_capable(ns, cap):
            return False
        if self.task is not None:
            self.task.flags |= PF_SUPERPRIV
        return True
