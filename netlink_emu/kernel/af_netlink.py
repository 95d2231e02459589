"""Netlink sockets: net/netlink/af_netlink.c.

A :class:`NetlinkSock` is what a client's descriptor refers to. Its methods are the system calls,
and raise :class:`NetlinkError` with their errno; nothing blocks, EAGAIN says that a blocking
call would wait. When ``sendmsg`` returns, the kernel's answers are queued.
"""

from __future__ import annotations

from collections.abc import Sequence
from errno import EAGAIN, EFAULT, EINVAL, EMSGSIZE, ENOBUFS, ENODATA, ENOTTY, EOPNOTSUPP, EPERM
from typing import TYPE_CHECKING, Final

from netlink_emu.kernel.dump import Dumping
from netlink_emu.kernel.msghdr import MSG_OOB, MSG_PEEK, MSG_TRUNC, RecvMsg
from netlink_emu.kernel.receive_queue import ReceiveQueue
from netlink_emu.kernel.scm import Cmsg, scm_recv, scm_send
from netlink_emu.kernel.skbuff import MAX_DATAGRAM, SkBuff
from netlink_emu.kernel.sockaddr import (
    check_addrlen,
    ffs,
    group_mask,
    read_sockaddr,
    write_sockaddr,
)
from netlink_emu.machine.credentials import CAP_NET_ADMIN
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.netlink import SOL_NETLINK, NetlinkSockOpt

if TYPE_CHECKING:
    from netlink_emu.kernel.current import Current
    from netlink_emu.kernel.kernel import Kernel

_MEMBERSHIPS: Final = frozenset(
    {NetlinkSockOpt.NETLINK_ADD_MEMBERSHIP, NetlinkSockOpt.NETLINK_DROP_MEMBERSHIP}
)


