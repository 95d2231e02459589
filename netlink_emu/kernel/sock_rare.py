"""Options of SOL_SOCKET without any meaning for netlink, which yet are kept and read back.

From net/core/sock.c. What is refused is refused for the reasons that the kernel has.
"""

from __future__ import annotations

import itertools
from errno import EBADF, EINVAL, ENOPROTOOPT, EOPNOTSUPP, EPERM
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from netlink_emu.machine.credentials import CAP_NET_ADMIN
from netlink_emu.protocol.errors import NetlinkError

if TYPE_CHECKING:
    from netlink_emu.kernel.current import Current
    from netlink_emu.kernel.sock import Sock

SO_PEERNAME: Final = 28
SO_TIMESTAMP: Final = 29
SO_TIMESTAMPNS: Final = 35
SO_TIMESTAMPING: Final = 37
SO_BUSY_POLL: Final = 46
SO_MAX_PACING_RATE: Final = 47
SO_CNX_ADVICE: Final = 53
SO_COOKIE: Final = 57
SO_ZEROCOPY: Final = 60
SO_TXTIME: Final = 61
SO_BINDTOIFINDEX: Final = 62
SO_TIMESTAMP_NEW: Final = 63
SO_TIMESTAMPNS_NEW: Final = 64
SO_TIMESTAMPING_NEW: Final = 65
SO_DETACH_REUSEPORT_BPF: Final = 68
SO_PREFER_BUSY_POLL: Final = 69
SO_BUSY_POLL_BUDGET: Final = 70
SO_NETNS_COOKIE: Final = 71
SO_BUF_LOCK: Final = 72
SO_RESERVE_MEM: Final = 73
SO_RCVMARK: Final = 75
SO_DEVMEM_DONTNEED: Final = 80
SO_RCVPRIORITY: Final = 82

SOCK_SNDBUF_LOCK: Final = 1
SOCK_RCVBUF_LOCK: Final = 2
_U16_MAX: Final = 0xFFFF
_UINT_MAX: Final = 0xFFFFFFFF
_ULONG_MAX: Final = 0xFFFFFFFFFFFFFFFF
_CLOCK_MONOTONIC: Final = 1
_TXTIME_FLAGS: Final = 0x3  # SOF_TXTIME_FLAGS_MASK

# SOF_TIMESTAMPING_*, include/uapi/linux/net_tstamp.h
_TS_OPT_ID: Final = 1 << 7
_TS_OPT_TSONLY: Final = 1 << 11
_TS_OPT_STATS: Final = 1 << 12
_TS_BIND_PHC: Final = 1 << 15
_TS_OPT_ID_TCP: Final = 1 << 16

_SWITCHES: Final = frozenset({SO_PREFER_BUSY_POLL, SO_RCVMARK, SO_RCVPRIORITY})
_INTEGERS: Final = frozenset({SO_BUSY_POLL, SO_BINDTOIFINDEX})
_ZEROS: Final = frozenset({SO_ZEROCOPY, SO_RESERVE_MEM})
_NOT_FOR_NETLINK: Final = {
    SO_ZEROCOPY: EOPNOTSUPP,
    SO_RESERVE_MEM: EOPNOTSUPP,
    SO_DETACH_REUSEPORT_BPF: EINVAL,
    SO_DEVMEM_DONTNEED: EBADF,
}
_ENOTSUPP: Final = 524  # include/linux/errno.h; no program should see it


class Cookies:
    """What SO_COOKIE and SO_NETNS_COOKIE tell: numbers given when they are first asked for."""

    def __init__(self) -> None:
        self._next = itertools.count(1)
        self._given: WeakKeyDictionary[object, int] = WeakKeyDictionary()

    def of(self, what: object) -> int:
        """The number of a socket or a namespace, never given twice."""
        if what not in self._given:
            self._given[what] = next(self._next)
        return self._given[what]


