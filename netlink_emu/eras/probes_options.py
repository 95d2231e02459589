"""Probes of socket options: which there are, who may set them, what is read back."""

from __future__ import annotations

from dataclasses import replace

from netlink_emu.eras.bench import NOBODY, Bench, Client, named
from netlink_emu.eras.probes import probe
from netlink_emu.machine.credentials import CAP_NET_RAW
from netlink_emu.protocol.errors import NetlinkError
from netlink_emu.protocol.netlink import SOL_NETLINK, SOL_SOCKET, NetlinkSockOpt

SO_REUSEPORT = 15
SO_MARK = 36
SO_TIMESTAMPING = 37
SO_BUSY_POLL = 46
SO_ZEROCOPY = 60
SO_TIMESTAMPING_NEW = 65
SO_TXREHASH = 74
SO_PASSPIDFD = 76
# What can be read of any netlink socket, by its number.
READABLE = (
    34, 35, 36, 37, 38, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 55, 56, 57, 59, 60, 61, 62, 63, 64,
    66, 67, 69, 71, 72, 73, 75, 77, 82,
)  # fmt: skip
SETTABLE = (50, 52, 53, 68, 70, 74, 80, 83)


def _read(client: Client, option: int, level: int = SOL_SOCKET, size: int = 8) -> str:
    """What getsockopt() writes, and the length that it tells if that is another one."""
    try:
        data, length = client.sock.getsockopt(level, option, size)
    except NetlinkError as error:
        return named(error)
    return data.hex() if len(data) == length else f"{data.hex()} of {length} bytes"


@probe("newest_so")
def newest_option(bench: Bench) -> list[str]:
    """Each option of SOL_SOCKET is read, or where there is nothing to read set; the last known."""
    client = bench.client()
    known = [option for option in READABLE if _read(client, option) != "ENOPROTOOPT"]
    answers = {option: client.setsockopt(option, 1, SOL_SOCKET) for option in SETTABLE}
    known += [option for option, answer in answers.items() if answer != "ENOPROTOOPT"]
    return [f"{max(known)} is the last"]


@probe("listen_all_nsid_readable")
def listen_all_nsid(bench: Bench) -> list[str]:
    """NETLINK_LISTEN_ALL_NSID is read."""
    return [_read(bench.client(), NetlinkSockOpt.NETLINK_LISTEN_ALL_NSID, SOL_NETLINK)]


@probe("options_read_whole")
def read_whole(bench: Bench) -> list[str]:
    """NETLINK_PKTINFO is set and read."""
    client = bench.client()
    client.setsockopt(NetlinkSockOpt.NETLINK_PKTINFO, 1)
    return [_read(client, NetlinkSockOpt.NETLINK_PKTINFO, SOL_NETLINK)]


@probe("so_by_family")
def of_other_families(bench: Bench) -> list[str]:
    """SO_PASSPIDFD and SO_TXREHASH are set and read."""
    client = bench.client()
    return [
        f"{client.setsockopt(option, 1, SOL_SOCKET)}, {_read(client, option)}"
        for option in (SO_PASSPIDFD, SO_TXREHASH)
    ]


@probe("reuseport_inet_only")
def reuseport(bench: Bench) -> list[str]:
    """SO_REUSEPORT is set and read."""
    client = bench.client()
    return [client.setsockopt(SO_REUSEPORT, 1, SOL_SOCKET), _read(client, SO_REUSEPORT)]


@probe("zerocopy_eopnotsupp")
def zerocopy(bench: Bench) -> list[str]:
    """SO_ZEROCOPY is set."""
    return [bench.client().setsockopt(SO_ZEROCOPY, 1, SOL_SOCKET)]


@probe("timestamping_flags")
def timestamping_flags(bench: Bench) -> list[str]:
    """SO_TIMESTAMPING is set, one flag at a time; those that are refused."""
    client = bench.client()
    # OPT_STATS wants OPT_TSONLY beside it, OPT_ID_TCP wants OPT_ID, BIND_PHC a clock.
    beside = {12: 1 << 11, 16: 1 << 7}
    outcomes = {
        bit: client.setsockopt(SO_TIMESTAMPING, 1 << bit | beside.get(bit, 0), SOL_SOCKET)
        for bit in range(20)
    }
    refused = sorted({outcome for outcome in outcomes.values() if outcome != "0"})
    return [
        f"{errno}: {[bit for bit, outcome in outcomes.items() if outcome == errno]}"
        for errno in refused
    ]


@probe("timestamping_phc")
def timestamping_phc(bench: Bench) -> list[str]:
    """SO_TIMESTAMPING is set and read."""
    client = bench.client()
    return [client.setsockopt(SO_TIMESTAMPING, 1, SOL_SOCKET), _read(client, SO_TIMESTAMPING)]


@probe("timestamping_new_readable")
def timestamping_new(bench: Bench) -> list[str]:
    """SO_TIMESTAMPING_NEW is set and read."""
    client = bench.client()
    option = SO_TIMESTAMPING_NEW
    return [client.setsockopt(option, 1, SOL_SOCKET), _read(client, option)]


@probe("busy_poll_for_anyone")
def busy_poll(bench: Bench) -> list[str]:
    """User nobody sets SO_BUSY_POLL."""
    return [bench.client(uid=NOBODY).setsockopt(SO_BUSY_POLL, 50, SOL_SOCKET)]


@probe("net_raw_marks")
def net_raw(bench: Bench) -> list[str]:
    """A task that has CAP_NET_RAW and nothing else sets SO_MARK."""
    client = bench.client(uid=NOBODY)
    cred = replace(client.current.cred, capabilities=frozenset({CAP_NET_RAW}))
    client.current.cred = cred
    return [client.setsockopt(SO_MARK, 1, SOL_SOCKET)]
