"""What passes on sockets that are recorded, told to the journal of a test's kernel.

While a test is recorded its programs talk to the host's kernel. The test's own kernel sees none of
that; it has a shadow of each of their sockets, on which what was noted is told to its observers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from netlink_emu.cassettes import Answer, Bound, Event, Failed, Option, Request
from netlink_emu.kernel.current import Current
from netlink_emu.kernel.skbuff import SkBuff
from netlink_emu.machine.credentials import Cred
from netlink_emu.protocol.netlink import SOL_NETLINK, NetlinkSockOpt

if TYPE_CHECKING:
    from netlink_emu.kernel.af_netlink import NetlinkSock
    from netlink_emu.kernel.trace import Observer
    from netlink_emu.testing.handle.booted import Booted


_JOIN: Final = SOL_NETLINK, NetlinkSockOpt.NETLINK_ADD_MEMBERSHIP
_MOST_GROUPS: Final = 1 << 10


class Shadows:
    """See :class:`netlink_emu.cassettes.recording.recording.Keeper`; for the kernel's thread."""

    def __init__(self, booted: Booted) -> None:
        self._kernel: Final = booted.kernel
        self._journal: Final = booted.own_journal
        self._sockets: Final[list[NetlinkSock]] = []
        self._groups: Final[list[set[int]]] = []

    def socket(self, protocol: int, type: int, comm: str, pid: int) -> None:
        """A socket was made: the journal tells of it."""
        machine = self._kernel.machine
        current = Current(
            Cred.for_ids(machine.init_user_ns, 0, 0),
            machine.init_net,
            machine.init_pid_ns,
            pid,
            comm=lambda: comm,
        )
        self._groups.append(set())
        self._sockets.append(self._kernel.socket(current, type, protocol))

    def event(self, socket: int, event: Event) -> None:
        """What happened on it."""
        sk, trace = self._sockets[socket], self._kernel.trace
        if trace is None:
            return
        match event:
            case Bound(portid, groups):
                if portid != sk.portid:
                    sk.portid = portid  # in name: nothing is sent to it here
                    trace.socket_bound(sk)
                self._joins(socket, trace, groups)
            case Option(level, name, value) if (level, name) == _JOIN:
                order = self._kernel.profile.arch.order.name
                self._joins(socket, trace, (int.from_bytes(value[:4], order),))
            case Option(level, name, value):
                trace.option_set(sk, level, name, value, 0)
            case Request(data, portid, group):
                trace.sent(sk, SkBuff(data, len(data), sk.portid, group, sk=sk), portid)
            case Answer(data, portid, group):
                trace.queued(sk, SkBuff(data, len(data), portid, group))
            case Failed(call, errno):
                self._journal.note(f"{call} failed with errno {errno}")

    def _joins(self, socket: int, trace: Observer, groups: Iterable[int]) -> None:
        news = {group for group in groups if 0 < group <= _MOST_GROUPS} - self._groups[socket]
        if news:
            self._groups[socket] |= news
            trace.groups_changed(self._sockets[socket], sum(1 << group - 1 for group in news), 0)

    def close(self) -> None:
        """Their clients have ended."""
        for sk in self._sockets:
            sk.release()
        self._sockets.clear()
