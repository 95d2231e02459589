"""The structures that socket calls pass in memory: struct msghdr, iovec, cmsghdr, sockaddr.

As net/socket.c, lib/iov_iter.c and net/core/scm.c read and write them for 64-bit programs.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from errno import EFAULT, EINVAL, EMSGSIZE, ENOBUFS
from typing import Final

from netlink_emu.interpose.memory import UIO_MAXIOV
from netlink_emu.interpose.trap import Trap
from netlink_emu.kernel.scm import Cmsg
from netlink_emu.protocol.errors import NetlinkError

SOCKADDR_STORAGE: Final = 128  # sizeof(struct sockaddr_storage)
INT_MAX: Final = 0x7FFFFFFF
SSIZE_MAX: Final = 0x7FFFFFFFFFFFFFFF
MAX_RW_COUNT: Final = 0x7FFFF000  # INT_MAX & PAGE_MASK
USER_ADDRESSES: Final = 1 << 63  # above are no user addresses on any 64-bit Linux

# struct user_msghdr {
#     void __user *msg_name;         /*  0 */
#     int msg_namelen;               /*  8 */
#     struct iovec __user *msg_iov;  /* 16 */
#     __kernel_size_t msg_iovlen;    /* 24 */
#     void __user *msg_control;      /* 32 */
#     __kernel_size_t msg_controllen;/* 40 */
#     unsigned int msg_flags;        /* 48 */
# };                                 /* 56 */
_MSGHDR: Final = struct.Struct("=Qi4xQQQQI4x")
MSGHDR_SIZE: Final = _MSGHDR.size
MMSGHDR_SIZE: Final = MSGHDR_SIZE + 8  # and unsigned int msg_len
_NAMELEN_AT: Final = 8
_CONTROLLEN_AT: Final = 40
_CONTROLLEN_AND_FLAGS: Final = struct.Struct("=QI")

# struct iovec { void __user *iov_base; __kernel_size_t iov_len; };
_IOVEC: Final = struct.Struct("=QQ")
# struct cmsghdr { __kernel_size_t cmsg_len; int cmsg_level; int cmsg_type; };
_CMSGHDR: Final = struct.Struct("=Qii")

MSG_CTRUNC: Final = 0x8

Iovec = list[tuple[int, int]]


@dataclass(slots=True)  # frozen, making one would take six times as long
class MsgHdr:
    """struct user_msghdr, at ``address`` in the client."""

    address: int
    name: int
    namelen: int
    iov: int
    iovlen: int
    control: int
    controllen: int

    @classmethod
    def read(cls, trap: Trap, address: int) -> MsgHdr:
        """copy_msghdr_from_user(); raises EFAULT, EINVAL or EMSGSIZE."""
        fields = _MSGHDR.unpack(trap.read(address, MSGHDR_SIZE))
        name, namelen, iov, iovlen, control, controllen, _ = fields
        if not name:
            namelen = 0
        if namelen < 0:
            raise NetlinkError(EINVAL)
        if iovlen > UIO_MAXIOV:
            raise NetlinkError(EMSGSIZE)
        return cls(address, name, min(namelen, SOCKADDR_STORAGE), iov, iovlen, control, controllen)

    def iovec(self, trap: Trap) -> Iovec:
        """The pieces of msg_iov."""
        return read_iovec(trap, self.iov, self.iovlen)


def read_iovec(trap: Trap, address: int, count: int) -> Iovec:
    """import_iovec(): the pieces, MAX_RW_COUNT bytes at most; raises EFAULT or EINVAL."""
    if not count:
        return []
    if count == 1:
        base, length = _IOVEC.unpack(trap.read(address, _IOVEC.size))
        if length > SSIZE_MAX:
            raise NetlinkError(EINVAL)
        return single(base, length)
    words = struct.unpack(f"={2 * count}Q", trap.read(address, 16 * count))
    pieces: Iovec = []
    room = MAX_RW_COUNT
    for base, length in zip(words[::2], words[1::2], strict=True):
        if length > SSIZE_MAX:
            raise NetlinkError(EINVAL)
        pieces.append(single(base, min(length, room))[0])
        room -= pieces[-1][1]
    return pieces


def readv_iovec(trap: Trap, address: int, count: int) -> Iovec:
    """The pieces of readv(2) and writev(2), where too many are EINVAL."""
    if count > UIO_MAXIOV:
        raise NetlinkError(EINVAL)
    return read_iovec(trap, address, count)


def single(base: int, length: int) -> Iovec:
    """import_ubuf(): one piece; EFAULT where no user address is."""
    length = min(length, MAX_RW_COUNT)
    if base + length > USER_ADDRESSES:
        raise NetlinkError(EFAULT)
    return [(base, length)]


def total(pieces: Iovec) -> int:
    """iov_length()."""
    return sum(length for _, length in pieces)


def scatter(pieces: Iovec, data: bytes) -> list[tuple[int, bytes]]:
    """Where each part of ``data`` goes."""
    places = []
    for base, length in pieces:
        if not data:
            break
        places.append((base, data[:length]))
        data = data[length:]
    return places


def read_address(trap: Trap, address: int, length: int) -> bytes:
    """move_addr_to_kernel(): a struct sockaddr of the client's; raises EINVAL or EFAULT."""
    if not 0 <= length <= SOCKADDR_STORAGE:
        raise NetlinkError(EINVAL)
    return trap.read(address, length) if length else b""


