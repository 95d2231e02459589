"""One stopped call, from the notification to its answer."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable
from functools import partial
from typing import Final

from netlink_emu.interpose.abi import X32_SYSCALL_BIT, Abi
from netlink_emu.interpose.client.memory import ClientGone, ClientSealed
from netlink_emu.interpose.filter.bpf_filter import AF_NETLINK, SIGNAL_CALLS
from netlink_emu.interpose.filter.seccomp import Notification
from netlink_emu.interpose.sockets import EmulatedSocket
from netlink_emu.interpose.syscalls import HANDLERS, WORK_NATIVELY, descriptors, tracing
from netlink_emu.interpose.syscalls.context import Context, Handler, SocketCall
from netlink_emu.interpose.syscalls.trap import Outcome, Trap
from netlink_emu.protocol.errors import NetlinkError

_NO_DESCRIPTOR: Final = frozenset({errno.EMFILE, errno.ENFILE})
_SOCKETCALL_ARGS: Final = struct.Struct("=3I")


def _signal(name: str, context: Context, trap: Trap) -> Outcome:
    return tracing.signal(context, trap, name)


class Dispatcher:
    """Answers the calls of one listener, each completely before the next."""

    def __init__(self, context: Context, abi: Abi) -> None:
        self._context = context
        self._abi = abi
        self._arch = abi.audit_arch
        self._names = dict(abi.names)
        self._listener = context.listener
        self._is_waiting = context.listener.is_waiting
        self._handlers: dict[int, Handler] = {
            abi.numbers[name]: handler for name, handler in HANDLERS.items()
        }
        self._socket = abi.numbers["socket"]
        # Calls whose first argument is no descriptor of theirs.
        self._elsewhere: dict[int, Callable[[Context, Trap], int | Outcome]] = {
            self._socket: descriptors.socket,
            abi.numbers["ptrace"]: tracing.ptrace,
        }
        for name in SIGNAL_CALLS:
            if name in abi.numbers:
                self._elsewhere[abi.numbers[name]] = partial(_signal, name)
        self._natively = frozenset(abi.numbers[name] for name in WORK_NATIVELY)

    def serve(self, notification: Notification) -> None:
        """Answer a call, or keep it waiting; what arrived by it is carried out first."""
        context = self._context
        trap = Trap(notification, context.memory, self._is_waiting)
        try:
            try:
                outcome = self._outcome(trap)
            except (NetlinkError, OSError, ClientGone, ClientSealed) as exc:
                outcome = self._answer_failed(trap, exc)
            context.flush()
            if isinstance(outcome, int):
                self._listener.answer(trap.id, outcome)
            elif outcome is Outcome.PASS:
                self._listener.let_pass(trap.id)
        except OSError as exc:  # only the answer itself can fail here
            context.summary.failed(exc)

    def _answer_failed(self, trap: Trap, failure: Exception) -> int | Outcome:
        """Answer a call that has failed, unless it succeeds with more descriptors."""
        context = self._context
        listener = context.listener
        try:
            return self._outcome_again(trap, failure)
        except NetlinkError as exc:
            context.flush()
            listener.answer(trap.id, error=exc.errno)
        except ClientGone:
            context.clients.forget(trap.tid)
            context.flush()
            # Killed, or out of our sight (another pid namespace): then it must not hang.
            listener.answer(trap.id, error=errno.EIO)
        except ClientSealed:
            context.summary.sealed += 1
            self._serve_sealed(trap)
        except OSError as exc:
            context.flush()
            listener.answer(trap.id, error=context.summary.failed(exc))
        return Outcome.ANSWERED

    def _outcome_again(self, trap: Trap, failure: Exception) -> int | Outcome:
        """Where no descriptor of ours is left, those that are merely remembered go."""
        if not isinstance(failure, OSError) or failure.errno not in _NO_DESCRIPTOR:
            raise failure
        self._context.give_up_descriptors()
        try:
            return self._outcome(trap)
        except OSError as exc:
            if exc.errno in _NO_DESCRIPTOR and trap.nr == self._socket:
                raise NetlinkError(errno.ENFILE) from exc  # which a kernel says, too
            raise

    def _outcome(self, trap: Trap) -> int | Outcome:
        nr, context = trap.nr, self._context
        if trap.arch != self._arch or nr & X32_SYSCALL_BIT:
            return self._foreign(trap)
        context.summary.calls[self._names[nr]] += 1
        if nr in self._elsewhere:
            return self._elsewhere[nr](context, trap)
        found = context.copies.take(trap.tid, trap.fd) or self._find(trap)
        if found is None:
            return Outcome.PASS
        sock, copy = found
        call = SocketCall(trap, sock, copy, context)
        try:
            return self._handlers[nr](call)
        finally:
            if sock.mirror.marked:
                sock.unmark(call.copy)
            if not call.kept:
                context.copies.keep(trap.tid, trap.fd, sock, copy)
            if sock.closed:
                context.copies.close()

    def _find(self, trap: Trap) -> tuple[EmulatedSocket, int] | None:
        """The socket that a call is made on, and a duplicate of its descriptor.

        None where it is none of ours: the host's kernel does the call, or says what is wrong.
        """
        context = self._context
        try:
            copy = context.clients.duplicate(trap.tid, trap.fd)
        except OSError as exc:
            if exc.errno in _NO_DESCRIPTOR:
                raise
            if exc.errno != errno.EBADF:
                self._unknown(trap, context.summary.failed(exc))
            return None
        sock = None
        try:
            sock = context.sockets.of_descriptor(copy)
        finally:
            if sock is None:
                os.close(copy)
        return None if sock is None else (sock, copy)

    def _foreign(self, trap: Trap) -> int | Outcome:
        """A socket for a program of another ABI: one of ours would be no good to it.

        Only the arguments of socketcall(SYS_SOCKET, ...) of i386 did the filter not see.
        """
        if trap.arch != self._abi.audit_arch and trap.nr == self._abi.foreign.socketcall:
            domain, _, protocol = _SOCKETCALL_ARGS.unpack(
                trap.read(trap.args[1] & 0xFFFFFFFF, _SOCKETCALL_ARGS.size)
            )
            if domain != AF_NETLINK or not self._context.backend.answers(protocol):
                return Outcome.PASS
        self._context.summary.foreign += 1
        raise NetlinkError(errno.EAFNOSUPPORT)

    def _serve_sealed(self, trap: Trap) -> None:
        """The pair alone serves a client that we may not look into; it has no addresses.

        What a program of another ABI asks for is then unknown, so that it gets no socket at all.
        """
        listener = self._context.listener
        if trap.arch != self._abi.audit_arch:
            listener.answer(trap.id, error=errno.EACCES)
            return
        try:
            self._unknown(trap, errno.EACCES)
        except NetlinkError as exc:
            listener.answer(trap.id, error=exc.errno)
        else:
            listener.let_pass(trap.id)

    def _unknown(self, trap: Trap, error: int) -> Outcome:
        """What a descriptor refers to cannot be found out: a file, or one of our pairs.

        The host's kernel does what works on both; raises ``error`` for the rest.
        """
        if trap.nr in self._natively or not len(self._context.sockets):
            return Outcome.PASS
        raise NetlinkError(error)
