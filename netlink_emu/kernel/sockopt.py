"""Socket options: netlink_setsockopt(), netlink_getsockopt(), and those of SOL_SOCKET that show.

From net/netlink/af_netlink.c and net/core/sock.c.
"""

from __future__ import annotations

from errno import EDOM, EINVAL, ENOPROTOOPT, EPERM
from typing import TYPE_CHECKING, Final

from netlink_emu.machine.credentials import CAP_NET_ADMIN, CAP_NET_BROADCAST
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.netlink import AF_NETLINK, SOL_NETLINK, SOL_SOCKET, NetlinkSockOpt

if TYPE_CHECKING:
    from netlink_emu.kernel.current import Current
    from netlink_emu.kernel.kernel import Kernel
    from netlink_emu.kernel.netlink_table import NetlinkTable
    from netlink_emu.machine.namespaces import NetNamespace

SO_TYPE: Final = 3
SO_ERROR: Final = 4
SO_SNDBUF: Final = 7
SO_RCVBUF: Final = 8
SO_PASSCRED: Final = 16
SO_RCVTIMEO: Final = 20
SO_SNDTIMEO: Final = 21
SO_SNDBUFFORCE: Final = 32
SO_RCVBUFFORCE: Final = 33
SO_PROTOCOL: Final = 38
SO_DOMAIN: Final = 39

SOCK_MIN_SNDBUF: Final = 4608  # 2 * SKB_TRUESIZE(2048)
SOCK_MIN_RCVBUF: Final = 2304  # SKB_TRUESIZE(2048)
INT_MAX: Final = 0x7FFFFFFF
# SOL_SOCKET options that are a switch and have no effect on netlink: value 0 or 1.
_SWITCHES: Final = frozenset({
    2,  # SO_REUSEADDR
    5,  # SO_DONTROUTE
    6,  # SO_BROADCAST
    9,  # SO_KEEPALIVE
    10,  # SO_OOBINLINE
    11,  # SO_NO_CHECK
    29,  # SO_TIMESTAMP
    35,  # SO_TIMESTAMPNS
    34,  # SO_PASSSEC
    40,  # SO_RXQ_OVFL
    41,  # SO_WIFI_STATUS
    43,  # SO_NOFCS
    44,  # SO_LOCK_FILTER
    45,  # SO_SELECT_ERR_QUEUE
})  # fmt: skip
# Readable, and constant on a netlink socket: SO_ACCEPTCONN.
_ZEROS: Final = frozenset({30})
SO_PEERCRED: Final = 17

# SOL_NETLINK options that are a flag of the socket, and the attribute that holds it.
_FLAGS: Final = {
    NetlinkSockOpt.NETLINK_PKTINFO: "pktinfo",
    NetlinkSockOpt.NETLINK_BROADCAST_ERROR: "broadcast_error",
    NetlinkSockOpt.NETLINK_NO_ENOBUFS: "no_enobufs",
    NetlinkSockOpt.NETLINK_LISTEN_ALL_NSID: "listen_all_nsid",
    NetlinkSockOpt.NETLINK_CAP_ACK: "cap_ack",
    NetlinkSockOpt.NETLINK_EXT_ACK: "ext_ack",
    NetlinkSockOpt.NETLINK_GET_STRICT_CHK: "strict_chk",
}
# The capability of the profile without which an option does not exist yet.
_SINCE: Final = {
    NetlinkSockOpt.NETLINK_BROADCAST_ERROR: "no_enobufs",
    NetlinkSockOpt.NETLINK_NO_ENOBUFS: "no_enobufs",
    NetlinkSockOpt.NETLINK_LISTEN_ALL_NSID: "list_memberships",
    NetlinkSockOpt.NETLINK_LIST_MEMBERSHIPS: "list_memberships",
    NetlinkSockOpt.NETLINK_CAP_ACK: "cap_ack",
    NetlinkSockOpt.NETLINK_EXT_ACK: "ext_ack",
    NetlinkSockOpt.NETLINK_GET_STRICT_CHK: "strict_chk",
}


