"""What handlers need of a call, whoever its socket belongs to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from netlink_emu.interpose.client import fds
from netlink_emu.interpose.client.fds import Given
from netlink_emu.interpose.client.threads import Threads
from netlink_emu.interpose.filter.seccomp import Listener
from netlink_emu.interpose.summary import Summary
from netlink_emu.interpose.syscalls.trap import Outcome, Trap
from netlink_emu.kernel.msghdr import RecvMsg


class Giving(Protocol):
    """What it takes to put a descriptor into a client."""

    @property
    def listener(self) -> Listener: ...

    @property
    def numbers(self) -> fds.Numbers: ...

    @property
    def summary(self) -> Summary: ...

    @property
    def clients(self) -> Threads: ...


class Timed(Protocol):
    """A socket as far as waiting for it goes; see Socket of backends/interface.py."""

    sk_err: int

    @property
    def rcvtimeo(self) -> float | None: ...

    def take_error(self) -> int: ...


class DescriptorCall(Protocol):
    """A call on a socket; ``copy`` is a duplicate of the client's descriptor."""

    trap: Trap
    copy: int

    @property
    def context(self) -> Giving: ...

    @property
    def given(self) -> set[Given]: ...


class ReceivingCall(Protocol):
    """A receive."""

    trap: Trap
    copy: int

    @property
    def nl(self) -> Timed: ...

    def receive(self, size: int, flags: int) -> RecvMsg:
        """One datagram, or the pending error; NetlinkError(EAGAIN) where there is none."""
        ...

    def left_to_pair(self, size: int, flags: int, /) -> bool:
        """Whether the host's kernel may do a receive without address on the descriptor itself.

        It has been looked at, and its arguments are good.
        """
        ...

    def wait(
        self,
        attempt: Callable[[], int],
        seconds: float | None,
        *,
        progress: Callable[[], int] = int,
        polled: bool = False,
    ) -> Outcome:
        """Let the call wait until ``attempt`` gives something else than EAGAIN."""
        ...
