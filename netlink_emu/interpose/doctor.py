"""What the interposer needs of this machine, tried out piece by piece."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import socket
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from netlink_emu.host.proc import read_status
from netlink_emu.interpose.abi import ABIS, native
from netlink_emu.interpose.client import pidfd
from netlink_emu.interpose.client.access import (
    PTRACE_SCOPE,
    need_descriptors,
    need_memory,
    need_proc,
)
from netlink_emu.interpose.client.fds import choose_high, need_files, open_files_limit
from netlink_emu.interpose.client.memory import ClientGone, ClientMemory, ClientSealed
from netlink_emu.interpose.errors import Unsupported
from netlink_emu.interpose.filter.bpf_filter import (
    NR,
    SECCOMP_RET_ALLOW,
    SECCOMP_RET_USER_NOTIF,
    Assembler,
    Instruction,
)
from netlink_emu.interpose.launch import NO_PROCESS, launch
from netlink_emu.interpose.live import ptrace
from netlink_emu.machine.credentials import CAP_SYS_ADMIN
from netlink_emu.protocol.errors import NetlinkError


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried. Without what is ``required``, nothing can be run."""

    name: str
    works: bool
    meaning: str
    required: bool = True


def examine() -> list[Finding]:
    """Try everything; takes some milliseconds and leaves nothing behind."""
    findings = [_architecture(), _proc()]
    if not findings[1].works:  # by which the rest is looked at
        return findings
    if findings[0].works:
        findings += _listener()
        findings += _access()
    findings += [_no_new_privs(), _descriptor_numbers()]
    return findings


def _architecture() -> Finding:
    machine = os.uname().machine
    return Finding(
        f"architecture {machine}",
        machine in ABIS,
        "its system call numbers are known"
        if machine in ABIS
        else f"known are {' and '.join(ABIS)}",
    )


def _proc() -> Finding:
    try:
        need_proc()
    except Unsupported as exc:
        return Finding("/proc", works=False, meaning=str(exc))
    return Finding("/proc", works=True, meaning="of this pid namespace")


def _stop_only(name: str) -> list[Instruction]:
    """A filter that stops one system call."""
    asm = Assembler()
    asm.load(NR)
    asm.equal(native().numbers[name], "stop")
    asm.give(SECCOMP_RET_ALLOW)
    asm.label("stop")
    asm.give(SECCOMP_RET_USER_NOTIF)
    return asm.assemble()


def _listener() -> list[Finding]:
    """Have a thread install a filter, and end."""
    name = f"seccomp user notification (Linux {os.uname().release})"
    try:
        launched = launch(_stop_only("listen"), lambda: None)
    except Unsupported as exc:
        return [Finding(name, works=False, meaning=str(exc))]
    synchronous = launched.listener.synchronous
    launched.listener.close()
    return [
        Finding(name, works=True, meaning="a filter with a listener can be installed"),
        Finding(
            "answers that signals cannot lose",
            works=True,
            meaning="SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (Linux 5.19)",
        ),
        Finding(
            "synchronous wake-up",
            synchronous,
            "SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (Linux 6.6): calls are answered faster",
            required=False,
        ),
    ]


_MARK: Final = b"netlink-emu"


def _access() -> list[Finding]:
    """Look into a process of our own, as into a client."""
    buffer = ctypes.create_string_buffer(_MARK, len(_MARK))
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        try:
            pid = os.fork()
        except BlockingIOError:
            return [Finding("a child", works=False, meaning=NO_PROCESS)]
        if pid == 0:
            signal.pause()
            os._exit(0)
        try:
            return [
                _try_memory(pid, ctypes.addressof(buffer)),
                _try_descriptor(pid, theirs.fileno()),
                _try_tracing(pid),
            ]
        finally:
            os.kill(pid, signal.SIGKILL)
            while os.WIFSTOPPED(os.waitpid(pid, 0)[1]):  # traced, it stops as it ends
                ptrace.go_on(pid)


def _try_memory(pid: int, address: int) -> Finding:
    name = "a client's memory"
    memory = ClientMemory(1 << 12)
    try:
        need_memory()
        works = memory.read(pid, address, len(_MARK)) == _MARK
        memory.write(pid, [(address, _MARK)])
    except Unsupported as exc:
        return Finding(name, works=False, meaning=str(exc))
    except (ClientGone, ClientSealed, NetlinkError):
        return Finding(name, works=False, meaning=f"process_vm_readv is forbidden: {_who()}")
    return Finding(name, works, "process_vm_readv and process_vm_writev")


def _try_descriptor(pid: int, fd: int) -> Finding:
    name = "a client's descriptors"
    try:
        need_descriptors()
    except Unsupported as exc:
        return Finding(name, works=False, meaning=str(exc))
    reference = pidfd.open_process(pid)
    try:
        os.close(pidfd.get_descriptor(reference, fd))
    except OSError as exc:
        reason = _who() if exc.errno == errno.EPERM else str(exc.strerror)
        return Finding(name, works=False, meaning=f"pidfd_getfd is forbidden: {reason}")
    finally:
        os.close(reference)
    return Finding(name, works=True, meaning="pidfd_getfd (Linux 5.6)")


def _try_tracing(pid: int) -> Finding:
    name = "exit events of clients"
    try:
        ptrace.seize(pid)
    except OSError as exc:
        reason = _who() if exc.errno == errno.EPERM else str(exc.strerror)
        return Finding(name, works=False, meaning=f"no ptrace: {reason}", required=False)
    return Finding(name, works=True, meaning="ptrace", required=False)


def _who() -> str:
    """Who may be the one that forbids looking into processes."""
    try:
        scope = PTRACE_SCOPE.read_text().strip()
    except OSError:
        return "in a container, give it CAP_SYS_PTRACE"
    return f"kernel.yama.ptrace_scope is {scope}; in a container, give it CAP_SYS_PTRACE"


def _no_new_privs() -> Finding:
    """Whether a filter costs set-user-id programs their rights."""
    privileged = CAP_SYS_ADMIN in read_status(os.getpid()).capabilities
    return Finding(
        "set-user-id programs keep their rights",
        privileged,
        "CAP_SYS_ADMIN; without it, no_new_privs is set",
        required=False,
    )


def _descriptor_numbers() -> Finding:
    limit = open_files_limit()
    name = f"descriptor numbers up to {limit - 1}"
    try:
        need_files()
    except Unsupported as exc:
        return Finding(name, works=False, meaning=str(exc))
    return Finding(name, works=True, meaning=f"emulated sockets get {choose_high(limit)} and up")
