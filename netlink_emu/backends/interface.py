"""The interface between a client's socket calls and whatever answers them.

The interposer stops the calls of unmodified clients, and makes each one on a :class:`Socket` of a
:class:`Backend`. It knows only this interface. Implementations:

- the emulated kernel in this process: ``Kernel`` and ``NetlinkSock`` (netlink_emu/kernel) have
  these methods themselves;
- an emulated kernel in another process: ``RemoteKernel`` (netlink_emu/backends/remote.py).

All calls return at once. A call that would block raises NetlinkError with EAGAIN; the caller then
waits until the socket calls ``ready``, and repeats the call.
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
        """The datagrams to receive, the oldest first; poll(2) shows them to the client."""
        ...

    @property
    def dumping(self) -> bool:
        """Whether a dump goes on when something has been received."""
        ...

    def portid_in_use(self, portid: int) -> bool:
        """Whether a socket of its protocol and network namespace has it, or might have it."""
        ...

    # --- what comes by itself

    def watch(
        self, ready: Callable[[], None] | None, settle: Callable[[], None] | None = None
    ) -> bool:
        """Call ``ready`` after each queued datagram, and after each new pending error.

        It is called during other calls, and must not make calls itself. None ends this.

        Returns whether ``settle`` will be called before a datagram is refused for lack of room:
        it can take datagrams that the client has read without our help.
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
        """sendmsg(2), sendto(2), write(2)...: returns the number of bytes sent.

        ``length`` is given if ``data`` is incomplete, because it could not be read (EFAULT) or is
        too long (EMSGSIZE).
        """
        ...

    def recvmsg(self, size: int, flags: int = 0, current: Current | None = None) -> RecvMsg:
        """recvmsg(2), read(2)... into ``size`` bytes: a datagram, or the pending error."""
        ...

    def take_datagram(self, size: int = 0) -> bytes | None:
        """Take the oldest datagram, which the client has read without us; None if there is none.

        The client read it into ``size`` bytes (0: unknown).
        """
        ...

    def take_error(self) -> int:
        """sock_error(): return the pending error, and clear it."""
        ...

    def setsockopt(self, current: Current, level: int, optname: int, value: bytes) -> None:
        """setsockopt(2); ``value`` is what optval points to."""
        ...

    def getsockopt(self, level: int, optname: int, optlen: int) -> tuple[bytes, int]:
        """getsockopt(2): the bytes to write (at most ``optlen``), and the length to report."""
        ...

    def attach_filter(self, program: Sequence[Instruction]) -> None:
        """SO_ATTACH_FILTER with this program."""
        ...

    def detach_filter(self) -> None:
        """SO_DETACH_FILTER."""
        ...

    def not_supported(self) -> None:
        """listen(2), accept(2), shutdown(2): raises the errno of a netlink socket."""
        ...

    def ioctl(self, request: int) -> None:
        """ioctl(2) with a request that AF_UNIX knows and netlink does not."""
        ...

    def release(self) -> None:
        """The client's last descriptor is closed; further calls do nothing."""
        ...


class Backend(Protocol):
    """Makes the sockets of clients."""

    @property
    def machine(self) -> Machine:
        """The machine of the callers' namespaces and credentials: see Current."""
        ...

    @property
    def arch(self) -> Arch:
        """The architecture, which gives the byte order of addresses and options."""
        ...

    def answers(self, protocol: int) -> bool:
        """Whether this backend has sockets of this protocol; others are the host's."""
        ...

    def socket(self, current: Current, type: int, protocol: int) -> Socket:
        """socket(AF_NETLINK, type, protocol); ``type`` without SOCK_CLOEXEC and SOCK_NONBLOCK."""
        ...
