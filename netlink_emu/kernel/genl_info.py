"""A request on its way to an operation: struct genl_info, include/net/genetlink.h."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from netlink_emu.kernel.netlink_rcv import Request
from netlink_emu.kernel.skbuff import SkBuff
from netlink_emu.protocol.genetlink import GENL_HDRLEN
from netlink_emu.protocol.netlink import NETLINK_GENERIC, NLMSG_HDRLEN, nlmsg_align

if TYPE_CHECKING:
    from netlink_emu.kernel.af_netlink import NetlinkSock
    from netlink_emu.kernel.current import Current
    from netlink_emu.kernel.genl_family import GenlFamily
    from netlink_emu.kernel.kernel import Kernel
    from netlink_emu.machine.namespaces import NetNamespace


@dataclass(slots=True)
class GenlInfo:
    """struct genl_info: a request on its way to an operation. ``attrs`` hold payloads by type."""

    kernel: Kernel
    family: GenlFamily
    request: Request
    cmd: int
    attrs: dict[int, bytes]
    sk: NetlinkSock
    current: Current

    @property
    def net(self) -> NetNamespace:
        return self.sk.net

    def get_u16(self, kind: int) -> int:
        """nla_get_u16() of an attribute that was validated."""
        value: int = self.kernel.genl.unpack_u16(self.attrs[kind])[0]
        return value

    def get_u32(self, kind: int) -> int:
        """nla_get_u32() of an attribute that was validated."""
        value: int = self.kernel.genl.unpack_u32(self.attrs[kind])[0]
        return value

    def reply(self, cmd: int, attrs: bytes | bytearray, allocated: int) -> None:
        """genlmsg_reply(): unicast to who asked; ``allocated`` as genlmsg_new() was told.

        Raises ECONNREFUSED or EAGAIN when the requester cannot take it.
        """
        kernel, family, portid = self.kernel, self.family, self.request.skb.portid
        message = family.message(kernel, cmd, attrs, self.request.nlmsg_seq, portid)
        room = nlmsg_align(NLMSG_HDRLEN + GENL_HDRLEN + family.hdrsize + allocated)
        skb = SkBuff(message, kernel.skb.trimmed_truesize(room, len(message)))
        kernel.netlink.unicast_from_kernel(self.sk.net, NETLINK_GENERIC, skb, portid)
