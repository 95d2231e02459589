"""A kernel in another process, whose sockets the supervisor uses as if they were its own.

The other side is netlink_emu/server/relay.py: each system call of a client is carried there and
answered before it returns. What arrives at a socket is reported as it does, so that the
clients' poll tells of it, and lies here until its client takes it; the queue that counts, with
its limits and errors, is over there.
"""

from __future__ import annotations

import array
import errno
import socket
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, cast

import trio

from netlink_emu.interpose.errors import InterposeError
from netlink_emu.kernel.af_netlink import MSG_OOB, MSG_PEEK, NetlinkSock, RecvMsg
from netlink_emu.kernel.current import Current
from netlink_emu.kernel.dump import NetlinkDump
from netlink_emu.kernel.kernel import Kernel
from netlink_emu.kernel.releases import UnknownArchError, UnknownReleaseError, profile_for
from netlink_emu.kernel.scm import Cmsg
from netlink_emu.kernel.skbuff import SkBuff
from netlink_emu.machine.machine import Machine
from netlink_emu.machine.namespaces import NetNamespace
from netlink_emu.protocol.bpf import Instruction
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.format import HOST_ORDER, DecodeError
from netlink_emu.protocol.ours.relay import (
    RELAY_HELLO,
    Frames,
    RelayCall,
    RelayHello,
    RelayMethod,
    RelayReport,
    RelayWish,
    ReportKind,
    SockState,
    decode_cmsgs,
    decode_report,
    encode_call,
    encode_cmsgs,
)

# A kernel answers at once: a server that does not is as good as gone.
_PATIENCE: Final = 10.0
_CHUNK: Final = 1 << 18
_SOCK_FILTER: Final = struct.Struct("=HBBI")
_NSEC: Final = 1_000_000_000
_MAX_ERRNO: Final = 4095  # include/linux/err.h
# Somebody may have the portid, a dump may be under way: only the other side knows who and which.
_SOMEBODY: Final = cast(NetlinkSock, object())
_SOME_DUMP: Final = cast(NetlinkDump, object())


class ConnectError(InterposeError):
    """There is no server, or none that we understand."""


class Wire:
    """The stream to the server. ``arrived`` is told what becomes of sockets meanwhile."""

    def __init__(self, stream: socket.socket) -> None:
        self.dead = False
        self.arrived: Callable[[RelayReport], None] = lambda _report: None
        self._stream = stream
        self._stream.settimeout(_PATIENCE)
        self._frames = Frames()
        self._returned: list[RelayReport] = []

    def fileno(self) -> int:
        return self._stream.fileno()

    def close(self) -> None:
        self._stream.close()

    def tell(self, call: RelayCall) -> None:
        """Without waiting for its end; nothing happens where nobody is left to hear it."""
        if not self.dead:
            try:
                self._stream.sendall(encode_call(call))
            except OSError:
                self.dead = True

    def ask(self, call: RelayCall) -> RelayReport:
        """The report on a call; raises NetlinkError: the kernel's, or ECONNRESET without one."""
        self.tell(call)
        report = self.wait()
        if report is None:
            raise NetlinkError(errno.ECONNRESET)
        return report

    def wait(self) -> RelayReport | None:
        """The next report that was asked for; None if the server is gone."""
        while not self._returned and not self.dead:
            self._read(0)
        return self._returned.pop(0) if self._returned else None

    def pump(self) -> None:
        """Take note of what has arrived."""
        self._read(socket.MSG_DONTWAIT)

    def _read(self, flags: int) -> None:
        try:
            data = self._stream.recv(_CHUNK, flags)
            if not data:
                self.dead = True
            for frame in self._frames.feed(data):
                report = decode_report(frame)
                if not all(0 <= error <= _MAX_ERRNO for error in (report.error, report.sk_err)):
                    raise DecodeError("a report with an errno that there is not")
                if report.kind in (ReportKind.RETURNED, ReportKind.WELCOME):
                    self._returned.append(report)
                else:
                    self.arrived(report)
        except BlockingIOError:
            return
        except (OSError, DecodeError):
            self.dead = True


