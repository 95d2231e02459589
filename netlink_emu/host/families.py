"""Generic netlink families of the host's kernel."""

from __future__ import annotations

import socket
from typing import Final

from netlink_emu.protocol.attributes import AttrWriter
from netlink_emu.protocol.format import HOST_ORDER
from netlink_emu.protocol.genetlink import GENL_ID_CTRL, GENLMSGHDR, CtrlAttr, CtrlCmd
from netlink_emu.protocol.netlink import (
    NETLINK_GENERIC,
    NLM_F_REQUEST,
    NLMSG_HDRLEN,
    NLMSGHDR,
)

_SECONDS: Final = 5.0


def host_has_family(name: str) -> bool:
    """Whether the host's kernel has a family; False where it cannot be asked."""
    attrs = AttrWriter(HOST_ORDER)
    attrs.put_string(CtrlAttr.CTRL_ATTR_FAMILY_NAME, name)
    body = GENLMSGHDR[HOST_ORDER].pack(CtrlCmd.CTRL_CMD_GETFAMILY, 1, 0) + bytes(attrs.data)
    header = NLMSGHDR[HOST_ORDER].pack(NLMSG_HDRLEN + len(body), GENL_ID_CTRL, NLM_F_REQUEST, 1, 0)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC) as sock:
            sock.settimeout(_SECONDS)
            sock.sendto(header + body, (0, 0))
            answer = sock.recv(1 << 16)
    except (OSError, UnicodeError):
        return False
    return len(answer) >= NLMSG_HDRLEN and (
        NLMSGHDR[HOST_ORDER].decode(answer).nlmsg_type == GENL_ID_CTRL
    )
