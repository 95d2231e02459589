"""One stopped call on a socket, and how it waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from netlink_emu.interpose.client.fds import Given
from netlink_emu.interpose.syscalls.blocking import Waiting, WaitingRoom
from netlink_emu.interpose.syscalls.trap import Outcome, Trap


class GivenSocket(Hashable, Protocol):
    """A socket that knows the descriptors that we made of it."""

    @property
    def given(self) -> set[Given]: ...


Sock = TypeVar("Sock", bound=GivenSocket)


@dataclass(slots=True)
class StoppedCall(Generic[Sock]):
    """``copy`` is a duplicate of the client's descriptor; of a call that waits, it is ``kept``."""

    trap: Trap
    sock: Sock
    copy: int
    kept: bool = field(default=False, init=False)

    @property
    def waiting(self) -> WaitingRoom:
        """Where calls wait."""
        raise NotImplementedError

    @property
    def given(self) -> set[Given]:
        """The descriptors that we made of the socket."""
        return self.sock.given

    def wait(
        self,
        attempt: Callable[[], int],
        seconds: float | None,
        *,
        progress: Callable[[], int] = int,
        polled: bool = False,
    ) -> Outcome:
        """Let the call wait until ``attempt`` gives something else than EAGAIN."""
        deadline = None if seconds is None else time.monotonic() + seconds
        self.kept = True
        self.trap.forget()
        waiting = Waiting(self.trap, self.sock, self.copy, attempt, deadline, progress, polled)
        self.waiting.add(waiting)
        self.copy = waiting.copy
        self.waits()
        return Outcome.ANSWERED

    def waits(self) -> None:
        """Called when the call waits, on ``copy``."""
