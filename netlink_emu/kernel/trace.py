"""Looking on: what happens in the kernel, told to observers. And the door for faults.

Nothing is told while nobody observes: each place asks ``kernel.trace`` for None first.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from netlink_emu.kernel.af_netlink import NetlinkSock
    from netlink_emu.kernel.current import Current
    from netlink_emu.kernel.netlink_rcv import Request
    from netlink_emu.kernel.skbuff import SkBuff
    from netlink_emu.machine.task import Task


class DropReason(enum.Enum):
    """Why a datagram did not reach a socket's queue."""

    NO_ROOM = "the receive buffer is full"
    CONGESTED = "the queue was not read empty since the last overrun"
    FILTER = "the socket's filter dropped it"
    NOBODY = "no socket has the portid"
    NOT_PEER = "the socket is connected to another portid"


class Observer:
    """Override what you want to be told of. Observers look; they change nothing.

    A datagram is told of when its sender has it on its way (``sent``), and when it lies in the
    receiver's queue (``queued``); what the kernel makes in between is told in between.
    """

    def socket_opened(self, sk: NetlinkSock, current: Current) -> None:
        """socket(2)."""

    def socket_bound(self, sk: NetlinkSock) -> None:
        """The socket has its portid from now on."""

    def socket_closed(self, sk: NetlinkSock) -> None:
        """The last descriptor is gone, the portid is free."""

    def sent(self, sk: NetlinkSock, skb: SkBuff, portid: int) -> None:
        """A client sent a datagram to ``portid`` (0: the kernel) and to ``skb.dst_group``."""

    def queued(self, sk: NetlinkSock, skb: SkBuff) -> None:
        """A datagram lies in the socket's queue."""

    def dropped(self, sk: NetlinkSock | None, skb: SkBuff, reason: DropReason) -> None:
        """A datagram was lost on its way to a socket; None where there is none."""

    def overrun(self, sk: NetlinkSock) -> None:
        """ENOBUFS is pending from now on: the first loss since the queue was empty."""

    def request_done(self, request: Request, err: int) -> None:
        """A request was handled, its answer is queued; ``err`` is the errno or 0."""

    def logged(self, request: Request, line: str) -> None:
        """The kernel's log has a line about a request; told before it is done."""

    def option_set(
        self, sk: NetlinkSock, level: int, optname: int, value: bytes, err: int
    ) -> None:
        """setsockopt(2), with its errno or 0; but for groups that are joined or left."""

    def groups_changed(self, sk: NetlinkSock, joined: int, left: int) -> None:
        """A socket joins or leaves multicast groups, which are masks: bit 0 is group 1."""

    def stats_wanted(self, current: Current) -> None:
        """A client asks for statistics, of a task or a cgroup that is looked up after this."""

    def listener_registered(self, portid: int, cpu: int) -> None:
        """TASKSTATS_CMD_ATTR_REGISTER_CPUMASK, for one CPU."""

    def listener_deregistered(self, portid: int, cpu: int) -> None:
        """TASKSTATS_CMD_ATTR_DEREGISTER_CPUMASK, for one CPU."""

    def listener_pruned(self, portid: int, cpu: int) -> None:
        """Nobody has the portid any more: a CPU forgets it when it next has news."""

    def task_forked(self, task: Task) -> None:
        """A process or a thread is there."""

    def task_exited(self, task: Task) -> None:
        """A task ends; told before its exit event."""


class Observers(Observer):
    """Several observers, told one after the other."""

    def __init__(self, observers: tuple[Observer, ...]) -> None:
        self._observers = observers

    def socket_opened(self, sk: NetlinkSock, current: Current) -> None:
        for observer in self._observers:
            observer.socket_opened(sk, current)

    def socket_bound(self, sk: NetlinkSock) -> None:
        for observer in self._observers:
            observer.socket_bound(sk)

    def socket_closed(self, sk: NetlinkSock) -> None:
        for observer in self._observers:
            observer.socket_closed(sk)

    def sent(self, sk: NetlinkSock, skb: SkBuff, portid: int) -> None:
        for observer in self._observers:
            observer.sent(sk, skb, portid)

    def queued(self, sk: NetlinkSock, skb: SkBuff) -> None:
        for observer in self._observers:
            observer.queued(sk, skb)

    def dropped(self, sk: NetlinkSock | None, skb: SkBuff, reason: DropReason) -> None:
        for observer in self._observers:
            observer.dropped(sk, skb, reason)

    def overrun(self, sk: NetlinkSock) -> None:
        for observer in self._observers:
            observer.overrun(sk)

    def request_done(self, request: Request, err: int) -> None:
        for observer in self._observers:
            observer.request_done(request, err)

    def logged(self, request: Request, line: str) -> None:
        for observer in self._observers:
            observer.logged(request, line)

    def option_set(
        self, sk: NetlinkSock, level: int, optname: int, value: bytes, err: int
    ) -> None:
        for observer in self._observers:
            observer.option_set(sk, level, optname, value, err)

    def groups_changed(self, sk: NetlinkSock, joined: int, left: int) -> None:
        for observer in self._observers:
            observer.groups_changed(sk, joined, left)

    def stats_wanted(self, current: Current) -> None:
        for observer in self._observers:
            observer.stats_wanted(current)

    def listener_registered(self, portid: int, cpu: int) -> None:
        for observer in self._observers:
            observer.listener_registered(portid, cpu)

    def listener_deregistered(self, portid: int, cpu: int) -> None:
        for observer in self._observers:
            observer.listener_deregistered(portid, cpu)

    def listener_pruned(self, portid: int, cpu: int) -> None:
        for observer in self._observers:
            observer.listener_pruned(portid, cpu)

    def task_forked(self, task: Task) -> None:
        for observer in self._observers:
            observer.task_forked(task)

    def task_exited(self, task: Task) -> None:
        for observer in self._observers:
            observer.task_exited(task)


class Injector(Protocol):
    """What may change a datagram on its way: ``kernel.injector``, None in every true kernel.

    The one place of faults. ``deliver`` stands between whoever sends and the socket's queue, and
    hands what shall arrive to :meth:`NetlinkSock.admit`.
    """

    def send(self, sk: NetlinkSock, current: Current, data: bytes) -> None:
        """A client sends; raises NetlinkError where the system call shall fail."""
        ...

    def request(self, request: Request) -> None:
        """A request is about to be handled; raises NetlinkError where it shall fail."""
        ...

    def deliver(self, sk: NetlinkSock, skb: SkBuff, *, dump: bool) -> bool:
        """Bring a datagram to a socket; False when it counts as lost for want of room."""
        ...
