"""Ancillary data of netlink sockets: net/core/scm.c and the control messages of af_netlink.c."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from errno import EINVAL, EPERM, ESRCH
from typing import TYPE_CHECKING, Final

from netlink_emu.machine.credentials import CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.netlink import NL_PKTINFO, SOL_NETLINK, SOL_SOCKET, NetlinkSockOpt

if TYPE_CHECKING:
    from netlink_emu.kernel.af_netlink import NetlinkSock
    from netlink_emu.kernel.current import Current
    from netlink_emu.kernel.kernel import Kernel
    from netlink_emu.kernel.skbuff import SkBuff

SCM_RIGHTS: Final = 1
SCM_CREDENTIALS: Final = 2
_UCRED: Final = {char: struct.Struct(char + "iII") for char in "<>"}  # pid, uid, gid


@dataclass(frozen=True, slots=True)
class Cmsg:
    """A control message: ``data`` without the cmsghdr."""

    level: int
    type: int
    data: bytes


def scm_send(kernel: Kernel, current: Current, control: Sequence[Cmsg]) -> tuple[int, int, int]:
    """The credentials that a datagram carries: the caller's, or those it gives.

    Raises EINVAL for what netlink cannot carry (SCM_RIGHTS), EPERM for a forgery, ESRCH for a
    pid that does not exist.
    """
    creds = (_global_tgid(current), current.cred.uid, current.cred.gid)
    for cmsg in control:
        if cmsg.level != SOL_SOCKET:
            continue
        if cmsg.type != SCM_CREDENTIALS or len(cmsg.data) != 12:
            raise NetlinkError(EINVAL)
        creds = _check_creds(kernel, current, cmsg.data)
    return creds


def _global_tgid(current: Current) -> int:
    return current.task.tgid if current.task is not None else current.tgid_vnr


def _check_creds(kernel: Kernel, current: Current, data: bytes) -> tuple[int, int, int]:
    pid, uid, gid = _UCRED[kernel.profile.arch.order.char].unpack(data)
    cred, user_ns = current.cred, current.cred.user_ns
    if pid != current.tgid_vnr and not current.ns_capable(user_ns, CAP_SYS_ADMIN):
        raise NetlinkError(EPERM)
    if uid not in (cred.uid, cred.euid) and not current.ns_capable(user_ns, CAP_SETUID):
        raise NetlinkError(EPERM)
    if gid not in (cred.gid, cred.egid) and not current.ns_capable(user_ns, CAP_SETGID):
        raise NetlinkError(EPERM)
    if pid == current.tgid_vnr:
        return _global_tgid(current), uid, gid
    task = kernel.machine.tasks.find_task_by_pid_ns(pid, current.pid_ns)
    if task is None:
        raise NetlinkError(ESRCH)
    return task.pid, uid, gid


def scm_recv(sk: NetlinkSock, skb: SkBuff, current: Current | None) -> list[Cmsg]:
    """What recvmsg() adds, in this order: NETLINK_PKTINFO, then SCM_CREDENTIALS."""
    if not (sk.pktinfo or sk.passcred):
        return []
    order = sk.kernel.profile.arch.order
    control = []
    if sk.pktinfo:
        group = NL_PKTINFO[order].pack(skb.dst_group)
        control.append(Cmsg(SOL_NETLINK, NetlinkSockOpt.NETLINK_PKTINFO, group))
    if sk.passcred:
        pid, uid, gid = skb.creds
        if current is not None and not current.pid_ns.is_init:
            task = sk.kernel.machine.tasks.find_task_by_pid_ns(pid, sk.kernel.machine.init_pid_ns)
            pid = task.pid_nr_ns(current.pid_ns) if task else 0
        data = _UCRED[order.char].pack(pid, uid, gid)
        control.append(Cmsg(SOL_SOCKET, SCM_CREDENTIALS, data))
    return control
