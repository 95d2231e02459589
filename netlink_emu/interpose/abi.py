"""System call numbers and audit architectures of the hosts that the interposer knows.

A filter sees raw numbers. Those of x86-64 are from arch/x86/entry/syscalls/syscall_64.tbl, of
i386 from syscall_32.tbl, of aarch64 from include/uapi/asm-generic/unistd.h, of 32-bit arm from
arch/arm/tools/syscall.tbl. The tests compare them with the installed headers.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from netlink_emu.interpose.errors import Unsupported

# include/uapi/linux/audit.h
AUDIT_ARCH_X86_64: Final = 0xC000003E
AUDIT_ARCH_I386: Final = 0x40000003
AUDIT_ARCH_AARCH64: Final = 0xC00000B7
AUDIT_ARCH_ARM: Final = 0x40000028

X32_SYSCALL_BIT: Final = 0x40000000


@dataclass(frozen=True, slots=True)
class ForeignAbi:
    """The other ABI that a program on the same host may call by: it must fail, not escape."""

    audit_arch: int
    socket: int
    io_uring_setup: int
    socketcall: int | None = None


@dataclass(frozen=True, slots=True)
class Abi:
    """The native ABI of a host. ``numbers`` maps names of system calls to their numbers."""

    machine: str
    audit_arch: int
    numbers: Mapping[str, int]
    foreign: ForeignAbi
    x32: bool = False
    names: Mapping[int, str] = field(init=False)

    def __post_init__(self) -> None:
        by_number = {number: name for name, number in self.numbers.items()}
        object.__setattr__(self, "names", MappingProxyType(by_number))


X86_64: Final = Abi(
    "x86_64",
    AUDIT_ARCH_X86_64,
    MappingProxyType(
        {
            "read": 0, "write": 1, "ioctl": 16, "readv": 19, "writev": 20, "dup": 32,
            "socket": 41, "connect": 42, "accept": 43, "sendto": 44, "recvfrom": 45,
            "sendmsg": 46, "recvmsg": 47, "shutdown": 48, "bind": 49, "listen": 50,
            "getsockname": 51, "getpeername": 52, "setsockopt": 54, "getsockopt": 55,
            "kill": 62, "fcntl": 72, "ptrace": 101, "rt_sigqueueinfo": 129, "tkill": 200,
            "tgkill": 234, "accept4": 288, "rt_tgsigqueueinfo": 297, "recvmmsg": 299,
            "sendmmsg": 307, "kcmp": 312, "seccomp": 317, "pidfd_send_signal": 424,
            "io_uring_setup": 425, "pidfd_open": 434, "pidfd_getfd": 438,
        }
    ),
    ForeignAbi(AUDIT_ARCH_I386, socket=359, io_uring_setup=425, socketcall=102),
    x32=True,
)  # fmt: skip

AARCH64: Final = Abi(
    "aarch64",
    AUDIT_ARCH_AARCH64,
    MappingProxyType(
        {
            "dup": 23, "fcntl": 25, "ioctl": 29, "read": 63, "write": 64, "readv": 65,
            "writev": 66, "ptrace": 117, "kill": 129, "tkill": 130, "tgkill": 131,
            "rt_sigqueueinfo": 138, "socket": 198, "bind": 200, "listen": 201, "accept": 202,
            "connect": 203, "getsockname": 204, "getpeername": 205, "sendto": 206,
            "recvfrom": 207, "setsockopt": 208, "getsockopt": 209, "shutdown": 210,
            "sendmsg": 211, "recvmsg": 212, "rt_tgsigqueueinfo": 240, "accept4": 242,
            "recvmmsg": 243, "sendmmsg": 269, "kcmp": 272, "seccomp": 277,
            "pidfd_send_signal": 424, "io_uring_setup": 425, "pidfd_open": 434,
            "pidfd_getfd": 438,
        }
    ),
    ForeignAbi(AUDIT_ARCH_ARM, socket=281, io_uring_setup=425),
)  # fmt: skip

ABIS: Final = {abi.machine: abi for abi in (X86_64, AARCH64)}


def native(machine: str | None = None) -> Abi:
    """The ABI of this host, or of the named machine; Unsupported for one that is not listed."""
    name = os.uname().machine if machine is None else machine
    try:
        return ABIS[name]
    except KeyError:
        raise Unsupported(
            f"the interposer knows {' and '.join(ABIS)}, this machine is {name}"
        ) from None
