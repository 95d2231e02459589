"""A socket's receive queue: netlink_attachskb(), netlink_sendskb() and netlink_overrun().

Here it is decided whether a datagram is let in; recvmsg(2) is in :mod:`.af_netlink`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from errno import ENOBUFS, ENOENT, EPERM
from typing import TYPE_CHECKING, Any

from netlink_emu.kernel.msghdr import POLLERR, POLLIN, POLLOUT, POLLRDNORM, POLLWRBAND, POLLWRNORM
from netlink_emu.kernel.skbuff import SkBuff
from netlink_emu.kernel.sock import SO_ATTACH_FILTER, SO_DETACH_FILTER
from netlink_emu.kernel.sockopt import NetlinkOptions
from netlink_emu.kernel.trace import DropReason
from netlink_emu.protocol.bpf import Filter, Instruction
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.netlink import SOL_SOCKET

if TYPE_CHECKING:
    from netlink_emu.kernel.af_netlink import NetlinkSock
    from netlink_emu.kernel.kernel import Kernel
    from netlink_emu.machine.namespaces import NetNamespace

Callback = Callable[[Any], None]  # given the NetlinkSock


class ReceiveQueue(NetlinkOptions):
    """What a socket has received and not read, and the filter before it.

    ``data_ready`` is called after each datagram that was queued (sk_data_ready), ``error_report``
    after an error was set (sk_error_report); an edge puts itself there. ``queued`` and ``drops``
    count datagrams since the socket was made.
    """

    def __init__(self, kernel: Kernel, net: NetNamespace, type: int, protocol: int) -> None:
        super().__init__(kernel, net, type, protocol)
        self.receive_queue: deque[SkBuff] = deque()
        self.rmem_alloc = 0
        self.drops = 0
        self.queued = 0
        self.filter: Filter | None = None
        self.data_ready: Callback | None = None
        self.error_report: Callback | None = None
        self._settle: Callable[[], None] | None = None

    def nlk_sk(self) -> NetlinkSock:
        """The socket that the queue is a part of."""
        raise NotImplementedError

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

    def deliver(self, skb: SkBuff) -> bool:
        """Queue ``skb`` as :meth:`admit` does, past the faults if there are any."""
        injector = self.kernel.injector
        if injector is None:
            return self.admit(skb)
        return injector.deliver(self.nlk_sk(), skb, dump=False)

    def admit(self, skb: SkBuff) -> bool:
        """netlink_attachskb() and netlink_sendskb(): queue ``skb``; False when there is no room.

        A socket filter may cut the datagram or swallow it, which the sender does not notice.
        """
        if self.filter is not None:
            keep = self.sk_filter(skb.data)
            if not keep:
                if self.kernel.trace is not None:
                    self.kernel.trace.dropped(self.nlk_sk(), skb, DropReason.FILTER)
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
                self.kernel.trace.dropped(self.nlk_sk(), skb, reason)
            return False
        # _enqueue(), here without a call of its own: a fan-out passes this for each listener.
        self.rmem_alloc += skb.truesize
        self.receive_queue.append(skb)
        self.queued += 1
        if self.kernel.trace is not None:
            self.kernel.trace.queued(self.nlk_sk(), skb)
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
            self.kernel.trace.queued(self.nlk_sk(), skb)
        if self.data_ready is not None:
            self.data_ready(self)

    def queue_dump(self, skb: SkBuff) -> None:
        """A dump's datagram: past the admission rule, which netlink_dump() checked itself."""
        injector = self.kernel.injector
        if injector is None:
            self.admit_dump(skb)
        elif not injector.deliver(self.nlk_sk(), skb, dump=True):
            self.overrun()

    def admit_dump(self, skb: SkBuff) -> None:
        """Queue it whatever room there is, past the socket's filter alone."""
        if self.filter is not None:
            keep = self.sk_filter(skb.data)
            if not keep:
                if self.kernel.trace is not None:
                    self.kernel.trace.dropped(self.nlk_sk(), skb, DropReason.FILTER)
                return
            skb.data = skb.data[:keep]
        self._enqueue(skb)

    def overrun(self) -> None:
        """netlink_overrun(): a datagram from the kernel was lost."""
        if not self.no_enobufs and not self.congested:
            self.congested = True
            if self.kernel.trace is not None:
                self.kernel.trace.overrun(self.nlk_sk())
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

    # --- the filter

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
            self.kernel.trace.option_set(self.nlk_sk(), SOL_SOCKET, optname, b"", 0)

    def sk_filter(self, data: bytes) -> int:
        """How many bytes of a datagram the socket's filter keeps; it must have one."""
        assert self.filter is not None
        profile = self.kernel.profile
        return self.filter.run(
            data, order=profile.arch.order, a_without_device=profile.filter_a_without_device
        )
