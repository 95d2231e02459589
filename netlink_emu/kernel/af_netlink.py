"""Netlink sockets: net/netlink/af_netlink.c.

A :class:`NetlinkSock` is what a client's descriptor refers to. Its methods are the system calls,
and raise :class:`NetlinkError` with their errno; nothing blocks, EAGAIN says that a blocking
call would wait. When ``sendmsg`` returns, the kernel's answers are queued.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from errno import (
    EAGAIN,
    EFAULT,
    EINVAL,
    EMSGSIZE,
    ENOBUFS,
    ENODATA,
    ENOENT,
    ENOTTY,
    EOPNOTSUPP,
    EPERM,
)
from typing import TYPE_CHECKING, Final

from netlink_emu.kernel.dump import Dumping
from netlink_emu.kernel.msghdr import (
    MSG_OOB,
    MSG_PEEK,
    MSG_TRUNC,
    POLLERR,
    POLLIN,
    POLLOUT,
    POLLRDNORM,
    POLLWRBAND,
    POLLWRNORM,
    RecvMsg,
)
from netlink_emu.kernel.scm import Cmsg, scm_recv, scm_send
from netlink_emu.kernel.skbuff import MAX_DATAGRAM, SkBuff
from netlink_emu.kernel.sock import SO_ATTACH_FILTER, SO_DETACH_FILTER
from netlink_emu.kernel.sockaddr import (
    check_addrlen,
    ffs,
    group_mask,
    read_sockaddr,
    write_sockaddr,
)
from netlink_emu.kernel.sockopt import NetlinkOptions
from netlink_emu.kernel.trace import DropReason
from netlink_emu.machine.credentials import CAP_NET_ADMIN
from netlink_emu.protocol.bpf import Filter, Instruction
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.netlink import SOL_NETLINK, SOL_SOCKET, NetlinkSockOpt

if TYPE_CHECKING:
    from netlink_emu.kernel.current import Current
    from netlink_emu.kernel.kernel import Kernel

_MEMBERSHIPS: Final = frozenset(
    {NetlinkSockOpt.NETLINK_ADD_MEMBERSHIP, NetlinkSockOpt.NETLINK_DROP_MEMBERSHIP}
)
Callback = Callable[["NetlinkSock"], None]


class NetlinkSock(NetlinkOptions):
    """struct netlink_sock.

    ``data_ready`` is called after each datagram that was queued (sk_data_ready), ``error_report``
    after an error was set (sk_error_report); an edge puts itself there. ``queued`` and ``drops``
    count datagrams since the socket was made.
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
        self.receive_queue: deque[SkBuff] = deque()
        self.rmem_alloc = 0
        self.congested = False
        self.drops = 0
        self.queued = 0
        self.max_recvmsg_len = 0
        self.dump: Dumping | None = None
        self.filter: Filter | None = None
        self.data_ready: Callback | None = None
        self.error_report: Callback | None = None
        self._settle: Callable[[], None] | None = None
        self._from_kernel: Final = write_sockaddr(kernel.profile, 0, 0)
        if kernel.trace is not None:
            kernel.trace.socket_opened(self, current)

    # --- for an edge

    def watch(
        self, ready: Callable[[], None] | None, settle: Callable[[], None] | None = None
    ) -> bool:
        """Call ``ready`` after each datagram that was queued and each error; None: no more.

        ``settle`` is called before a datagram is refused: its owner may know of some that have
        been received, and take them then. That it will be is what is returned.
        """
        self.data_ready = self.error_report = None if ready is None else lambda _sock: ready()
        self._settle = settle
        return True

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

    def deliver(self, skb: SkBuff) -> bool:
        """Queue ``skb`` as :meth:`admit` does, past the faults if there are any."""
        injector = self.kernel.injector
        return self.admit(skb) if injector is None else injector.deliver(self, skb, dump=False)

    def admit(self, skb: SkBuff) -> bool:
        """netlink_attachskb() and netlink_sendskb(): queue ``skb``; False when there is no room.

        A socket filter may cut the datagram or swallow it, which the sender does not notice.
        """
        if self.filter is not None:
            keep = self.sk_filter(skb.data)
            if not keep:
                if self.kernel.trace is not None:
                    self.kernel.trace.dropped(self, skb, DropReason.FILTER)
                return True
            if keep < len(skb.data):
                skb = SkBuff(skb.data[:keep], skb.truesize, skb.portid, skb.dst_group, skb.creds)
        used = self.rmem_alloc
        if (
            self.congested
            or (
                used + skb.truesize > self.rcvbuf and used
                if self.kernel.profile.rmem_sum_rule
                else used > self.rcvbuf
            )
        ) and self._has_no_room(skb):
            if self.kernel.trace is not None:
                reason = DropReason.CONGESTED if self.congested else DropReason.NO_ROOM
                self.kernel.trace.dropped(self, skb, reason)
            return False
        # _enqueue(), here without a call of its own: a fan-out passes this for each listener.
        self.rmem_alloc += skb.truesize
        self.receive_queue.append(skb)
        self.queued += 1
        if self.kernel.trace is not None:
            self.kernel.trace.queued(self, skb)
        if self.data_ready is not None:
            self.data_ready(self)
        return True

    def _has_no_room(self, skb: SkBuff) -> bool:
        """The same once more, when it is certain what has been received."""
        if self._settle is not None:
            self._settle()
        used = self.rmem_alloc
        if self.kernel.profile.rmem_sum_rule:
            full = used + skb.truesize > self.rcvbuf and used > 0
        else:
            full = used > self.rcvbuf
        return self.congested or full

    def _enqueue(self, skb: SkBuff) -> None:
        self.rmem_alloc += skb.truesize
        self.receive_queue.append(skb)
        self.queued += 1
        if self.kernel.trace is not None:
            self.kernel.trace.queued(self, skb)
        if self.data_ready is not None:
            self.data_ready(self)

    def queue_dump(self, skb: SkBuff) -> None:
        """A dump's datagram: past the admission rule, which netlink_dump() checked itself."""
        injector = self.kernel.injector
        if injector is None:
            self.admit_dump(skb)
        elif not injector.deliver(self, skb, dump=True):
            self.overrun()

    def admit_dump(self, skb: SkBuff) -> None:
        """Queue it whatever room there is, past the socket's filter alone."""
        if self.filter is not None:
            keep = self.sk_filter(skb.data)
            if not keep:
                if self.kernel.trace is not None:
                    self.kernel.trace.dropped(self, skb, DropReason.FILTER)
                return
            skb.data = skb.data[:keep]
        self._enqueue(skb)

    def overrun(self) -> None:
        """netlink_overrun(): a datagram from the kernel was lost."""
        if not self.no_enobufs and not self.congested:
            self.congested = True
            if self.kernel.trace is not None:
                self.kernel.trace.overrun(self)
            self.set_error(ENOBUFS)
        self.drops += 1

    def set_error(self, errno: int) -> None:
        """sk->sk_err and sk_error_report()."""
        self.sk_err = errno
        if self.error_report is not None:
            self.error_report(self)

    def poll(self) -> int:
        """The events of poll(2) that hold now."""
        events = POLLOUT | POLLWRNORM | POLLWRBAND
        if self.sk_err:
            events |= POLLERR
        if self.receive_queue:
            events |= POLLIN | POLLRDNORM
        return events

    # --- the rest of the system calls

    def attach_filter(self, program: Sequence[Instruction]) -> None:
        """SO_ATTACH_FILTER with a classic BPF program; EINVAL if it is not sound.

        EPERM, as for SO_DETACH_FILTER, once SO_LOCK_FILTER is on.
        """
        self._change_filter(SO_ATTACH_FILTER, lambda: Filter(program))

    def detach_filter(self) -> None:
        """SO_DETACH_FILTER; ENOENT if there is none."""
        self._change_filter(SO_DETACH_FILTER, self._no_filter)

    def _no_filter(self) -> None:
        if self.filter is None:
            raise NetlinkError(ENOENT)

    def _change_filter(self, optname: int, make: Callable[[], Filter | None]) -> None:
        if self.filter_locked:
            raise NetlinkError(EPERM)
        self.filter = make()
        if self.kernel.trace is not None:
            self.kernel.trace.option_set(self, SOL_SOCKET, optname, b"", 0)

    def sk_filter(self, data: bytes) -> int:
        """How many bytes of a datagram the socket's filter keeps; it must have one."""
        assert self.filter is not None
        profile = self.kernel.profile
        return self.filter.run(
            data, order=profile.arch.order, a_without_device=profile.filter_a_without_device
        )

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
