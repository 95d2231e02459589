"""Supervisors elsewhere that do not read what they are told."""

from __future__ import annotations

import contextlib
import socket
from collections import Counter, defaultdict
from collections.abc import Iterator
from errno import EMSGSIZE
from pathlib import Path
from typing import Any

import pytest
from helpers.nets import SECONDS
from helpers.serving import Serving, register, serving

from netlink_emu.protocol.format import HOST_ORDER
from netlink_emu.protocol.netlink import AF_NETLINK, NETLINK_GENERIC
from netlink_emu.protocol.ours.relay import (
    RELAY_HELLO,
    Frames,
    RelayCall,
    RelayFlag,
    RelayHello,
    RelayMethod,
    RelayReport,
    ReportKind,
    decode_report,
    encode_call,
)
from netlink_emu.server import relay


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Serving]:
    with serving(tmp_path / "run" / "nl", cpus=2) as running:
        yield running
        running.until(lambda statistics: statistics.sockets == 0)


class Supervisor:
    """One end of the stream, and what it has heard."""

    def __init__(self, path: Path) -> None:
        self.end, theirs = socket.socketpair()
        self.end.settimeout(SECONDS)
        with theirs, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
            way.connect(str(path))
            greeting = RELAY_HELLO[HOST_ORDER].encode(RelayHello())
            socket.send_fds(way, [greeting], [theirs.fileno()])
        self._frames = Frames()
        self._heard: list[RelayReport] = []
        try:
            assert self.hear().kind == ReportKind.WELCOME
        except EOFError:
            self.end.close()
            raise

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.end.close()

    def tell(self, method: RelayMethod, sock: int = 0, **values: Any) -> None:
        self.end.sendall(encode_call(RelayCall(method, sock, tid=1, tgid=1, **values)))

    def hear(self) -> RelayReport:
        """The next report; raises EOFError at the end."""
        while not self._heard:
            data = self.end.recv(1 << 16)
            if not data:
                raise EOFError
            self._heard += map(decode_report, self._frames.feed(data))
        return self._heard.pop(0)

    def hear_returns(self, count: int) -> list[RelayReport]:
        """All that comes until so many calls have returned."""
        reports: list[RelayReport] = []
        while count:
            reports.append(self.hear())
            count -= reports[-1].kind == ReportKind.RETURNED
        return reports

    def ask(self, method: RelayMethod, sock: int = 0, **values: Any) -> RelayReport:
        self.tell(method, sock, **values)
        report = self.hear_returns(1)[-1]
        assert not report.error
        return report

    def listener(self) -> int:
        """The number of a socket that is registered for CPU 0."""
        number = self.ask(RelayMethod.SOCKET, a=3, b=NETLINK_GENERIC).value
        self.tell_listener(number)
        self.hear_returns(2)
        return number

    def tell_listener(self, number: int) -> None:
        """Have a socket registered, which is two calls."""
        address = AF_NETLINK.to_bytes(2, HOST_ORDER.name) + bytes(10)
        self.tell(RelayMethod.BIND, number, address=address)
        data = register("0")
        self.tell(RelayMethod.SENDMSG, number, data=data, b=len(data))


def _exits(server: Serving, count: int) -> None:
    tasks = server.kernel.machine.tasks
    for _ in range(count):
        server.call(lambda: tasks.do_group_exit(tasks.fork(comm="x", cpu=0), 0))


def test_one_that_asks_and_never_reads_is_given_up(server: Serving) -> None:
    with Supervisor(server.path) as supervisor:
        number = supervisor.ask(RelayMethod.SOCKET, a=3, b=NETLINK_GENERIC).value
        asked = 0
        try:
            while asked < 1_000_000:
                supervisor.tell(RelayMethod.GETSOCKOPT, number, a=1, b=8, c=4)
                asked += 1
        except ConnectionError:
            pass
        # What the stream holds, and a megabyte of answers of 104 bytes each.
        assert asked < 30_000


def test_events_that_wait_are_no_reason_to_give_one_up(
    server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "_MOST_UNREAD", 20_000)
    with Supervisor(server.path) as supervisor:
        numbers = [supervisor.listener() for _ in range(40)]
        _exits(server, 250)
        for _ in range(100):
            supervisor.tell(RelayMethod.GETSOCKOPT, numbers[0], a=1, b=8, c=4)
        seqs: dict[int, list[int]] = defaultdict(list)
        kinds: Counter[int] = Counter()
        for report in supervisor.hear_returns(100):
            kinds[report.kind] += 1
            if report.kind == ReportKind.ARRIVED:
                seqs[report.sock].append(int.from_bytes(report.data[8:12], HOST_ORDER.name))
        # As many as fit into the receive buffer of each, and for each that the rest is lost.
        assert kinds[ReportKind.FAILED] == len(seqs) == len(numbers)
        for each in seqs.values():
            assert each == list(range(len(seqs[numbers[0]])))


