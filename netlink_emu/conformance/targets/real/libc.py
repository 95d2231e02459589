"""System calls that Python's socket module does not pass on as they are.

Addresses are raw ``sockaddr`` bytes; a failing call raises OSError with its errno.
"""

from __future__ import annotations

import ctypes
import os
import platform
import socket
import struct
from typing import Any, Final

_libc: Final = ctypes.CDLL(None, use_errno=True)

PR_SET_PDEATHSIG: Final = 1
PR_SET_NAME: Final = 15
CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWPID: Final = 0x20000000
CLONE_NEWNET: Final = 0x40000000
_SYS_EXIT: Final = {
    "x86_64": 60,
    "aarch64": 93,
    "riscv64": 93,
    "ppc64le": 1,
    "s390x": 1,
    "i686": 1,
}
_SO_ATTACH_FILTER: Final = 26
_SO_DETACH_FILTER: Final = 27


def _check(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def sockaddr_nl(portid: int, groups: int) -> bytes:
    return struct.pack("=HHII", socket.AF_NETLINK, 0, portid & 0xFFFF_FFFF, groups & 0xFFFF_FFFF)


def bind(fd: int, address: bytes) -> None:
    _check(_libc.bind(fd, address, len(address)))


def connect(fd: int, address: bytes) -> None:
    _check(_libc.connect(fd, address, len(address)))


def sendto(fd: int, data: bytes, flags: int, address: bytes) -> int:
    return _check(_libc.sendto(fd, data, ctypes.c_size_t(len(data)), flags, address, len(address)))


def recv(fd: int, buffer: bytearray, flags: int) -> int:
    """recv(2), which Python does not make for no bytes."""
    place = (ctypes.c_char * len(buffer)).from_buffer(buffer)
    return _check(_libc.recv(fd, place, ctypes.c_size_t(len(buffer)), flags))


def _name(call: Any, fd: int) -> tuple[int, int]:
    buffer = ctypes.create_string_buffer(128)
    length = ctypes.c_uint32(128)
    _check(call(fd, buffer, ctypes.byref(length)))
    _, _, portid, groups = struct.unpack_from("=HHII", buffer.raw)
    return portid, groups


def getsockname(fd: int) -> tuple[int, int]:
    return _name(_libc.getsockname, fd)


def getpeername(fd: int) -> tuple[int, int]:
    return _name(_libc.getpeername, fd)


def setsockopt(fd: int, level: int, option: int, value: bytes) -> None:
    _check(_libc.setsockopt(fd, level, option, value, len(value)))


def getsockopt(fd: int, level: int, option: int, length: int) -> tuple[bytes, int]:
    """What is in a buffer of ``length`` zero bytes afterwards, and the optlen that came back."""
    buffer = ctypes.create_string_buffer(max(length, 1))
    optlen = ctypes.c_uint32(length)
    _check(_libc.getsockopt(fd, level, option, buffer, ctypes.byref(optlen)))
    return buffer.raw[: min(length, optlen.value)], optlen.value


class _SockFprog(ctypes.Structure):
    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def attach_filter(fd: int, program: list[list[int]]) -> None:
    """SO_ATTACH_FILTER with instructions (code, jt, jf, k)."""
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code)
    fprog = _SockFprog(len(program), ctypes.addressof(buffer))
    _check(
        _libc.setsockopt(
            fd, socket.SOL_SOCKET, _SO_ATTACH_FILTER, ctypes.byref(fprog), ctypes.sizeof(fprog)
        )
    )


def detach_filter(fd: int) -> None:
    setsockopt(fd, socket.SOL_SOCKET, _SO_DETACH_FILTER, bytes(4))


def ioctl(fd: int, request: int) -> None:
    buffer = ctypes.create_string_buffer(64)
    _check(_libc.ioctl(fd, ctypes.c_ulong(request), buffer))


def accept(fd: int) -> int:
    return _check(_libc.accept(fd, None, None))


def listen(fd: int) -> None:
    _check(_libc.listen(fd, 1))


def shutdown(fd: int, how: int) -> None:
    _check(_libc.shutdown(fd, how))


def set_comm(comm: bytes) -> None:
    """PR_SET_NAME of the calling thread; the kernel keeps 15 bytes."""
    _check(_libc.prctl(PR_SET_NAME, ctypes.c_char_p(comm), 0, 0, 0))


def die_with_parent(signal: int) -> None:
    _check(_libc.prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal), 0, 0, 0))


def unshare(flags: int) -> None:
    _check(_libc.unshare(flags))


def setns(fd: int, kind: int) -> None:
    _check(_libc.setns(fd, kind))


def gettid() -> int:
    return int(_libc.gettid())


def exit_thread(code: int) -> None:
    """SYS_exit: ends the calling thread alone. The GIL is free while it does."""
    _libc.syscall(_SYS_EXIT[platform.machine()], code)


def segfault() -> None:
    ctypes.string_at(8, 1)  # 0 is caught by ctypes
