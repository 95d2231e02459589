"""The journal itself: observes a kernel, keeps entries, answers questions about them."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from netlink_emu.journal.entries import (
    Bound,
    Closed,
    Datagram,
    Dropped,
    Entry,
    Faulted,
    Listener,
    MessageKind,
    MessageView,
    Note,
    Opened,
    Overrun,
    Peer,
    Queued,
    Sent,
    TaskEvent,
)
from netlink_emu.journal.found import Found
from netlink_emu.journal.match import Match
from netlink_emu.kernel.trace import DropReason, Observer
from netlink_emu.protocol.decode import Decoder
from netlink_emu.protocol.describe import NLCTRL, TASKSTATS, FamilyDesc
from netlink_emu.protocol.genetlink import GENL_ID_CTRL
from netlink_emu.protocol.netlink import NLMSG_HDRLEN, NLMSGHDR

if TYPE_CHECKING:
    from netlink_emu.kernel.af_netlink import NetlinkSock
    from netlink_emu.kernel.current import Current
    from netlink_emu.kernel.kernel import Kernel
    from netlink_emu.kernel.netlink_rcv import Request
    from netlink_emu.kernel.skbuff import SkBuff
    from netlink_emu.machine.task import Task

LIMIT: Final = 100_000
LIMIT_BYTES: Final = 64 << 20
# How many requests of a socket are remembered, for answers that come late.
_REMEMBERED: Final = 64
_REMEMBERED_SIZE: Final = 4096  # bytes of a datagram
# The names of how many sockets are known when their listeners are told of.
_COMMS: Final = 10_000

E = TypeVar("E", bound=Entry)
Sink = Callable[[Entry], None]


class Journal(Observer):
    """What happens in ``kernel`` from now on, until :meth:`close`.

    The last ``limit`` entries are kept (None: all), as long as their datagrams have no more than
    ``limit_bytes``; ``forgotten`` counts the others. ``sinks`` are given each entry as it is
    made, ``families`` describe what is decoded.
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
        self._entries: deque[Entry] = deque()
        self._limit: Final = sys.maxsize if limit is None else limit
        self._most_bytes: Final = sys.maxsize if limit_bytes is None else limit_bytes
        self._bytes = 0  # of the entries' datagrams
        self._number = 0
        self._peers: dict[NetlinkSock, Peer] = {}
        self._peer_number = 0
        self._comms: dict[int, str] = {}  # by portid, for its listeners once it is gone
        self._requests: dict[Peer, dict[int, tuple[Sent, int]]] = {}
        self._handled: Sent | None = None
        # Families whose messages are nobody's business, by number, and the sockets that talk so.
        self.muted: Final[set[int]] = set()
        self._silent: set[NetlinkSock] = set()
        # What a socket did before it is known whether it is one of these: when, and what.
        self._unsure: dict[NetlinkSock, list[tuple[int, type[Opened | Bound]]]] = {}
        self.sinks: list[Sink] = []
        self.families: Final = {desc.name: desc for desc in (NLCTRL, TASKSTATS, *families)}
        clock = kernel.machine.clock
        self.started_ns: Final = clock.monotonic_ns()
        # What to add to an entry's time to have the time since 1970.
        self.epoch_ns: Final = clock.realtime_ns() - clock.monotonic_ns()
        kernel.observe(self)

    def close(self) -> None:
        """Observe no more; the entries stay."""
        self._kernel.unobserve(self)

    def clear(self) -> None:
        """Forget all entries; their numbers go on."""
        self._entries.clear()
        self._bytes = 0
        self._requests.clear()

    # --- entries

    @property
    def entries(self) -> list[Entry]:
        """What is kept, the oldest first."""
        return list(self._entries)

    @property
    def forgotten(self) -> int:
        """How many entries are kept no more."""
        return self._number - len(self._entries)

    @property
    def number(self) -> int:
        """The number of the newest entry, 0 before the first: a mark for ``since``."""
        return self._number

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._entries))

    def of(self, kind: type[E], *, since: int = 0) -> list[E]:
        """The entries of one class with numbers above ``since``."""
        return [e for e in self.entries if isinstance(e, kind) and e.number > since]

    def note(self, text: str) -> None:
        """Add a line of one's own."""
        self._add(Note(text=text, **self._stamp()))

    def lines(self, entries: Iterable[Entry] | None = None) -> Iterator[str]:
        """The entries as text: seconds since the journal began, then what happened."""
        return text_lines(self._entries if entries is None else entries, self.started_ns)

    # --- questions

    def match(self, **criteria: Any) -> Match:
        """A :class:`Match` with names that exist; other keywords are taken as ``attrs``.

        Raises UnknownName for a command, family, kind, errno or attribute that there is not.
        """
        attrs = dict(criteria.pop("attrs", None) or {})
        for name in [name for name in criteria if name.isupper()]:
            attrs[name] = criteria.pop(name)
        match = Match(attrs=attrs, **criteria)
        match.check_names(self.families)
        return match

    def find(self, what: str, match: Match, views: Iterable[MessageView]) -> Found:
        """The views that match; :class:`Found` can say what comes near."""
        return Found(what, match, list(views))

    def views(
        self, kind: type[Datagram] | tuple[type[Datagram], ...], *, since: int = 0
    ) -> Iterator[MessageView]:
        """The messages of datagrams of one class, in order."""
        for entry in self.entries:
            if isinstance(entry, kind) and type(entry) is not Faulted and entry.number > since:
                yield from entry.views()

    def requests(self, *, since: int = 0, **criteria: Any) -> Found:
        """What clients asked the kernel. See :class:`Match` for the criteria.

        An attribute can be given by its name: ``requests(TASKSTATS_CMD_ATTR_PID=4242)``.
        """
        match = self.match(**criteria)
        sent = (v for v in self.views(Sent, since=since) if v.kind is MessageKind.REQUEST)
        return self.find("request", match, sent)

    def answers(self, *, since: int = 0, **criteria: Any) -> Found:
        """What was queued for clients: replies, dumps, acks, errors and events."""
        match = self.match(**criteria)
        queued = (v for v in self.views(Queued, since=since) if type(v.entry) is Queued)
        return self.find("answer", match, queued)

    def events(self, *, since: int = 0, **criteria: Any) -> Found:
        """What nobody asked for: exit events, and notifications to groups."""
        match = self.match(**criteria)
        queued = (
            v
            for v in self.views(Queued, since=since)
            if type(v.entry) is Queued and v.kind is MessageKind.EVENT
        )
        return self.find("event", match, queued)

    def drops(self, *, since: int = 0, **criteria: Any) -> Found:
        """What did not get to its socket."""
        match = self.match(**criteria)
        return self.find("loss", match, self.views(Dropped, since=since))

    def faults(self, *, since: int = 0) -> list[Faulted]:
        """The faults that were applied."""
        return self.of(Faulted, since=since)

    def prunes(self, *, since: int = 0) -> list[Listener]:
        """Listeners that were forgotten because their portid is gone."""
        return [e for e in self.of(Listener, since=since) if e.action == "pruned"]

    def overruns(self, *, since: int = 0) -> list[Overrun]:
        """Sockets that lost something and are told so by ENOBUFS."""
        return self.of(Overrun, since=since)

    # --- assertions

    def assert_request(self, *, times: int | None = None, **criteria: Any) -> Found:
        """Raise AssertionError unless there was such a request, exactly ``times`` if given."""
        found = self.requests(**criteria)
        if times is None and not found:
            raise AssertionError(found.explain())
        if times is not None and len(found) != times:
            raise AssertionError(f"wanted {times}, found {found.explain()}")
        return found

    def assert_no_request(self, **criteria: Any) -> None:
        """Raise AssertionError if there was such a request."""
        found = self.requests(**criteria)
        if found:
            listed = "\n".join(f"  {view}" for view in found[:10])
            raise AssertionError(f"{found.summary()}, wanted none:\n{listed}")

    def assert_no_errors(self) -> None:
        """Raise AssertionError if a request was answered with an errno."""
        found = self.answers(kind=MessageKind.ERROR)
        if found:
            listed = "\n".join(f"  {view} (to {view.answers})" for view in found[:10])
            raise AssertionError(f"{found.summary()}, wanted none:\n{listed}")

    # --- what the kernel tells

    def _stamp(self) -> dict[str, Any]:
        self._number += 1
        return {"number": self._number, "time_ns": self._kernel.machine.clock.monotonic_ns()}

    def _add(self, entry: Entry) -> None:
        entries = self._entries
        entries.append(entry)
        self._bytes += entry.size
        while self._bytes > self._most_bytes or len(entries) > self._limit:
            self._bytes -= entries.popleft().size
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

    def _socket_did(self, sk: NetlinkSock, what: type[Opened | Bound]) -> None:
        if self.muted:
            now = self._kernel.machine.clock.monotonic_ns()
            self._unsure.setdefault(sk, []).append((now, what))
        else:
            self._add(what(peer=self.peer(sk), **self._stamp()))

    def _sure(self, sk: NetlinkSock) -> None:
        """The socket is one that matters: what it did before is told now."""
        self._silent.discard(sk)
        for time_ns, what in self._unsure.pop(sk, ()):
            self._add(what(peer=self.peer(sk), **{**self._stamp(), "time_ns": time_ns}))

    def socket_closed(self, sk: NetlinkSock) -> None:
        peer = self.peer(sk)
        unread = len(sk.receive_queue)
        silent = sk in self._silent
        if silent:
            self._unsure.pop(sk, None)
        self._sure(sk)
        del self._peers[sk]
        self._requests.pop(peer, None)
        if not silent:
            self._add(Closed(peer=peer, unread=unread, **self._stamp()))

    def is_silent(self, sk: NetlinkSock) -> bool:
        """Whether the socket is one of who controls, not of a client."""
        return sk in self._silent

    def _is_silent(self, sk: NetlinkSock, data: bytes) -> bool:
        return sk in self._silent or (bool(self.muted) and self._type(data) in self.muted)

    def _is_mute(self, data: bytes) -> bool:
        """Whether a datagram is for a muted family, or asks for the number of one."""
        kind = self._type(data)
        if kind in self.muted:
            return True
        families = self._kernel.genl.families
        names = (families[number].name for number in self.muted if number in families)
        return kind == GENL_ID_CTRL and any(name.encode() + b"\0" in data for name in names)

    def _type(self, data: bytes) -> int:
        return int.from_bytes(data[4:6], self._kernel.profile.arch.order.name)  # type: ignore[arg-type]

    def sent(self, sk: NetlinkSock, skb: SkBuff, portid: int) -> None:
        if self.muted and self._is_mute(skb.data):
            self._silent.add(sk)
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
        if self._is_silent(sk, skb.data):
            return
        self._add(Queued(**self._arriving(sk, skb)))

    def dropped(self, sk: NetlinkSock | None, skb: SkBuff, reason: DropReason) -> None:
        if sk is not None and self._is_silent(sk, skb.data):
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
        if self.muted and self._is_mute(data):
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
        if self._is_silent(sk, skb.data):
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


def text_lines(entries: Iterable[Entry], started_ns: int) -> Iterator[str]:
    """Entries as text, with the seconds since ``started_ns``."""
    for entry in entries:
        seconds = (entry.time_ns - started_ns) / 1e9
        yield f"{seconds:12.6f} #{entry.number} {entry.title()}"
        for line in entry.body():
            yield " " * 16 + line


def as_json(entries: Iterable[Entry]) -> Iterator[Mapping[str, Any]]:
    """Entries as plain values."""
    return (entry.json() for entry in entries)
