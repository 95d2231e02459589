"""Options of SOL_SOCKET on a netlink socket: sk_setsockopt() and sk_getsockopt().

From net/core/sock.c; what an option does elsewhere (priorities, busy polling) has no
meaning here, but it is kept and read back as the kernel does.
"""

from __future__ import annotations

from errno import EACCES, EBADF, EDOM, EINVAL, ENODATA, ENOPROTOOPT, EOPNOTSUPP, EPERM
from typing import TYPE_CHECKING, Final

from netlink_emu.kernel.skbuff import MAX_FORCED
from netlink_emu.kernel.sock_rare import SOCK_RCVBUF_LOCK, SOCK_SNDBUF_LOCK, RareOptions
from netlink_emu.machine.credentials import CAP_NET_ADMIN, CAP_NET_RAW
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.netlink import AF_NETLINK

if TYPE_CHECKING:
    from netlink_emu.kernel.current import Current
    from netlink_emu.kernel.kernel import Kernel
    from netlink_emu.machine.namespaces import NetNamespace

SO_DEBUG: Final = 1
SO_TYPE: Final = 3
SO_ERROR: Final = 4
SO_SNDBUF: Final = 7
SO_RCVBUF: Final = 8
SO_PRIORITY: Final = 12
SO_LINGER: Final = 13
SO_BSDCOMPAT: Final = 14
SO_REUSEPORT: Final = 15
SO_PASSCRED: Final = 16
SO_PEERCRED: Final = 17
SO_RCVLOWAT: Final = 18
SO_SNDLOWAT: Final = 19
SO_RCVTIMEO: Final = 20
SO_SNDTIMEO: Final = 21
SO_ATTACH_FILTER: Final = 26
SO_DETACH_FILTER: Final = 27
SO_ACCEPTCONN: Final = 30
SO_SNDBUFFORCE: Final = 32
SO_RCVBUFFORCE: Final = 33
SO_PASSSEC: Final = 34
SO_MARK: Final = 36
SO_PROTOCOL: Final = 38
SO_DOMAIN: Final = 39
SO_PEEK_OFF: Final = 42
SO_LOCK_FILTER: Final = 44
SO_BPF_EXTENSIONS: Final = 48
SO_INCOMING_CPU: Final = 49
SO_MEMINFO: Final = 55
SO_INCOMING_NAPI_ID: Final = 56
SO_TXREHASH: Final = 74
SO_PASSPIDFD: Final = 76
SO_PEERPIDFD: Final = 77
SO_PASSRIGHTS: Final = 83
SO_PEERGROUPS: Final = 59
SO_RCVTIMEO_NEW: Final = 66
SO_SNDTIMEO_NEW: Final = 67

INT_MAX: Final = 0x7FFFFFFF
UINT_MAX: Final = 0xFFFFFFFF
MAX_SCHEDULE_TIMEOUT: Final = 0x7FFFFFFFFFFFFFFF  # LONG_MAX, in jiffies

