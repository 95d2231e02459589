"""The emulated kernel: the socket layer's entry, and what hangs on it."""

from __future__ import annotations

from errno import EINVAL, EPROTONOSUPPORT, ESOCKTNOSUPPORT
from typing import Final

from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.kernel.current import Current
from netlink_emu.kernel.genetlink import Genetlink
from netlink_emu.kernel.netlink_table import Netlink, NetlinkTable
from netlink_emu.kernel.profile import Arch, Profile
from netlink_emu.kernel.skbuff import skb_sizes
from netlink_emu.kernel.sock_rare import Cookies
from netlink_emu.kernel.trace import Injector, Observer, Observers
from netlink_emu.machine.machine import Machine
from netlink_emu.machine.task import Task
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.netlink import NETLINK_GENERIC

SOCK_DGRAM: Final = 2
SOCK_RAW: Final = 3
SOCK_MAX: Final = 11
MAX_LINKS: Final = 32

# Other netlink protocols that the kernel of the transcripts has. Sockets of them exist, portids
# are theirs; what they send to the kernel is taken and not answered.
_OTHERS: Final = {
    0: NetlinkTable("NETLINK_ROUTE", 64, nonroot_recv=True),
    2: NetlinkTable("NETLINK_USERSOCK", 32, nonroot_send=True, kernel_socket=False),
    4: NetlinkTable("NETLINK_SOCK_DIAG", 32, nonroot_recv=True),
    6: NetlinkTable("NETLINK_XFRM", 32),
    7: NetlinkTable("NETLINK_SELINUX", 32, nonroot_recv=True),
    9: NetlinkTable("NETLINK_AUDIT", 32, nonroot_recv=True),
    10: NetlinkTable("NETLINK_FIB_LOOKUP", 32),
    11: NetlinkTable("NETLINK_CONNECTOR", 32, nonroot_recv=True),
    12: NetlinkTable("NETLINK_NETFILTER", 32),
    15: NetlinkTable("NETLINK_KOBJECT_UEVENT", 32, nonroot_recv=True),
}


class Kernel:
    """One emulated kernel. ``netlink_emu.families.boot()`` makes one with its families."""

    def __init__(self, machine: Machine, profile: Profile | None = None) -> None:
        self.machine: Final = machine
        self.profile: Final = profile if profile is not None else Profile()
        self.skb: Final = skb_sizes(self.profile)
        self.trace: Observer | None = None
        self.injector: Injector | None = None
        self.forced_memory = 0  # of receive buffers, by SO_RCVBUFFORCE
        self._observers: tuple[Observer, ...] = ()
        # The protocols whose sockets clients get here; others are their host's.
        self.answered: Final = {NETLINK_GENERIC}
        self.cookies: Final = Cookies()
        self.netlink: Final = Netlink(self)
        self.genl: Final = Genetlink(self)
        self.tables: Final = _OTHERS | {
            NETLINK_GENERIC: NetlinkTable(
                "NETLINK_GENERIC",
                64,
                nonroot_recv=True,
                input=self.genl.rcv,
                bind=self.genl.may_join,
            )
        }
        on = self.profile.config.task_delayacct
        self.task_delayacct = self.profile.delayacct_default_on if on is None else on
        machine.tasks.delayacct_on = self.task_delayacct
        hz = self.profile.config.hz
        machine.tasks.tick_ns = (1_000_000_000 + hz // 2) // hz  # TICK_NSEC
        machine.tasks.last_thread_decides_status = self.profile.last_thread_decides_status

    @property
    def arch(self) -> Arch:
        """The machine's processor."""
        return self.profile.arch

    def answers(self, protocol: int) -> bool:
        """Whether clients get sockets of this netlink protocol here, and not of their host."""
        return protocol in self.answered

    def take(self, protocol: int) -> NetlinkTable:
        """Have clients get sockets of this protocol here from now on; gives its table."""
        if protocol not in self.tables:
            self.tables[protocol] = NetlinkTable(f"NETLINK {protocol}", 32, nonroot_recv=True)
        self.answered.add(protocol)
        return self.tables[protocol]

    def socket(self, current: Current, type: int, protocol: int) -> NetlinkSock:
        """socket(AF_NETLINK, type, protocol); ``type`` without SOCK_CLOEXEC and SOCK_NONBLOCK."""
        if not 0 <= type < SOCK_MAX:
            raise NetlinkError(EINVAL)
        if type not in (SOCK_RAW, SOCK_DGRAM):
            raise NetlinkError(ESOCKTNOSUPPORT)
        if not 0 <= protocol < MAX_LINKS:
            raise NetlinkError(EPROTONOSUPPORT)
        if protocol not in self.tables:
            if self.profile.protocol_must_exist:
                raise NetlinkError(EPROTONOSUPPORT)
            self.tables[protocol] = NetlinkTable("", 0, kernel_socket=False)
        return NetlinkSock(self, current, type, protocol)

    def observe(self, observer: Observer) -> None:
        """Tell ``observer`` what happens from now on; task events are before their messages."""
        tasks = self.machine.tasks
        if self.trace is None:
            tasks.fork_hooks.append(self._trace_fork)
            tasks.exit_hooks.insert(0, self._trace_exit)
        self._observers = (*self._observers, observer)
        self.trace = observer if len(self._observers) == 1 else Observers(self._observers)

    def unobserve(self, observer: Observer) -> None:
        """No more; raises ValueError if it does not observe."""
        if observer not in self._observers:
            raise ValueError(f"{observer!r} does not observe this kernel")
        self._observers = tuple(other for other in self._observers if other is not observer)
        self.trace = Observers(self._observers) if self._observers else None
        if self.trace is None:
            tasks = self.machine.tasks
            tasks.fork_hooks.remove(self._trace_fork)
            tasks.exit_hooks.remove(self._trace_exit)

    def _trace_fork(self, task: Task) -> None:
        assert self.trace is not None
        self.trace.task_forked(task)

    def _trace_exit(self, task: Task, *, group_dead: bool) -> None:
        assert self.trace is not None
        self.trace.task_exited(task)

    def sysctl_task_delayacct(self, *, on: bool) -> None:
        """kernel.task_delayacct: what is forked from now on is accounted, or not."""
        self.task_delayacct = on
        self.machine.tasks.delayacct_on = on
