"""Records the clients of one listener."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from typing import Final

from netlink_emu.cassettes.recording.recording import Recording
from netlink_emu.interpose.abi import X32_SYSCALL_BIT, Abi, native
from netlink_emu.interpose.client.memory import ClientGone, ClientSealed
from netlink_emu.interpose.errands import Errands
from netlink_emu.interpose.filter.seccomp import Listener, Notification
from netlink_emu.interpose.loop import CallLoop
from netlink_emu.interpose.recording.calls import HANDLERS, Handler, make
from netlink_emu.interpose.recording.context import RecordedCall, RecordingContext
from netlink_emu.interpose.syscalls.trap import Outcome, Trap
from netlink_emu.protocol.errors import NetlinkError


class Recorder(CallLoop):
    """Notes what the clients of ``listener`` do; see :meth:`run`.

    ``high`` is the threshold that their filter was built with; ``protocols`` are recorded, all
    where it is empty.
    """

    _context: RecordingContext

    def __init__(
        self,
        recording: Recording,
        listener: Listener,
        *,
        high: int,
        protocols: frozenset[int] = frozenset(),
        pending: Sequence[Notification] = (),
        errands: Errands | None = None,
    ) -> None:
        context = RecordingContext(recording, listener, high, protocols)
        super().__init__(listener, context, _Dispatcher(context, native()), pending, errands)

    @property
    def unseen(self) -> int:
        """How many sockets could not be made in the client's place, and are not recorded."""
        return self._context.unseen


class _Dispatcher:
    """Notes one call after the other. What we cannot do for a client, its kernel does, unseen."""

    def __init__(self, context: RecordingContext, abi: Abi) -> None:
        self._context: Final = context
        self._abi: Final = abi
        self._handlers: Final[Mapping[int, Handler]] = {
            abi.numbers[name]: handler for name, handler in HANDLERS.items()
        }
        self._socket: Final = abi.numbers["socket"]

    def serve(self, notification: Notification) -> None:
        """Answer a call, let it pass, or keep it waiting."""
        context = self._context
        trap = Trap(notification, context.memory, context.listener.is_waiting)
        try:
            self._answer(trap)
        except OSError as exc:  # only the answer itself can fail here
            context.summary.failed(exc)

    def _answer(self, trap: Trap) -> None:
        context = self._context
        try:
            outcome = self._outcome(trap)
        except NetlinkError as exc:
            context.listener.answer(trap.id, error=exc.errno)
        except ClientGone:
            context.clients.forget(trap.tid)
            context.listener.let_pass(trap.id)
        except ClientSealed:
            context.summary.sealed += 1
            context.listener.let_pass(trap.id)
        except OSError as exc:
            context.summary.failed(exc)
            context.listener.let_pass(trap.id)
        else:
            if outcome is Outcome.PASS:
                context.listener.let_pass(trap.id)
            elif not isinstance(outcome, Outcome):
                context.listener.answer(trap.id, value=outcome)

    def _outcome(self, trap: Trap) -> int | Outcome:
        context = self._context
        if trap.arch != self._abi.audit_arch or trap.nr & X32_SYSCALL_BIT:
            context.summary.foreign += 1
            return Outcome.PASS
        name = self._abi.names[trap.nr]
        context.summary.calls[name] += 1
        if trap.nr == self._socket:
            return make(context, trap)
        try:
            copy = context.clients.duplicate(trap.tid, trap.fd)
        except OSError as exc:
            if exc.errno == errno.EBADF:
                return Outcome.PASS  # the kernel will say so
            raise
        call: RecordedCall | None = None
        try:
            sock = context.of_descriptor(copy)
            if sock is None:
                return Outcome.PASS
            call = RecordedCall(trap, sock, copy, context, name)
            return self._handlers[trap.nr](call)
        finally:
            if call is None or not call.kept:
                os.close(copy)
