"""Whether this process can look into others at all, tried on itself before a client is started.

What a container's profile or the kernel withholds is withheld from looking into oneself, too. So
the user is told in time what to grant, and not the client by an errno in its midst.
"""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path
from typing import Final

from netlink_emu.host.proc import read_status
from netlink_emu.interpose.client import pidfd
from netlink_emu.interpose.client.fds import need_files
from netlink_emu.interpose.client.memory import ClientGone, ClientMemory, ClientSealed
from netlink_emu.interpose.errors import Unsupported
from netlink_emu.machine.credentials import CAP_SYS_PTRACE
from netlink_emu.protocol.errors import NetlinkError

PROC: Final = Path("/proc")
PTRACE_SCOPE: Final = Path("/proc/sys/kernel/yama/ptrace_scope")
_GRANT: Final = (
    "grant CAP_SYS_PTRACE (docker run --cap-add SYS_PTRACE), or a seccomp profile that allows it"
)


def need_access() -> None:
    """Raises Unsupported: in one sentence what is withheld, and what to grant. Takes 0.1 ms."""
    need_proc()
    need_files()
    need_descriptors()
    need_memory()
    need_descendants()


def need_proc(proc: Path = PROC) -> None:
    """/proc of our own pid namespace: signals and descriptor numbers of clients stand there."""
    try:
        number = int(str((proc / "self").readlink()))
    except OSError as exc:
        raise Unsupported(f"{proc} is not mounted here") from exc
    if number != os.getpid():
        raise Unsupported(
            f"{proc} is another pid namespace's: mount that of this one (unshare --mount-proc)"
        )


def need_descriptors() -> None:
    """pidfd_open(2) and pidfd_getfd(2): clients' sockets are known and emptied by them."""
    what = "pidfd_open"
    try:
        reference = pidfd.open_process(os.getpid())
        try:
            what = "pidfd_getfd"
            os.close(pidfd.get_descriptor(reference, reference))
        finally:
            os.close(reference)
    except OSError as exc:
        if exc.errno in (errno.EMFILE, errno.ENFILE):
            raise Unsupported("no descriptor is left to this process") from exc
        raise _withheld(what, exc.errno, "Linux 5.6") from exc


def need_memory() -> None:
    """process_vm_readv(2) and process_vm_writev(2): arguments and answers pass by them."""
    mark = ctypes.create_string_buffer(8)
    address, memory = ctypes.addressof(mark), ClientMemory(1 << 12)
    what = "process_vm_readv"
    try:
        memory.read(os.getpid(), address, len(mark))
        what = "process_vm_writev"
        memory.write(os.getpid(), [(address, bytes(len(mark)))])
    except (ClientGone, ClientSealed, NetlinkError) as exc:
        number = errno.EPERM if isinstance(exc, ClientSealed) else errno.ENOSYS
        raise _withheld(what, number, "CONFIG_CROSS_MEMORY_ATTACH") from exc


def need_descendants(scope_file: Path = PTRACE_SCOPE) -> None:
    """Yama allows to look into descendants (1), to CAP_SYS_PTRACE alone (2), to nobody (3)."""
    try:
        scope = int(scope_file.read_text())
    except (OSError, ValueError):
        return
    if scope == 2 and CAP_SYS_PTRACE not in read_status(os.getpid()).capabilities:
        raise Unsupported(
            "clients may not be looked into: kernel.yama.ptrace_scope is 2; set it to 1, or run "
            "as root"
        )
    if scope == 3:
        raise Unsupported("clients may not be looked into: kernel.yama.ptrace_scope is 3")


def _withheld(what: str, number: int | None, needs: str) -> Unsupported:
    if number == errno.ENOSYS:
        return Unsupported(
            f"{what}(2) is missing here, which needs {needs}; in a container, {_GRANT}"
        )
    return Unsupported(f"{what}(2) is forbidden here: in a container, {_GRANT}")
