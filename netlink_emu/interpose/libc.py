"""The system calls that Python's standard library lacks, through the C library's wrappers."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Collection
from functools import partial
from typing import Any, Final

from netlink_emu.interpose.abi import native

_libc: Final = ctypes.CDLL(None, use_errno=True)

get_errno: Final = ctypes.get_errno

# include/uapi/linux/prctl.h
PR_SET_CHILD_SUBREAPER: Final = 36
PR_SET_NO_NEW_PRIVS: Final = 38


def _function(name: str, result: Any, *arguments: Any) -> Any:
    """A function of the C library with its types; each call gives an object of its own."""
    function = _libc[name]
    function.restype = result
    function.argtypes = arguments
    return function


def _untyped(name: str, result: Any) -> Any:
    """The same for who gives instances of the C types; an int stands for a C int."""
    function = _libc[name]
    function.restype = result
    return function


# Made for each stopped call: given C types, the arguments need no conversion.
process_vm_readv: Final = _untyped("process_vm_readv", ctypes.c_ssize_t)
process_vm_writev: Final = _untyped("process_vm_writev", ctypes.c_ssize_t)
recv: Final = _untyped("recv", ctypes.c_ssize_t)
_syscall: Final = _untyped("syscall", ctypes.c_long)

recvmsg: Final = _function(
    "recvmsg", ctypes.c_ssize_t, ctypes.c_int, ctypes.c_void_p, ctypes.c_int
)
ptrace: Final = _function(
    "ptrace", ctypes.c_long, ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p
)
write: Final = _function("write", ctypes.c_ssize_t, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t)
_prctl: Final = _function("prctl", ctypes.c_int, ctypes.c_int, *(ctypes.c_ulong,) * 4)
_setns: Final = _function("setns", ctypes.c_int, ctypes.c_int, ctypes.c_int)
_signalfd: Final = _function("signalfd", ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_int)


def optional(name: str) -> Any:
    """A function that older C libraries lack, as :func:`_untyped`; None where it is missing."""
    return _untyped(name, ctypes.c_int) if hasattr(_libc, name) else None


def system_call(name: str, arity: int) -> Any:
    """A function for a system call with ``arity`` arguments, all numbers or addresses.

    It returns -1 on failure; :func:`get_errno` then says why.
    """
    function = _function("syscall", ctypes.c_long, *(ctypes.c_long,) * (arity + 1))
    number = native().numbers[name]

    def call(*args: int) -> int:
        result: int = function(number, *args)
        return result

    return call


def quick_system_call(name: str) -> Any:
    """The same for arguments that fit a C int, made for each stopped call: three times as fast."""
    return partial(_syscall, native().numbers[name])


def last_error(what: str) -> OSError:
    """What the call before failed with."""
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")


def prctl(option: int, argument: int) -> None:
    """prctl(2) with one argument; raises OSError."""
    if _prctl(option, argument, 0, 0, 0) < 0:
        raise last_error("prctl")


def setns(fd: int, kind: int) -> None:
    """setns(2) for the calling thread; raises OSError."""
    if _setns(fd, kind) < 0:
        raise last_error("setns")


def signalfd(signals: Collection[int], fd: int = -1) -> int:
    """A descriptor that yields these signals while they are blocked: signalfd(2).

    A new one, or ``fd``, which then yields them in place of those before.
    """
    mask = bytearray(128)  # sigset_t of the C library
    for number in signals:
        mask[(number - 1) // 8] |= 1 << (number - 1) % 8
    buffer = (ctypes.c_char * len(mask)).from_buffer(mask)
    result: int = _signalfd(fd, ctypes.addressof(buffer), os.O_CLOEXEC | os.O_NONBLOCK)
    if result < 0:
        raise last_error("signalfd")
    return result
