"""What the machine's own kernel is and has, for the premises of cases."""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path

from netlink_emu.protocol.attributes import NLA_TYPE_MASK, AttrWriter, nla_walk
from netlink_emu.protocol.format import HOST_ORDER, ByteOrder
from netlink_emu.protocol.genetlink import (
    GENL_HDRLEN,
    GENL_ID_CTRL,
    CtrlAttr,
    CtrlCmd,
    genl_request,
)
from netlink_emu.protocol.netlink import (
    AF_NETLINK,
    NETLINK_GENERIC,
    NLMSG_ERROR,
    NLMSG_HDRLEN,
    NLMSGHDR,
)

_INIT_USER_NS = 0xEFFFFFFD  # include/linux/proc_ns.h: the inodes of the first namespaces
_INIT_PID_NS = 0xEFFFFFFC
_INIT_NET_NS = 0xEFFFFFF9  # fixed since 6.18
_CAP_NET_ADMIN = 12
_CAP_SYS_NICE = 23


def getfamily_request(name: str, order: ByteOrder, seq: int = 1) -> bytes:
    """CTRL_CMD_GETFAMILY for a name."""
    attributes = AttrWriter(order)
    attributes.put_string(CtrlAttr.CTRL_ATTR_FAMILY_NAME, name)
    cmd = CtrlCmd.CTRL_CMD_GETFAMILY
    return genl_request(order, GENL_ID_CTRL, cmd, bytes(attributes.data), version=2, seq=seq)


def family_id_in(reply: bytes, order: ByteOrder) -> int | None:
    """The id in the answer to :func:`getfamily_request`; None if it is an error."""
    header = NLMSGHDR[order].decode(reply)
    if header.nlmsg_type == NLMSG_ERROR:
        return None
    start = NLMSG_HDRLEN + GENL_HDRLEN
    for kind, payload, _ in nla_walk(reply, start, header.nlmsg_len, order):
        if kind & NLA_TYPE_MASK == CtrlAttr.CTRL_ATTR_FAMILY_ID:
            return int.from_bytes(reply[payload : payload + 2], order.name)
    return None


def family_id(name: str = "TASKSTATS") -> int | None:
    """The id of a generic netlink family of this kernel; None if it has no such family."""
    try:
        with socket.socket(AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC) as sock:
            sock.send(getfamily_request(name, HOST_ORDER))
            return family_id_in(sock.recv(65536), HOST_ORDER)
    except OSError:
        return None


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


@cache
def cpus_possible() -> str:
    return _read("/sys/devices/system/cpu/possible")


def cpus_usable() -> frozenset[int]:
    return frozenset(os.sched_getaffinity(0))


def sysctl(name: str) -> str:
    return _read(f"/proc/sys/{name.replace('.', '/')}")


def is_admin() -> bool:
    """Whether this process is root with CAP_NET_ADMIN."""
    return os.geteuid() == 0 and _has_capability(_CAP_NET_ADMIN)


def can_hurry() -> bool:
    """Whether this process has CAP_SYS_NICE: for nice values below its own, and real time."""
    return _has_capability(_CAP_SYS_NICE)


def _has_capability(number: int) -> bool:
    for line in _read("/proc/self/status").splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False


def _inode(path: str) -> int | None:
    try:
        return Path(path).stat().st_ino
    except OSError:
        return None


def in_initial_namespaces() -> bool:
    """Whether pids, users and portids here are the kernel's own, as far as /proc tells."""
    if (
        _inode("/proc/self/ns/user") != _INIT_USER_NS
        or _inode("/proc/self/ns/pid") != _INIT_PID_NS
    ):
        return False
    ours, first = _inode("/proc/self/ns/net"), _inode("/proc/1/ns/net")
    return first is None or ours in (first, _INIT_NET_NS)


def can_unshare_users() -> bool:
    return sysctl("user.max_user_namespaces") not in ("", "0")


def machine_name() -> str:
    return os.uname().machine
