"""A command in the foreground, as env(1) or nice(1) would run it, with an emulated kernel beside.

The command stays in our process group: what the terminal sends (Ctrl-C, Ctrl-Z) reaches it
without us. What others send to us is handed on to it. Our own end is that of the command.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import trio

from netlink_emu.interpose import fds, libc
from netlink_emu.interpose.abi import native
from netlink_emu.interpose.bpf_filter import build_filter
from netlink_emu.interpose.clients import CredentialPolicy
from netlink_emu.interpose.launch import launch, spawn_command
from netlink_emu.interpose.summary import Summary
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


class Foreground:
    """One command and its emulated kernel; see :meth:`run`."""

    def __init__(
        self,
        kernel: Kernel,
        command: Sequence[str],
        *,
        credentials: CredentialPolicy | None = None,
        allow_io_uring: bool = False,
    ) -> None:
        self._kernel = kernel
        self._command = command
        self._credentials = credentials
        self._allow_io_uring = allow_io_uring
        self._pid = 0
        self._wait_status: int | None = None
        self._ended = trio.Event()

    async def run(self) -> Finished:
        """Run until the command and all that it started under the filter have ended.

        Must be called in the main thread of a process that has nothing else to do: its signals
        and its children are taken care of here. Raises SpawnError or Unsupported.
        """
        watched = _HANDED_ON | {signal.SIGCHLD}
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, watched)
        signals = libc.signalfd(set(watched))
        try:
            supervisor = self._launch(mask)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch_signals, signals, nursery.cancel_scope)
                await supervisor.run()
                await self._ended.wait()
                nursery.cancel_scope.cancel()
        finally:
            os.close(signals)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        assert self._wait_status is not None
        return Finished(self._wait_status, supervisor.summary)

    def _launch(self, mask: set[signal.Signals | int]) -> Supervisor:
        # What daemonises becomes our child, and so stays below us in the tree of processes.
        libc.prctl(libc.PR_SET_CHILD_SUBREAPER, 1)
        high = fds.choose_high(fds.open_files_limit())
        program = build_filter(native(), high=high, allow_io_uring=self._allow_io_uring)
        launched = launch(program, lambda: spawn_command(self._command, blocked=mask))
        self._pid = launched.value
        return Supervisor(
            self._kernel,
            launched.listener,
            high=high,
            credentials=self._credentials,
            pending=launched.pending,
        )

    async def _watch_signals(self, signals: int, scope: trio.CancelScope) -> None:
        while True:
            await trio.lowlevel.wait_readable(signals)
            with contextlib.suppress(BlockingIOError):
                while True:
                    number, _, code, sender = _SIGINFO.unpack(os.read(signals, _SIGINFO.size))
                    if number == signal.SIGCHLD:
                        self._reap()
                    elif self._wait_status is not None:
                        if number in _ENDING:
                            scope.cancel()
                    elif code != _SI_KERNEL and sender != self._pid:
                        self._hand_on(number)

    def _hand_on(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, number)

    def _reap(self) -> None:
        """Take note of every child that ended, the command's daemons among them."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid != self._pid:
                continue
            if os.WIFSTOPPED(status):
                self._stop_too(os.WSTOPSIG(status))
            else:
                self._wait_status = status
                self._ended.set()

    def _stop_too(self, number: int) -> None:
        """Ctrl-Z: whoever started us waits for us to stop; "fg" continues the whole group."""
        if number in _TERMINAL_STOPS and os.getpgid(self._pid) == os.getpgrp():
            os.kill(os.getpid(), signal.SIGSTOP)


def end_like(finished: Finished) -> None:
    """End this process as the command ended: by its signal, or with its exit status."""
    sys.stdout.flush()
    sys.stderr.flush()
    if os.WIFSIGNALED(finished.wait_status):
        number = os.WTERMSIG(finished.wait_status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the core would be ours
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
    raise SystemExit(finished.exit_code)
