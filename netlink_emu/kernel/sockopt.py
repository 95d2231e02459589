"""Options of SOL_NETLINK: netlink_setsockopt() and netlink_getsockopt()."""

from __future__ import annotations

from errno import EINVAL, ENOMEM, ENOPROTOOPT, EPERM
from typing import TYPE_CHECKING, Final

from netlink_emu.kernel.sock import Sock
from netlink_emu.machine.credentials import CAP_NET_ADMIN, CAP_NET_BROADCAST
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.netlink import SOL_NETLINK, SOL_SOCKET, NetlinkSockOpt

if TYPE_CHECKING:
    from netlink_emu.kernel.current import Current
    from netlink_emu.kernel.kernel import Kernel
    from netlink_emu.kernel.netlink_table import NetlinkTable
    from netlink_emu.machine.namespaces import NetNamespace

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
    NetlinkSockOpt.NETLINK_RX_RING: "mmap_rings",
    NetlinkSockOpt.NETLINK_TX_RING: "mmap_rings",
    NetlinkSockOpt.NETLINK_LISTEN_ALL_NSID: "list_memberships",
    NetlinkSockOpt.NETLINK_LIST_MEMBERSHIPS: "list_memberships",
    NetlinkSockOpt.NETLINK_CAP_ACK: "cap_ack",
    NetlinkSockOpt.NETLINK_EXT_ACK: "ext_ack",
    NetlinkSockOpt.NETLINK_GET_STRICT_CHK: "strict_chk",
}


class NetlinkOptions(Sock):
    """The options of a netlink socket, and the state that they set."""

    def __init__(self, kernel: Kernel, net: NetNamespace, type: int, protocol: int) -> None:
        super().__init__(kernel, net, type, protocol)
        self.table: Final[NetlinkTable] = kernel.tables[protocol]
        self.groups = 0
        self.groups_allocated = False
        self.pktinfo = False
        self.broadcast_error = False
        self.no_enobufs = False
        self.listen_all_nsid = False
        self.cap_ack = False
        self.ext_ack = False
        self.strict_chk = False
        self.congested = False

    @property
    def ngroups(self) -> int:
        """How many multicast groups there can be: a multiple of 32 or 64."""
        return self.table.groups

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
            self.sock_setsockopt(current, optname, value)
        elif level == SOL_NETLINK:
            self._set_netlink(current, optname, value)
        else:
            raise NetlinkError(ENOPROTOOPT)

    def _set_netlink(self, current: Current, optname: int, value: bytes) -> None:
        order = self.kernel.profile.arch.order
        number = int.from_bytes(value[:4], order.name) if len(value) >= 4 else 0
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
        elif option in (NetlinkSockOpt.NETLINK_RX_RING, NetlinkSockOpt.NETLINK_TX_RING):
            self._set_ring(current, value)
        else:
            raise NetlinkError(ENOPROTOOPT)

    def _set_ring(self, current: Current, value: bytes) -> None:
        """netlink_set_ring() with a struct nl_mmap_req: no memory is ever found for a ring.

        Its members are nm_block_size, nm_block_nr, nm_frame_size and nm_frame_nr.
        """
        arch = self.kernel.profile.arch
        if not current.ns_capable(self.kernel.machine.init_user_ns, CAP_NET_ADMIN):
            raise NetlinkError(EPERM)
        if len(value) < 16:
            raise NetlinkError(EINVAL)
        words = (int.from_bytes(value[at : at + 4], arch.order.name) for at in range(0, 16, 4))
        block_size, blocks, frame_size, frames = words
        if not blocks and not frames:
            return  # there is none to take down
        whole = block_size and frame_size and not block_size % arch.page_size
        if not blocks or not whole or block_size // frame_size * blocks != frames:
            raise NetlinkError(EINVAL)
        raise NetlinkError(ENOMEM)

    def _membership(self, current: Current, group: int, *, join: bool) -> None:
        self.need_nonroot_recv(current)
        self.groups_allocated = True
        if not 0 < group <= self.ngroups:
            raise NetlinkError(EINVAL)
        if join and self.table.bind is not None:
            self.table.bind(current, self.net, group)
        bit = 1 << (group - 1)
        self._subscribe(self.groups | bit if join else self.groups & ~bit)

    def _subscribe(self, groups: int) -> None:
        """Be a member of these groups alone: a mask, bit 0 is group 1."""
        raise NotImplementedError

    # --- getsockopt(2)

    def getsockopt(self, level: int, optname: int, optlen: int) -> tuple[bytes, int]:
        """The bytes to write (``optlen`` at most), and the length to report."""
        if level == SOL_NETLINK:
            return self._get_netlink(optname, optlen)
        if level != SOL_SOCKET:
            raise NetlinkError(ENOPROTOOPT)
        return self.sock_getsockopt(optname, optlen)

    def _get_netlink(self, optname: int, optlen: int) -> tuple[bytes, int]:
        order = self.kernel.profile.arch.order
        if optlen < 0:
            raise NetlinkError(EINVAL)
        option = self._exists(optname)
        if option is NetlinkSockOpt.NETLINK_LIST_MEMBERSHIPS:
            size = self.ngroups // 8 if self.groups_allocated else 0
            words = [self.groups >> 32 * n & 0xFFFFFFFF for n in range(size // 4)]
            data = b"".join(word.to_bytes(4, order.name) for word in words)
            return data[: optlen // 4 * 4], size
        profile = self.kernel.profile
        hidden = (
            option is NetlinkSockOpt.NETLINK_LISTEN_ALL_NSID
            and not profile.listen_all_nsid_readable
        )
        if option not in _FLAGS or hidden:
            raise NetlinkError(ENOPROTOOPT)
        if optlen < 4:
            raise NetlinkError(EINVAL)
        value = int(getattr(self, _FLAGS[option]))
        if not profile.options_read_whole:
            return bytes([value]), 4  # put_user() through a char *, on big-endian machines, too
        return value.to_bytes(4, order.name), 4
