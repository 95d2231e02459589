"""What the clients of a supervisor did, counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from errno import ENOMEM
from typing import Final

from netlink_emu.protocol.errors import errno_name

# include/uapi/linux/netlink.h
_PROTOCOLS: Final = {
    0: "NETLINK_ROUTE", 2: "NETLINK_USERSOCK", 3: "NETLINK_FIREWALL", 4: "NETLINK_SOCK_DIAG",
    5: "NETLINK_NFLOG", 6: "NETLINK_XFRM", 7: "NETLINK_SELINUX", 8: "NETLINK_ISCSI",
    9: "NETLINK_AUDIT", 10: "NETLINK_FIB_LOOKUP", 11: "NETLINK_CONNECTOR",
    12: "NETLINK_NETFILTER", 13: "NETLINK_IP6_FW", 14: "NETLINK_DNRTMSG",
    15: "NETLINK_KOBJECT_UEVENT", 16: "NETLINK_GENERIC", 18: "NETLINK_SCSITRANSPORT",
    19: "NETLINK_ECRYPTFS", 20: "NETLINK_RDMA", 21: "NETLINK_CRYPTO", 22: "NETLINK_SMC",
}  # fmt: skip


def protocol_name(number: int) -> str:
    """The constant's name, or the number where there is none."""
    return _PROTOCOLS.get(number, str(number))


@dataclass(slots=True)
class Summary:
    """Counts since the supervisor began.

    ``sockets`` are emulated ones, ``passed`` sockets of other netlink protocols, which the
    host's kernel answers. ``calls`` counts every stopped call by name. ``past_us`` counts
    datagrams that were sent without a stop. ``sealed`` are calls of clients that we may not look
    into. ``foreign`` are sockets refused to programs of the host's other ABIs, ``beyond``
    descriptors refused to clients that have lowered their limit below our numbers. ``untraced``
    are threads whose ends could not be exit events. ``failures`` counts by errno what failed
    that we did for clients and that never should; their calls then failed with ENOMEM, if that
    could not be helped. ``unemulated`` counts requests for families that the host's kernel has
    and the emulated one has not. ``delayacct`` is whether delays are accounted there and here,
    where that differs.
    """

    sockets: int = 0
    sent: int = 0
    received: int = 0
    past_us: int = 0
    sealed: int = 0
    foreign: int = 0
    beyond: int = 0
    untraced: int = 0
    passed: Counter[int] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    unemulated: Counter[str] = field(default_factory=Counter)
    delayacct: tuple[bool, bool] | None = None

    def failed(self, exc: OSError) -> int:
        """Count a system call of ours that failed; returns what the client's call fails with."""
        self.failures[errno_name(exc.errno or 0)] += 1
        return ENOMEM

    def lines(self) -> list[str]:
        """The counts in words, one line each; what did not happen is left out."""
        lines = [
            f"{_count(self.sockets, 'generic netlink socket')}, "
            f"{_count(self.sent, 'request datagram')}, "
            f"{_count(self.received, 'datagram')} received"
        ]
        if self.calls:
            often_first = sorted(self.calls.items(), key=lambda call: (-call[1], call[0]))
            calls = ", ".join(f"{name} {n}" for name, n in often_first)
            lines.append(f"system calls: {calls}")
        for number, n in sorted(self.passed.items()):
            lines.append(
                f"{_count(n, f'{protocol_name(number)} socket')} made by the host's kernel"
            )
        if self.past_us:
            lines.append(f"{_count(self.past_us, 'datagram')} sent past the filter, answered late")
        if self.delayacct is not None and self.sent:
            emulated, host = ("on" if on else "off" for on in self.delayacct)
            lines.append(
                f"delays are accounted: {emulated}; who looks that up in "
                f"/proc/sys/kernel/task_delayacct (iotop does) sees this machine's: {host}"
            )
        return lines + self.misses()

    def misses(self) -> list[str]:
        """What could not be emulated: to be said whether the rest is asked for or not."""
        lines = [
            f"{_count(count, 'request')} for family {name}, which this machine's kernel has, "
            "but which is not emulated: --family can add it, docs/howto-spec.md"
            for name, count in sorted(self.unemulated.items())
        ]
        if self.sealed:
            lines.append(
                f"{_count(self.sealed, 'call')} of clients that may not be looked into "
                "(not dumpable): run as root to serve them"
            )
        if self.untraced:
            lines.append(
                f"{_count(self.untraced, 'thread')} that something else traces, or that may not "
                "be traced: their ends were no exit events"
            )
        if self.foreign:
            lines.append(
                f"{_count(self.foreign, 'generic netlink socket')} refused to programs of another "
                "ABI (i386, x32, 32-bit arm): only native ones can be emulated"
            )
        if self.beyond:
            lines.append(
                f"{_count(self.beyond, 'descriptor')} refused to clients whose limit of open "
                "files is below emulated sockets' numbers: lower it before netlink-emu starts"
            )
        if self.failures:
            kinds = ", ".join(f"{name} {n}" for name, n in sorted(self.failures.items()))
            lines.append(
                f"{_count(self.failures.total(), 'system call')} of netlink-emu for its clients "
                f"failed ({kinds}): calls of theirs may have failed with ENOMEM"
            )
        return lines


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
