"""The interface between a client's socket calls and whatever answers them.

The interposer stops the calls of unmodified clients and makes each on a :class:`Socket` of a
:class:`Backend`. It knows nothing else of who answers:

- the emulated kernel in this process: ``Kernel`` and ``NetlinkSock`` (netlink_emu/kernel) have
  these methods themselves;
- an emulated kernel in another process: ``RemoteKernel`` (netlink_emu/backends/remote.py).

All calls return at once. What would wait raises NetlinkError with EAGAIN; whoever made the call
then waits until the socket's ``ready`` has been called, and makes it again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from netlink_emu.kernel.current import Current
from netlink_emu.kernel.msghdr import RecvMsg
from netlink_emu.kernel.profile import Arch
from netlink_emu.kernel.scm import Cmsg
from netlink_emu.kernel.skbuff import SkBuff
from netlink_emu.machine.machine import Machine
from netlink_emu.protocol.bpf import Instruction


class Socket(Protocol):
    """A client's netlink socket, of any protocol. Errors of calls are NetlinkErrors.

    ``sk_err`` is the pending error (0: none), which may be set. Buffers are in bytes, time-outs in
    seconds (0 does not wait at all, None waits for ever).
    """

    sk_err: int

    # --- what is so now

    @property
    def bound(self) -> bool:
        """Whether it has a portid."""
        ...

    @property
    def sndbuf(self) -> int:
        """SO_SNDBUF: no longer datagram can be sent."""
        ...

    @property
    def rcvtimeo(self) -> float | None:
        """SO_RCVTIMEO."""
        ...

    @property
    def sndtimeo(self) -> float | None:
        """SO_SNDTIMEO."""
        ...

    @property
    def receive_queue(self) -> Sequence[SkBuff]:
        """What waits to be received, the oldest first. They are shown to the client's poll(2)."""
        ...

    @property
    def dumping(self) -> bool:
        """Whether a dump goes on when something has been received."""
        ...

    def portid_in_use(self, portid: int) -> bool:
        """Whether a socket of its protocol and network namespace has it, or may have it."""
        ...

    # --- what comes by itself

    def watch(
        self, ready: Callable[[], None] | None, settle: Callable[[], None] | None = None
    ) -> bool:
        """Call ``ready`` after each datagram that was queued, and after an error came to pend.

        It is called in the midst of other calls, and must make none. None: no more.

        Whether ``settle`` will be called before a datagram is refused for want of room is
        returned: it may take those that the client has read past us.
        """
        ...

    # --- system calls

    def bind(self, current: Current, addr: bytes) -> None:
        """bind(2)."""
        ...

    def connect(self, current: Current, addr: bytes) -> None:
        """connect(2)."""
        ...

    def getsockname(self) -> bytes:
        """getsockname(2): a struct sockaddr_nl."""
        ...

    def getpeername(self) -> bytes:
        """getpeername(2), likewise."""
        ...

    def sendmsg(
        self,
        current: Current,
        data: bytes,
        *,
        addr: bytes = b"",
        control: Sequence[Cmsg] = (),
        flags: int = 0,
        length: int | None = None,
    ) -> int:
        """sendmsg(2) and its kin: the number of bytes taken.

        ``length`` is given where ``data`` is shorter because it could not be read (EFAULT), or
        is too long to be taken (EMSGSIZE).
        """
        ...

    def recvmsg(self, size: int, flags: int = 0, current: Current | None = None) -> RecvMsg:
        """recvmsg(2) and its kin, into ``size`` bytes: one datagram, or the pending error."""
        ...

    def take_datagram(self, size: int = 0) -> bytes | None:
        """Take the oldest datagram, which the client has read past us; None if there is none.

        It was read into ``size`` bytes; 0 where that is not known.
        """
        ...

    def take_error(self) -> int:
        """sock_error(): the pending error, which is then no more."""
        ...

    def setsockopt(self, current: Current, level: int, optname: int, value: bytes) -> None:
        """setsockopt(2); ``value`` is what optval points to."""
        ...

    def getsockopt(self, level: int, optname: int, optlen: int) -> tuple[bytes, int]:
        """getsockopt(2): the bytes to write (``optlen`` at most), and the length to report."""
        ...

    def attach_filter(self, program: Sequence[Instruction]) -> None:
        """SO_ATTACH_FILTER, with the program that its value points to."""
        ...

    def detach_filter(self) -> None:
        """SO_DETACH_FILTER."""
        ...

    def not_supported(self) -> None:
        """listen(2), accept(2), shutdown(2): raises what netlink sockets say to them."""
        ...

    def ioctl(self, request: int) -> None:
        """ioctl(2) of a request that only AF_UNIX knows."""
        ...

    def release(self) -> None:
        """The client's last descriptor is closed. Once is enough."""
        ...


class Backend(Protocol):
    """Makes the sockets of clients."""

    @property
    def machine(self) -> Machine:
        """Whose namespaces and credentials the callers have: see Current."""
        ...

    @property
    def arch(self) -> Arch:
        """In whose byte order addresses and options are."""
        ...

    def answers(self, protocol: int) -> bool:
        """Whether sockets of this netlink protocol are made here; others are the host's."""
        ...

    def socket(self, current: Current, type: int, protocol: int) -> Socket:
        """socket(AF_NETLINK, type, protocol); ``type`` without SOCK_CLOEXEC and SOCK_NONBLOCK."""
        ...
