"""The journal itself: observes a kernel, and makes an entry of what happens there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from errno import ENOPROTOOPT
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from netlink_emu.journal.entries import (
    Bound,
    Closed,
    Dropped,
    Entry,
    Faulted,
    Listener,
    Membership,
    MessageView,
    Note,
    Opened,
    OptionSet,
    Overrun,
    Peer,
    Queued,
    Remark,
    Sent,
    TaskEvent,
)
from netlink_emu.journal.match import Match
from netlink_emu.journal.muted import Made, Muted
from netlink_emu.journal.options import option_name, option_value
from netlink_emu.journal.record import LIMIT, LIMIT_BYTES, Record
from netlink_emu.kernel.trace import DropReason, Observer
from netlink_emu.protocol.netlink import NETLINK_GENERIC, NLMSG_HDRLEN, NLMSGHDR, SOL_SOCKET
from netlink_emu.protocol.reading.decode import Decoder
from netlink_emu.protocol.reading.describe import NLCTRL, TASKSTATS, FamilyDesc

if TYPE_CHECKING:
    from netlink_emu.kernel.af_netlink import NetlinkSock
    from netlink_emu.kernel.current import Current
    from netlink_emu.kernel.kernel import Kernel
    from netlink_emu.kernel.netlink_rcv import Request
    from netlink_emu.kernel.skbuff import SkBuff
    from netlink_emu.machine.task import Task

# How many requests of a socket are remembered, for answers that come late.
_REMEMBERED: Final = 64
_REMEMBERED_SIZE: Final = 4096  # bytes of a datagram
# The names of how many sockets are known when their listeners are told of.
_COMMS: Final = 10_000

Sink = Callable[[Entry], None]


class Journal(Record, Observer):
    """A record of what happens in ``kernel`` from now on, until :meth:`close`.

    It keeps the last ``limit`` entries (None: all), as long as their datagrams have at most
    ``limit_bytes``; ``forgotten`` counts the others. Each of ``sinks`` gets every new entry.
    ``families`` describe the messages to decode.
    """

    def __init__(
        self,
        kernel: Kernel,
        *,
        limit: int | None = LIMIT,
        limit_bytes: int | None = LIMIT_BYTES,
        families: Iterable[FamilyDesc] = (),
    ) -> None:
        self._kernel: Final = kernel
        clock = kernel.machine.clock
        self._described: Final = {desc.name: desc for desc in (NLCTRL, TASKSTATS, *families)}
        super().__init__(
            families=self._described,
            started_ns=clock.monotonic_ns(),
            limit=limit,
            limit_bytes=limit_bytes,
        )
        self._peers: dict[NetlinkSock, Peer] = {}
        self._peer_number = 0
        self._comms: dict[int, str] = {}  # by portid, for its listeners once it is gone
        self._requests: dict[Peer, dict[int, tuple[Sent, int]]] = {}
        self._handled: Sent | None = None
        self._muted: Final = Muted(kernel)
        self.sinks: list[Sink] = []
        # What to add to an entry's time to have the time since 1970.
        self.epoch_ns: Final = clock.realtime_ns() - clock.monotonic_ns()
        kernel.observe(self)

    @property
    def muted(self) -> set[int]:
        """The numbers of the families whose messages are left out."""
        return self._muted.families

    def know(self, family: FamilyDesc) -> None:
        """Name what is said of ``family`` from now on."""
        self._described[family.name] = family

    def match(self, **criteria: Any) -> Match:
        """As :meth:`Record.match`; each family that the kernel has is known by its name."""
        names = (family.name for family in self._kernel.genl.families.values())
        others = {name: FamilyDesc(name, {}, {}) for name in names if name not in self._described}
        return self._match({**others, **self._described}, **criteria)

    def close(self) -> None:
        """Stop observing; the entries stay."""
        self._kernel.unobserve(self)

    def clear(self) -> None:
        """Remove all entries; numbering continues."""
        super().clear()
        self._requests.clear()

    def note(self, text: str) -> None:
        """Add your own line."""
        self._add(Note(text=text, **self._stamp()))

    # --- what the kernel tells

    def _stamp(self) -> dict[str, Any]:
        return {"number": self.next_number(), "time_ns": self._kernel.machine.clock.monotonic_ns()}

    def _add(self, entry: Entry) -> None:
        self.keep(entry)
        for sink in self.sinks:
            sink(entry)

    def decoder(self) -> Decoder:
        """A decoder that knows the kernel's families by the numbers that they have now."""
        families = self._kernel.genl.families
        ids = {number: family.name for number, family in families.items()}
        return Decoder(self._kernel.profile.arch.order, ids, self.families)

    def peer(self, sk: NetlinkSock, current: Current | None = None) -> Peer:
        """The socket's peer; with ``current``, who uses it now becomes its owner."""
        peer = self._peers.get(sk)
        if peer is None:
            self._peer_number += 1
            peer = self._peers[sk] = Peer(self._peer_number, sk.protocol, sk.portid)
        if current is not None and not peer.pid:
            peer.pid, peer.comm = current.tgid_vnr, current.comm()
        return peer

    def socket_opened(self, sk: NetlinkSock, current: Current) -> None:
        self.peer(sk, current)
        self._socket_did(sk, Opened)

    def socket_bound(self, sk: NetlinkSock) -> None:
        peer = self.peer(sk)
        peer.portid = sk.portid
        self._comms[sk.portid] = peer.comm
        if len(self._comms) > _COMMS:
            del self._comms[next(iter(self._comms))]
        self._socket_did(sk, Bound)

    def _socket_did(self, sk: NetlinkSock, what: Made) -> None:
        if self._muted.is_silent(sk):
            return
        if self._muted.is_unsure(sk):
            self._muted.wait(sk, what)
        else:
            self._add(what(peer=self.peer(sk), **self._stamp()))

    def _sure(self, sk: NetlinkSock) -> None:
        """The socket is a client's: what it did before is told now."""
        for time_ns, what in self._muted.heard(sk):
            self._add(what(peer=self.peer(sk), **{**self._stamp(), "time_ns": time_ns}))

    def socket_closed(self, sk: NetlinkSock) -> None:
        peer = self.peer(sk)
        unread = len(sk.receive_queue)
        silent = self._muted.is_silent(sk)
        if not silent:
            self._sure(sk)
        self._muted.closed(sk)
        del self._peers[sk]
        self._requests.pop(peer, None)
        if not silent:
            self._add(Closed(peer=peer, unread=unread, **self._stamp()))

    def option_set(
        self, sk: NetlinkSock, level: int, optname: int, value: bytes, err: int
    ) -> None:
        if level == SOL_SOCKET and err == ENOPROTOOPT:
            return  # what a socket of the host then does, and we do not know of
        option = option_name(level, optname)
        read = option_value(option, value, self._kernel.profile.arch.order.name)
        self._socket_did(sk, partial(OptionSet, option=option, value=read, err=err))

    def groups_changed(self, sk: NetlinkSock, joined: int, left: int) -> None:
        for mask, is_joined in ((joined, True), (left, False)):
            for group in range(1, mask.bit_length() + 1):
                if mask >> (group - 1) & 1:
                    name = self.group_name(sk, group)
                    made = partial(Membership, group=group, joined=is_joined, name=name)
                    self._socket_did(sk, made)

    def group_name(self, sk: NetlinkSock, group: int) -> str:
        """A multicast group's family and name; empty if no family has the group."""
        if sk.protocol == NETLINK_GENERIC:
            for family in self._kernel.genl.families.values():
                index = group - family.mcgrp_offset
                if family.mcgrps and 0 <= index < len(family.mcgrps):
                    return f"{family.name} {family.mcgrps[index]}"
        return ""

    def logged(self, request: Request, line: str) -> None:
        sk = request.skb.sk
        if sk is not None and not self._muted.is_silent(sk):
            self._add(Remark(peer=self.peer(sk), text=line, **self._stamp()))

    def is_silent(self, sk: NetlinkSock) -> bool:
        """Whether the socket is one of who controls, not of a client."""
        return self._muted.is_silent(sk)

    def sent(self, sk: NetlinkSock, skb: SkBuff, portid: int) -> None:
        if self._muted.is_mute(skb.data):
            self._muted.silence(sk)
            return
        self._sure(sk)
        entry = Sent(
            peer=self.peer(sk, skb.current),
            data=skb.data,
            decoder=self.decoder(),
            to=portid,
            group=skb.dst_group,
            **self._stamp(),
        )
        if not portid:
            self._handled = entry
        self._add(entry)

    def request_done(self, request: Request, err: int) -> None:
        sent = self._handled
        if sent is None or sent.peer is None:
            return
        if sent.size <= _REMEMBERED_SIZE:
            remembered = self._requests.setdefault(sent.peer, {})
            remembered[request.nlmsg_seq] = (sent, len(sent.errors))
            if len(remembered) > _REMEMBERED:
                del remembered[next(iter(remembered))]
        sent.errors.append(err)
        if request.end >= len(request.skb.data):
            self._handled = None

    def _answered(self, peer: Peer, data: bytes) -> tuple[Sent, int] | None:
        """The request that a datagram answers."""
        sent = self._handled
        if sent is not None and sent.peer is peer:
            return sent, len(sent.errors)
        if len(data) < NLMSG_HDRLEN:
            return None
        header = NLMSGHDR[self._kernel.profile.arch.order].decode(data)
        if not header.nlmsg_pid:
            return None
        return self._requests.get(peer, {}).get(header.nlmsg_seq)

    def _arriving(self, sk: NetlinkSock, skb: SkBuff) -> dict[str, Any]:
        peer = self.peer(sk)
        request = None if skb.portid else self._answered(peer, skb.data)
        return {
            "peer": peer,
            "data": skb.data,
            "decoder": self.decoder(),
            "source": skb.portid,
            "group": skb.dst_group,
            "request": request,
            **self._stamp(),
        }

    def queued(self, sk: NetlinkSock, skb: SkBuff) -> None:
        if self._muted.hides(sk, skb.data):
            return
        self._add(Queued(**self._arriving(sk, skb)))

    def dropped(self, sk: NetlinkSock | None, skb: SkBuff, reason: DropReason) -> None:
        if sk is not None and self._muted.hides(sk, skb.data):
            return
        if sk is not None:
            self._add(Dropped(reason=reason, **self._arriving(sk, skb)))
            return
        self._add(
            Dropped(
                reason=reason,
                peer=None,
                data=skb.data,
                decoder=self.decoder(),
                source=skb.portid,
                **self._stamp(),
            )
        )

    def overrun(self, sk: NetlinkSock) -> None:
        self._add(Overrun(peer=self.peer(sk), **self._stamp()))

    def _listener(self, action: str, portid: int, cpu: int) -> None:
        comm = self._comms.get(portid, "")
        self._add(Listener(action=action, portid=portid, cpu=cpu, comm=comm, **self._stamp()))

    def listener_registered(self, portid: int, cpu: int) -> None:
        self._listener("registered", portid, cpu)

    def listener_deregistered(self, portid: int, cpu: int) -> None:
        self._listener("deregistered", portid, cpu)

    def listener_pruned(self, portid: int, cpu: int) -> None:
        self._listener("pruned", portid, cpu)

    def _task(self, task: Task, exit_code: int | None) -> None:
        self._add(
            TaskEvent(
                pid=task.pid,
                tgid=task.tgid,
                comm=task.comm.decode(errors="replace"),
                cpu=task.cpu,
                exit_code=exit_code,
                **self._stamp(),
            )
        )

    def task_forked(self, task: Task) -> None:
        self._task(task, None)

    def task_exited(self, task: Task) -> None:
        self._task(task, task.exit_code)

    # --- what the faults ask and tell

    def views_of_sending(
        self, sk: NetlinkSock, current: Current, data: bytes
    ) -> list[MessageView]:
        """The messages of a datagram that a client is about to send."""
        if self._muted.is_mute(data):
            return []
        peer = self.peer(sk, current)
        return list(
            Sent(peer=peer, data=data, decoder=self.decoder(), number=0, time_ns=0).views()
        )

    def view_of_request(self, request: Request) -> MessageView | None:
        """A request that is about to be handled."""
        sent = self._handled
        if sent is None or len(sent.errors) >= len(sent.messages):
            return None
        return sent.view(len(sent.errors))

    def views_of_arriving(self, sk: NetlinkSock, skb: SkBuff) -> list[MessageView]:
        """The messages of a datagram that is about to be queued."""
        peer = self.peer(sk)
        if self._muted.hides(sk, skb.data):
            return []
        arriving = Queued(
            peer=peer,
            data=skb.data,
            decoder=self.decoder(),
            source=skb.portid,
            group=skb.dst_group,
            request=None if skb.portid else self._answered(peer, skb.data),
            number=0,
            time_ns=0,
        )
        return list(arriving.views())

    def faulted(
        self,
        sk: NetlinkSock,
        data: bytes,
        fault: str,
        rule: int,
        *,
        is_request: bool = False,
        source: int = 0,
        group: int = 0,
    ) -> None:
        """A fault was applied to ``data``; what becomes of it follows."""
        self._add(
            Faulted(
                fault=fault,
                rule=rule,
                is_request=is_request,
                peer=self.peer(sk),
                data=data,
                decoder=self.decoder(),
                source=source,
                group=group,
                **self._stamp(),
            )
        )
