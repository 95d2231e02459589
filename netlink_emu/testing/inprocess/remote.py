"""The helper's view of a kernel that lives in the test process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from errno import EAGAIN
from typing import Any, Final, cast

from netlink_emu.families import BootedKernel
from netlink_emu.kernel.af_netlink import MSG_PEEK, NetlinkSock, RecvMsg
from netlink_emu.kernel.current import Current
from netlink_emu.kernel.dump import NetlinkDump
from netlink_emu.kernel.scm import Cmsg
from netlink_emu.kernel.skbuff import SkBuff
from netlink_emu.machine.namespaces import NetNamespace
from netlink_emu.protocol.bpf import Instruction
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.testing.inprocess.wire import Arrived, Call, Failed, Returned, State

# Sends a call; for those that are answered, gives the answer.
Ask = Callable[[Call], Returned]
Tell = Callable[[Call], None]
# Somebody may have the portid: only the other side knows.
_SOMEBODY: Final = cast(NetlinkSock, object())


class RemoteKernel(BootedKernel):
    """A kernel of the same release, whose sockets are the test process's.

    Options are kept here and there, so that who sets and reads them need not wait for the other
    process: its threads hold a lock in those calls.
    """

    def attach(self, ask: Ask, tell: Tell, tid: Callable[[], int]) -> None:
        """``tid`` is the thread whose call is answered now."""
        self._ask, self._tell, self._tid = ask, tell, tid
        self._socks: dict[int, RemoteSock] = {}
        self.netlink.lookup = self._lookup  # type: ignore[method-assign]

    def _lookup(self, net: NetNamespace, protocol: int, portid: int) -> NetlinkSock:
        return _SOMEBODY

    def socket(self, current: Current, type: int, protocol: int) -> NetlinkSock:
        answer = self._ask(Call(0, "socket", (type, protocol), self._tid()))
        if answer.errno:
            raise NetlinkError(answer.errno)
        sock = RemoteSock(self, current, type, protocol, answer.value)
        self._socks[answer.value] = sock
        return sock

    def ask(self, sock: RemoteSock, method: str, *args: Any) -> Any:
        """Call a method there; what it changes is then known here."""
        answer = self._ask(Call(sock.number, method, args, self._tid()))
        if answer.state is not None:
            sock.adopt(answer.state)
        if answer.errno:
            raise NetlinkError(answer.errno)
        return answer.value

    def tell(self, sock: RemoteSock, method: str, *args: Any) -> None:
        """The same, without waiting."""
        self._tell(Call(sock.number, method, args, self._tid(), answered=False))

    def pushed(self, message: Arrived | Failed) -> None:
        """The test process says what became of a socket."""
        sock = self._socks.get(message.sock)
        if sock is None:  # closed meanwhile
            return
        if isinstance(message, Arrived):
            skb = SkBuff(message.data, 0, message.portid, message.dst_group)
            sock.receive_queue.append(skb)
            if sock.data_ready is not None:
                sock.data_ready(sock)
        else:
            sock.sk_err = message.errno
            if sock.error_report is not None:
                sock.error_report(sock)

    def forget(self, sock: RemoteSock) -> None:
        del self._socks[sock.number]


class RemoteSock(NetlinkSock):
    """A socket whose queue is mirrored here, and whose true self is there."""

    kernel: RemoteKernel  # type: ignore[misc]

    def __init__(
        self, kernel: RemoteKernel, current: Current, type: int, protocol: int, number: int
    ) -> None:
        super().__init__(kernel, current, type, protocol)
        self.number: Final = number

    def adopt(self, state: State) -> None:
        """What is true there is true here."""
        self.portid, self.bound = state.portid, state.bound
        self.groups, self.groups_allocated = state.groups, state.groups_allocated
        self.connected = state.connected
        self.dst_portid, self.dst_group = state.dst_portid, state.dst_group
        self.dump = cast(NetlinkDump, _SOMEBODY) if state.dumping else None

    # --- what the other side does

    def bind(self, current: Current, addr: bytes) -> None:
        self.kernel.ask(self, "bind", addr)

    def connect(self, current: Current, addr: bytes) -> None:
        self.kernel.ask(self, "connect", addr)

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
        return int(self.kernel.ask(self, "sendmsg", data, addr, list(control), flags, length))

    def recvmsg(self, size: int, flags: int = 0, current: Current | None = None) -> RecvMsg:
        if not self.receive_queue and not self.sk_err:
            raise NetlinkError(EAGAIN)
        try:
            received: RecvMsg = self.kernel.ask(self, "recvmsg", size, flags)
        except NetlinkError:
            self.sk_err = 0  # which it reported
            raise
        if not flags & MSG_PEEK:
            self.receive_queue.popleft()
        return received

    def take_datagram(self) -> bytes | None:
        if not self.receive_queue:
            return None
        self.kernel.tell(self, "take_datagram")
        return self.receive_queue.popleft().data

    # --- what is done on both sides

    def take_error(self) -> int:
        self.kernel.tell(self, "take_error")
        return super().take_error()

    def setsockopt(self, current: Current, level: int, optname: int, value: bytes) -> None:
        super().setsockopt(current, level, optname, value)
        self.kernel.tell(self, "setsockopt", level, optname, value)

    def attach_filter(self, program: Sequence[Instruction]) -> None:
        super().attach_filter(program)
        self.kernel.tell(self, "attach_filter", list(program))

    def detach_filter(self) -> None:
        super().detach_filter()
        self.kernel.tell(self, "detach_filter")

    def release(self) -> None:
        if not self.closed:
            self.closed = True
            self.kernel.tell(self, "release")
            self.kernel.forget(self)