class RemoteKernel(Kernel):
    """The kernel of a server, as far as its sockets go; made by :func:`connect`."""

    def __init__(self, release: str, arch: str, wire: Wire) -> None:
        super().__init__(Machine(cpus=1), profile_for(release, arch=arch))
        self.wire: Final = wire
        self._socks: dict[int, RemoteSock] = {}
        wire.arrived = self._arrived
        # Only the other side knows who has a portid.
        self.netlink.lookup = self._lookup  # type: ignore[method-assign]

    def _lookup(self, net: NetNamespace, protocol: int, portid: int) -> NetlinkSock:
        return _SOMEBODY

    @property
    def socks(self) -> list[RemoteSock]:
        """The sockets that are not closed."""
        return [*self._socks.values()]

    def close(self) -> None:
        """The server's sockets of ours are closed, too."""
        self.wire.close()

    def socket(self, current: Current, type: int, protocol: int) -> NetlinkSock:
        """See Kernel."""
        call = RelayCall(RelayMethod.SOCKET, a=type, b=protocol, tid=current.tid)
        report = self.wire.ask(call)
        if report.error:
            raise NetlinkError(report.error)
        sock = RemoteSock(self, current, type, protocol, report.value)
        self._socks[report.value] = sock
        return sock

    def forget(self, sock: RemoteSock) -> None:
        del self._socks[sock.number]

    def _arrived(self, report: RelayReport) -> None:
        """News of a socket; none of ours if it was closed meanwhile."""
        sock = self._socks.get(report.sock)
        if sock is None:
            return
        if report.kind == ReportKind.ARRIVED:
            sock.queue(SkBuff(report.data, 0, report.portid, report.dst_group))
        else:
            sock.fail(report.error)

    async def attend(self, flush: Callable[[], None], lost: Callable[[], None]) -> None:
        """Have what arrives by itself flushed; at the server's end call ``lost``."""
        while not self.wire.dead:
            await trio.lowlevel.wait_readable(self.wire)
            self.wire.pump()
            flush()
        for sock in [*self._socks.values()]:
            sock.fail(errno.ECONNRESET)
        lost()


class RemoteSock(NetlinkSock):
    """A socket whose true self is on the other side; here is what its client's poll must know."""

    def __init__(
        self, kernel: RemoteKernel, current: Current, type: int, protocol: int, number: int
    ) -> None:
        self._error = 0
        self._control = False
        self._receive_timeout: int = -1
        self._send_timeout: int = -1
        super().__init__(kernel, current, type, protocol)
        self.number: Final = number
        self._remote: Final = kernel

    def _ask(
        self,
        method: RelayMethod,
        current: Current | None = None,
        *,
        a: int = 0,
        b: int = 0,
        c: int = 0,
        address: bytes = b"",
        control: bytes = b"",
        data: bytes = b"",
    ) -> RelayReport:
        tid, tgid = (0, 0) if current is None else (current.tid, current.tgid_vnr)
        call = RelayCall(method, self.number, tid, tgid, a, b, c, address, control, data)
        report = self._remote.wire.ask(call)
        self._adopt(report)
        if report.error:
            raise NetlinkError(report.error)
        return report

    def _adopt(self, report: RelayReport) -> None:
        """What is true there is true here."""
        self.bound = bool(report.state & SockState.BOUND)
        self.connected = bool(report.state & SockState.CONNECTED)
        self.groups_allocated = bool(report.state & SockState.GROUPS_ALLOCATED)
        self._control = bool(report.state & SockState.CONTROL)
        self.dump = _SOME_DUMP if report.state & SockState.DUMPING else None
        self.portid, self.groups = report.portid, report.groups
        self.dst_portid, self.dst_group = report.dst_portid, report.dst_group
        self.sndbuf, self._error = report.sndbuf, report.sk_err
        self._receive_timeout, self._send_timeout = report.rcvtimeo, report.sndtimeo

    # --- what arrives

    def queue(self, skb: SkBuff) -> None:
        """A datagram lies in the queue."""
        self.receive_queue.append(skb)
        if self.data_ready is not None:
            self.data_ready(self)

    def fail(self, error: int) -> None:
        """An error is pending."""
        self._error = error
        if self.error_report is not None:
            self.error_report(self)

    @property
    def sk_err(self) -> int:
        """The pending error, there and here."""
        return self._error

    @sk_err.setter
    def sk_err(self, error: int) -> None:
        if error != self._error:
            self._error = error
            self._ask(RelayMethod.SET_ERROR, a=error)

    @property
    def rcvtimeo(self) -> float | None:
        """See Sock."""
        return None if self._receive_timeout < 0 else self._receive_timeout / _NSEC

    @property
    def sndtimeo(self) -> float | None:
        """See Sock."""
        return None if self._send_timeout < 0 else self._send_timeout / _NSEC

    # --- system calls

    def bind(self, current: Current, addr: bytes) -> None:
        """See NetlinkSock."""
        self._ask(RelayMethod.BIND, current, address=addr)

    def connect(self, current: Current, addr: bytes) -> None:
        """See NetlinkSock."""
        self._ask(RelayMethod.CONNECT, current, address=addr)

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
        """See NetlinkSock."""
        report = self._ask(
            RelayMethod.SENDMSG,
            current,
            a=flags,
            b=len(data) if length is None else length,
            address=addr,
            control=encode_cmsgs([(c.level, c.type, c.data) for c in control]),
            data=data,
        )
        return report.value

    def recvmsg(self, size: int, flags: int = 0, current: Current | None = None) -> RecvMsg:
        """See NetlinkSock."""
        if not flags & MSG_OOB and not self._error and not self._remote.wire.dead:
            if not self.receive_queue:
                raise NetlinkError(errno.EAGAIN)  # what there is has been reported
            if not self._control and self.dump is None:
                return self._receive_here(size, flags)
        r = self._ask(RelayMethod.RECVMSG, current, a=size, b=flags)
        try:
            if not flags & MSG_PEEK:
                self.receive_queue.popleft()
            control = [Cmsg(*cmsg) for cmsg in decode_cmsgs(r.control)]
        except (IndexError, DecodeError):  # it was never reported, or is none
            self._remote.wire.dead = True
            raise NetlinkError(errno.ECONNRESET) from None
        return RecvMsg(r.data, r.length, r.value, r.name, control, r.msg_flags)

    def _receive_here(self, size: int, flags: int) -> RecvMsg:
        """A plain datagram is all known here; the other side need not be waited for."""
        received = super().recvmsg(size, flags)
        if not flags & MSG_PEEK:
            self._remote.wire.tell(RelayCall(RelayMethod.RECEIVED, self.number, a=size, b=flags))
        return received

    def take_datagram(self) -> bytes | None:
        """See NetlinkSock."""
        if not self.receive_queue:
            return None
        self._ask(RelayMethod.TAKE_DATAGRAM)
        return self.receive_queue.popleft().data

    def setsockopt(self, current: Current, level: int, optname: int, value: bytes) -> None:
        """See NetlinkSock."""
        self._ask(RelayMethod.SETSOCKOPT, current, a=level, b=optname, data=value)

    def getsockopt(self, level: int, optname: int, optlen: int) -> tuple[bytes, int]:
        """See NetlinkSock."""
        report = self._ask(RelayMethod.GETSOCKOPT, a=level, b=optname, c=optlen)
        return report.data, report.value

    def attach_filter(self, program: Sequence[Instruction]) -> None:
        """See NetlinkSock."""
        code = b"".join(_SOCK_FILTER.pack(*instruction) for instruction in program)
        self._ask(RelayMethod.ATTACH_FILTER, data=code)

    def detach_filter(self) -> None:
        """See NetlinkSock."""
        self._ask(RelayMethod.DETACH_FILTER)

    def release(self) -> None:
        """See NetlinkSock."""
        if not self.closed:
            self.closed = True
            self._remote.forget(self)
            self._remote.wire.tell(RelayCall(RelayMethod.RELEASE, self.number))