class RareOptions:
    """The rare options of one socket. ``userlocks``: which buffer sizes were set by hand."""

    def __init__(self, sk: Sock) -> None:
        self._sk = sk
        self.userlocks = 0
        self._values: dict[int, int] = {}
        self._pacing_rate = _ULONG_MAX
        self._txtime = (0, 0)  # clock, flags
        self._timestamping = (0, 0)  # flags, clock bound to
        self._rcvtstamp = self._rcvtstampns = self._tstamp_new = False

    # --- setsockopt(2)

    def set(self, current: Current, optname: int, value: bytes) -> bool:
        """Set an option; False if it is none of these."""
        number = self._sk.to_int(value)
        if optname in _SWITCHES:
            if optname == SO_PREFER_BUSY_POLL and number:
                self._need_admin(current)
            self._values[optname] = int(bool(number))
        elif optname in _INTEGERS:
            profile = self._sk.kernel.profile
            higher = optname == SO_BUSY_POLL and number > self._values.get(optname, 0)
            if higher and not profile.busy_poll_for_anyone:
                self._need_admin(current)
            if number < 0:
                raise NetlinkError(EINVAL)
            self._values[optname] = number
        elif optname in (SO_TIMESTAMP, SO_TIMESTAMPNS, SO_TIMESTAMP_NEW, SO_TIMESTAMPNS_NEW):
            self._set_timestamp(optname, on=bool(number))
        elif optname in (SO_TIMESTAMPING, SO_TIMESTAMPING_NEW):
            self._set_timestamping(optname, value)
        elif optname == SO_MAX_PACING_RATE:
            self._set_pacing_rate(value, number)
        elif optname == SO_TXTIME:
            self._set_txtime(current, value)
        elif optname == SO_BUSY_POLL_BUDGET:
            if number > self._values.get(optname, 0):
                self._need_admin(current)
            if not 0 <= number <= _U16_MAX:
                raise NetlinkError(EINVAL)
            self._values[optname] = number
        elif optname == SO_BUF_LOCK:
            if number & ~(SOCK_SNDBUF_LOCK | SOCK_RCVBUF_LOCK):
                raise NetlinkError(EINVAL)
            self.userlocks = number
        elif optname in _NOT_FOR_NETLINK:
            raise NetlinkError(self._refusal(optname, number))
        else:
            return optname == SO_CNX_ADVICE
        return True

    def _refusal(self, optname: int, number: int) -> int:
        if optname == SO_RESERVE_MEM and number < 0:
            return EINVAL
        if optname == SO_ZEROCOPY and not self._sk.kernel.profile.zerocopy_eopnotsupp:
            return _ENOTSUPP
        return _NOT_FOR_NETLINK[optname]

    def _need_admin(self, current: Current) -> None:
        """sockopt_capable(): in the initial user namespace."""
        if not current.ns_capable(self._sk.kernel.machine.init_user_ns, CAP_NET_ADMIN):
            raise NetlinkError(EPERM)

    def _set_timestamp(self, optname: int, *, on: bool) -> None:
        """sock_set_timestamp()."""
        self._rcvtstamp = on
        self._rcvtstampns = on and optname in (SO_TIMESTAMPNS, SO_TIMESTAMPNS_NEW)
        if on:
            self._tstamp_new = optname in (SO_TIMESTAMP_NEW, SO_TIMESTAMPNS_NEW)

    def _set_timestamping(self, optname: int, value: bytes) -> None:
        """sock_set_timestamping(); an int, or struct so_timestamping."""
        flags = self._sk.to_int(value)
        if flags & ~((1 << self._sk.kernel.profile.timestamping_flags) - 1):
            raise NetlinkError(EINVAL)
        if flags & _TS_OPT_ID_TCP and not flags & _TS_OPT_ID:
            raise NetlinkError(EINVAL)
        if flags & _TS_OPT_STATS and not flags & _TS_OPT_TSONLY:
            raise NetlinkError(EINVAL)
        if flags & _TS_BIND_PHC:
            raise NetlinkError(EOPNOTSUPP)
        self._timestamping = (flags, 0)
        self._tstamp_new = optname == SO_TIMESTAMPING_NEW

    def _set_pacing_rate(self, value: bytes, number: int) -> None:
        if len(value) >= 8:
            self._pacing_rate = self._sk.to_int(value, 0, 8) & _ULONG_MAX
        else:
            self._pacing_rate = _ULONG_MAX if number == -1 else number & _UINT_MAX

    def _set_txtime(self, current: Current, value: bytes) -> None:
        if len(value) != 8:
            raise NetlinkError(EINVAL)
        clock, flags = self._sk.to_int(value), self._sk.to_int(value, 4)
        if flags & ~_TXTIME_FLAGS:
            raise NetlinkError(EINVAL)
        user_ns = self._sk.net.user_ns
        if clock != _CLOCK_MONOTONIC and not current.ns_capable(user_ns, CAP_NET_ADMIN):
            raise NetlinkError(EPERM)
        self._txtime = (clock, flags)

    # --- getsockopt(2)

    def get(self, optname: int, optlen: int) -> bytes | None:
        """The value of an option, whole; None if it is none of these. Raises EINVAL."""
        sk = self._sk
        if optname in (*_SWITCHES, *_INTEGERS):
            return sk.to_bytes(self._values.get(optname, 0))
        if optname in _ZEROS:
            return sk.to_bytes(0)
        if optname == SO_BUF_LOCK:
            return sk.to_bytes(self.userlocks)
        if optname == SO_MAX_PACING_RATE:
            if optlen >= 8:
                return sk.to_bytes(self._pacing_rate, 8)
            return sk.to_bytes(min(self._pacing_rate, _UINT_MAX))
        if optname == SO_TXTIME:
            return b"".join(map(sk.to_bytes, self._txtime))
        if optname in (SO_TIMESTAMPING, SO_TIMESTAMPING_NEW):
            return self._get_timestamping(optname)
        if (timestamp := self._timestamp(optname)) is not None:
            return sk.to_bytes(int(timestamp))
        return self._get_identity(optname, optlen)

    def _get_timestamping(self, optname: int) -> bytes:
        """Flags, and since 5.14 the clock; by the new option only what was set by it."""
        profile = self._sk.kernel.profile
        if optname == SO_TIMESTAMPING_NEW and not profile.timestamping_new_readable:
            raise NetlinkError(ENOPROTOOPT)
        shown = optname == SO_TIMESTAMPING or self._tstamp_new
        values = self._timestamping if shown else (0, 0)
        return b"".join(map(self._sk.to_bytes, values if profile.timestamping_phc else values[:1]))

    def _timestamp(self, optname: int) -> bool | None:
        return {
            SO_TIMESTAMP: self._rcvtstamp and not self._tstamp_new and not self._rcvtstampns,
            SO_TIMESTAMPNS: self._rcvtstampns and not self._tstamp_new,
            SO_TIMESTAMP_NEW: self._rcvtstamp and self._tstamp_new,
            SO_TIMESTAMPNS_NEW: self._rcvtstampns and self._tstamp_new,
        }.get(optname)

    def _get_identity(self, optname: int, optlen: int) -> bytes | None:
        sk = self._sk
        if optname == SO_PEERNAME:
            name = sk.getpeername()
            if optlen > len(name):
                raise NetlinkError(EINVAL)
            return name
        if optname == SO_COOKIE:
            if optlen < 8:
                raise NetlinkError(EINVAL)
            return sk.to_bytes(sk.kernel.cookies.of(sk), 8)
        if optname == SO_NETNS_COOKIE:
            if optlen != 8:
                raise NetlinkError(EINVAL)
            return sk.to_bytes(sk.kernel.cookies.of(sk.net), 8)
        return None
