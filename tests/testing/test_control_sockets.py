"""NETLINK_EMU for who looks on: sockets, figures, and parts of what may be long."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import pytest
from helpers.messages import attrs, get, receive, register, request
from helpers.nets import until

from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.protocol.genetlink import GENL_ID_CTRL
from netlink_emu.protocol.netlink import NETLINK_GENERIC
from netlink_emu.protocol.ours.hello import HELLO, Hello, encode_hello
from netlink_emu.testing import EmulatedKernel
from netlink_emu.testing.errors import ControlError
from netlink_emu.testing.remote.kernel import Remote


@pytest.fixture
def kernel() -> Iterator[EmulatedKernel]:
    with EmulatedKernel("6.18", arch="x86_64", cpus=4, control=True) as kernel:
        yield kernel


def sockets(remote: Remote, **values: int) -> list[dict[str, Any]]:
    return [*map(attrs, remote.dump("socket-get", values))]


def silent_sockets(kernel: EmulatedKernel) -> set[NetlinkSock]:
    """The sockets of who controls the kernel."""
    found = kernel.kernel.netlink.all_sockets(NETLINK_GENERIC)
    return {sk for sk in found if kernel.journal.is_silent(sk)}


def figures(remote: Remote) -> dict[str, int]:
    return attrs(remote.do("watch-get"))


class TestSockets:
    def test_a_socket_with_what_it_has_asked(self, kernel: EmulatedKernel, remote: Remote) -> None:
        sock = kernel.connect()
        (row,) = sockets(remote)
        assert row["families"] == ""
        sock.send(request(3, (1, struct.pack("=H", 0x1F)), family=0x10))
        receive(sock)
        sock.send(get(1))
        receive(sock)
        (row,) = sockets(remote)
        assert row["families"] == "nlctrl TASKSTATS"
        assert (row["groups"], row["drops"], row["datagrams"], row["queue"]) == ("", 0, 0, 0)
        assert (row["protocol"], row["rcvbuf"]) == (NETLINK_GENERIC, 212992)
        assert row["portid"] > 0
        assert "congested" not in row

    def test_a_socket_that_does_not_read_fills_its_buffer_and_loses(
        self, kernel: EmulatedKernel, remote: Remote
    ) -> None:
        sock = kernel.connect(rcvbuf=2304)
        sock.send(register("0-3"))
        receive(sock)
        (row,) = sockets(remote)
        while "congested" not in row or not row["datagrams"]:  # its Unix socket is filled first
            kernel.tasks.storm(100, cpu=0)
            (row,) = sockets(remote)
        assert row["queue"] > row["datagrams"]
        assert row["rcvbuf"] == 2 * 2304
        assert row["drops"] > 0
        assert figures(remote)["drops"] == row["drops"]

    def test_an_overrun_on_demand_is_a_loss_and_stays_one(
        self, kernel: EmulatedKernel, remote: Remote
    ) -> None:
        with kernel.connect() as sock:
            sock.send(register("0"))
            receive(sock)
            assert kernel.faults.enobufs_now() == 1
            (row,) = sockets(remote)
            assert (row["drops"], figures(remote)["drops"]) == (1, 1)
        kernel.wait_until(lambda kernel: any(e.what == "closed" for e in kernel.journal))
        assert sockets(remote) == []
        assert figures(remote)["drops"] == 1

    def test_what_a_fault_loses_is_counted_in_one_place(
        self, kernel: EmulatedKernel, remote: Remote
    ) -> None:
        sock = kernel.connect()
        sock.send(register("0"))
        receive(sock)
        kernel.faults.enobufs(kind="event", count=1)
        kernel.faults.drop(kind="event", count=1)
        kernel.tasks.storm(2, cpu=0)
        (row,) = sockets(remote)
        # As on a kernel: what is not queued overruns, and what nobody missed is in no figure.
        assert (row["drops"], figures(remote)["drops"]) == (1, 1)
        applied = [attrs(rule)["applied"] for rule in remote.dump("fault-get")]
        assert applied == [1, 1]

    def test_who_controls_loses_nothing_of_clients(
        self, kernel: EmulatedKernel, remote: Remote
    ) -> None:
        remote.do("watch-get")
        before = kernel.call(lambda: silent_sockets(kernel))
        with Remote(kernel.path) as follower:
            follower.do("watch-get")
            (sk,) = kernel.call(lambda: silent_sockets(kernel) - before)
            kernel.call(sk.overrun)
        until(lambda: sk.closed)
        assert figures(remote)["drops"] == 0

    def test_groups_have_their_names(self, kernel: EmulatedKernel, remote: Remote) -> None:
        sock = kernel.connect()
        sock.send(get(1))
        portid = receive(sock).header.nlmsg_pid
        sock.send(encode_hello(Hello(portid=portid, groups=1 << (GENL_ID_CTRL - 1))))
        sock.recv(HELLO.size)
        sock.send(get(1))
        receive(sock)
        (row,) = sockets(remote)
        assert row["groups"] == "nlctrl:notify"

    def test_who_closes_is_gone_and_the_oldest_come_first(
        self, kernel: EmulatedKernel, remote: Remote
    ) -> None:
        held = []
        for _ in range(3):
            sock = kernel.connect()
            sock.send(get(1))
            receive(sock)
            held.append(sock)
        portids = [row["portid"] for row in sockets(remote)]
        assert len(portids) == 3
        assert [row["portid"] for row in sockets(remote, skip=1, count=1)] == portids[1:2]
        held[0].close()
        kernel.wait_until(lambda kernel: any(e.what == "closed" for e in kernel.journal))
        assert [row["portid"] for row in sockets(remote)] == portids[1:]
        assert figures(remote)["sockets"] == 2


class TestParts:
    def test_tasks_by_place_and_by_words(self, kernel: EmulatedKernel, remote: Remote) -> None:
        for pid in (300, 20, 40):
            kernel.tasks.spawn(f"Worker {pid}", pid=pid)

        def pids(**values: Any) -> list[int]:
            return [attrs(reply)["pid"] for reply in remote.dump("task-get", values)]

        assert pids(count=2) == [1, 20]
        assert pids(skip=2) == [40, 300]
        assert pids(skip=1, count=2) == [20, 40]
        assert pids(words="WORK") == [20, 40, 300]
        assert pids(words="work 0 2") == [20]
        assert pids(words="work", skip=1, count=1) == [40]
        assert pids(skip=99) == []
        assert figures(remote)["tasks"] == 4

    def test_listeners_up_to_some(self, kernel: EmulatedKernel, remote: Remote) -> None:
        sock = kernel.connect()
        sock.send(register("0-3"))
        receive(sock)
        found = [attrs(reply)["cpu"] for reply in remote.dump("listener-get", {"count": 3})]
        assert found == [0, 1, 2]

    def test_the_newest_of_the_journal(self, kernel: EmulatedKernel, remote: Remote) -> None:
        for number in range(5):
            kernel.journal.note(f"note {number}")
        kernel.tasks.spawn("x")
        newest = figures(remote)["number"]

        def found(**values: Any) -> list[str]:
            rows = map(attrs, remote.dump("journal-get", values))
            return [f"{row['number'] - newest} {row['what']}" for row in rows]

        assert found(count=2) == ["-1 note", "0 task"]
        assert found(since=newest - 1, count=9) == ["0 task"]
        assert found(what="note", count=2) == ["-2 note", "-1 note"]
        assert found(what="task closed") == ["0 task"]
        assert found(what="nosuch") == []
        assert len(found()) == newest

    def test_the_newest_that_match(self, kernel: EmulatedKernel, remote: Remote) -> None:
        sock = kernel.connect()
        for pid in (1, 99, 1, 98):
            sock.send(get(pid))
            receive(sock)
        rows = remote.dump(
            "journal-get",
            {"request": "errno=ESRCH", "what": "sent", "count": 1},
        )
        assert ["TASKSTATS_CMD_ATTR_PID 98" in attrs(row)["text"] for row in rows] == [True]
        with pytest.raises(ControlError, match="there is no errno 'ESRCHH'"):
            remote.dump("journal-get", {"request": "errno=ESRCHH"})
