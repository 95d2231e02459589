"""As whom the threads that make the stopped calls act in the emulated kernel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from netlink_emu.host import namespaces, proc
from netlink_emu.host.cgroups import file_of
from netlink_emu.interpose.client.threads import Threads, gone
from netlink_emu.kernel.current import Current
from netlink_emu.machine.cgroups import File
from netlink_emu.machine.credentials import Cred
from netlink_emu.machine.machine import Machine
from netlink_emu.machine.namespaces import NetNamespace, PidNamespace


class CredentialPolicy(Protocol):
    """As whom a client acts in the emulated kernel."""

    def __call__(self, tid: int) -> Cred:
        """The credentials of the client thread ``tid``, now."""
        ...


# What the descriptor of a thread refers to, for CGROUPSTATS; None where nothing is open.
FileResolver = Callable[[int, int], File | None]


class Clients(Threads):
    """The client threads seen so far, and their :class:`Current` for the emulated kernel."""

    def __init__(
        self,
        machine: Machine,
        credentials: CredentialPolicy | None = None,
        files: FileResolver = file_of,
    ) -> None:
        super().__init__()
        self._machine = machine
        self._root = Cred(machine.init_user_ns)
        self._credentials = credentials
        self._files = files
        self._numbering: dict[int, tuple[int, PidNamespace]] = {}
        self._roots: dict[int, Current] = {}

    def forget(self, tid: int) -> None:
        """Another thread may have this number by now."""
        self._numbering.pop(tid, None)
        self._roots.pop(tid, None)
        super().forget(tid)

    def close(self) -> None:
        """Give all descriptors back; they are opened anew when needed."""
        super().close()
        self._numbering.clear()
        self._roots.clear()

    def current(self, tid: int) -> Current:
        """The emulated kernel's ``current`` while it does a call of this thread.

        The process id is as the client's own pid namespace numbers it, so that a portid equals
        what getpid() returns. The network namespace is that of its first call, see
        :meth:`opener`.
        """
        if self._credentials is not None:
            return self._current(tid, self._credentials(tid))
        current = self._roots.get(tid)
        if current is None:
            current = self._roots[tid] = self._current(tid, self._root)
        return current

    def opener(self, tid: int) -> Current:
        """The same for socket(2): in the network namespace where the thread is now."""
        current = self.current(tid)
        net = self._net(tid)
        return current if net is current.net else replace(current, net=net)

    def _net(self, tid: int) -> NetNamespace:
        try:
            return namespaces.net_namespace(self._machine, tid)
        except OSError as exc:
            raise gone(exc) from exc

    def _current(self, tid: int, cred: Cred) -> Current:
        tgid, pid_ns = self._number(tid)
        return Current(
            cred=cred,
            net=self._net(tid),
            pid_ns=pid_ns,
            tgid_vnr=tgid,
            fget=lambda fd: self._files(tid, fd),
            comm=lambda: proc.comm_of(tid),
            tid=tid,
            host_uid=lambda: proc.uid_of(tid),
        )

    def _number(self, tid: int) -> tuple[int, PidNamespace]:
        """The process id as its own pid namespace numbers it, and whose numbers those are."""
        number = self._numbering.get(tid)
        if number is None:
            status = self.get(tid).status()
            number = status.ns_tgid, self._pid_ns(tid, nested=status.nested)
            self._numbering[tid] = number
        return number

    def _pid_ns(self, tid: int, *, nested: bool) -> PidNamespace:
        if not nested:
            return self._machine.init_pid_ns
        try:
            return namespaces.pid_namespace(self._machine, tid)
        except OSError as exc:
            raise gone(exc) from exc
