"""Probes of socket buffers: what datagrams cost, how small buffers and how large dumps are."""

from __future__ import annotations

from netlink_emu.eras.bench import Bench, Client
from netlink_emu.eras.probes import probe
from netlink_emu.kernel.genetlink import GenlFamily
from netlink_emu.protocol.genetlink import CtrlAttr, CtrlCmd
from netlink_emu.protocol.netlink import (
    NETLINK_GENERIC,
    NLM_F_ACK,
    NLM_F_DUMP,
    SOCKADDR_NL,
    SOL_SOCKET,
    NetlinkSockOpt,
)
from netlink_emu.protocol.taskstats import TASKSTATS_CMD_ATTR_REGISTER_CPUMASK

SO_SNDBUF, SO_RCVBUF = 7, 8
MSG_PEEK = 2
OTHER_PID = 1001


def _ack_charged(bench: Bench) -> list[str]:
    """What an ack costs, as SK_MEMINFO_RMEM_ALLOC or /proc/net/netlink show it."""
    client = bench.client()
    client.send(bench.get([(TASKSTATS_CMD_ATTR_REGISTER_CPUMASK, "0")], NLM_F_ACK))
    return [f"{client.sock.rmem_alloc} bytes"]


@probe("truesize_whole")
def truesize(bench: Bench) -> list[str]:
    """An ack of 36 bytes is queued; what is charged for it."""
    return _ack_charged(bench)


@probe("skb_small_head")
def small_head(bench: Bench) -> list[str]:
    """An ack of 36 bytes is queued; what is charged for it."""
    return _ack_charged(bench)


@probe("skb_small_head_fits_gro", max_header=80)
def small_head_fits_gro(bench: Bench) -> list[str]:
    """An ack of 36 bytes is queued where there are tunnels; what is charged for it."""
    return _ack_charged(bench)


@probe("trimmed_anew")
def trimmed(bench: Bench) -> list[str]:
    """nlctrl is looked up, in a buffer for a page; what is charged for the reply."""
    client = bench.client()
    name = [(CtrlAttr.CTRL_ATTR_FAMILY_NAME, "nlctrl")]
    client.send(bench.ctrl(CtrlCmd.CTRL_CMD_GETFAMILY, name))
    return [f"{client.sock.rmem_alloc} bytes"]


@probe("large_sends_exact")
def large_send(bench: Bench) -> list[str]:
    """10000 bytes are sent to another socket; what is charged for them."""
    other = bench.client(pid=OTHER_PID)
    other.bind(other.address(OTHER_PID))
    sender = bench.client()
    sender.send(bytes(10_000), sender.address(OTHER_PID))
    return [f"{other.sock.rmem_alloc} bytes"]


@probe("min_buffers")
def smallest(bench: Bench) -> list[str]:
    """SO_RCVBUF and SO_SNDBUF are set to 1 and read."""
    client = bench.client()
    lines = []
    for name, option in (("SO_RCVBUF", SO_RCVBUF), ("SO_SNDBUF", SO_SNDBUF)):
        client.setsockopt(option, 1, SOL_SOCKET)
        data, _ = client.sock.getsockopt(SOL_SOCKET, option, 4)
        lines.append(f"{name}: {int.from_bytes(data, bench.order.name)}")
    return lines


@probe("dumps_of_32k")
def large_dump(bench: Bench) -> list[str]:
    """A thousand families are dumped into buffers of 64 KiB."""
    for number in range(0x100, 0x3E8):
        family = GenlFamily(f"FAMILY{number}", 1, (), id=number)
        bench.kernel.genl.register_family(family)
    client = bench.client()
    client.send(bench.ctrl(CtrlCmd.CTRL_CMD_GETFAMILY, flags=NLM_F_DUMP))
    longest = max(len(datagram) for datagram in client.drain(1 << 16))
    return [f"datagrams of up to {longest} bytes"]


@probe("group_mask_bounded")
def high_group(bench: Bench) -> list[str]:
    """A message to group 34 arrives; nl_groups of its sender."""
    client: Client = bench.client()
    client.setsockopt(NetlinkSockOpt.NETLINK_ADD_MEMBERSHIP, 34)
    netlink = bench.kernel.netlink
    netlink.broadcast_from_kernel(bench.machine.init_net, NETLINK_GENERIC, bytes(16), 34)
    name = client.sock.recvmsg(100, 0, client.current).name
    return [f"nl_groups {SOCKADDR_NL[bench.order].decode(name).nl_groups:#x}"]


@probe("passsec_truncates")
def without_room(bench: Bench) -> list[str]:
    """SO_PASSSEC is set, and a message read without room for control messages."""
    client = bench.client()
    client.setsockopt(34, 1, SOL_SOCKET)
    return ["MSG_CTRUNC" if client.sock.passsec else "no flag"]
