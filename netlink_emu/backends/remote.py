"""A kernel in another process, whose sockets the supervisor uses like its own.

The other side is netlink_emu/server/relay.py. It carries out each system call of a client, and
answers before the call returns. It reports each datagram that arrives at a socket; the datagram
is kept here, visible to poll, until the client takes it. The other side has the queue that
counts, with its limits and errors.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable, Sequence
from typing import Any, Final

import trio

from netlink_emu.backends.wire import Wire
from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.kernel.current import Current
from netlink_emu.kernel.kernel import Kernel
from netlink_emu.kernel.msghdr import MSG_OOB, MSG_PEEK, RecvMsg
from netlink_emu.kernel.profile import Arch, Profile
from netlink_emu.kernel.scm import Cmsg
from netlink_emu.kernel.skbuff import SkBuff
from netlink_emu.machine.machine import Machine
from netlink_emu.protocol.bpf import Instruction
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.format import DecodeError
from netlink_emu.protocol.ours.relay import (
    RelayCall,
    RelayFlag,
    RelayMethod,
    RelayReport,
    ReportKind,
    SockState,
    decode_cmsgs,
    encode_cmsgs,
)

_SOCK_FILTER: Final = struct.Struct("=HBBI")
_NSEC: Final = 1_000_000_000


class RemoteKernel:
    """The sockets of the kernel at the other end of ``wire``.

    With ``options_here``, getsockopt(2) and similar calls do not wait for the other process, where
    CPython may hold its lock meanwhile: options are set on both sides, and read here.
    """

    def __init__(self, profile: Profile, wire: Wire, *, options_here: bool = False) -> None:
        self.profile: Final = profile
        self.wire: Final = wire
        self.options_here: Final = options_here
        # Nothing lives in it: it is for what can be told without asking.
        self.here: Final = Kernel(Machine(cpus=1), profile)
        self._socks: dict[int, RemoteSock] = {}
        wire.arrived = self._arrived

    @property
    def machine(self) -> Machine:
        """An empty machine: the other side knows the callers' namespaces and credentials."""
        return self.here.machine

    @property
    def arch(self) -> Arch:
        return self.profile.arch

    @property
    def socks(self) -> list[RemoteSock]:
        """The sockets that are not closed."""
        return [*self._socks.values()]

    def close(self) -> None:
        """Close the stream; the server then closes our sockets."""
        self.wire.close()

    def answers(self, protocol: int) -> bool:
        """See Backend."""
        return self.here.answers(protocol)

    def socket(self, current: Current, type: int, protocol: int) -> RemoteSock:
        """See Backend."""
        call = RelayCall(
            RelayMethod.SOCKET, a=type, b=protocol, tid=current.tid, tgid=current.tgid_vnr
        )
        report = self.wire.ask(call)
        if report.error:
            raise NetlinkError(report.error)
        here = self.here.socket(current, type, protocol)
        sock = self._socks[report.value] = RemoteSock(self, here, report)
        return sock

    def settle(self) -> None:
        """Tell the other side what the clients have read."""
        for sock in self.socks:
            if sock.receive_queue and sock.settle is not None:
                sock.settle()

    def forget(self, number: int) -> None:
        """The socket is closed."""
        del self._socks[number]

    def _arrived(self, report: RelayReport) -> None:
        """Handle a report on a socket, which may have been closed meanwhile."""
        sock = self._socks.get(report.sock)
        if sock is None:
            return
        if report.kind == ReportKind.ARRIVED:
            sock.queue(SkBuff(report.data, 0, report.portid, report.dst_group))
        else:
            sock.fail(report.error)

    async def attend(self, flush: Callable[[], None], lost: Callable[[], None]) -> None:
        """Flush what arrives without a call; call ``lost`` when the other side has ended."""
        while not self.wire.dead:
            await trio.lowlevel.wait_readable(self.wire)
            self.wire.pump()
            flush()
        for sock in self.socks:
            sock.fail(errno.ECONNRESET)
        lost()


