"""What goes wrong in a netlink request, as the kernel says it: an errno, and extended acks.

``NetlinkError`` becomes NLMSG_ERROR (or the errno of a system call) in one place,
:mod:`netlink_emu.kernel.af_netlink`. ``NetlinkExtAck`` is filled beside it, as in
include/linux/netlink.h: also a successful request can leave a message in it.
"""

from __future__ import annotations

import errno as _errno


class NetlinkError(Exception):
    """A request or a system call failed with ``errno`` (positive, as in errno.h)."""

    def __init__(self, errno: int) -> None:
        super().__init__(_errno.errorcode.get(errno, str(errno)))
        self.errno = errno


class NetlinkExtAck:
    """struct netlink_ext_ack: what is reported beside an errno under NETLINK_EXT_ACK.

    ``bad_attr`` and ``miss_nest`` are offsets in bytes from the start of the request message;
    ``policy`` is the encoded payload of NLMSGERR_ATTR_POLICY.
    """

    __slots__ = ("bad_attr", "cookie", "miss_nest", "miss_type", "msg", "policy")

    def __init__(self) -> None:
        self.msg: str | None = None
        self.bad_attr: int | None = None
        self.policy: bytes | None = None
        self.cookie: bytes | None = None
        self.miss_type: int | None = None
        self.miss_nest: int | None = None
