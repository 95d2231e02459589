"""The system calls that stop, and who answers each.

Handlers return the call's result or an :class:`Outcome`, and raise NetlinkError with its errno.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from netlink_emu.interpose.syscalls import address, descriptors, options, receive, send
from netlink_emu.interpose.syscalls.context import Handler

HANDLERS: Final = MappingProxyType[str, Handler](
    {
        "bind": address.bind,
        "connect": address.connect,
        "getsockname": address.getsockname,
        "getpeername": address.getpeername,
        "listen": address.not_supported,
        "accept": address.not_supported,
        "accept4": address.accept4,
        "shutdown": address.not_supported,
        "ioctl": address.ioctl,
        "getsockopt": options.getsockopt,
        "setsockopt": options.setsockopt,
        "write": send.write,
        "writev": send.writev,
        "sendto": send.sendto,
        "sendmsg": send.sendmsg,
        "sendmmsg": send.sendmmsg,
        "read": receive.read,
        "readv": receive.readv,
        "recvfrom": receive.recvfrom,
        "recvmsg": receive.recvmsg,
        "recvmmsg": receive.recvmmsg,
        "dup": descriptors.dup,
        "fcntl": descriptors.fcntl,
    }
)
# Sealed clients (not dumpable, and we are not root): these then work on the socket pair itself.
WORK_NATIVELY: Final = frozenset(
    {"read", "readv", "recvfrom", "recvmsg", "recvmmsg", "write", "writev", "sendto", "sendmsg",
     "sendmmsg", "dup", "fcntl"}
)  # fmt: skip
