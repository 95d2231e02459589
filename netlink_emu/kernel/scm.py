"""Ancillary data of netlink sockets: net/core/scm.c and the control messages of af_netlink.c."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from errno import EINVAL, EPERM, ESRCH
from typing import TYPE_CHECKING, Final

from netlink_emu.machine.credentials import CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN, Cred
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.netlink import NL_PKTINFO, SOL_NETLINK, SOL_SOCKET, NetlinkSockOpt

if TYPE_CHECKING:
    from netlink_emu.kernel.af_netlink import NetlinkSock
    from netlink_emu.kernel.current import Current
    from netlink_emu.kernel.kernel import Kernel
    from netlink_emu.kernel.skbuff import Creds, SkBuff

SCM_RIGHTS: Final = 1
SCM_CREDENTIALS: Final = 2
_UCRED: Final = {char: struct.Struct(char + "iII") for char in "<>"}  # pid, uid, gid


@dataclass(frozen=True, slots=True)
class Cmsg:
    """A control message: ``data`` without the cmsghdr."""

    level: int
    type: int
    data: bytes


def scm_send(kernel: Kernel, current: Current, control: Sequence[Cmsg]) -> Creds:
    """The credentials that a datagram carries: the caller's, or those it gives.

    Raises EINVAL for what netlink cannot carry (SCM_RIGHTS) and for ids that the caller's
    namespace has not, EPERM for a forgery, ESRCH for a pid that does not exist.
    """
    profile = kernel.profile
    cred = current.cred if profile.creds_translated else _as_numbered(current.cred)
    creds = (0, 0, 0)
    if not profile.creds_omitted:
        effective = profile.creds_effective
        uid, gid = (cred.euid, cred.egid) if effective else (cred.uid, cred.gid)
        creds = (current.tgid_vnr, uid, gid)
    for cmsg in control:
        if cmsg.level != SOL_SOCKET:
            continue
        if cmsg.type != SCM_CREDENTIALS or len(cmsg.data) != 12:
            raise NetlinkError(EINVAL)
        creds = _given_creds(kernel, current, cred, cmsg.data)
    return creds


def _as_numbered(cred: Cred) -> Cred:
    """With the ids as the task's own user namespace numbers them."""
    uid, gid = cred.user_ns.from_kuid, cred.user_ns.from_kgid
    return replace(
        cred, uid=uid(cred.uid), gid=gid(cred.gid), euid=uid(cred.euid), egid=gid(cred.egid)
    )


def _given_creds(kernel: Kernel, current: Current, cred: Cred, data: bytes) -> Creds:
    """scm_check_creds(), and whether there is such a pid."""
    pid, uid, gid = _UCRED[kernel.profile.arch.order.char].unpack(data)
    if kernel.profile.creds_translated:
        uid, gid = cred.user_ns.make_kuid(uid), cred.user_ns.make_kgid(gid)
        if uid is None or gid is None:
            raise NetlinkError(EINVAL)
    pid_owner = current.pid_ns.user_ns or kernel.machine.init_user_ns
    if pid != current.tgid_vnr and not current.ns_capable(pid_owner, CAP_SYS_ADMIN):
        raise NetlinkError(EPERM)
    if uid not in (cred.uid, cred.euid) and not current.ns_capable(cred.user_ns, CAP_SETUID):
        raise NetlinkError(EPERM)
    if gid not in (cred.gid, cred.egid) and not current.ns_capable(cred.user_ns, CAP_SETGID):
        raise NetlinkError(EPERM)
    tasks = kernel.machine.tasks
    if pid != current.tgid_vnr and tasks.find_task_by_pid_ns(pid, current.pid_ns) is None:
        raise NetlinkError(ESRCH)
    return pid, uid, gid


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
        pid, uid, gid = skb.creds  # the pid stays the sender's number, wherever it is read
        if current is not None and sk.kernel.profile.creds_translated:
            user_ns = current.cred.user_ns
            uid, gid = user_ns.from_kuid(uid), user_ns.from_kgid(gid)
        data = _UCRED[order.char].pack(pid, uid, gid)
        control.append(Cmsg(SOL_SOCKET, SCM_CREDENTIALS, data))
    return control