# Switches, read back as 0 or 1: SO_REUSEADDR, DONTROUTE, BROADCAST, KEEPALIVE, OOBINLINE,
# NO_CHECK, PASSSEC, RXQ_OVFL, WIFI_STATUS, NOFCS, SELECT_ERR_QUEUE.
_SWITCHES: Final = frozenset({SO_DEBUG, 2, 5, 6, 9, 10, 11, 34, 40, 41, 43, SO_LOCK_FILTER, 45})
# Integers, kept as they are set.
_INTEGERS: Final = {SO_PRIORITY: 0, SO_MARK: 0, SO_INCOMING_CPU: -1, SO_TXREHASH: 0}
_CONSTANTS: Final = {
    SO_BSDCOMPAT: 0,
    SO_SNDLOWAT: 1,
    SO_ACCEPTCONN: 0,
    SO_BPF_EXTENSIONS: 64,
    SO_INCOMING_NAPI_ID: 0,
}
_TIMEOUTS: Final = {
    SO_RCVTIMEO: SO_RCVTIMEO,
    SO_SNDTIMEO: SO_SNDTIMEO,
    SO_RCVTIMEO_NEW: SO_RCVTIMEO,
    SO_SNDTIMEO_NEW: SO_SNDTIMEO,
}
# What these sockets have none of.
_GET_ERRORS: Final = {
    SO_PEEK_OFF: EOPNOTSUPP,
    SO_PASSRIGHTS: EOPNOTSUPP,
    SO_PEERGROUPS: ENODATA,
    SO_PEERPIDFD: ENODATA,
}
# What only sockets of other families have, since that is looked at.
_BY_FAMILY: Final = frozenset({SO_TXREHASH, SO_PASSPIDFD})
# SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_EBPF: there are no programs of that kind.
_EBPF_FILTERS: Final = frozenset({50, 52})
SO_ATTACH_REUSEPORT_CBPF: Final = 51  # there is no such group of sockets
_SET_ERRORS: Final = {
    SO_PEEK_OFF: EOPNOTSUPP,
    SO_PASSRIGHTS: EOPNOTSUPP,
    SO_ATTACH_REUSEPORT_CBPF: EINVAL,
}
# With CONFIG_NET_RX_BUSY_POLL: SO_BUSY_POLL, INCOMING_NAPI_ID, PREFER_BUSY_POLL, BUSY_POLL_BUDGET.
_BUSY_POLL: Final = frozenset({46, SO_INCOMING_NAPI_ID, 69, 70})
_SO_REUSEPORT_CAME_WITH: Final = 44  # 3.9, as SO_LOCK_FILTER; its number had been kept free