def connect(path: Path, *, uid: int | None = None, net_admin: bool = True) -> RemoteKernel:
    """The kernel of the server at ``path``; raises ConnectError.

    Clients are there who the server has them be, or less: user ``uid``, without CAP_NET_ADMIN.
    """
    wishes = RelayWish(0)
    if uid is not None:
        wishes |= RelayWish.UID
    if not net_admin:
        wishes |= RelayWish.NO_NET_ADMIN
    return welcomed(Wire(_hand_over(path, RelayHello(wishes=int(wishes), uid=uid or 0))), path)


def welcomed(wire: Wire, path: Path) -> RemoteKernel:
    """The kernel at the other end, when the server has said which it is; raises ConnectError."""
    welcome = wire.wait()
    if welcome is None or welcome.kind != ReportKind.WELCOME:
        wire.close()
        raise ConnectError(
            f"the server at {path} does not take calls: it is of another version, or has no "
            "descriptor left"
        )
    release, _, arch = welcome.data.decode("utf-8", "replace").partition("\0")
    try:
        return RemoteKernel(release, arch, wire)
    except (UnknownReleaseError, UnknownArchError) as exc:
        wire.close()
        raise ConnectError(
            f"the server at {path} has a kernel that is not known here: {exc}"
        ) from exc


def _hand_over(path: Path, hello: RelayHello) -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [theirs.fileno()]))
    try:
        with theirs, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
            way.connect(str(path))
            way.sendmsg([RELAY_HELLO[HOST_ORDER].encode(hello)], [rights])
    except OSError as exc:
        ours.close()
        raise ConnectError(f"no server can be reached at {path}: {exc.strerror or exc}") from exc
    return ours
