"""What recvmsg(2), sendmsg(2) and poll(2) take and give, beside addresses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from netlink_emu.kernel.scm import Cmsg

MSG_OOB: Final = 0x1
MSG_PEEK: Final = 0x2
MSG_TRUNC: Final = 0x20
POLLIN: Final = 0x001
POLLOUT: Final = 0x004
POLLERR: Final = 0x008
POLLRDNORM: Final = 0x040
POLLWRNORM: Final = 0x100
POLLWRBAND: Final = 0x200


@dataclass(slots=True)
class RecvMsg:
    """What recvmsg(2) gives: ``result`` is its return value, ``length`` the whole datagram's."""

    data: bytes
    length: int
    result: int
    name: bytes
    control: list[Cmsg]
    flags: int
