"""Seccomp user notification: installing a filter with a listener, and answering through it.

Numbers are those of include/uapi/linux/seccomp.h. See seccomp_unotify(2).
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from netlink_emu.interpose import libc
from netlink_emu.interpose.errors import AlreadySupervised, Unsupported
from netlink_emu.interpose.filter.bpf_filter import Instruction

SECCOMP_SET_MODE_FILTER: Final = 1
SECCOMP_FILTER_FLAG_SPEC_ALLOW: Final = 1 << 2
SECCOMP_FILTER_FLAG_NEW_LISTENER: Final = 1 << 3
SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: Final = 1 << 5

SECCOMP_IOCTL_NOTIF_RECV: Final = 0xC0502100
SECCOMP_IOCTL_NOTIF_SEND: Final = 0xC0182101
SECCOMP_IOCTL_NOTIF_ID_VALID: Final = 0x40082102
SECCOMP_IOCTL_NOTIF_ADDFD: Final = 0x40182103
SECCOMP_IOCTL_NOTIF_SET_FLAGS: Final = 0x40082104

SECCOMP_USER_NOTIF_FLAG_CONTINUE: Final = 1
SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP: Final = 1
SECCOMP_ADDFD_FLAG_SETFD: Final = 1
SECCOMP_ADDFD_FLAG_SEND: Final = 2

# struct seccomp_notif {
#     __u64 id;                   /*  0 */
#     __u32 pid;                  /*  8, a thread's, as our pid namespace numbers it */
#     __u32 flags;                /* 12 */
#     struct seccomp_data data;   /* 16 */
# };                              /* 80 */
_NOTIF: Final = struct.Struct("=QIIiIQ6Q")
# struct seccomp_notif_resp { __u64 id; __s64 val; __s32 error; __u32 flags; };
_RESP: Final = struct.Struct("=QqiI")
# struct seccomp_notif_addfd {
#     __u64 id; __u32 flags; __u32 srcfd; __u32 newfd; __u32 newfd_flags;
# };
_ADDFD: Final = struct.Struct("=QIIII")
_ID: Final = struct.Struct("=Q")
# struct sock_fprog { unsigned short len; struct sock_filter *filter; };
_FPROG: Final = struct.Struct("@HP")
_SOCK_FILTER: Final = struct.Struct("=HBBI")

_new: Final = tuple.__new__

# A request of ours that fails as it never should is made so often before that is believed.
_TRIES: Final = 3
_MANY: Final = 100


class Notification(NamedTuple):
    """A stopped system call. ``tid`` is 0 where its pid namespace is not below ours."""

    id: int
    tid: int
    flags: int
    nr: int
    arch: int
    instruction_pointer: int
    arg0: int
    arg1: int
    arg2: int
    arg3: int
    arg4: int
    arg5: int


def encode_program(program: Sequence[Instruction]) -> bytes:
    """An array of struct sock_filter."""
    return b"".join(_SOCK_FILTER.pack(*instruction) for instruction in program)


def install_filter(program: Sequence[Instruction]) -> int:
    """Filter the calling thread, and what it will start; returns the listener's descriptor.

    It cannot be taken back: the thread must be one that ends. Without CAP_SYS_ADMIN the thread
    also gets no_new_privs, so that set-user-id programs run without their rights; with it they
    keep them.

    Raises AlreadySupervised, or Unsupported with what the kernel lacks.
    """
    code = encode_program(program)
    array = ctypes.create_string_buffer(code, len(code))
    fprog = ctypes.create_string_buffer(
        _FPROG.pack(len(program), ctypes.addressof(array)), _FPROG.size
    )
    # Without WAIT_KILLABLE_RECV an ordinary signal makes the client leave a call that we have
    # answered, and the answer is lost.
    flags = (
        SECCOMP_FILTER_FLAG_NEW_LISTENER
        | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
        | SECCOMP_FILTER_FLAG_SPEC_ALLOW
    )
    try:
        return _seccomp(flags, fprog)
    except OSError as exc:
        if exc.errno != errno.EACCES:
            raise _explain(exc) from exc
    libc.prctl(libc.PR_SET_NO_NEW_PRIVS, 1)
    try:
        return _seccomp(flags, fprog)
    except OSError as exc:
        raise _explain(exc) from exc


def _seccomp(flags: int, fprog: ctypes.Array[ctypes.c_char]) -> int:
    seccomp = libc.system_call("seccomp", 3)
    fd: int = seccomp(SECCOMP_SET_MODE_FILTER, flags, ctypes.addressof(fprog))
    if fd < 0:
        raise libc.last_error("seccomp")
    return fd


def _explain(exc: OSError) -> Unsupported:
    if exc.errno == errno.EBUSY:
        return AlreadySupervised()
    if exc.errno == errno.EINVAL:
        return Unsupported(
            f"this kernel ({os.uname().release}) lacks SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: "
            "Linux 5.19 has it"
        )
    if exc.errno == errno.ENOSYS:
        return Unsupported("this kernel is built without seccomp filters")
    if exc.errno == errno.EPERM:
        return Unsupported("seccomp(2) is forbidden here, perhaps by a container's profile")
    return Unsupported(f"a seccomp filter cannot be installed: {os.strerror(exc.errno or 0)}")


class Listener:
    """The supervisor's side of a filter; ``fileno`` is readable when a call has stopped."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._failures = 0
        self.synchronous = self._wake_synchronously()

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        """Every stopped call, and each that would stop, now fails with ENOSYS."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _wake_synchronously(self) -> bool:
        """Run client and supervisor on one CPU while they talk (6.6): a trap costs an eighth."""
        try:
            # By value, not by address: seccomp_notify_set_flags() takes the flags themselves.
            fcntl.ioctl(
                self._fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
            )
        except OSError:
            return False
        return True

    def receive(self) -> Notification | None:
        """The next stopped call; None when its task is gone.

        Blocks while nothing has stopped, on some kernels even when no client is left: poll first.
        Raises OSError only when it fails again and again.
        """
        buffer = bytearray(_NOTIF.size)  # of zeros: EINVAL otherwise
        try:
            fcntl.ioctl(self._fd, SECCOMP_IOCTL_NOTIF_RECV, buffer)
        except OSError as exc:
            if exc.errno in (errno.ENOENT, errno.EINTR):
                return None
            self._failures += 1
            if self._failures > _MANY:
                raise
            return None  # it is still there for the next time
        self._failures = 0
        return _new(Notification, _NOTIF.unpack(buffer))

    def answer(self, id: int, value: int = 0, error: int = 0) -> bool:
        """Let the call return ``value`` or fail with ``error`` (positive); False if it is gone."""
        return self._is_there(SECCOMP_IOCTL_NOTIF_SEND, _RESP.pack(id, value, -error, 0))

    def let_pass(self, id: int) -> bool:
        """Let the host's kernel do the call; False if it is gone."""
        response = _RESP.pack(id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE)
        return self._is_there(SECCOMP_IOCTL_NOTIF_SEND, response)

    def _is_there(self, request: int, argument: bytes) -> bool:
        """Make a request about a call; False if the call is gone, or has been answered."""
        left = _TRIES
        while True:
            try:
                # ioctl() looks for something to write to first, and takes twice as long for bytes.
                fcntl.ioctl(self._fd, request, bytearray(argument))
            except OSError as exc:
                if exc.errno in (errno.ENOENT, errno.EINPROGRESS):
                    return False
                left -= 1
                if not left:
                    raise
            else:
                return True

    def is_waiting(self, id: int) -> bool:
        """Whether the call still waits for an answer: its thread is alive, its tid its own."""
        return self._is_there(SECCOMP_IOCTL_NOTIF_ID_VALID, _ID.pack(id))

    def add_descriptor(self, id: int, fd: int, number: int, *, cloexec: bool) -> None:
        """Put ``fd`` into the client at ``number`` and let the call return that, in one step.

        What was open at ``number`` is closed. Raises OSError: ENOENT if the call is gone, EBADF
        if ``number`` is not below the client's RLIMIT_NOFILE, EBUSY if it is being opened there.
        """
        flags = SECCOMP_ADDFD_FLAG_SETFD | SECCOMP_ADDFD_FLAG_SEND
        newfd_flags = os.O_CLOEXEC if cloexec else 0
        request = _ADDFD.pack(id, flags, fd, number, newfd_flags)
        fcntl.ioctl(self._fd, SECCOMP_IOCTL_NOTIF_ADDFD, request)
