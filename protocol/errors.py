"""What goes wrong in a netlink request, as the kernel says it: an errno, and extended acks.

``NetlinkError`` becomes NLMSG_ERROR (or the errno of a system call) in one place,
:mod:`netlink_emu.kernel.af_netlink`. ``NetlinkExtAck`` is filled beside it, as in
include/linux/netlink.h: also a successful request can leave a message in it.
"""

from __future__ import annotations

import errno as _errno
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# Both names of those that have two.
ERRNOS: Final[Mapping[str, int]] = MappingProxyType(
    {name: number for name, number in vars(_errno).items() if name.startswith("E")}
)
# Of two names the one that the kernel's sources use.
_NAMES: Final = {number: name for name, number in ERRNOS.items()} | {
    ERRNOS[name]: name for name in ("EAGAIN", "EDEADLK", "EOPNOTSUPP")
}


def errno_name(number: int) -> str:
    """``ESRCH`` for 3, ``errno 4711`` for what has no name."""
    return _NAMES.get(number, f"errno {number}")


class NetlinkError(Exception):
    """A request or a system call failed with ``errno`` (positive, as in errno.h)."""

    def __init__(self, errno: int) -> None:
        super().__init__(errno_name(errno))
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
