"""The namespaces that a process of this machine is in, as the emulated machine's.

Ours are the initial ones. Others are known by the inodes of /proc/T/ns; where we may not look, a
process counts as one of ours.
"""

from __future__ import annotations

import fcntl
import functools
import os
from pathlib import Path
from typing import Final

from netlink_emu.machine.machine import Machine
from netlink_emu.machine.namespaces import NetNamespace, PidNamespace, UserNamespace

_PROC: Final = Path("/proc")
_NS_GET_USERNS: Final = 0xB701  # include/uapi/linux/nsfs.h: _IO(0xb7, 0x1)


def user_namespace(machine: Machine, tid: int) -> UserNamespace:
    """The user namespace of a thread. Raises OSError where the thread is gone."""
    return _user(machine, _inode(tid, "user"))


def net_namespace(machine: Machine, tid: int) -> NetNamespace:
    """Its network namespace, with the user namespace that owns it. Raises OSError likewise."""
    inode = _inode(tid, "net")
    if inode == _own("net"):
        return machine.init_net
    known = machine.host_namespaces.nets
    if inode not in known:
        known[inode] = NetNamespace(_owner(machine, tid, "net"))
    return known[inode]


def pid_namespace(machine: Machine, tid: int, proc: Path = _PROC) -> PidNamespace:
    """Its pid namespace, a view of the initial one. Raises OSError likewise."""
    inode = _inode(tid, "pid", proc)
    if inode == _own("pid"):
        return machine.init_pid_ns
    known = machine.host_namespaces.pids
    if inode not in known:
        owner = _owner(machine, tid, "pid")
        known[inode] = PidNamespace(view_of=machine.init_pid_ns, user_ns=owner)
    return known[inode]


def inode_of(machine: Machine, ns: PidNamespace) -> int:
    """The inode that stands for a view which :func:`pid_namespace` has given."""
    return next(inode for inode, known in machine.host_namespaces.pids.items() if known is ns)


def _user(machine: Machine, inode: int) -> UserNamespace:
    if inode == _own("user"):
        return machine.init_user_ns
    known = machine.host_namespaces.users
    if inode not in known:
        known[inode] = UserNamespace(machine.init_user_ns)
    return known[inode]


def _owner(machine: Machine, tid: int, kind: str) -> UserNamespace:
    """Whose a namespace is; the initial one's where that lies above ours, or is not told."""
    try:
        fd = os.open(f"/proc/{tid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return machine.init_user_ns
    try:
        owner = fcntl.ioctl(fd, _NS_GET_USERNS)
    except OSError:
        return machine.init_user_ns
    finally:
        os.close(fd)
    try:
        return _user(machine, os.fstat(owner).st_ino)
    finally:
        os.close(owner)


@functools.cache
def _own(kind: str) -> int:
    return (_PROC / "self" / "ns" / kind).stat().st_ino


def _inode(tid: int, kind: str, proc: Path = _PROC) -> int:
    try:
        return (proc / str(tid) / "ns" / kind).stat().st_ino
    except PermissionError:
        return _own(kind)
