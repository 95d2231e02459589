"""What a kernel says to its log alone, and what clients do to their sockets."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from helpers.kernel import Bench, fails, make_bench

from netlink_emu.journal import Journal
from netlink_emu.journal.entries import Membership, OptionSet, Remark
from netlink_emu.kernel.releases import profile_for
from netlink_emu.kernel.trace import Observer
from netlink_emu.protocol.genetlink import GENL_ID_CTRL

INT = struct.Struct("=i")


def remarks(bench: Bench, *requests: bytes) -> list[str]:
    journal = Journal(bench.kernel)
    sock = bench.sock(7)
    for request in requests:
        sock.sendmsg(bench.current, request)
    return [entry.text for entry in journal.of(Remark)]


def long_pid(bench: Bench) -> bytes:
    """The PID has eight bytes: a kernel takes the first four."""
    return bench.request(0x1F, 1, [(1, bytes(8))])


def left_over(bench: Bench) -> bytes:
    """Four bytes too few: the last attribute reaches beyond the message."""
    request = bytearray(bench.request(0x1F, 1, [(9, b""), (1, bytes(4))]))
    struct.pack_into("=I", request, 0, len(request) - 4)
    return bytes(request)


def test_an_integer_of_another_length_is_remarked() -> None:
    bench = make_bench()
    short = bench.request(GENL_ID_CTRL, 3, [(1, b"\x10")])
    right = bench.request(GENL_ID_CTRL, 3, [(1, b"\x10\0")])
    line = "netlink: 'client': attribute type 1 has an invalid length."
    assert remarks(bench, long_pid(bench), short, right) == [line, line]


def test_left_over_bytes_are_remarked() -> None:
    bench = make_bench()
    assert remarks(bench, left_over(bench)) == [
        "netlink: 4 bytes leftover after parsing attributes in process `client'."
    ]


def test_older_kernels_say_less() -> None:
    bench = make_bench(profile_for("3.13"))
    assert remarks(bench, long_pid(bench), left_over(bench)) == [
        "netlink: 4 bytes leftover after parsing attributes."
    ]


def test_a_name_is_no_template() -> None:
    bench = make_bench()
    bench.client.comm = b"{comm}{0}"
    assert remarks(bench, long_pid(bench)) == [
        "netlink: '{comm}{0}': attribute type 1 has an invalid length."
    ]


def test_a_remark_stands_before_the_answer() -> None:
    bench = make_bench()
    journal = Journal(bench.kernel)
    bench.ask(bench.sock(7), long_pid(bench))
    whats = [entry.what for entry in journal]
    assert whats == ["opened", "bound", "sent", "queued", "remark"]
    remark = journal.entries[-1]
    assert remark.title().startswith("kernel log: netlink: 'client': ")
    assert remark.json()["portid"] == 7


def test_options() -> None:
    bench = make_bench()
    journal = Journal(bench.kernel)
    sock, current = bench.sock(7), bench.current
    sock.setsockopt(current, 270, 11, INT.pack(1))
    sock.setsockopt(current, 1, 8, INT.pack(4096))
    sock.setsockopt(current, 1, 20, struct.pack("=qq", 2, 500_000))
    sock.attach_filter([(6, 0, 0, 0)])
    sock.detach_filter()
    with fails(92):
        sock.setsockopt(current, 270, 99, INT.pack(1))
    with fails(22):
        sock.setsockopt(current, 270, 1, INT.pack(99))
    with fails(92):  # of the host's socket, for all we know
        sock.setsockopt(current, 1, 9999, INT.pack(1))
    titles = [entry.title() for entry in journal.of(OptionSet)]
    assert titles == [
        "client[4242] portid 7 set NETLINK_EXT_ACK to 1",
        "client[4242] portid 7 set SO_RCVBUF to 4096",
        "client[4242] portid 7 set SO_RCVTIMEO to 2.5",
        "client[4242] portid 7 set SO_ATTACH_FILTER",
        "client[4242] portid 7 set SO_DETACH_FILTER",
        "client[4242] portid 7 set option 99 of level 270 to 1: ENOPROTOOPT",
        "client[4242] portid 7 set NETLINK_ADD_MEMBERSHIP to 99: EINVAL",
    ]
    assert journal.of(OptionSet)[-1].json()["errno"] == 22


def test_memberships() -> None:
    bench = make_bench()
    journal = Journal(bench.kernel)
    sock, current = bench.sock(7), bench.current
    sock.setsockopt(current, 270, 1, INT.pack(GENL_ID_CTRL))
    sock.setsockopt(current, 270, 1, INT.pack(GENL_ID_CTRL))  # it is a member
    sock.setsockopt(current, 270, 2, INT.pack(GENL_ID_CTRL))
    bound = bench.sock()
    bound.bind(current, bench.address(8, groups=1 << 13))
    titles = [entry.title() for entry in journal.of(Membership)]
    assert titles == [
        "client[4242] portid 7 joined group 16 (nlctrl notify)",
        "client[4242] portid 7 left group 16 (nlctrl notify)",
        "client[4242] portid 8 joined group 14, which no family has",
    ]
    assert not journal.of(OptionSet)
    assert journal.of(Membership)[-1].details()["name"] == ""


def test_of_another_protocol_nothing_is_known_of_groups() -> None:
    bench = make_bench()
    journal = Journal(bench.kernel)
    sock = bench.kernel.socket(bench.current, 3, 15)
    sock.setsockopt(bench.current, 270, 1, INT.pack(1))
    assert journal.of(Membership)[0].title() == "client[4242] joined group 1"


@pytest.mark.parametrize("silent", [True, False])
def test_who_controls_is_not_told_of(silent: bool) -> None:
    bench = make_bench()
    journal = Journal(bench.kernel)
    journal.muted.add(GENL_ID_CTRL if silent else 0x3FF)
    sock = bench.sock(7)
    sock.setsockopt(bench.current, 270, 11, INT.pack(1))
    assert not journal.of(OptionSet)  # it is not known yet
    bench.ask(sock, bench.request(GENL_ID_CTRL, 3, [(1, b"\x10\0\0\0")]))
    sock.setsockopt(bench.current, 270, 10, INT.pack(1))
    sock.setsockopt(bench.current, 270, 1, INT.pack(GENL_ID_CTRL))
    sock.release()
    entries: list[Any] = list(journal)
    assert [entry.what for entry in entries] == (
        []
        if silent
        else [
            "opened",
            "bound",
            "option",
            "sent",
            "queued",
            "remark",
            "option",
            "membership",
            "closed",
        ]
    )


def test_nobody_is_asked_who_sets_an_option_when_nobody_observes() -> None:
    bench = make_bench()
    observer = Observer()
    bench.kernel.observe(observer)
    bench.kernel.unobserve(observer)
    bench.sock(7).setsockopt(bench.current, 270, 11, INT.pack(1))
