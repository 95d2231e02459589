"""What is said about a run."""

from __future__ import annotations

from netlink_emu.interpose.summary import Summary, protocol_name


def test_nothing_happened() -> None:
    assert Summary().lines() == [
        "0 generic netlink sockets, 0 request datagrams, 0 datagrams received"
    ]


def test_everything_happened() -> None:
    summary = Summary(sockets=1, sent=2, received=1, past_us=1, sealed=2, foreign=1, beyond=2)
    summary.calls.update({"socket": 1, "sendmsg": 2})
    summary.passed.update({0: 2, 16: 1, 99: 1})
    assert summary.lines() == [
        "1 generic netlink socket, 2 request datagrams, 1 datagram received",
        "system calls: sendmsg 2, socket 1",
        "2 NETLINK_ROUTE sockets made by the host's kernel",
        "1 NETLINK_GENERIC socket made by the host's kernel",
        "1 99 socket made by the host's kernel",
        "1 datagram sent past the filter, answered late",
        "2 calls of clients that may not be looked into (not dumpable): run as root to serve them",
        "1 generic netlink socket refused to programs of another ABI (i386, x32, 32-bit arm): "
        "only native ones can be emulated",
        "2 descriptors refused to clients whose limit of open files is below emulated sockets' "
        "numbers: lower it before netlink-emu starts",
    ]


def test_what_is_said_without_being_asked() -> None:
    """What the user must know, for the client saw nothing of an emulated kernel."""
    assert Summary(sockets=1, sent=2, past_us=3).misses() == []
    assert len(Summary(sealed=1, untraced=1, foreign=1, beyond=1).misses()) == 4


def test_families_that_the_host_alone_has() -> None:
    summary = Summary()
    summary.unemulated.update({"mptcp_pm": 1, "ethtool": 2})
    assert summary.misses() == [
        "2 requests for family ethtool, which this machine's kernel has, but which is not "
        "emulated: --family can add it, docs/howto-spec.md",
        "1 request for family mptcp_pm, which this machine's kernel has, but which is not "
        "emulated: --family can add it, docs/howto-spec.md",
    ]


def test_the_hosts_accounting_of_delays() -> None:
    assert len(Summary(delayacct=(True, False)).lines()) == 1  # nobody asked
    assert Summary(sent=1, delayacct=(True, False)).lines()[1] == (
        "delays are accounted: on; who looks that up in /proc/sys/kernel/task_delayacct (iotop "
        "does) sees this machine's: off"
    )


def test_protocols_have_their_names() -> None:
    assert protocol_name(16) == "NETLINK_GENERIC"
    assert protocol_name(31) == "31"