class RemoteSock:
    """A socket of the other side; ``here`` is what is known of it."""

    def __init__(self, kernel: RemoteKernel, here: NetlinkSock, opened: RelayReport) -> None:
        self._kernel: Final = kernel
        self._wire: Final = kernel.wire
        self._here: Final = here
        self._number: Final = opened.value
        self._ready: Callable[[], None] | None = None
        self.settle: Callable[[], None] | None = None
        self._error = 0
        self._control = self.dumping = self.closed = False
        self.sndbuf = here.sndbuf
        self.rcvtimeo: float | None = None
        self.sndtimeo: float | None = None
        self._adopt(opened)

    # --- calls over the wire

    def _ask(
        self, method: RelayMethod, current: Current | None = None, **arguments: Any
    ) -> RelayReport:
        report = self._wire.ask(self._call(method, current, **arguments))
        self._adopt(report)
        if report.error:
            raise NetlinkError(report.error)
        return report

    def _do(self, method: RelayMethod, current: Current | None = None, **arguments: Any) -> None:
        """Make a call without a result; do not wait for it if the other side may be blocked."""
        if self._kernel.options_here:
            flags = int(RelayFlag.UNANSWERED)
            self._wire.tell(self._call(method, current, flags=flags, **arguments))
        else:
            self._ask(method, current, **arguments)

    def _call(self, method: RelayMethod, current: Current | None, **arguments: Any) -> RelayCall:
        tid, tgid = (0, 0) if current is None else (current.tid, current.tgid_vnr)
        return RelayCall(method, self._number, tid, tgid, **arguments)

    def _adopt(self, report: RelayReport) -> None:
        """Take over the state that the other side reports."""
        here, state = self._here, report.state
        here.bound = bool(state & SockState.BOUND)
        here.connected = bool(state & SockState.CONNECTED)
        here.groups_allocated = bool(state & SockState.GROUPS_ALLOCATED)
        here.portid, here.groups = report.portid, report.groups
        here.dst_portid, here.dst_group = report.dst_portid, report.dst_group
        self._control = bool(state & SockState.CONTROL)
        self.dumping = bool(state & SockState.DUMPING)
        self._error = report.sk_err
        if not self._kernel.options_here:
            self.sndbuf = report.sndbuf
            self.rcvtimeo, self.sndtimeo = _seconds(report.rcvtimeo), _seconds(report.sndtimeo)

    # --- what is so now

    @property
    def bound(self) -> bool:
        return self._here.bound

    @property
    def receive_queue(self) -> Sequence[SkBuff]:
        return self._here.receive_queue

    def portid_in_use(self, portid: int) -> bool:
        """True, as only the other side knows."""
        return True

    @property
    def sk_err(self) -> int:
        """The pending error, there and here."""
        return self._error

    @sk_err.setter
    def sk_err(self, error: int) -> None:
        if error != self._error:
            self._error = error
            self._do(RelayMethod.SET_ERROR, a=error)

    def take_error(self) -> int:
        """See Socket."""
        error, self.sk_err = self.sk_err, 0
        return error

    # --- what arrives

    def watch(
        self, ready: Callable[[], None] | None, settle: Callable[[], None] | None = None
    ) -> bool:
        """See Socket."""
        self._ready, self.settle = ready, settle
        return False

    def queue(self, skb: SkBuff) -> None:
        """A datagram lies in the queue."""
        self._here.receive_queue.append(skb)
        if self._ready is not None:
            self._ready()

    def fail(self, error: int) -> None:
        """An error is pending."""
        self._error = error
        if self._ready is not None:
            self._ready()

    # --- system calls

    def bind(self, current: Current, addr: bytes) -> None:
        """See Socket."""
        self._ask(RelayMethod.BIND, current, address=addr)

    def connect(self, current: Current, addr: bytes) -> None:
        """See Socket."""
        self._ask(RelayMethod.CONNECT, current, address=addr)

    def getsockname(self) -> bytes:
        """See Socket."""
        return self._here.getsockname()

    def getpeername(self) -> bytes:
        """See Socket."""
        return self._here.getpeername()

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
        """See Socket."""
        arguments = {
            "a": flags,
            "b": len(data) if length is None else length,
            "address": addr,
            "control": encode_cmsgs([(c.level, c.type, c.data) for c in control]),
            "data": data,
        }
        try:
            return self._ask(RelayMethod.SENDMSG, current, **arguments).value
        except NetlinkError as exc:
            if exc.errno != errno.EAGAIN:
                raise
        # The receiver may have read past us what counts as queued over there.
        self._kernel.settle()
        return self._ask(RelayMethod.SENDMSG, current, **arguments).value

    def recvmsg(self, size: int, flags: int = 0, current: Current | None = None) -> RecvMsg:
        """See Socket."""
        queue = self._here.receive_queue
        if not flags & MSG_OOB and not self._error and not self._wire.dead:
            if not queue:
                raise NetlinkError(errno.EAGAIN)  # what there is has been reported
            if not self._control and not self.dumping and not self._kernel.options_here:
                return self._receive_here(size, flags)
        r = self._ask(RelayMethod.RECVMSG, current, a=size, b=flags)
        try:
            if not flags & MSG_PEEK:
                queue.popleft()
            control = [Cmsg(*cmsg) for cmsg in decode_cmsgs(r.control)]
        except (IndexError, DecodeError):  # it was never reported, or is none
            self._wire.dead = True
            raise NetlinkError(errno.ECONNRESET) from None
        return RecvMsg(r.data, r.length, r.value, r.name, control, r.msg_flags)

    def _receive_here(self, size: int, flags: int) -> RecvMsg:
        """Receive a plain datagram, which is known here, without waiting for the other side."""
        received = self._here.recvmsg(size, flags)
        if not flags & MSG_PEEK:
            self._wire.tell(self._call(RelayMethod.RECEIVED, None, a=size, b=flags))
        return received

    def take_datagram(self, size: int = 0) -> bytes | None:
        """See Socket."""
        queue = self._here.receive_queue
        if not queue:
            return None
        self._do(RelayMethod.TAKE_DATAGRAM)
        return queue.popleft().data

    def setsockopt(self, current: Current, level: int, optname: int, value: bytes) -> None:
        """See Socket."""
        if self._kernel.options_here:
            here = self._here
            here.setsockopt(current, level, optname, value)
            self.sndbuf, self.rcvtimeo, self.sndtimeo = here.sndbuf, here.rcvtimeo, here.sndtimeo
        self._do(RelayMethod.SETSOCKOPT, current, a=level, b=optname, data=value)

    def getsockopt(self, level: int, optname: int, optlen: int) -> tuple[bytes, int]:
        """See Socket."""
        if not self._kernel.options_here:
            report = self._ask(RelayMethod.GETSOCKOPT, a=level, b=optname, c=optlen)
            return report.data, report.value
        here = self._here
        here.sk_err = self._error
        try:
            return here.getsockopt(level, optname, optlen)
        finally:  # SO_ERROR takes it
            self.sk_err, here.sk_err = here.sk_err, 0

    def attach_filter(self, program: Sequence[Instruction]) -> None:
        """See Socket."""
        if self._kernel.options_here:
            self._here.attach_filter(program)
        code = b"".join(_SOCK_FILTER.pack(*instruction) for instruction in program)
        self._do(RelayMethod.ATTACH_FILTER, data=code)

    def detach_filter(self) -> None:
        """See Socket."""
        if self._kernel.options_here:
            self._here.detach_filter()
        self._do(RelayMethod.DETACH_FILTER)

    def not_supported(self) -> None:
        """See Socket."""
        self._here.not_supported()

    def ioctl(self, request: int) -> None:
        """See Socket."""
        self._here.ioctl(request)

    def release(self) -> None:
        """See Socket."""
        if not self.closed:
            self.closed = True
            self._here.release()
            self._kernel.forget(self._number)
            self._wire.tell(RelayCall(RelayMethod.RELEASE, self._number))


def _seconds(nanoseconds: int) -> float | None:
    """A time-out; a negative one is None."""
    return None if nanoseconds < 0 else nanoseconds / _NSEC