class NetlinkSock(ReceiveQueue):
    """struct netlink_sock.

    What it receives waits in its :class:`ReceiveQueue`.
    """

    def __init__(self, kernel: Kernel, current: Current, type: int, protocol: int) -> None:
        super().__init__(kernel, current.net, type, protocol)
        self.creator: Final = current
        self.opener: Final = current.cred
        self.portid = 0
        self.bound = False
        self.closed = False
        self.connected = False
        self.dst_portid = 0
        self.dst_group = 0
        self.max_recvmsg_len = 0
        self.dump: Dumping | None = None
        self._from_kernel: Final = write_sockaddr(kernel.profile, 0, 0)
        if kernel.trace is not None:
            kernel.trace.socket_opened(self, current)

    def nlk_sk(self) -> NetlinkSock:
        return self

    # --- for an edge

    @property
    def dumping(self) -> bool:
        """Whether a dump goes on when something has been received."""
        return self.dump is not None

    def portid_in_use(self, portid: int) -> bool:
        """Whether a socket of its protocol and network namespace has the portid."""
        return self.kernel.netlink.lookup(self.net, self.protocol, portid) is not None

    # --- addresses

    def bind(self, current: Current, addr: bytes) -> None:
        """bind(2): a portid (0: autobind) and the mask of groups 1 to 32."""
        check_addrlen(addr)
        profile = self.kernel.profile
        pid, groups = read_sockaddr(profile, addr, checked=profile.bind_checks_length)
        if groups:
            self.need_nonroot_recv(current)
            self.groups_allocated = True
        groups &= (1 << self.ngroups) - 1 if self.groups_allocated else 0xFFFFFFFF
        if self.bound and pid != self.portid:
            raise NetlinkError(EINVAL)
        if self.table.bind is not None:
            for group in range(1, groups.bit_length() + 1):
                if groups >> (group - 1) & 1:
                    self.table.bind(current, self.net, group)
        if not self.bound:
            if pid:
                self.kernel.netlink.insert(self, pid)
            else:
                self.kernel.netlink.autobind(self, current)
        self._subscribe(self.groups & ~0xFFFFFFFF | groups)

    def _subscribe(self, groups: int) -> None:
        joined, left = groups & ~self.groups, self.groups & ~groups
        self.groups = groups
        self.kernel.netlink.update_subscriptions(self)
        if self.kernel.trace is not None and (joined or left):
            self.kernel.trace.groups_changed(self, joined, left)

    def setsockopt(self, current: Current, level: int, optname: int, value: bytes) -> None:
        """Set an option; ``value`` is what optval points to."""
        trace = self.kernel.trace
        if trace is None:
            super().setsockopt(current, level, optname, value)
            return
        try:
            super().setsockopt(current, level, optname, value)
        except NetlinkError as error:
            trace.option_set(self, level, optname, value, error.errno)
            raise
        if level != SOL_NETLINK or optname not in _MEMBERSHIPS:
            trace.option_set(self, level, optname, value, 0)

    def connect(self, current: Current, addr: bytes) -> None:
        """connect(2): where send() goes, and from whom alone to receive; AF_UNSPEC undoes it."""
        profile = self.kernel.profile
        check_addrlen(addr)
        if len(addr) < 2:
            raise NetlinkError(EINVAL)
        family = int.from_bytes(addr[:2], profile.arch.order.name)
        if family == 0:
            self.connected, self.dst_portid, self.dst_group = False, 0, 0
            return
        pid, groups = read_sockaddr(profile, addr, checked=profile.send_checks_length)
        if groups or (pid and profile.connect_needs_admin):
            self._need_nonroot_send(current)
        if not self.bound:
            self.kernel.netlink.autobind(self, current)
        self.connected, self.dst_portid, self.dst_group = True, pid, ffs(groups)

    def getsockname(self) -> bytes:
        """getsockname(2): 12 bytes; zeros before bind."""
        return write_sockaddr(self.kernel.profile, self.portid, self.groups & 0xFFFFFFFF)

    def getpeername(self) -> bytes:
        """getpeername(2): 12 bytes; zeros (the kernel) unless connected elsewhere."""
        profile = self.kernel.profile
        return write_sockaddr(profile, self.dst_portid, group_mask(profile, self.dst_group))

    def _need_nonroot_send(self, current: Current) -> None:
        if not self.table.nonroot_send and not current.ns_capable(self.net.user_ns, CAP_NET_ADMIN):
            raise NetlinkError(EPERM)

    # --- sending

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
        """sendmsg(2), sendto(2), send(2), write(2); returns the number of bytes taken.

        ``length`` is given where ``data`` is shorter because it could not be read: EFAULT, when
        nothing else is wrong, for the bytes are the last thing that the kernel looks at.
        """
        profile = self.kernel.profile
        if flags & MSG_OOB:
            raise NetlinkError(EOPNOTSUPP)
        if length is None:
            length = len(data)
        if not length:
            if profile.zero_send_enodata:
                raise NetlinkError(ENODATA)
            return 0
        if self.kernel.injector is not None:
            self.kernel.injector.send(self, current, data)
        creds = scm_send(self.kernel, current, control)
        portid, group = self.dst_portid, self.dst_group
        if addr:
            portid, groups = read_sockaddr(profile, addr, checked=profile.send_checks_length)
            group = ffs(groups)
            if group or (portid and profile.unicast_needs_admin):
                self._need_nonroot_send(current)
        if not self.bound:
            self.kernel.netlink.autobind(self, current)
        if length > self.sndbuf - 32:
            raise NetlinkError(EMSGSIZE)
        if length > MAX_DATAGRAM:
            raise NetlinkError(ENOBUFS)
        if length > len(data):
            raise NetlinkError(EFAULT)
        # netlink_alloc_large_skb(); what goes to a group, or stays small, is in one piece.
        sizes = self.kernel.skb
        skb = SkBuff(
            data,
            sizes.alloc_truesize(length) if group else sizes.large_truesize(length),
            self.portid,
            group,
            creds,
            self,
            current,
            bool(addr),
        )
        if self.kernel.trace is not None:
            self.kernel.trace.sent(self, skb, portid)
        if group:
            self.kernel.netlink.broadcast(self, skb, portid, group)
        return self.kernel.netlink.unicast(self, skb, portid)

    # --- receiving

    def recvmsg(self, size: int, flags: int = 0, current: Current | None = None) -> RecvMsg:
        """recvmsg(2) and its kin, into ``size`` bytes: one datagram.

        Raises a pending error first (ENOBUFS, once), then EAGAIN when nothing is queued.
        """
        if flags & MSG_OOB:
            raise NetlinkError(EOPNOTSUPP)
        queue = self.receive_queue
        if self.sk_err or not queue:
            if not queue:
                self.congested = False
            raise NetlinkError(self.take_error() or EAGAIN)
        skb = queue[0]
        if size > self.max_recvmsg_len:
            self.max_recvmsg_len = min(size, self.kernel.skb.max_dump)
        data, length = skb.data, len(skb.data)
        shown = MSG_TRUNC if size < length else 0
        if shown:
            data = data[:size]
        whole = flags & MSG_TRUNC and self.kernel.profile.msg_trunc_returns_length
        result = length if whole else len(data)
        name = self._from_kernel
        if skb.portid or skb.dst_group:
            profile = self.kernel.profile
            name = write_sockaddr(profile, skb.portid, group_mask(profile, skb.dst_group))
        control = scm_recv(self, skb, current) if self.pktinfo or self.passcred else []
        received = RecvMsg(data, length, result, name, control, shown)
        if not flags & MSG_PEEK:
            queue.popleft()
            self.rmem_alloc -= skb.truesize
        if self.dump is not None:
            self._continue_dump()
        if not queue:
            self.congested = False
        return received

    def _continue_dump(self) -> None:
        """Of a dump, the next part is made when half of the buffer is free."""
        if self.dump is not None and self.rmem_alloc <= self.rcvbuf // 2:
            try:
                self.dump.go_on(self)
            except NetlinkError as error:
                self.set_error(error.errno)

    def take_datagram(self, size: int = 0) -> bytes | None:
        """Take what is first in the queue, for an edge whose client has its own: else None.

        As a read by a client with a buffer of ``size`` bytes (0: a large one), without its system
        call: no pending error is reported. Dumps go on, a drained queue ends congestion.
        """
        queue = self.receive_queue
        if not queue:
            return None
        skb = queue.popleft()
        self.rmem_alloc -= skb.truesize
        largest = self.kernel.skb.max_dump
        self.max_recvmsg_len = max(self.max_recvmsg_len, min(size, largest)) if size else largest
        if self.dump is not None:
            self._continue_dump()
        if not queue:
            self.congested = False
        return skb.data

    # --- the rest of the system calls

    def not_supported(self) -> None:
        """listen(2), accept(2), shutdown(2), socketpair(2)."""
        raise NetlinkError(EOPNOTSUPP)

    def ioctl(self, request: int) -> None:
        """ioctl(2) of any request that reaches the socket (FIONREAD, SIOCOUTQ...)."""
        raise NetlinkError(ENOTTY if self.kernel.profile.ioctl_enotty else EOPNOTSUPP)

    def release(self) -> None:
        """The last descriptor is closed. What was REGISTERed stays with the portid."""
        if self.closed:
            return
        self.closed = True
        if self.kernel.trace is not None:
            self.kernel.trace.socket_closed(self)
        self.dump = None
        self.receive_queue.clear()
        self.rmem_alloc = 0
        self._force_rcvbuf(0)
        self.kernel.netlink.remove(self)
