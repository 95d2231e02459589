"""A kernel's faults: their rules, and the injector that applies them."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from netlink_emu.faults.fault import Arrival, Context, Fault, FaultError, Stage, errno_number
from netlink_emu.faults.kinds import (
    Corrupt,
    Delay,
    Drop,
    DumpIntr,
    Duplicate,
    Enobufs,
    Errno,
    LateDone,
    LongStruct,
    MissingDone,
    Reorder,
    SendErrno,
    ShortStruct,
    Truncate,
    Unaligned,
    UnknownAttribute,
    WrongPortid,
    WrongSeq,
)
from netlink_emu.faults.parse import parse_fault
from netlink_emu.faults.rules import Rule
from netlink_emu.journal.entries import MessageKind, MessageView
from netlink_emu.journal.parse import NUMBERS, WORDS, add_criterion, number
from netlink_emu.machine.machine import seeded
from netlink_emu.protocol.errors import NetlinkError

if TYPE_CHECKING:
    from netlink_emu.journal.journal import Journal
    from netlink_emu.kernel.af_netlink import NetlinkSock
    from netlink_emu.kernel.current import Current
    from netlink_emu.kernel.kernel import Kernel
    from netlink_emu.kernel.netlink_rcv import Request
    from netlink_emu.kernel.skbuff import SkBuff


@dataclass(slots=True)
class _Late:
    sk: NetlinkSock
    skb: SkBuff
    dump: bool


class Faults:
    """The faults of one kernel. Without rules they cost nothing.

    ``seed`` makes random choices repeatable.
    """

    def __init__(self, kernel: Kernel, journal: Journal, seed: int = 1) -> None:
        self._kernel: Final = kernel
        self._journal: Final = journal
        self._seed = seed
        self._rules: list[Rule] = []
        self._numbers = itertools.count(1)
        self._late: list[tuple[int, int, _Late]] = []
        self._order = itertools.count()
        self._held: dict[NetlinkSock, list[_Late]] = {}
        # Called when something became due at another time: an edge's timer.
        self.rescheduled: Callable[[], None] | None = None

    # --- rules

    @property
    def rules(self) -> list[Rule]:
        """The rules in the order in which they were added, spent ones too."""
        return list(self._rules)

    def add(
        self,
        fault: Fault,
        *,
        count: int | None = 1,
        skip: int = 0,
        probability: float = 1.0,
        **criteria: Any,
    ) -> Rule:
        """Apply ``fault`` to the next ``count`` messages that match.

        The criteria are those of :class:`netlink_emu.journal.Match`; for answers, ``cmd`` may name
        the request or the answer. Raises FaultError or UnknownName for a mistake.
        """
        if fault.stage is not Stage.DELIVERY and criteria.get("kind") not in (None, "request"):
            raise FaultError(f"{fault.name} is for requests, not for kind={criteria['kind']}")
        serial = next(self._numbers)
        rule = Rule(
            serial,
            fault,
            self._journal.match(**criteria),
            count=count,
            skip=skip,
            probability=probability,
            below=seeded(self._seed * 1_000_003 + serial),
        )
        self._rules.append(rule)
        self._kernel.injector = self
        return rule

    def parse(self, text: str) -> Rule:
        """Add a rule as on the command line: ``delay seconds=0.5 cmd=TASKSTATS_CMD_GET``.

        Attribute names are criteria; ``count=always`` sets no limit.
        """
        name, *words = text.split() or [""]
        when: dict[str, Any] = {}
        parameters: dict[str, Any] = {}
        for word in words:
            key, equals, value = word.partition("=")
            try:
                if key == "count" and equals:
                    when[key] = None if value == "always" else number(key, value)
                elif key == "skip" and equals:
                    when[key] = number(key, value)
                elif key == "probability" and equals:
                    when[key] = float(value)
                elif key.isupper() or key in NUMBERS | WORDS or not equals:
                    add_criterion(when, word)
                else:
                    parameters[key] = value
            except ValueError as exc:
                raise FaultError(str(exc)) from exc
        return self.add(parse_fault(name, parameters), **when)

    def remove(self, rule: Rule) -> None:
        """Remove a rule; messages that it holds back arrive when they are due."""
        self._rules.remove(rule)
        self._rest()

    def clear(self) -> None:
        """Remove all rules; messages that they hold back arrive now."""
        self._rules.clear()
        self.release()

    def drop(self, **when: Any) -> Rule:
        """Add a :class:`Drop`; ``when`` as for :meth:`add`."""
        return self.add(Drop(), **when)

    def delay(self, seconds: float, **when: Any) -> Rule:
        """Add a :class:`Delay`."""
        return self.add(Delay(seconds), **when)

    def duplicate(self, copies: int = 1, **when: Any) -> Rule:
        """Add a :class:`Duplicate`."""
        return self.add(Duplicate(copies), **when)

    def reorder(self, **when: Any) -> Rule:
        """Add a :class:`Reorder`."""
        return self.add(Reorder(), **when)

    def truncate(self, length: int = -4, **when: Any) -> Rule:
        """Add a :class:`Truncate`."""
        return self.add(Truncate(length), **when)

    def corrupt(self, amount: int = 1, **when: Any) -> Rule:
        """Add a :class:`Corrupt`."""
        return self.add(Corrupt(amount), **when)

    def wrong_seq(self, by: int = 1, seq: int | None = None, **when: Any) -> Rule:
        """Add a :class:`WrongSeq`."""
        return self.add(WrongSeq(by, seq), **when)

    def wrong_portid(self, by: int = 1, to: int | None = None, **when: Any) -> Rule:
        """Add a :class:`WrongPortid`."""
        return self.add(WrongPortid(by, to), **when)

    def errno(self, error: int | str, message: str = "", **when: Any) -> Rule:
        """Add an :class:`Errno`."""
        return self.add(Errno(error, message), **when)

    def send_errno(self, error: int | str, **when: Any) -> Rule:
        """Add a :class:`SendErrno`."""
        return self.add(SendErrno(error), **when)

    def missing_done(self, **when: Any) -> Rule:
        """Add a :class:`MissingDone` for messages of kind ``done``."""
        return self.add(MissingDone(), **{"kind": MessageKind.DONE, **when})

    def late_done(self, seconds: float, **when: Any) -> Rule:
        """Add a :class:`LateDone` for messages of kind ``done``."""
        return self.add(LateDone(seconds), **{"kind": MessageKind.DONE, **when})

    def dump_intr(self, **when: Any) -> Rule:
        """Add a :class:`DumpIntr` for messages of kind ``dump``."""
        return self.add(DumpIntr(), **{"kind": MessageKind.DUMP, **when})

    def unaligned(self, by: int = 1, **when: Any) -> Rule:
        """Add an :class:`Unaligned`."""
        return self.add(Unaligned(by), **when)

    def short_struct(self, by: int = 8, **when: Any) -> Rule:
        """Add a :class:`ShortStruct` for messages with a struct."""
        return self.add(ShortStruct(by), **when)

    def long_struct(self, by: int = 8, **when: Any) -> Rule:
        """Add a :class:`LongStruct`."""
        return self.add(LongStruct(by), **when)

    def unknown_attribute(self, type: int = 0x3FF, length: int = 4, **when: Any) -> Rule:
        """Add an :class:`UnknownAttribute`."""
        return self.add(UnknownAttribute(type, length), **when)

    def enobufs(self, **when: Any) -> Rule:
        """Add an :class:`Enobufs`."""
        return self.add(Enobufs(), **when)

    def enobufs_now(
        self, *, portid: int | None = None, pid: int | None = None, comm: str | None = None
    ) -> int:
        """Overrun the matching sockets at once; returns how many.

        This acts as if a datagram had been lost: the next receive fails with ENOBUFS, and
        everything is lost until the queue has been read empty.
        """
        hit = 0
        netlink = self._kernel.netlink
        protocols = sorted(self._kernel.answered)
        for sk in itertools.chain.from_iterable(map(netlink.all_sockets, protocols)):
            peer = self._journal.peer(sk)
            wanted = ((portid, peer.portid), (pid, peer.pid), (comm, peer.comm))
            if self._journal.is_silent(sk):
                continue
            if all(value is None or value == own for value, own in wanted):
                sk.overrun()
                hit += 1
        return hit

    # --- what is late

    @property
    def next_ns(self) -> int | None:
        """The machine's monotonic time at which something held back arrives, if anything is."""
        return self._late[0][0] if self._late else None

    def run_due(self) -> int:
        """Deliver what is due by the machine's clock; returns the number of datagrams."""
        now = self._kernel.machine.clock.monotonic_ns()
        count = 0
        while self._late and self._late[0][0] <= now:
            _, _, late = heapq.heappop(self._late)
            self._arrive_late(late)
            count += 1
        self._rest()
        return count

    def release(self) -> int:
        """Deliver everything held back at once; returns the number of datagrams."""
        late = [entry for _, _, entry in sorted(self._late, key=lambda item: item[:2])]
        self._late.clear()
        for held in self._held.values():
            late += held
        self._held.clear()
        for entry in late:
            self._arrive_late(entry)
        self._rest()
        return len(late)

    def _rest(self) -> None:
        """Be asked no more when there is nothing to do."""
        waiting = self._held or not all(rule.exhausted for rule in self._rules)
        if not waiting and self._kernel.injector is self:
            self._kernel.injector = None

    def _arrive_late(self, late: _Late) -> None:
        if not late.sk.closed and not self._admit(late.sk, late.skb, dump=late.dump):
            late.sk.overrun()

    # --- netlink_emu.kernel.trace.Injector

    def send(self, sk: NetlinkSock, current: Current, data: bytes) -> None:
        """SendErrno faults."""
        for rule in self._of(Stage.SEND):
            views = self._journal.views_of_sending(sk, current, data)
            if rule.takes(views):
                assert isinstance(rule.fault, SendErrno)
                self._journal.faulted(sk, data, str(rule.fault), rule.number, is_request=True)
                self._rest()
                raise NetlinkError(errno_number(rule.fault.error))

    def request(self, request: Request) -> None:
        """Errno faults."""
        for rule in self._of(Stage.REQUEST):
            view = self._journal.view_of_request(request)
            if view is not None and rule.takes([view]):
                assert isinstance(rule.fault, Errno)
                assert request.skb.sk is not None
                data = request.skb.data[request.start : request.end]
                self._journal.faulted(
                    request.skb.sk, data, str(rule.fault), rule.number, is_request=True
                )
                if rule.fault.message:
                    request.extack.msg = rule.fault.message
                self._rest()
                raise NetlinkError(errno_number(rule.fault.error))

    def deliver(self, sk: NetlinkSock, skb: SkBuff, *, dump: bool) -> bool:
        """All other faults, in the order of their rules."""
        arrivals = [Arrival(skb.data)]
        lost = False
        views: list[MessageView] | None = None
        for rule in self._of(Stage.DELIVERY):
            # What is lost already is no other rule's.
            if not self._kernel.answers(sk.protocol) or not arrivals:
                break
            if views is None:
                views = self._journal.views_of_arriving(sk, skb)
            if not rule.takes(views):
                continue
            context = Context(self._journal.decoder(), rule.below)
            arrivals = [new for old in arrivals for new in rule.fault.change(context, old)]
            lost = lost or context.lost
            self._journal.faulted(
                sk, skb.data, str(rule.fault), rule.number, source=skb.portid, group=skb.dst_group
            )
        admitted = not lost and self._dispatch(sk, skb, arrivals, dump=dump)
        self._rest()
        return admitted

    def _of(self, stage: Stage) -> list[Rule]:
        return [rule for rule in self._rules if rule.fault.stage is stage]

    def _dispatch(
        self, sk: NetlinkSock, skb: SkBuff, arrivals: Sequence[Arrival], *, dump: bool
    ) -> bool:
        admitted = True
        now = self._kernel.machine.clock.monotonic_ns()
        before = self._held.pop(sk, [])
        for arrival in arrivals:
            changed = arrival.data != skb.data
            copy = replace(skb, data=arrival.data) if changed or len(arrivals) > 1 else skb
            late = _Late(sk, copy, dump)
            if arrival.held:
                self._held.setdefault(sk, []).append(late)
            elif arrival.delay_ns:
                when = now + arrival.delay_ns
                heapq.heappush(self._late, (when, next(self._order), late))
                if self.rescheduled is not None:
                    self.rescheduled()
            elif not self._admit(sk, copy, dump=dump):
                if not admitted:  # who delivers counts one of them
                    sk.overrun()
                admitted = False
        for late in before:
            self._arrive_late(late)
        return admitted

    @staticmethod
    def _admit(sk: NetlinkSock, skb: SkBuff, *, dump: bool) -> bool:
        if dump:
            sk.admit_dump(skb)
            return True
        return sk.admit(skb)