class SockOptions:
    """The options of a netlink socket, and the state that they set."""

    def __init__(self, kernel: Kernel, net: NetNamespace, type: int, protocol: int) -> None:
        config = kernel.profile.config
        self.kernel: Final = kernel
        self.net: Final = net
        self.type: Final = type
        self.protocol: Final = protocol
        self.table: Final[NetlinkTable] = kernel.tables[protocol]
        self.groups = 0
        self.groups_allocated = False
        self.rcvbuf = config.rmem_default
        self.sndbuf = config.wmem_default
        self.sk_err = 0
        self.passcred = False
        self.pktinfo = False
        self.broadcast_error = False
        self.no_enobufs = False
        self.listen_all_nsid = False
        self.cap_ack = False
        self.ext_ack = False
        self.strict_chk = False
        self.congested = False
        self._switches: dict[int, int] = {}
        self._timeouts = {SO_RCVTIMEO: bytes(16), SO_SNDTIMEO: bytes(16)}

    @property
    def ngroups(self) -> int:
        """How many multicast groups there can be: a multiple of 32 or 64."""
        return self.table.groups

    def take_error(self) -> int:
        """sock_error(): the pending error, which is then no more."""
        error, self.sk_err = self.sk_err, 0
        return error

    def need_nonroot_recv(self, current: Current) -> None:
        """Joining groups needs CAP_NET_ADMIN unless the protocol has NL_CFG_F_NONROOT_RECV."""
        if not self.table.nonroot_recv and not current.ns_capable(self.net.user_ns, CAP_NET_ADMIN):
            raise NetlinkError(EPERM)

    def _exists(self, optname: int) -> NetlinkSockOpt:
        try:
            option = NetlinkSockOpt(optname)
        except ValueError:
            raise NetlinkError(ENOPROTOOPT) from None
        since = _SINCE.get(option)
        if since is not None and not getattr(self.kernel.profile, since):
            raise NetlinkError(ENOPROTOOPT)
        return option

    # --- setsockopt(2)

    def setsockopt(self, current: Current, level: int, optname: int, value: bytes) -> None:
        """Set an option; ``value`` is what optval points to."""
        if level == SOL_SOCKET:
            self._set_socket(current, optname, value)
        elif level == SOL_NETLINK:
            self._set_netlink(current, optname, value)
        else:
            raise NetlinkError(ENOPROTOOPT)

    def _set_netlink(self, current: Current, optname: int, value: bytes) -> None:
        order = self.kernel.profile.arch.order
        number = int.from_bytes(value[:4], order.name) if len(value) >= 4 else 0  # type: ignore[arg-type]
        option = self._exists(optname)
        if option is NetlinkSockOpt.NETLINK_ADD_MEMBERSHIP:
            self._membership(current, number, join=True)
        elif option is NetlinkSockOpt.NETLINK_DROP_MEMBERSHIP:
            self._membership(current, number, join=False)
        elif option in _FLAGS:
            if option is NetlinkSockOpt.NETLINK_LISTEN_ALL_NSID and not current.ns_capable(
                self.net.user_ns, CAP_NET_BROADCAST
            ):
                raise NetlinkError(EPERM)
            setattr(self, _FLAGS[option], bool(number))
            if option is NetlinkSockOpt.NETLINK_NO_ENOBUFS and number:
                self.congested = False
        else:
            raise NetlinkError(ENOPROTOOPT)

    def _membership(self, current: Current, group: int, *, join: bool) -> None:
        self.need_nonroot_recv(current)
        self.groups_allocated = True
        if not 0 < group <= self.ngroups:
            raise NetlinkError(EINVAL)
        bit = 1 << (group - 1)
        self.groups = self.groups | bit if join else self.groups & ~bit
        self.kernel.netlink.update_subscriptions(self)  # type: ignore[arg-type]

    def _set_socket(self, current: Current, optname: int, value: bytes) -> None:
        if optname in self._timeouts:
            self._set_timeout(optname, value)
            return
        if len(value) < 4:
            raise NetlinkError(EINVAL)
        config = self.kernel.profile.config
        number = int.from_bytes(value[:4], self.kernel.profile.arch.order.name, signed=True)  # type: ignore[arg-type]
        if optname in (SO_SNDBUFFORCE, SO_RCVBUFFORCE) and not current.ns_capable(
            self.net.user_ns, CAP_NET_ADMIN
        ):
            raise NetlinkError(EPERM)
        if optname == SO_SNDBUF:
            # As u32, so that a negative size is a large one.
            self._set_sndbuf(min(number & 0xFFFFFFFF, config.wmem_max))
        elif optname == SO_RCVBUF:
            self._set_rcvbuf(min(number & 0xFFFFFFFF, config.rmem_max))
        elif optname == SO_SNDBUFFORCE:
            self._set_sndbuf(max(number, 0))
        elif optname == SO_RCVBUFFORCE:
            self._set_rcvbuf(max(number, 0))
        elif optname == SO_PASSCRED:
            self.passcred = bool(number)
        elif optname in _SWITCHES:
            self._switches[optname] = int(bool(number))
        else:
            raise NetlinkError(ENOPROTOOPT)

    def _set_sndbuf(self, size: int) -> None:
        self.sndbuf = max(min(size, INT_MAX // 2) * 2, SOCK_MIN_SNDBUF)

    def _set_rcvbuf(self, size: int) -> None:
        self.rcvbuf = max(min(size, INT_MAX // 2) * 2, SOCK_MIN_RCVBUF)

    def _set_timeout(self, optname: int, value: bytes) -> None:
        if len(value) < 16:
            raise NetlinkError(EINVAL)
        order = self.kernel.profile.arch.order
        usec = int.from_bytes(value[8:16], order.name, signed=True)  # type: ignore[arg-type]
        if not 0 <= usec < 1_000_000:
            raise NetlinkError(EDOM)
        self._timeouts[optname] = value[:16]

    # --- getsockopt(2)

    def getsockopt(self, level: int, optname: int, optlen: int) -> tuple[bytes, int]:
        """The bytes to write (``optlen`` at most), and the length to report."""
        if level == SOL_NETLINK:
            return self._get_netlink(optname, optlen)
        if level != SOL_SOCKET:
            raise NetlinkError(ENOPROTOOPT)
        if optlen < 0:
            raise NetlinkError(EINVAL)
        data = self._get_socket(optname)[:optlen]
        return data, len(data)

    def _get_netlink(self, optname: int, optlen: int) -> tuple[bytes, int]:
        order = self.kernel.profile.arch.order
        if optlen < 0:
            raise NetlinkError(EINVAL)
        option = self._exists(optname)
        if option is NetlinkSockOpt.NETLINK_LIST_MEMBERSHIPS:
            size = self.ngroups // 8 if self.groups_allocated else 0
            words = [self.groups >> 32 * n & 0xFFFFFFFF for n in range(size // 4)]
            data = b"".join(word.to_bytes(4, order.name) for word in words)  # type: ignore[arg-type]
            return data[: optlen // 4 * 4], size
        if option not in _FLAGS:
            raise NetlinkError(ENOPROTOOPT)
        if optlen < 4:
            raise NetlinkError(EINVAL)
        value = int(getattr(self, _FLAGS[option]))
        return value.to_bytes(4, order.name), 4  # type: ignore[arg-type]

    def _get_socket(self, optname: int) -> bytes:
        if optname in self._timeouts:
            return self._timeouts[optname]
        if optname == SO_PEERCRED:
            # Nobody is connected: pid 0, uid and gid -1.
            return bytes(4) + b"\xff" * 8
        values = {
            SO_TYPE: self.type,
            SO_SNDBUF: self.sndbuf,
            SO_RCVBUF: self.rcvbuf,
            SO_PASSCRED: int(self.passcred),
            SO_PROTOCOL: self.protocol,
            SO_DOMAIN: AF_NETLINK,
        }
        if optname == SO_ERROR:
            value = self.take_error()
        elif optname in values:
            value = values[optname]
        elif optname in _SWITCHES:
            value = self._switches.get(optname, 0)
        elif optname in _ZEROS:
            value = 0
        else:
            raise NetlinkError(ENOPROTOOPT)
        return value.to_bytes(4, self.kernel.profile.arch.order.name)  # type: ignore[arg-type]
