"""NETLINK_EMU's operations on clients' sockets, and the figures of the whole."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final

from netlink_emu.families.control.ops import Asked, Handler, Handlers
from netlink_emu.kernel.trace import Observer
from netlink_emu.protocol.netlink import NETLINK_GENERIC
from netlink_emu.protocol.ours.control_values import Row

if TYPE_CHECKING:
    from netlink_emu.families import BootedKernel
    from netlink_emu.journal import Journal
    from netlink_emu.kernel.af_netlink import NetlinkSock
    from netlink_emu.kernel.current import Current
    from netlink_emu.kernel.netlink_rcv import Request


class SocketOps(Observer):
    """Looks at sockets; observes the kernel to know what they ask.

    It knows the sockets that were made since it observes. Those of who controls are left out, as
    in the journal.
    """

    def __init__(self, kernel: BootedKernel, journal: Journal) -> None:
        self._kernel: Final = kernel
        self._journal: Final = journal
        # The families that each socket has asked, by number; the oldest socket first.
        self._asked: Final[dict[NetlinkSock, set[int]]] = {}
        # Those of who controls, as of their last request: when one closes, the journal has
        # forgotten it before we hear of that.
        self._silent: Final[set[NetlinkSock]] = set()
        self._drops = 0  # of sockets that are closed

    def ops(self) -> Handlers:
        return {"socket-get": Handler(dump=self.sockets), "watch-get": Handler(self.figures)}

    def socket_opened(self, sk: NetlinkSock, current: Current) -> None:
        self._asked[sk] = set()

    def socket_closed(self, sk: NetlinkSock) -> None:
        if self._asked.pop(sk, None) is not None and sk not in self._silent:
            self._drops += sk.drops
        self._silent.discard(sk)

    def request_done(self, request: Request, err: int) -> None:
        sk = request.skb.sk
        if sk is not None and sk.protocol == NETLINK_GENERIC:
            number = request.nlmsg_type
            if number in self._kernel.genl.families:
                self._asked.setdefault(sk, set()).add(number)
            if self._journal.is_silent(sk):
                self._silent.add(sk)
            else:
                self._silent.discard(sk)

    def _shown(self) -> Iterator[NetlinkSock]:
        return (sk for sk in self._asked if not self._journal.is_silent(sk))

    def figures(self, _asked: Asked) -> Row:
        return {
            "number": self._journal.number,
            "sockets": sum(1 for _ in self._shown()),
            "tasks": len(self._kernel.machine.tasks),
            "drops": self._drops + sum(sk.drops for sk in self._shown()),
        }

    def sockets(self, asked: Asked) -> Iterator[Row]:
        return map(self._row, islice(self._shown(), *asked.window()))

    def _row(self, sk: NetlinkSock) -> Row:
        peer = self._journal.peer(sk)
        return {
            "portid": sk.portid,
            "pid": peer.pid,
            "comm": peer.comm,
            "protocol": sk.protocol,
            "families": " ".join(self._families(sk)),
            "groups": " ".join(self._groups(sk)),
            "datagrams": len(sk.receive_queue),
            "queue": sk.rmem_alloc,
            "rcvbuf": sk.shown_rcvbuf,
            "drops": sk.drops,
            "congested": True if sk.congested else None,
        }

    def _families(self, sk: NetlinkSock) -> Iterator[str]:
        families = self._kernel.genl.families
        return (families[number].name for number in sorted(self._asked[sk]) if number in families)

    def _groups(self, sk: NetlinkSock) -> Iterator[str]:
        for group in range(1, sk.groups.bit_length() + 1):
            if sk.groups >> (group - 1) & 1:
                name = self._journal.group_name(sk, group)
                yield name.replace(" ", ":") or str(group)