class Sock:
    """struct sock: the part of a socket that is not netlink's.

    ``rcvbuf`` is what there is room for, ``shown_rcvbuf`` what SO_RCVBUF says.
    """

    def __init__(self, kernel: Kernel, net: NetNamespace, type: int, protocol: int) -> None:
        config = kernel.profile.config
        self.kernel: Final = kernel
        self.net: Final = net
        self.type: Final = type
        self.protocol: Final = protocol
        self.rcvbuf = self.shown_rcvbuf = config.rmem_default
        self._forced = 0
        self.sndbuf = config.wmem_default
        self.sk_err = 0
        self.rmem_alloc = 0
        self.passcred = False
        self._switches: set[int] = set()
        self._rare: Final = RareOptions(self)
        self._integers: dict[int, int] = {}
        self._rcvlowat = 1
        self._linger = (0, 0)
        self._hz: Final = config.hz
        self._timeouts: dict[int, int] = {}  # in jiffies; absent is MAX_SCHEDULE_TIMEOUT

    def take_error(self) -> int:
        """sock_error(): the pending error, which is then no more."""
        error, self.sk_err = self.sk_err, 0
        return error

    @property
    def passsec(self) -> bool:
        """SO_PASSSEC, and that a recvmsg() without room is MSG_CTRUNC; it brings nothing else."""
        return SO_PASSSEC in self._switches and self.kernel.profile.passsec_truncates

    @property
    def filter_locked(self) -> bool:
        """SO_LOCK_FILTER."""
        return SO_LOCK_FILTER in self._switches

    @property
    def rcvtimeo(self) -> float | None:
        """SO_RCVTIMEO in seconds: 0 does not wait at all, None waits for ever."""
        return self._timeout(SO_RCVTIMEO)

    @property
    def sndtimeo(self) -> float | None:
        """SO_SNDTIMEO, likewise."""
        return self._timeout(SO_SNDTIMEO)

    def _timeout(self, which: int) -> float | None:
        ticks = self._timeouts.get(which)
        return None if ticks is None else ticks / self._hz

    def to_int(self, value: bytes, offset: int = 0, size: int = 4) -> int:
        """A signed number in the byte order of the machine."""
        order = self.kernel.profile.arch.order
        return int.from_bytes(value[offset : offset + size], order.name, signed=True)

    def to_bytes(self, number: int, size: int = 4) -> bytes:
        """A number in the byte order of the machine."""
        order = self.kernel.profile.arch.order
        return (number & (1 << 8 * size) - 1).to_bytes(size, order.name)

    def getpeername(self) -> bytes:
        """getpeername(2)."""
        raise NotImplementedError

    # --- setsockopt(2)

    def sock_setsockopt(self, current: Current, optname: int, value: bytes) -> None:
        """Set an option of SOL_SOCKET."""
        if len(value) < 4:
            raise NetlinkError(EINVAL)
        self._need_known(optname)
        if self._rare.set(current, optname, value):
            return
        number = self.to_int(value)
        if optname in (SO_SNDBUF, SO_RCVBUF, SO_SNDBUFFORCE, SO_RCVBUFFORCE):
            self._set_buffer(current, optname, number)
        elif optname in _TIMEOUTS:
            self._set_timeout(_TIMEOUTS[optname], value)
        elif optname == SO_LINGER:
            if len(value) < 8:
                raise NetlinkError(EINVAL)
            self._set_linger(number, self.to_int(value, 4))
        elif optname == SO_PASSCRED:
            self.passcred = bool(number)
        elif optname == SO_RCVLOWAT:
            self._rcvlowat = INT_MAX if number < 0 else number or 1
        elif optname == SO_TXREHASH:
            self._set_txrehash(number)
        elif optname in (*_SWITCHES, SO_REUSEPORT, SO_PASSPIDFD):
            self._set_switch(current, optname, on=bool(number))
        elif optname in _INTEGERS:
            self._set_integer(current, optname, number)
        elif optname in _EBPF_FILTERS:
            if self.filter_locked:
                raise NetlinkError(EPERM)
            raise NetlinkError(EBADF if len(value) == 4 else EINVAL)
        elif optname != SO_BSDCOMPAT:
            raise NetlinkError(_SET_ERRORS.get(optname, ENOPROTOOPT))

    def _need_known(self, optname: int) -> None:
        """ENOPROTOOPT for an option younger than the release, EOPNOTSUPP for another family's."""
        profile = self.kernel.profile
        came_with = _SO_REUSEPORT_CAME_WITH if optname == SO_REUSEPORT else optname
        configured = profile.config.net_rx_busy_poll or optname not in _BUSY_POLL
        if came_with > profile.newest_so or not configured:
            raise NetlinkError(ENOPROTOOPT)
        if optname in _BY_FAMILY and profile.so_by_family:
            raise NetlinkError(EOPNOTSUPP)

    def _set_txrehash(self, number: int) -> None:
        """0, 1, or -1 for the default of net.core.txrehash, which is 1."""
        if not -1 <= number <= 1:
            raise NetlinkError(EINVAL)
        self._integers[SO_TXREHASH] = abs(number)

    def _set_buffer(self, current: Current, optname: int, size: int) -> None:
        """The size doubled, for the kernel's own needs; without FORCE up to [rw]mem_max."""
        config = self.kernel.profile.config
        if optname in (SO_SNDBUFFORCE, SO_RCVBUFFORCE):
            self._need_admin(current, EPERM)
            size = max(size, 0)
        elif optname == SO_SNDBUF:
            # Compared as u32, so that a negative size is a large one.
            size = min(size & UINT_MAX, config.wmem_max)
        else:
            size = min(size & UINT_MAX, config.rmem_max)
        size = min(size, INT_MAX // 2) * 2
        if optname in (SO_SNDBUF, SO_SNDBUFFORCE):
            self._rare.userlocks |= SOCK_SNDBUF_LOCK
            self.sndbuf = max(size, self.kernel.skb.min_sndbuf)
        else:
            self._rare.userlocks |= SOCK_RCVBUF_LOCK
            self.shown_rcvbuf = max(size, self.kernel.skb.min_rcvbuf)
            self._force_rcvbuf(self.shown_rcvbuf - 2 * config.rmem_max)
            self.rcvbuf = min(self.shown_rcvbuf, 2 * config.rmem_max + self._forced)

    def _force_rcvbuf(self, beyond: int) -> None:
        """Take what all sockets together may have beyond rmem_max, or give it back."""
        self.kernel.forced_memory -= self._forced
        self._forced = min(max(beyond, 0), MAX_FORCED - self.kernel.forced_memory)
        self.kernel.forced_memory += self._forced

    def _need_admin(self, current: Current, errno: int) -> None:
        """sockopt_capable(): in the initial user namespace, whoever owns the network's."""
        if not current.ns_capable(self.kernel.machine.init_user_ns, CAP_NET_ADMIN):
            raise NetlinkError(errno)

    def _set_linger(self, on: int, seconds: int) -> None:
        """SO_LINGER: a negative time is a very long one, as much of it as an int shows."""
        if on and seconds < 0:
            seconds = MAX_SCHEDULE_TIMEOUT // self._hz
        self._linger = (1, seconds) if on else (0, 0)

    def _set_timeout(self, which: int, value: bytes) -> None:
        if len(value) < 16:
            raise NetlinkError(EINVAL)
        seconds, micro = self.to_int(value, 0, 8), self.to_int(value, 8, 8)
        if not 0 <= micro < 1_000_000:
            raise NetlinkError(EDOM)
        # sock_set_timeout(): before the epoch is at once, nothing and what is too far are never.
        if seconds < 0:
            self._timeouts[which] = 0
        elif not (seconds or micro) or seconds >= MAX_SCHEDULE_TIMEOUT // self._hz - 1:
            self._timeouts.pop(which, None)
        else:
            self._timeouts[which] = seconds * self._hz - (-micro // (1_000_000 // self._hz))

    def _set_switch(self, current: Current, optname: int, *, on: bool) -> None:
        if optname == SO_DEBUG and on:
            self._need_admin(current, EACCES)
        if optname == SO_LOCK_FILTER and optname in self._switches and not on:
            raise NetlinkError(EPERM)
        if optname == SO_REUSEPORT and on and self.kernel.profile.reuseport_inet_only:
            raise NetlinkError(EOPNOTSUPP)
        (self._switches.add if on else self._switches.discard)(optname)

    def _set_integer(self, current: Current, optname: int, number: int) -> None:
        privileged = {
            SO_PRIORITY: not 0 <= number <= 6,
            SO_MARK: True,
        }
        raw = (CAP_NET_RAW,) if self.kernel.profile.net_raw_marks else ()
        if privileged.get(optname) and not any(
            current.ns_capable(self.net.user_ns, cap) for cap in (*raw, CAP_NET_ADMIN)
        ):
            raise NetlinkError(EPERM)
        self._integers[optname] = number

    # --- getsockopt(2)

    def sock_getsockopt(self, optname: int, optlen: int) -> tuple[bytes, int]:
        """The bytes to write (``optlen`` at most), and the length to report."""
        if optlen < 0:
            raise NetlinkError(EINVAL)
        self._need_known(optname)
        data = self._rare.get(optname, optlen)
        data = (self._get(optname) if data is None else data)[:optlen]
        return data, len(data)

    def _get(self, optname: int) -> bytes:
        if optname in _TIMEOUTS:
            return self._get_timeout(_TIMEOUTS[optname])
        if optname == SO_PEERCRED:
            # Nobody is at the other end: pid 0, uid and gid -1.
            return self.to_bytes(0) + self.to_bytes(-1, 8)
        if optname == SO_LINGER:
            return self.to_bytes(self._linger[0]) + self.to_bytes(self._linger[1])
        if optname == SO_MEMINFO:
            # SK_MEMINFO_*: rmem_alloc, rcvbuf, wmem_alloc, sndbuf, and five more.
            sizes = (self.rmem_alloc, self.shown_rcvbuf, 0, self.sndbuf, 0, 0, 0, 0, 0)
            return b"".join(map(self.to_bytes, sizes))
        return self.to_bytes(self._get_int(optname))

    def _get_int(self, optname: int) -> int:
        values = {
            SO_TYPE: self.type,
            SO_SNDBUF: self.sndbuf,
            SO_RCVBUF: self.shown_rcvbuf,
            SO_PASSCRED: int(self.passcred),
            SO_RCVLOWAT: self._rcvlowat,
            SO_PROTOCOL: self.protocol,
            SO_DOMAIN: AF_NETLINK,
            **_CONSTANTS,
        }
        if optname == SO_ERROR:
            return self.take_error()
        if optname in values:
            return values[optname]
        if optname in (*_SWITCHES, SO_REUSEPORT, SO_PASSPIDFD):
            return int(optname in self._switches)
        if optname in _INTEGERS:
            return self._integers.get(optname, _INTEGERS[optname])
        raise NetlinkError(_GET_ERRORS.get(optname, ENOPROTOOPT))

    def _get_timeout(self, which: int) -> bytes:
        """In the jiffies that it is kept in."""
        seconds, ticks = divmod(self._timeouts.get(which, 0), self._hz)
        return self.to_bytes(seconds, 8) + self.to_bytes(ticks * 1_000_000 // self._hz, 8)
