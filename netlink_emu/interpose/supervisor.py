"""Answers the clients of one listener in a backend."""

from __future__ import annotations

from collections.abc import Sequence

from netlink_emu.backends.interface import Backend
from netlink_emu.host.cgroups import file_of
from netlink_emu.interpose.abi import native
from netlink_emu.interpose.client.clients import Clients, CredentialPolicy, FileResolver
from netlink_emu.interpose.errands import Errands
from netlink_emu.interpose.filter.seccomp import Listener, Notification
from netlink_emu.interpose.loop import CallLoop
from netlink_emu.interpose.syscalls.context import Context, LetGo, Signalled
from netlink_emu.interpose.syscalls.dispatch import Dispatcher


class Supervisor(CallLoop):
    """Serves the clients of ``listener`` in ``backend``; see :meth:`run`.

    ``high`` is the threshold that their filter was built with; ``files`` finds what a client's
    descriptor refers to, for CGROUPSTATS. ``errands`` of other threads are done between calls;
    their owner looks after them when there are none. With ``native_waits`` receives may wait in
    the host's kernel: no faults will be injected, and nobody else's recording is played.
    """

    _context: Context

    def __init__(
        self,
        backend: Backend,
        listener: Listener,
        *,
        high: int,
        credentials: CredentialPolicy | None = None,
        files: FileResolver = file_of,
        pending: Sequence[Notification] = (),
        errands: Errands | None = None,
        native_waits: bool = False,
    ) -> None:
        clients = Clients(backend.machine, credentials, files)
        context = Context(backend, listener, clients, high, native_waits=native_waits)
        super().__init__(listener, context, Dispatcher(context, native()), pending, errands)

    @property
    def looks_after_waiting(self) -> bool:
        """Whether calls are waiting here, or something else has to be tried again and again."""
        return self._context.needs_ticks

    def on_trace(self, let_go: LetGo, signalled: Signalled) -> None:
        """Ask ``let_go`` for a thread that a client is about to trace: it may be traced by us.

        ``signalled`` is told of signals that stop and continue, before they are sent.
        """
        self._context.let_go = let_go
        self._context.signalled = signalled

    def flush(self) -> None:
        """Carry datagrams that have just been queued to the clients now, not a moment later."""
        self._context.flush()

    def lose_kernel(self) -> None:
        """The kernel is gone: nobody waits for it any more."""
        self._context.lose_kernel()
