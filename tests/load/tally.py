"""What the kernel and its journal say of each socket, counted as it happens."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from netlink_emu.families import BootedKernel
from netlink_emu.journal import Journal
from netlink_emu.journal.entries import Dropped, Entry, Faulted, Queued
from netlink_emu.kernel.trace import DropReason, Observer

if TYPE_CHECKING:
    from netlink_emu.kernel.af_netlink import NetlinkSock

LOST = (DropReason.NO_ROOM, DropReason.CONGESTED)
# Entries, and bytes of their datagrams; the sink has counted what is forgotten.
KEPT, KEPT_BYTES = 1000, 1 << 20


class Tally(Observer):
    """Counts by portid: of the journal's entries, and since when a listener is registered."""

    def __init__(self, kernel: BootedKernel) -> None:
        self.kernel = kernel
        self.since: defaultdict[int, dict[int, int]] = defaultdict(dict)
        self.arrivals: Counter[int] = Counter()
        self.losses: Counter[int] = Counter()
        self.taken: Counter[int] = Counter()  # by a fault that tells nobody
        self.faulted: Counter[str] = Counter()
        self.pruned = 0
        self.journal = Journal(kernel, limit=KEPT, limit_bytes=KEPT_BYTES)
        self.journal.sinks.append(self._entry)
        kernel.observe(self)

    def _entry(self, entry: Entry) -> None:
        if type(entry) is Queued:
            assert entry.peer is not None
            self.arrivals[entry.peer.portid] += 1
        elif type(entry) is Dropped and entry.reason in LOST:
            assert entry.peer is not None
            self.losses[entry.peer.portid] += 1
        elif type(entry) is Faulted:
            name = entry.fault.split()[0]
            self.faulted[name] += 1
            assert entry.peer is not None
            if name == "enobufs":  # lost, and there is no more said of it
                self.losses[entry.peer.portid] += 1
            elif name == "drop":
                self.taken[entry.peer.portid] += 1

    def socket_bound(self, sk: NetlinkSock) -> None:
        """Somebody else's from now on."""
        for counts in (self.arrivals, self.losses, self.taken):
            counts[-1] += counts.pop(sk.portid, 0)
        self.since.pop(sk.portid, None)

    def listener_registered(self, portid: int, cpu: int) -> None:
        assert self.kernel.taskstats is not None
        self.since[portid].setdefault(cpu, self.kernel.taskstats.seqnum[cpu])

    def listener_pruned(self, portid: int, cpu: int) -> None:
        self.pruned += 1

    def figures(self) -> dict[str, Any]:
        """All counts, and what is in the kernel now."""
        assert self.kernel.taskstats is not None
        net = self.kernel.machine.init_net
        socks = self.kernel.netlink.sockets(net, 16)
        return {
            "seqnum": {str(cpu): seq for cpu, seq in self.kernel.taskstats.seqnum.items()},
            "listeners": sum(map(len, self.kernel.taskstats.listeners.values())),
            "left": sum(len(sk.receive_queue) for sk in socks.values()),
            "socks": {
                str(portid): {
                    "queued": sk.queued,
                    "drops": sk.drops,
                    "left": len(sk.receive_queue),
                    "journal queued": self.arrivals[portid],
                    "journal dropped": self.losses[portid],
                    "taken": self.taken[portid],
                    "since": {str(cpu): seq for cpu, seq in self.since[portid].items()},
                }
                for portid, sk in socks.items()
            },
            "journal queued": self.arrivals.total(),
            "journal dropped": self.losses.total(),
            "faulted": dict(self.faulted),
            "pruned": self.pruned,
        }
