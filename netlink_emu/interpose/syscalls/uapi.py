"""The structures that socket calls pass in memory: struct msghdr, iovec, cmsghdr, sockaddr.

As net/socket.c, lib/iov_iter.c and net/core/scm.c read and write them for 64-bit programs.
"""

from __future__ import annotations

import functools
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from errno import EFAULT, EINVAL, EMSGSIZE, ENOBUFS
from typing import Final

from netlink_emu.interpose import libc
from netlink_emu.interpose.client.memory import UIO_MAXIOV
from netlink_emu.interpose.syscalls.trap import Trap
from netlink_emu.kernel.scm import Cmsg
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.netlink import SOL_SOCKET

SOCKADDR_STORAGE: Final = 128  # sizeof(struct sockaddr_storage)
INT_MAX: Final = 0x7FFFFFFF
SSIZE_MAX: Final = 0x7FFFFFFFFFFFFFFF
MAX_RW_COUNT: Final = 0x7FFFF000  # INT_MAX & PAGE_MASK

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

Iovec = Sequence[tuple[int, int]]

# struct iovec { void __user *iov_base; __kernel_size_t iov_len; };
_IOVEC: Final = struct.Struct("=QQ")

# struct cmsghdr { __kernel_size_t cmsg_len; int cmsg_level; int cmsg_type; };
_CMSGHDR: Final = struct.Struct("=Qii")

MSG_CTRUNC: Final = 0x8
_MSG_CMSG_COMPAT: Final = 0x80000000


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
        """The first half of copy_msghdr_from_user(); raises EFAULT or EINVAL."""
        fields = _MSGHDR.unpack(trap.read(address, MSGHDR_SIZE))
        name, namelen, iov, iovlen, control, controllen, _ = fields
        if not name:
            namelen = 0
        if namelen < 0:
            raise NetlinkError(EINVAL)
        return cls(address, name, min(namelen, SOCKADDR_STORAGE), iov, iovlen, control, controllen)

    @property
    def namelen_at(self) -> int:
        """Where msg_namelen stands; 0 if there is no place for a name."""
        return self.address + _NAMELEN_AT if self.name else 0

    def iovec(self, trap: Trap) -> Iovec:
        """Its second half, after sendmsg(2) has read the address; raises EMSGSIZE, too."""
        if self.iovlen == 1:  # nearly all are this
            base, length = _IOVEC.unpack(trap.read(self.iov, _IOVEC.size))
            if length <= MAX_RW_COUNT and base + length <= user_addresses():
                return [(base, length)]
        if self.iovlen > UIO_MAXIOV:
            raise NetlinkError(EMSGSIZE)
        return read_iovec(trap, self.iov, self.iovlen)


def sent_message(trap: Trap, at: int) -> tuple[MsgHdr, bytes, Iovec]:
    """What sendmsg(2) is given: its header, the address, and where the data is.

    A program that makes a call again mostly gives the same, which is then not parsed anew.
    """
    message: tuple[MsgHdr, bytes, Iovec] | None = trap.recall(at)
    if message is None:
        header = MsgHdr.read(trap, at)
        address = read_address(trap, header.name, header.namelen) if header.namelen else b""
        message = header, address, header.iovec(trap)
        if header.iovlen == 1:
            name = header.name, header.namelen
            trap.note(at, [(at, MSGHDR_SIZE), name, (header.iov, _IOVEC.size)], message)
    return message


def received_message(trap: Trap, at: int) -> tuple[MsgHdr, Iovec]:
    """What recvmsg(2) is given: its header, and where the data goes; likewise."""
    message: tuple[MsgHdr, Iovec] | None = trap.recall(at)
    if message is None:
        header = MsgHdr.read(trap, at)
        message = header, header.iovec(trap)
        if header.iovlen == 1:
            trap.note(at, [(at, MSGHDR_SIZE), (header.iov, _IOVEC.size)], message)
    return message


def read_iovec(trap: Trap, address: int, count: int) -> Iovec:
    """import_iovec(): the pieces, MAX_RW_COUNT bytes at most; raises EFAULT or EINVAL."""
    if not count:
        return []
    if count == 1:
        base, length = _IOVEC.unpack(trap.read(address, _IOVEC.size))
        if length > SSIZE_MAX:
            raise NetlinkError(EINVAL)
        return single(base, length)
    try:
        pieces = _copy_iovec(trap.read(address, 16 * count))
    except NetlinkError as exc:
        if exc.errno == EFAULT:
            # The kernel reads one after the other, and may find something to say before.
            for at in range(address, address + 16 * count, 16):
                _copy_iovec(trap.read(at, 16))
        raise
    room = MAX_RW_COUNT
    for index, (base, length) in enumerate(pieces):
        need_user_addresses(base, length)
        pieces[index] = base, min(length, room)
        room -= pieces[index][1]
    return pieces


def _copy_iovec(data: bytes) -> list[tuple[int, int]]:
    pieces = list(_IOVEC.iter_unpack(data))
    if any(length > SSIZE_MAX for _, length in pieces):
        raise NetlinkError(EINVAL)
    return pieces


def readv_iovec(trap: Trap, address: int, count: int) -> Iovec:
    """The pieces of readv(2) and writev(2), where too many are EINVAL.

    vfs_readv() hands their number on as an unsigned int.
    """
    count &= 0xFFFFFFFF
    if count > UIO_MAXIOV:
        raise NetlinkError(EINVAL)
    return read_iovec(trap, address, count)


