"""What is said about a run."""

from __future__ import annotations

from netlink_emu.interpose.summary import Summary, protocol_name


def test_nothing_happened() -> None:
    assert Summary().lines() == [
        "0 generic netlink sockets, 0 request datagrams, 0 datagrams received"
    ]


def test_everything_happened() -> None:
    summary = Summary(sockets=1, sent=2, received=1, past_us=1, sealed=2, foreign=1)
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
        "1 socket refused to 32-bit programs",
    ]


def test_protocols_have_their_names() -> None:
    assert protocol_name(16) == "NETLINK_GENERIC"
    assert protocol_name(31) == "31"
