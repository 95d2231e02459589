"""Who is where: the table of netlink sockets, and delivery to them: net/netlink/af_netlink.c."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from errno import EADDRINUSE, EAGAIN, ECONNREFUSED
from typing import TYPE_CHECKING, Final

from netlink_emu.kernel.skbuff import SkBuff
from netlink_emu.kernel.trace import DropReason
from netlink_emu.protocol.errors import NetlinkError

if TYPE_CHECKING:
    from netlink_emu.kernel.af_netlink import NetlinkSock
    from netlink_emu.kernel.current import Current
    from netlink_emu.kernel.kernel import Kernel
    from netlink_emu.machine.namespaces import NetNamespace

# Autobind's random portids lie from S32_MIN up to here (as s32).
_LAST_ROVER: Final = -4097


def _below(rover: int) -> int:
    """The next portid to try, as s32; after the lowest comes the first again."""
    return rover - 1 if rover > -(1 << 31) else _LAST_ROVER


@dataclass(frozen=True, slots=True)
class NetlinkTable:
    """struct netlink_table: one netlink protocol. ``input`` takes what is sent to the kernel.

    ``bind`` may refuse who joins a group, ``joined`` is told of sockets whose groups have changed
    and are not none. ``nonroot_recv`` and ``nonroot_send`` are
    NL_CFG_F_NONROOT_RECV and _SEND.
    """

    name: str
    groups: int
    nonroot_recv: bool = False
    nonroot_send: bool = False
    kernel_socket: bool = True
    input: Callable[[SkBuff], None] | None = None
    bind: Callable[[Current, NetNamespace, int], None] | None = None
    joined: Callable[[NetlinkSock], None] | None = None


class Netlink:
    """The table of sockets: one namespace of portids for each network namespace and protocol."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._tables: dict[tuple[NetNamespace, int], dict[int, NetlinkSock]] = {}
        # Until 4.2 one counter for all, never set back.
        self._rover = _LAST_ROVER
        # Subscribers of any group, the newest first: nl_table[].mc_list.
        self._mc_lists: dict[tuple[NetNamespace, int], list[NetlinkSock]] = {}

    def sockets(self, net: NetNamespace, protocol: int) -> dict[int, NetlinkSock]:
        """The bound sockets by portid."""
        key = net, protocol
        table = self._tables.get(key)
        if table is None:
            table = self._tables[key] = {}
        return table

    def all_sockets(self, protocol: int) -> list[NetlinkSock]:
        """The bound sockets of a protocol, in all network namespaces."""
        tables = (table for (_, proto), table in self._tables.items() if proto == protocol)
        return [sk for table in tables for sk in table.values()]

    def lookup(self, net: NetNamespace, protocol: int, portid: int) -> NetlinkSock | None:
        """netlink_lookup()."""
        table = self._tables.get((net, protocol))
        return table.get(portid) if table else None

    def insert(self, sk: NetlinkSock, portid: int) -> None:
        """netlink_insert(): EADDRINUSE if somebody has the portid.

        getsockname() then shows that portid all the same, though the socket is not bound.
        """
        table = self.sockets(sk.net, sk.protocol)
        sk.portid = portid
        if portid in table:
            raise NetlinkError(EADDRINUSE)
        table[portid] = sk
        sk.bound = True
        if self._kernel.trace is not None:
            self._kernel.trace.socket_bound(sk)

    def autobind(self, sk: NetlinkSock, current: Current) -> None:
        """netlink_autobind(): the caller's tgid, or a negative number if that is taken."""
        table = self.sockets(sk.net, sk.protocol)
        portid = current.tgid_vnr & 0xFFFFFFFF
        if portid in table or not portid:
            rover = self._rover
            if self._kernel.profile.autobind_random:
                rover = -(1 << 31) + self._kernel.machine.random(_LAST_ROVER + 1 + (1 << 31))
            while rover & 0xFFFFFFFF in table:
                rover = _below(rover)
            portid = rover & 0xFFFFFFFF
            self._rover = _below(rover)
        self.insert(sk, portid)

    def remove(self, sk: NetlinkSock) -> None:
        """netlink_remove()."""
        table = self.sockets(sk.net, sk.protocol)
        if sk.bound and table.get(sk.portid) is sk:
            del table[sk.portid]
        self._unsubscribe(sk)

    def update_subscriptions(self, sk: NetlinkSock) -> None:
        """netlink_update_subscriptions(): on the list while a member of any group."""
        members = self._mc_lists.setdefault((sk.net, sk.protocol), [])
        if not sk.groups:
            self._unsubscribe(sk)
        elif sk not in members:
            members.insert(0, sk)
        if sk.groups and sk.table.joined is not None:
            sk.table.joined(sk)

    def _unsubscribe(self, sk: NetlinkSock) -> None:
        members = self._mc_lists.get((sk.net, sk.protocol), [])
        if sk in members:
            members.remove(sk)

    def unicast(self, sender: NetlinkSock, skb: SkBuff, portid: int) -> int:
        """netlink_unicast() of a user's message; EAGAIN where the receiver has no room."""
        if not portid:
            if not sender.table.kernel_socket:
                raise NetlinkError(ECONNREFUSED)
            if sender.table.input is not None:
                sender.table.input(skb)
            return len(skb.data)
        # netlink_getsockbyportid(): who is connected hears only its peer.
        receiver = self.sockets(sender.net, sender.protocol).get(portid)
        if receiver is None or (receiver.connected and receiver.dst_portid != sender.portid):
            self._refused(receiver, skb)
            raise NetlinkError(ECONNREFUSED)
        if not receiver.deliver(skb):
            raise NetlinkError(EAGAIN)
        # What the receiver's filter cuts off, the sender has not sent.
        kept = receiver.sk_filter(skb.data) if receiver.filter is not None else 0
        return min(kept or len(skb.data), len(skb.data))

    def unicast_from_kernel(
        self, net: NetNamespace, protocol: int, skb: SkBuff, portid: int
    ) -> None:
        """nlmsg_unicast(): ECONNREFUSED if nobody is there, EAGAIN after an overrun."""
        receiver = self.sockets(net, protocol).get(portid)
        if receiver is None or (receiver.connected and receiver.dst_portid):
            self._refused(receiver, skb)
            raise NetlinkError(ECONNREFUSED)
        if not receiver.deliver(skb):
            receiver.overrun()
            raise NetlinkError(EAGAIN)

    def unicast_each(
        self, net: NetNamespace, protocol: int, skb: SkBuff, portids: Iterable[int]
    ) -> list[int]:
        """:meth:`unicast_from_kernel` to many: the portids at which nobody is."""
        table, injector, gone = self.sockets(net, protocol), self._kernel.injector, []
        for portid in portids:
            receiver = table.get(portid)
            if receiver is None or (receiver.connected and receiver.dst_portid):
                self._refused(receiver, skb)
                gone.append(portid)
            elif not (receiver.admit(skb) if injector is None else receiver.deliver(skb)):
                receiver.overrun()
        return gone

    def _refused(self, receiver: NetlinkSock | None, skb: SkBuff) -> None:
        if self._kernel.trace is not None:
            reason = DropReason.NOBODY if receiver is None else DropReason.NOT_PEER
            self._kernel.trace.dropped(receiver, skb, reason)

    def broadcast(self, sender: NetlinkSock, skb: SkBuff, portid: int, group: int) -> None:
        """netlink_broadcast() of a user's message, which ``portid`` does not get twice."""
        self._broadcast(sender.net, sender.protocol, skb, group, {sender.portid, portid})

    def has_listeners(self, net: NetNamespace, protocol: int, group: int) -> bool:
        """netlink_has_listeners(): whether anybody would hear a message to the group."""
        return any(sk.groups >> (group - 1) & 1 for sk in self._mc_lists.get((net, protocol), ()))

    def broadcast_from_kernel(
        self, net: NetNamespace, protocol: int, data: bytes, group: int
    ) -> None:
        """nlmsg_multicast() by the kernel."""
        skb = SkBuff(data, self._kernel.skb.alloc_truesize(len(data)), 0, group)
        self._broadcast(net, protocol, skb, group, set())

    def _broadcast(
        self, net: NetNamespace, protocol: int, skb: SkBuff, group: int, but: set[int]
    ) -> None:
        for sk in list(self._mc_lists.get((net, protocol), ())):
            if sk.groups >> (group - 1) & 1 and sk.portid not in but and not sk.deliver(skb):
                sk.overrun()