def single(base: int, length: int) -> Iovec:
    """import_ubuf(): one piece; EFAULT where no user address can be."""
    if length > MAX_RW_COUNT:
        length = MAX_RW_COUNT
    if base + length > user_addresses():
        raise NetlinkError(EFAULT)
    return [(base, length)]


def of_file(base: int, length: int) -> Iovec:
    """The piece of read(2) and write(2): vfs_read() looks before it shortens."""
    need_user_addresses(base, length)
    return single(base, length)


def need_user_addresses(base: int, length: int) -> None:
    """access_ok(): raises EFAULT where no program can have memory."""
    if base + length > user_addresses():
        raise NetlinkError(EFAULT)


@functools.cache
def user_addresses() -> int:
    """TASK_SIZE_MAX: 47 or 56 bits on x86-64, 39 to 52 on aarch64.

    write(2) of no bytes checks its pointer and does not use it, so that it can be asked.
    """
    fd = os.memfd_create("netlink-emu")
    try:
        for bits in (39, 42, 47, 48, 52, 56):
            if libc.write(fd, 1 << bits, 0) < 0:
                if libc.get_errno() != EFAULT:
                    raise libc.last_error("write")
                break
        else:
            bits = 63
    finally:
        os.close(fd)
    return (1 << bits) - _PAGE


_PAGE: Final = 4096  # the last page is a guard


def total(pieces: Iovec) -> int:
    """iov_length()."""
    if len(pieces) == 1:
        return pieces[0][1]
    return sum(length for _, length in pieces)


def scatter(pieces: Iovec, data: bytes) -> list[tuple[int, bytes]]:
    """Where each part of ``data`` goes."""
    if len(pieces) == 1 and data:
        base, length = pieces[0]
        return [(base, data if len(data) <= length else data[:length])]
    places = []
    for base, length in pieces:
        if not data:
            break
        places.append((base, data[:length]))
        data = data[length:]
    return places


def message_flags(flags: int) -> int:
    """The flags of sendmsg(2) and its kin, one of which programs may not give: EINVAL."""
    if flags & _MSG_CMSG_COMPAT:
        raise NetlinkError(EINVAL)
    return flags


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
    return [(length_address, len(name).to_bytes(4, "little")), (address, name[:room])]


def read_control(trap: Trap, address: int, length: int) -> bytes:
    """The bytes of msg_control of sendmsg(2); raises ENOBUFS or EFAULT."""
    if length > _OPTMEM_MAX:
        raise NetlinkError(ENOBUFS)
    return trap.read(address, length)


def parse_control(data: bytes) -> list[Cmsg]:
    """__scm_send()'s walk over the control messages.

    One that is malformed (CMSG_OK()) ends it, and is handed on as one that netlink does not
    know: EINVAL, if nothing is wrong with those before it.
    """
    messages: list[Cmsg] = []
    at = 0
    while len(data) - at >= _CMSGHDR.size:
        size, level, type_ = _CMSGHDR.unpack_from(data, at)
        if not _CMSGHDR.size <= size <= len(data) - at:
            return [*messages, Cmsg(SOL_SOCKET, 0, b"")]
        messages.append(Cmsg(level, type_, data[at + _CMSGHDR.size : at + size]))
        at += _cmsg_align(size)
    return messages


_OPTMEM_MAX: Final = 131072  # net.core.optmem_max since Linux 6.7; sock_kmalloc() fails beyond


def _cmsg_align(size: int) -> int:
    return (size + 7) & ~7


def encode_cmsg(message: Cmsg, room: int) -> tuple[bytes, int, int]:
    """put_cmsg() into ``room`` bytes: (what to write, how far to go on, MSG_CTRUNC or 0).

    The padding behind a message counts, but is not written.
    """
    if room < _CMSGHDR.size:
        return b"", 0, MSG_CTRUNC
    whole = _CMSGHDR.size + len(message.data)
    size = min(whole, room)
    data = _CMSGHDR.pack(size, message.level, message.type) + message.data
    space = min(_cmsg_align(whole), room)
    return data[:size], space, MSG_CTRUNC if size < whole else 0


def place_msghdr(
    trap: Trap, header: MsgHdr, name: bytes, control: Sequence[Cmsg], flags: int
) -> list[tuple[int, bytes]]:
    """What recvmsg(2) writes besides the data: name, control messages, lengths, flags."""
    places = []
    if header.name:
        places = place_address(trap, name, header.name, header.namelen_at)
    used = 0
    if control:
        used, flags = _put_cmsgs(trap, header, control, flags)
    places.append((header.address + _CONTROLLEN_AT, _CONTROLLEN_AND_FLAGS.pack(used, flags)))
    return places


def _put_cmsgs(trap: Trap, header: MsgHdr, control: Sequence[Cmsg], flags: int) -> tuple[int, int]:
    """Write the control messages: how many bytes they take, and the flags."""
    room = min(header.controllen, INT_MAX) if header.control else 0
    used = 0
    for message in control:
        data, space, ctrunc = encode_cmsg(message, room - used)
        flags |= ctrunc
        try:
            trap.write([(header.control + used, data)])
        except NetlinkError:  # put_cmsg() says so, and nobody listens
            continue
        used += space
    return used, flags
