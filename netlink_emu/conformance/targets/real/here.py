"""The description of this machine for its recordings: ``machine.json``."""

from __future__ import annotations

import gzip
import os
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from netlink_emu.conformance.cases.structure import family_name, stats_blocks
from netlink_emu.host.release import upstream_release
from netlink_emu.protocol.attributes import AttrWriter
from netlink_emu.protocol.format import HOST_ORDER
from netlink_emu.protocol.genetlink import GENL_ID_CTRL, CtrlCmd, genl_request
from netlink_emu.protocol.netlink import (
    AF_NETLINK,
    NETLINK_GENERIC,
    NLM_F_DUMP,
    NLMSG_DONE,
    NLMSG_ERROR,
    nlmsg_walk,
)
from netlink_emu.protocol.taskstats import TASKSTATS_CMD_ATTR_PID, TASKSTATS_CMD_GET

from . import probe

_SYSCTLS: Final = (
    "kernel.task_delayacct",
    "net.core.rmem_default",
    "net.core.rmem_max",
    "net.core.wmem_default",
    "net.core.wmem_max",
    "kernel.core_pattern",
    "kernel.pid_max",
)
_OPTIONS: Final = (
    "TASKSTATS", "TASK_DELAY_ACCT", "TASK_XACCT", "TASK_IO_ACCOUNTING", "NR_CPUS", "SMP",
    "CPUMASK_OFFSTACK", "HAVE_EFFICIENT_UNALIGNED_ACCESS", "HZ", "PREEMPT_DYNAMIC", "CPUSETS",
    "MEMCG", "NET_NS", "USER_NS", "PID_NS", "NET_RX_BUSY_POLL",
    # What MAX_HEADER, and with it the size of socket buffers, depends on.
    "WLAN", "MAC80211_MESH", "AX25", "NET_IPIP", "NET_IPGRE", "IPV6_SIT", "IPV6_TUNNEL",
)  # fmt: skip
# Of the same name in uname -m, whichever their byte order is.
_LITTLE: Final = {"mips": "mipsel", "mips64": "mips64el"}
_SECONDS: Final = 5.0


def describe_machine(family_id: int | None) -> dict[str, Any]:
    """What ``machine.json`` says of this machine, in the order in which it says it.

    ``family_id`` is that of TASKSTATS. What cannot be found out here is left out.
    """
    config = kernel_config()
    told: dict[str, Any] = {
        "release": upstream_release(),
        "arch": arch_name(),
        "byte_order": sys.byteorder,
        "user_mode_linux": "User Mode Linux" in _text("/proc/cpuinfo"),
        "efficient_unaligned_access": _switch(config, "HAVE_EFFICIENT_UNALIGNED_ACCESS"),
        "nr_cpus": _nr_cpus(),
        "cpumask_offstack": _switch(config, "CPUMASK_OFFSTACK"),
        "family_id": family_id,
        "families": _families(),
        "cpus_possible": probe.cpus_possible(),
        "cpus_online": _text("/sys/devices/system/cpu/online"),
        **_struct(family_id),
        "delay_accounting": probe.sysctl("kernel.task_delayacct") not in ("0", ""),
        "sysctl": {name: probe.sysctl(name) for name in _SYSCTLS},
        "kernel_version": f"{os.uname().release} {os.uname().version}",
        "skb_small_truesize": _skb_small_truesize(),
        "config": {name: config.get(name, "n") for name in _OPTIONS} if config else None,
    }
    return {name: value for name, value in told.items() if value is not None}


def arch_name() -> str:
    """The architecture by the emulator's name."""
    name = probe.machine_name()
    return _LITTLE.get(name, name) if sys.byteorder == "little" else name


def _text(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _config_files() -> list[Path]:
    release = os.uname().release
    names = ("/proc/config.gz", f"/boot/config-{release}", f"/lib/modules/{release}/config")
    return [Path(name) for name in names]


def kernel_config() -> dict[str, str]:
    """The options that this kernel was built with; empty if nothing here tells."""
    for path in _config_files():
        try:
            data = path.read_bytes()
            text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
        except (OSError, EOFError, UnicodeDecodeError):
            continue
        return dict(re.findall(r"^CONFIG_(\w+)=(.*)$", text, re.MULTILINE))
    return {}


def _switch(config: dict[str, str], name: str) -> bool | None:
    return config.get(name) == "y" if config else None


def _nr_cpus() -> int | None:
    """CONFIG_NR_CPUS: the kernel shows the highest number that it was built for."""
    highest = _text("/sys/devices/system/cpu/kernel_max")
    return int(highest) + 1 if highest.isdigit() else None


def _ask(request: bytes) -> Iterator[bytes]:
    """The messages that answer a request, up to the end of a dump."""
    with socket.socket(AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC) as sock:
        sock.settimeout(_SECONDS)
        sock.send(request)
        while True:
            data = sock.recv(65536)
            for offset, header in nlmsg_walk(data, HOST_ORDER):
                if header.nlmsg_type in (NLMSG_DONE, NLMSG_ERROR):
                    return
                yield data[offset : offset + header.nlmsg_len]
                if not header.nlmsg_flags & 2:  # NLM_F_MULTI
                    return


def _families() -> list[str]:
    """The names of all generic netlink families, in the order of a dump."""
    cmd = CtrlCmd.CTRL_CMD_GETFAMILY
    request = genl_request(HOST_ORDER, GENL_ID_CTRL, cmd, version=2, flags=NLM_F_DUMP)
    names = (family_name(message, HOST_ORDER) for message in _ask(request))
    return [name.decode(errors="replace") for name in names if name is not None]


def _struct(family_id: int | None) -> dict[str, int]:
    """Version and size of struct taskstats, as a reply has them."""
    if family_id is None:
        return {}
    attributes = AttrWriter(HOST_ORDER)
    attributes.put_u32(TASKSTATS_CMD_ATTR_PID, os.getpid())
    request = genl_request(HOST_ORDER, family_id, TASKSTATS_CMD_GET, bytes(attributes.data))
    for message in _ask(request):
        for block in stats_blocks(message, HOST_ORDER):
            return {
                "taskstats_version": block.layout.version,
                "sizeof_struct_taskstats": block.layout.size,
            }
    return {}


def _skb_small_truesize() -> int | None:
    """What a receive buffer is charged for a small message: Rmem of /proc/net/netlink."""
    with socket.socket(AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC) as sock:
        sock.settimeout(_SECONDS)
        sock.bind((0, 0))
        sock.send(probe.getfamily_request("nlctrl", HOST_ORDER))
        sock.recv(1, socket.MSG_PEEK)  # it is there
        inode = str(os.fstat(sock.fileno()).st_ino)
        header, *lines = _text("/proc/self/net/netlink").splitlines() or [""]
        for line in lines:
            row = dict(zip(header.split(), line.split(), strict=False))
            if row.get("Inode") == inode:
                return int(row["Rmem"])
    return None
