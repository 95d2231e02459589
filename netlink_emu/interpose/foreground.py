"""A command in the foreground, as env(1) or nice(1) would run it, with an emulated kernel beside.

The command stays in our process group: what the terminal sends (Ctrl-C, Ctrl-Z) reaches it
without us. What others send to us is handed on to it. Our own end is that of the command.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import struct
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from netlink_emu.interpose import libc
from netlink_emu.interpose.abi import native
from netlink_emu.interpose.client import fds
from netlink_emu.interpose.client.access import need_access
from netlink_emu.interpose.filter.bpf_filter import build_filter
from netlink_emu.interpose.launch import Launched, launch, spawn_command
from netlink_emu.interpose.summary import Summary

if TYPE_CHECKING:
    from netlink_emu.backends.interface import Backend
    from netlink_emu.interpose.client.clients import CredentialPolicy
    from netlink_emu.interpose.errands import Errands
    from netlink_emu.interpose.live.live import LiveExits
    from netlink_emu.interpose.loop import CallLoop
    from netlink_emu.interpose.supervisor import Supervisor
    from netlink_emu.kernel.kernel import Kernel

# Not among them: what cannot be caught, what a fault of our own raises, what Python ignores
# (SIGPIPE, SIGXFSZ), and the terminal's protests against us alone (SIGTTIN, SIGTTOU).
_HANDED_ON: Final = frozenset(
    {
        signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2,
        signal.SIGALRM, signal.SIGTERM, signal.SIGCONT, signal.SIGTSTP, signal.SIGVTALRM,
        signal.SIGPROF, signal.SIGWINCH, signal.SIGIO, signal.SIGPWR,
    }
)  # fmt: skip
# These end us when the command has ended and only its daemons are left.
_ENDING: Final = frozenset({signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM})
_TERMINAL_STOPS: Final = frozenset({signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU})
# struct signalfd_siginfo { __u32 ssi_signo; __s32 ssi_errno, ssi_code; __u32 ssi_pid; ... };
_SIGINFO: Final = struct.Struct("=IiiI112x")
# Seconds between two looks whether a command has ended that nobody serves any more.
_LOOK: Final = 0.01
_SI_KERNEL: Final = 0x80  # sent by the kernel: by a terminal


@dataclass(frozen=True, slots=True)
class Finished:
    """How the command ended: a wait status, as in waitpid(2). And what its clients did."""

    wait_status: int
    summary: Summary

    @property
    def exit_code(self) -> int:
        """As a shell reports it."""
        code = os.waitstatus_to_exitcode(self.wait_status)
        return code if code >= 0 else 128 - code


@dataclass(slots=True)
class Answering:
    """Who answers the calls of the command, and what has to run beside."""

    loop: CallLoop
    live: LiveExits | None = None
    beside: list[Callable[[], Awaitable[None]]] = field(default_factory=list)


class Foreground:
    """One command and its emulated kernel; see :meth:`run`.

    ``companion`` runs beside the clients' calls for as long as there are clients: what happens
    in the emulated machine by itself; ``catch_up`` does what of that is due, before the command
    starts and before its first call is answered. The ends of clients happen in ``live_exits``,
    too: a kernel of this process whose machine has the host's tasks. With ``fake_root`` the
    command is root to its own eyes. ``attend`` carries what a kernel in another process has
    queued: it is given what flushes it, and what is to be called when that kernel is gone. A
    subclass that answers by itself has no backend. ``native_waits`` is a supervisor's.
    ``at_once``: the companion begins with the command, not with its first call; ``afterwards``
    is given the command's wait status when that and all clients have ended by themselves, and
    goes on until it returns or a signal ends it.
    """

    def __init__(
        self,
        backend: Backend | None,
        command: Sequence[str],
        *,
        credentials: CredentialPolicy | None = None,
        companion: Callable[[], Awaitable[None]] | None = None,
        catch_up: Callable[[], object] | None = None,
        allow_io_uring: bool = False,
        live_exits: Kernel | None = None,
        fake_root: bool = False,
        attend: Callable[[Callable[[], None], Callable[[], None]], Awaitable[None]] | None = None,
        native_waits: bool = False,
        at_once: bool = False,
        afterwards: Callable[[int], Awaitable[None]] | None = None,
    ) -> None:
        self._backend: Backend | None = backend
        self._command = command
        self._credentials = credentials
        self._companion = companion
        self._catch_up = catch_up
        self._allow_io_uring = allow_io_uring
        self._live_exits: Kernel | None = live_exits
        self._traces = live_exits is not None
        self._fake_root = fake_root
        self._attend = attend
        self._native_waits = native_waits
        self._at_once = at_once
        self._afterwards = afterwards
        self._traced = False
        self._when_ended: Callable[[], None] = lambda: None
        self._high = fds.choose_high(fds.open_files_limit())
        self._pid = 0
        self._wait_status: int | None = None
        self._clients_left = True
        self._stopping = False
        self._told_to_end = False

    def run(self) -> Finished:
        """Run until the command and all that it started under the filter have ended.

        Must be called in the main thread of a process that has nothing else to do: its signals
        and its children are taken care of here. Raises SpawnError or Unsupported.
        """
        if self._catch_up is not None:
            self._catch_up()
        watched = _HANDED_ON | {signal.SIGCHLD}
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, watched)
        signals = libc.signalfd(watched)
        try:
            launched = self._launch(mask)
            summary = Summary()
            if self._at_once or self._wait_for_a_call(launched, signals):
                summary = self._serve(launched, signals)
            self._ended()
        finally:
            os.close(signals)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        assert self._wait_status is not None
        return Finished(self._wait_status, summary)

    def _ended(self) -> None:
        """All have ended; what ends a command (Ctrl-C) still does not end us."""

    @property
    def started(self) -> bool:
        """Whether there was a command to speak of: it could be started."""
        return bool(self._pid)

    def await_end(self, seconds: float) -> int | None:
        """After :meth:`run` has failed: the command's wait status, None if it still runs.

        Nobody answers its calls any more; it has so many seconds to end by itself.
        """
        deadline = time.monotonic() + seconds
        self._traced = False
        while self._wait_status is None:
            self._reap()
            if self._wait_status is None and time.monotonic() >= deadline:
                return None
            if self._wait_status is None:
                time.sleep(_LOOK)
        return self._wait_status

    def _launch(self, mask: Iterable[int]) -> Launched[int]:
        need_access()
        # What daemonises becomes our child, and so stays below us in the tree of processes.
        libc.prctl(libc.PR_SET_CHILD_SUBREAPER, 1)
        program = build_filter(
            native(),
            high=self._high,
            allow_io_uring=self._allow_io_uring,
            tracers=self._traces,
        )
        launched = launch(
            program,
            lambda: spawn_command(self._command, blocked=mask, fake_root=self._fake_root),
        )
        fds.raise_our_limit()  # not before, for the command inherits it
        self._pid = launched.value
        return launched

    def _wait_for_a_call(self, launched: Launched[int], signals: int) -> bool:
        """Wait until a client's call stops; False if none ever does.

        Many commands make no such call, or late: trio's loop, whose import takes as long as all
        the rest, is started when there is something to do in it.
        """
        poll = select.poll()
        poll.register(signals, select.POLLIN)
        poll.register(launched.listener, select.POLLIN)
        while not launched.pending:
            ready = dict(poll.poll())
            if signals in ready:
                self._take_signals(signals)
            events = ready.get(launched.listener.fileno(), 0)
            if events & select.POLLIN:
                # Taken at once: a call that is not taken yet is interrupted by any signal.
                notification = launched.listener.receive()
                if notification is not None:
                    launched.pending.append(notification)
            elif events:  # POLLHUP: no client is left
                poll.unregister(launched.listener)
                self._clients_left = False
            if self._is_over:
                launched.listener.close()
                return False
        return True

    @property
    def _is_over(self) -> bool:
        return self._stopping or (self._wait_status is not None and not self._clients_left)

    def _serve(self, launched: Launched[int], signals: int) -> Summary:
        """Answer calls until no client is left, or a signal ends it."""
        import trio

        from netlink_emu.interpose.errands import Errands

        errands = Errands()
        served = self._answering(launched, errands, signals)
        live = served.live
        ended = trio.Event()
        self._when_ended = ended.set

        async def watch_signals(scope: trio.CancelScope) -> None:
            while True:
                if self._wait_status is not None:
                    ended.set()
                if self._stopping:
                    scope.cancel()
                await trio.lowlevel.wait_readable(signals)
                self._take_signals(signals)

        async def do_errands() -> None:
            while True:
                await trio.lowlevel.wait_readable(errands)
                errands.run()

        async def serve() -> None:
            if self._catch_up is not None:
                self._catch_up()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(watch_signals, nursery.cancel_scope)
                nursery.start_soon(do_errands)
                for task in served.beside:
                    nursery.start_soon(task)
                if self._companion is not None:
                    nursery.start_soon(self._companion)
                await served.loop.run()
                await ended.wait()
                if self._afterwards is not None and not self._told_to_end:
                    assert self._wait_status is not None
                    await self._afterwards(self._wait_status)
                nursery.cancel_scope.cancel()

        try:
            trio.run(serve)
        except BaseException:
            # Its end may be among the news that nobody has taken note of yet.
            if live is not None:
                live.close()
            with contextlib.suppress(Exception):
                errands.run()
            raise
        finally:
            if live is not None:
                live.close()
            errands.close()
        return served.loop.summary

    def _answering(self, launched: Launched[int], errands: Errands, signals: int) -> Answering:
        """Who answers the calls."""
        from netlink_emu.interpose.supervisor import Supervisor

        assert self._backend is not None
        supervisor = Supervisor(
            self._backend,
            launched.listener,
            high=self._high,
            credentials=self._credentials,
            pending=launched.pending,
            errands=errands,
            native_waits=self._native_waits,
        )
        answering = Answering(supervisor)
        if self._live_exits is not None:
            answering.live = self._watch_exits(self._live_exits, supervisor, errands, signals)
        if self._attend is not None:
            answering.beside.append(
                partial(self._attend, supervisor.flush, supervisor.lose_kernel)
            )
        return answering

    def _watch_exits(
        self, kernel: Kernel, supervisor: Supervisor, errands: Errands, signals: int
    ) -> LiveExits:
        from netlink_emu.interpose.live.live import LiveExits

        def take_over() -> int:
            """The tracer's thread alone reaps from now on."""
            self._traced = True
            libc.signalfd(_HANDED_ON, signals)
            return libc.signalfd({signal.SIGCHLD})

        live = LiveExits(
            kernel,
            errands,
            supervisor.summary,
            command=self._pid,
            flush=supervisor.flush,
            take_over=take_over,
            child_changed=self._command_changed,
        )
        supervisor.on_trace(live.let_go, live.signalled)
        return live

    def _take_signals(self, signals: int) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                number, _, code, sender = _SIGINFO.unpack(os.read(signals, _SIGINFO.size))
                self._reap()  # also before others: the command may just have ended
                if number == signal.SIGCHLD:
                    continue
                self._told_to_end = self._told_to_end or number in _ENDING
                if self._wait_status is not None:
                    self._stopping = self._stopping or number in _ENDING
                elif code != _SI_KERNEL and sender != self._pid:
                    self._hand_on(number)

    def _hand_on(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, number)

    def _reap(self) -> None:
        """Take note of every child that ended, the command's daemons among them."""
        while not self._traced:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._pid:
                self._command_changed(status)

    def _command_changed(self, status: int) -> None:
        if os.WIFSTOPPED(status):
            self._stop_too(os.WSTOPSIG(status))
        else:
            self._wait_status = status
            self._when_ended()

    def _stop_too(self, number: int) -> None:
        """Ctrl-Z: whoever started us waits for us to stop; "fg" continues the whole group."""
        if number in _TERMINAL_STOPS and os.getpgid(self._pid) == os.getpgrp():
            os.kill(os.getpid(), signal.SIGSTOP)


def end_like(finished: Finished) -> None:
    """End this process as the command ended: by its signal, or with its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # closed before we began
            with contextlib.suppress(OSError):
                stream.flush()
    if os.WIFSIGNALED(finished.wait_status):
        number = os.WTERMSIG(finished.wait_status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the core would be ours
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
    raise SystemExit(finished.exit_code)
