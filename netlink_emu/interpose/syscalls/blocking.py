"""Calls that wait: for a datagram, for room at a receiver, for their time-out, for a signal.

A stopped call waits in the kernel uninterrupted by signals that do not kill
(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV), so we look for pending ones and end the call as the
kernel would: -ERESTARTSYS, or -EINTR under SO_RCVTIMEO (sock_intr_errno() of
include/net/sock.h). The client's own kernel then runs the handler, and restarts or not.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from errno import EAGAIN, EINTR, EMFILE, ENFILE, ENOENT, ESRCH
from typing import Final

from netlink_emu.host.proc import Status, StatusFile, read_status
from netlink_emu.interpose.client.memory import ClientGone, ClientSealed
from netlink_emu.interpose.filter.seccomp import Listener
from netlink_emu.interpose.syscalls.trap import Trap
from netlink_emu.protocol.errors import NetlinkError

# Seconds between two looks for signals of calls that wait; and so long after the last that came.
TICK: Final = 0.01
_SLOW_TICK: Final = 0.12
_QUIET: Final = 1.0

ERESTARTSYS: Final = 512  # include/linux/errno.h; no program ever sees it


@dataclass(slots=True, eq=False)
class Waiting:
    """A call that waits.

    ``attempt`` does the call once more: its result, or NetlinkError with EAGAIN while it must
    wait on. ``deadline`` is a time of the monotonic clock in seconds. ``copy`` is a duplicate of
    the client's descriptor: as in the kernel, a socket stays open while a call waits on it.
    All that wait on one socket share one.
    ``progress`` is what the call returns if it ends now, 0 standing for its error. With
    ``polled`` nothing wakes it but time.
    """

    trap: Trap
    sock: Hashable
    copy: int
    attempt: Callable[[], int]
    deadline: float | None = None
    progress: Callable[[], int] = int
    polled: bool = False
    status: StatusFile | None = None
    passed_over: int = 0

    def read_status(self) -> Status | None:
        """Its thread's, None if no signal waits for it; raises OSError.

        Kept open, because it is read a hundred times a second.
        """
        if self.status is None:
            self.status = StatusFile(self.trap.tid)
        return self.status.read_if_signalled()

    def close_status(self) -> None:
        if self.status is not None:
            self.status.close()
            self.status = None


@dataclass(slots=True)
class Interruption:
    """A waiting call that a signal ends; ``certain`` if its very thread has the signal."""

    call: Waiting
    certain: bool


@dataclass(slots=True)
class _Process:
    status: Status
    leader: Waiting | None = None
    others: list[Waiting] = field(default_factory=list)


def leader_takes(status: Status) -> bool:
    """Whether the leader of this thread's process takes a signal that waits for the process.

    It may have done so since ``status`` was read: what counts is that it is not blocked there.
    """
    try:
        leader = read_status(status.tgid)
    except OSError:
        return False
    return not leader.zombie and bool(status.deliverable_to_process & ~leader.blocked)


def find_interruptions(
    calls: Iterable[tuple[Waiting, Status]],
    elsewhere: Callable[[Status], bool] = lambda _status: False,
) -> list[Interruption]:
    """Which waiting calls end for a signal now.

    A signal for the process wakes its leader if that would take it (complete_signal() of
    kernel/signal.c), which ``elsewhere`` says of one that does not wait here. If not, the kernel
    may have woken any thread, so one is chosen whenever the signal is still there at the second
    look.
    """
    found = []
    processes: dict[int, _Process] = {}
    for call, status in calls:
        if status.deliverable_to_thread:
            found.append(Interruption(call, certain=True))
        elif status.deliverable_to_process:
            process = processes.setdefault(status.tgid, _Process(status))
            if call.trap.tid == status.tgid:
                process.leader = call
            else:
                process.others.append(call)
        else:
            call.passed_over = 0
    for process in processes.values():
        if process.leader is not None:
            found.append(Interruption(process.leader, certain=True))
            continue
        if elsewhere(process.status):
            continue
        for call in process.others:
            call.passed_over += 1
        call = max(process.others, key=lambda call: call.passed_over)
        if call.passed_over > 1:
            found.append(Interruption(call, certain=False))
    return found


class WaitingRoom:
    """The calls of one listener that wait; ``closing`` is told before a copy of theirs goes."""

    def __init__(
        self,
        listener: Listener,
        failed: Callable[[OSError], int],
        closing: Callable[[int], None] = lambda _copy: None,
    ) -> None:
        self._listener = listener
        self._failed = failed
        self._closing = closing
        self._calls: list[Waiting] = []
        self._latest = 0.0  # when the last came
        self._copies: dict[Hashable, tuple[int, int]] = {}  # the copy, how many share it

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[Waiting]:
        return iter(list(self._calls))

    def add(self, call: Waiting) -> None:
        """Keep the call, and its ``copy``, until it is answered or gone.

        Where another waits on its socket, ``copy`` is closed, and is that call's from now on.
        """
        copy, users = self._copies.get(call.sock, (call.copy, 0))
        if users:
            os.close(call.copy)
            call.copy = copy
        self._copies[call.sock] = copy, users + 1
        self._calls.append(call)
        self._latest = time.monotonic()

    @property
    def copies(self) -> int:
        """How many descriptors of ours keep sockets open."""
        return len(self._copies)

    def close_statuses(self) -> None:
        """Give back all descriptors that are merely convenient."""
        for call in self._calls:
            call.close_status()

    def pace(self, now: float) -> float:
        """Seconds until the next look; Ctrl-C shall not seem to hang, whoever waits for long.

        Not so long where a call is tried again and again, or may be the one that a signal is for.
        """
        if now - self._latest < _QUIET or any(c.polled or c.passed_over for c in self._calls):
            return TICK
        return _SLOW_TICK

    def next_deadline(self) -> float | None:
        """When the first time-out ends."""
        return min((c.deadline for c in self._calls if c.deadline is not None), default=None)

    def waits_on(self, sock: Hashable) -> bool:
        return any(call.sock is sock for call in self._calls)

    def wake(self, sock: Hashable) -> None:
        """Something arrived at ``sock``: serve those who wait on it, first come first served."""
        if not self._calls:
            return
        for call in [call for call in self._calls if call.sock is sock]:
            self._try(call)

    def poll(self) -> None:
        """Try the calls again that nothing wakes."""
        for call in [call for call in self._calls if call.polled]:
            self._try(call)

    def _try(self, call: Waiting) -> None:
        if call not in self._calls:
            return  # what another's attempt has noticed meanwhile
        if not self._is_waiting(call):
            self._drop(call)
            return
        try:
            self._answer(call, value=call.attempt())
        except NetlinkError as exc:
            if exc.errno != EAGAIN:
                self._answer(call, error=exc.errno)
        except OSError as exc:
            self._answer(call, error=self._failed(exc))
        except (ClientGone, ClientSealed):
            self._drop(call)

    def sweep(self) -> None:
        """Forget calls whose thread was killed, so that their sockets can close."""
        for call in list(self._calls):
            if not self._is_waiting(call):
                self._drop(call)

    def _is_waiting(self, call: Waiting) -> bool:
        try:
            return self._listener.is_waiting(call.trap.id)
        except OSError as exc:
            self._failed(exc)
            return True

    def expire(self, now: float) -> None:
        """End with EAGAIN what has waited for as long as SO_RCVTIMEO or SO_SNDTIMEO says."""
        for call in list(self._calls):
            if call.deadline is not None and call.deadline <= now:
                self._end(call, EAGAIN)

    def restart(self, tid: int) -> None:
        """End the call of a thread that shall stop: it will be made again, or fail with EINTR."""
        for call in [call for call in self._calls if call.trap.tid == tid]:
            self._end(call, ERESTARTSYS if call.deadline is None else EINTR)

    def interrupt(self) -> None:
        """End the calls for which a signal is pending."""
        for interruption in find_interruptions(self._statuses(), leader_takes):
            call = interruption.call
            # Without a signal of its own, a thread would see errno 512.
            restart = interruption.certain and call.deadline is None
            self._end(call, ERESTARTSYS if restart else EINTR)

    def _statuses(self) -> Iterator[tuple[Waiting, Status]]:
        for call in list(self._calls):
            status = self._status(call)
            if status is not None:
                yield call, status

    def _status(self, call: Waiting) -> Status | None:
        """None where no signal waits, or it cannot be had now.

        A call whose thread is gone is forgotten.
        """
        for last in (False, True):
            try:
                status = call.read_status()
                if status is None:
                    call.passed_over = 0
                return status
            except OSError as exc:
                if exc.errno in (ENOENT, ESRCH):
                    self._drop(call)
                    break
                if exc.errno not in (EMFILE, ENFILE) or last:
                    break
                self.close_statuses()
        return None

    def _end(self, call: Waiting, error: int) -> None:
        try:
            progress = call.progress()
        except NetlinkError as exc:  # its time-out cannot be written back
            self._answer(call, error=exc.errno)
        except (ClientGone, ClientSealed):
            self._drop(call)
        else:
            self._answer(call, value=progress, error=0 if progress else error)

    def _answer(self, call: Waiting, value: int = 0, error: int = 0) -> None:
        self._drop(call)
        try:
            self._listener.answer(call.trap.id, value, error)
        except OSError as exc:
            self._failed(exc)

    def _drop(self, call: Waiting) -> None:
        self._calls.remove(call)
        call.close_status()
        copy, users = self._copies.pop(call.sock)
        if users > 1:
            self._copies[call.sock] = copy, users - 1
        else:
            self._closing(copy)
            os.close(copy)

    def close(self) -> None:
        """Forget all; the calls fail when the listener is closed."""
        for call in list(self._calls):
            self._drop(call)