def place_address(
    trap: Trap, name: bytes, address: int, length_address: int
) -> list[tuple[int, bytes]]:
    """move_addr_to_user(): what to write for a name and its length; raises EFAULT or EINVAL."""
    room = trap.read_int(length_address)
    if room < 0:
        raise NetlinkError(EINVAL)
    return [(address, name[:room]), (length_address, len(name).to_bytes(4, "little"))]


def read_control(trap: Trap, address: int, length: int) -> list[Cmsg]:
    """The control messages of sendmsg(2); raises ENOBUFS, EFAULT or EINVAL."""
    if length > INT_MAX:
        raise NetlinkError(ENOBUFS)
    if not address or length < _CMSGHDR.size:
        return []
    if length > _OPTMEM_MAX:
        raise NetlinkError(ENOBUFS)
    data = trap.read(address, length)
    messages = []
    at = 0
    while len(data) - at >= _CMSGHDR.size:
        size, level, type_ = _CMSGHDR.unpack_from(data, at)
        if not _CMSGHDR.size <= size <= len(data) - at:
            raise NetlinkError(EINVAL)  # CMSG_OK()
        messages.append(Cmsg(level, type_, data[at + _CMSGHDR.size : at + size]))
        at += _cmsg_align(size)
    return messages


_OPTMEM_MAX: Final = 131072  # net.core.optmem_max since Linux 6.7; sock_kmalloc() fails beyond


def _cmsg_align(size: int) -> int:
    return (size + 7) & ~7


def encode_control(messages: Sequence[Cmsg], room: int) -> tuple[bytes, int]:
    """put_cmsg() of each message into ``room`` bytes: (what to write, MSG_CTRUNC or 0)."""
    out = bytearray()
    flags = 0
    for message in messages:
        left = room - len(out)
        if left < _CMSGHDR.size:
            flags = MSG_CTRUNC
            continue
        size = _CMSGHDR.size + len(message.data)
        if left < size:
            flags = MSG_CTRUNC
            size = left
        out += _CMSGHDR.pack(size, message.level, message.type)
        out += message.data[: size - _CMSGHDR.size]
        padding = min(_cmsg_align(size) - size, room - len(out))
        out += bytes(padding)
    return bytes(out), flags


def place_msghdr(
    trap: Trap, header: MsgHdr, name: bytes, control: Sequence[Cmsg], flags: int
) -> list[tuple[int, bytes]]:
    """What recvmsg(2) writes besides the data: name, control messages, lengths, flags."""
    places = []
    if header.name:
        places = place_address(trap, name, header.name, header.address + _NAMELEN_AT)
    room = min(header.controllen, INT_MAX) if header.control else 0
    data, ctrunc = encode_control(control, room)
    if data:
        places.append((header.control, data))
    places.append(
        (
            header.address + _CONTROLLEN_AT,
            _CONTROLLEN_AND_FLAGS.pack(len(data), flags | ctrunc),
        )
    )
    return places
