"""What goes wrong in a netlink request, as the kernel says it: an errno, and extended acks.

``NetlinkError`` becomes NLMSG_ERROR (or the errno of a system call) in one place,
:mod:`netlink_emu.kernel.af_netlink`. ``NetlinkExtAck`` is filled beside it, as in
include/linux/netlink.h: also a successful request can leave a message in it.
"""

from __future__ import annotations

import difflib
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


def errno_number(name: str) -> int:
    """3 for ``ESRCH``; raises ValueError for a name that there is not."""
    if name not in ERRNOS:
        close = difflib.get_close_matches(name, ERRNOS, 3)
        hint = f", did you mean {' or '.join(close)}?" if close else ""
        raise ValueError(f"there is no errno {name!r}{hint}")
    return ERRNOS[name]


class NetlinkError(Exception):
    """A request or a system call failed with ``errno``: positive, as in errno.h, or its name.

    Of a request also what an extended ack says beside it: ``message`` is NLMSGERR_ATTR_MSG, and
    ``attr`` the name of the attribute that is to blame (NLMSGERR_ATTR_OFFS), ``missing`` of one
    that the request has not (NLMSGERR_ATTR_MISS_TYPE). Names of attributes are for families that
    are declared by names: others know none. Raises ValueError for an errno without such a name.
    """

    def __init__(
        self,
        errno: int | str,
        message: str = "",
        *,
        attr: str | None = None,
        missing: str | None = None,
    ) -> None:
        self.errno: Final = errno if isinstance(errno, int) else errno_number(errno)
        self.message: Final = message
        self.attr: Final = attr
        self.missing: Final = missing
        name = errno_name(self.errno)
        super().__init__(f"{name}: {message}" if message else name)


class NetlinkExtAck:
    """struct netlink_ext_ack: what is reported beside an errno under NETLINK_EXT_ACK.

    ``bad_attr`` and ``miss_nest`` are offsets in bytes from the start of the request message;
    ``policy`` is the encoded payload of NLMSGERR_ATTR_POLICY. ``log`` has the lines that the
    kernel's log gets, ``{comm}`` standing for the name of the process.
    """

    # One is made for each request, and most stay as they are.
    msg: str | None = None
    bad_attr: int | None = None
    policy: bytes | None = None
    cookie: bytes | None = None
    miss_type: int | None = None
    miss_nest: int | None = None
    log: tuple[str, ...] = ()
