"""Probes of NLMSG_ERROR: what an error echoes, and what it says beside its errno."""

from __future__ import annotations

from collections.abc import Iterator

from netlink_emu.eras.bench import Attr, Bench, Client
from netlink_emu.eras.probes import probe
from netlink_emu.kernel.genetlink import GenlFamily, GenlInfo, GenlOp
from netlink_emu.kernel.netlink_rcv import Request
from netlink_emu.kernel.trace import Observer
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.genetlink import GENL_HDRLEN, CtrlAttr, CtrlCmd
from netlink_emu.protocol.netlink import NLM_F_ACK, NLM_F_DUMP, NetlinkSockOpt
from netlink_emu.protocol.taskstats import TASKSTATS_CMD_ATTR_PID, TASKSTATS_CMD_GET

EINVAL = 22


def _client(bench: Bench, option: NetlinkSockOpt) -> tuple[Client, str]:
    """A client that has tried to switch an option on, and how that went."""
    client = bench.client()
    return client, f"setsockopt: {client.setsockopt(option, 1)}"


def _short_pid(bench: Bench) -> bytes:
    """A request whose PID has two bytes only."""
    return bench.get([(TASKSTATS_CMD_ATTR_PID, b"\1\0")])


@probe("cap_ack")
def cap_ack(bench: Bench) -> list[str]:
    """With NETLINK_CAP_ACK a task is asked about that does not exist."""
    client, outcome = _client(bench, NetlinkSockOpt.NETLINK_CAP_ACK)
    return [outcome, *client.said(bench.get([(TASKSTATS_CMD_ATTR_PID, 9999)]))]


@probe("acks_capped")
def capped(bench: Bench) -> list[str]:
    """A registration is acked; and a request of 29 bytes, not a multiple of four, fails."""
    client = bench.client()
    odd = bench.get([(TASKSTATS_CMD_ATTR_PID, 9999)])
    odd = (len(odd) + 1).to_bytes(4, bench.order.name) + odd[4:] + b"\xee"
    return [*client.said(bench.get([(3, "0")], NLM_F_ACK)), *client.said(odd)]


@probe("ext_ack")
def ext_ack(bench: Bench) -> list[str]:
    """With NETLINK_EXT_ACK a request has a PID of two bytes."""
    client, outcome = _client(bench, NetlinkSockOpt.NETLINK_EXT_ACK)
    return [outcome, *client.said(_short_pid(bench))]


@probe("extack_policy_msg")
def policy_msg(bench: Bench) -> list[str]:
    """With NETLINK_EXT_ACK a request has a PID of two bytes."""
    client, _ = _client(bench, NetlinkSockOpt.NETLINK_EXT_ACK)
    return client.said(_short_pid(bench))


@probe("extack_policy")
def policy(bench: Bench) -> list[str]:
    """With NETLINK_EXT_ACK a request has a PID of two bytes."""
    client, _ = _client(bench, NetlinkSockOpt.NETLINK_EXT_ACK)
    return client.said(_short_pid(bench))


class _Log(Observer):
    """The lines of the kernel's log."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def logged(self, request: Request, line: str) -> None:
        self.lines.append(line)


def _logged(bench: Bench, request: bytes) -> list[str]:
    log = _Log()
    bench.kernel.observe(log)
    bench.client().ask(request)
    return [f"log: {line}" for line in log.lines] or ["nothing in the log"]


@probe("log_leftover_comm")
def leftover_log(bench: Bench) -> list[str]:
    """A registration has two bytes behind its last attribute."""
    return _logged(bench, bench.request(TASKSTATS_CMD_GET, [(3, "0")], extra=b"\xee\xee"))


@probe("log_attr_length")
def length_log(bench: Bench) -> list[str]:
    """A request has a PID of eight bytes."""
    return _logged(bench, bench.request(TASKSTATS_CMD_GET, [(1, bytes(8))]))


@probe("extack_leftover_msg")
def leftover(bench: Bench) -> list[str]:
    """With NETLINK_EXT_ACK a registration has two bytes behind its last attribute."""
    client, _ = _client(bench, NetlinkSockOpt.NETLINK_EXT_ACK)
    request = bench.request(TASKSTATS_CMD_GET, [(3, "0")], flags=NLM_F_ACK, extra=b"\xee\xee")
    return client.said(request)


@probe("extack_dump_start")
def dump_start(bench: Bench) -> list[str]:
    """With NETLINK_EXT_ACK the policy of an operation is dumped that TASKSTATS does not have."""
    client, _ = _client(bench, NetlinkSockOpt.NETLINK_EXT_ACK)
    attrs: list[Attr] = [
        (CtrlAttr.CTRL_ATTR_FAMILY_NAME, "TASKSTATS"),
        (CtrlAttr.CTRL_ATTR_OP, 99),
    ]
    return client.said(bench.ctrl(CtrlCmd.CTRL_CMD_GETPOLICY, attrs, flags=NLM_F_DUMP))


@probe("extack_done")
def done(bench: Bench) -> list[str]:
    """With NETLINK_EXT_ACK, a dump that fails with a text and an offset once it has begun."""

    def dumpit(info: GenlInfo) -> Iterator[bytes]:
        yield bytes(GENL_HDRLEN)
        info.request.extack.bad_attr = 20
        raise NetlinkError(EINVAL, "no more")

    bench.kernel.genl.register_family(GenlFamily("DUMPS", 1, (GenlOp(1, dumpit=dumpit),), id=0x30))
    client, _ = _client(bench, NetlinkSockOpt.NETLINK_EXT_ACK)
    return client.said(bench.request(1, family=0x30, flags=NLM_F_DUMP))


@probe("extack_cookie_before_offs")
def cookie(bench: Bench) -> list[str]:
    """With NETLINK_EXT_ACK, an error of a family that returns a cookie and an offset."""

    def doit(info: GenlInfo) -> None:
        info.request.extack.cookie = b"\xc0\x01"
        info.request.extack.bad_attr = 20
        raise NetlinkError(EINVAL)

    bench.kernel.genl.register_family(GenlFamily("COOKIES", 1, (GenlOp(1, doit=doit),), id=0x30))
    client, _ = _client(bench, NetlinkSockOpt.NETLINK_EXT_ACK)
    return client.said(bench.request(1, family=0x30))


@probe("strict_chk")
def strict_chk(bench: Bench) -> list[str]:
    """NETLINK_GET_STRICT_CHK is switched on; a task is asked about."""
    client, outcome = _client(bench, NetlinkSockOpt.NETLINK_GET_STRICT_CHK)
    return [outcome, client.outcome(bench.get())]