def test_what_has_come_to_closed_sockets_is_forgotten_first(
    server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "_MOST_UNREAD", 20_000)
    rounds, count = 20, 20
    with Supervisor(server.path) as supervisor:
        for first in range(1, rounds * count, count):
            numbers = range(first, first + count)  # as the server will give them
            for number in numbers:
                supervisor.tell(RelayMethod.SOCKET, a=3, b=NETLINK_GENERIC)
                supervisor.tell_listener(number)
            told = first + count  # with the hello
            server.until(lambda statistics, told=told: statistics.datagrams_in == told)  # type: ignore[misc]
            _exits(server, 100)
            for number in numbers:
                supervisor.tell(RelayMethod.RELEASE, number)
        reports = supervisor.hear_returns(3 * rounds * count)
        arrived = sum(report.kind == ReportKind.ARRIVED for report in reports)
        assert arrived < rounds * count * 100 // 10


def _all_but_one_byte(way: Supervisor, size: int) -> None:
    """Send a frame of ``size`` without its last byte, or what of it the server takes."""
    with contextlib.suppress(ConnectionError):
        way.end.sendall(size.to_bytes(4, HOST_ORDER.name) + bytes(size - 5))


def test_frames_without_an_end_are_bounded(server: Serving) -> None:
    """Twenty streams that each left all but a byte of the longest frame had cost 320 MiB."""
    longest = 1 << 24
    with Supervisor(server.path) as honest, contextlib.ExitStack() as stack:
        number = honest.ask(RelayMethod.SOCKET, a=3, b=NETLINK_GENERIC).value
        slow = [stack.enter_context(Supervisor(server.path)) for _ in range(20)]
        for each in slow:
            _all_but_one_byte(each, longest)
            honest.ask(RelayMethod.GETSOCKOPT, number, a=1, b=8, c=4)
        left = sum(_is_served(each) for each in slow)
        # The last one may not be read to its end yet.
        assert 0 < left <= relay.MOST_UNFINISHED // (longest - 1) + 1
        honest.ask(RelayMethod.GETSOCKOPT, number, a=1, b=8, c=4)


def _is_served(way: Supervisor) -> bool:
    """Whether the server has not closed the stream."""
    try:
        way.end.setblocking(False)
        return way.end.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def test_a_frame_of_the_longest_datagram_is_whole(server: Serving) -> None:
    with Supervisor(server.path) as supervisor:
        number = supervisor.ask(RelayMethod.SOCKET, a=3, b=NETLINK_GENERIC).value
        data = bytes(1 << 24)
        supervisor.tell(RelayMethod.SENDMSG, number, data=data, b=len(data))
        assert supervisor.hear_returns(1)[-1].error == EMSGSIZE


def test_there_are_only_so_many(server: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "MOST_RELAYS", 8)
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            one = stack.enter_context(Supervisor(server.path))
            one.ask(RelayMethod.SOCKET, a=3, b=NETLINK_GENERIC)
        with pytest.raises(EOFError):
            Supervisor(server.path)
        assert server.statistics().dropped["TOO_MANY_RELAYS"] == 1
        stack.close()
        server.until(lambda statistics: statistics.sockets == 0)
    with Supervisor(server.path) as one_more:
        one_more.ask(RelayMethod.SOCKET, a=3, b=NETLINK_GENERIC)


def test_a_call_that_wants_no_report(server: Serving) -> None:
    with Supervisor(server.path) as supervisor:
        number = supervisor.ask(RelayMethod.SOCKET, a=3, b=NETLINK_GENERIC).value
        big = (1 << 20).to_bytes(4, HOST_ORDER.name)
        flags = int(RelayFlag.UNANSWERED)
        for option in (33, 9999):  # SO_RCVBUFFORCE, and what there is not
            supervisor.tell(RelayMethod.SETSOCKOPT, number, a=1, b=option, data=big, flags=flags)
        got = supervisor.ask(RelayMethod.GETSOCKOPT, number, a=1, b=8, c=4)
        assert int.from_bytes(got.data, HOST_ORDER.name) == 2 << 20
