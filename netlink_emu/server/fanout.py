"""One datagram to many addresses in one system call: sendmmsg(2), which Python has not.

A listener of exit events costs a send; called from Python, a third of that is Python's.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence
from socket import AF_UNIX, MSG_DONTWAIT
from typing import Final

_libc: Final = ctypes.CDLL(None, use_errno=True)
_DONTWAIT: Final = int(MSG_DONTWAIT)
UIO_MAXIOV: Final = 1024  # messages that one call takes

# struct iovec { void *iov_base; size_t iov_len; };
_IOVEC: Final = struct.Struct("@PN")
# struct mmsghdr {
#     struct msghdr {
#         void         *msg_name;
#         socklen_t     msg_namelen;
#         struct iovec *msg_iov;
#         size_t        msg_iovlen;
#         void         *msg_control;
#         size_t        msg_controllen;
#         int           msg_flags;
#     } msg_hdr;
#     unsigned int msg_len;
# };
_MMSGHDR: Final = struct.Struct("@PIPNPNi0PI0P")


class Destination:
    """An address, with all of its struct mmsghdr that does not change."""

    def __init__(self, address: bytes, iovec_at: int) -> None:
        # struct sockaddr_un { sa_family_t sun_family; char sun_path[108]; };
        end = b"" if address.startswith(b"\0") else b"\0"
        name = struct.pack("=H", AF_UNIX) + address + end
        self._name: Final = ctypes.create_string_buffer(name, len(name))
        self.mmsghdr: Final = _MMSGHDR.pack(
            ctypes.addressof(self._name), len(name), iovec_at, 1, 0, 0, 0, 0
        )


class FanOut:
    """Sends from one socket. ``longest`` is that of the datagrams."""

    def __init__(self, fd: int, longest: int = 1 << 16) -> None:
        self._fd: Final = fd
        self._data: Final = ctypes.create_string_buffer(longest)
        self._iovec: Final = ctypes.create_string_buffer(_IOVEC.size)
        self._messages: Final = ctypes.create_string_buffer(_MMSGHDR.size * UIO_MAXIOV)
        self._sendmmsg: Final = getattr(_libc, "sendmmsg", None)

    def destination(self, address: bytes) -> Destination:
        """Made once for an address that is sent to often."""
        return Destination(address, ctypes.addressof(self._iovec))

    def send(self, datagram: bytes, destinations: Sequence[Destination]) -> int:
        """Send it to the first of these, without waiting; how many they were.

        The one after them could not be sent to: a send of its own tells why. 0 if the C library
        has no sendmmsg(), or the datagram is too long for it.
        """
        if self._sendmmsg is None or len(datagram) > len(self._data):
            return 0
        ctypes.memmove(self._data, datagram, len(datagram))
        _IOVEC.pack_into(self._iovec, 0, ctypes.addressof(self._data), len(datagram))
        sent = 0
        while sent < len(destinations):
            some = destinations[sent : sent + UIO_MAXIOV]
            headers = b"".join([each.mmsghdr for each in some])
            ctypes.memmove(self._messages, headers, len(headers))
            count: int = self._sendmmsg(self._fd, self._messages, len(some), _DONTWAIT)
            if count < len(some):
                return sent + max(count, 0)
            sent += count
        return sent
