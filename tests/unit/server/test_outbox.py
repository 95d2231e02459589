"""The window of each client, on real sockets and a clock of our own."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.kernel import Bench, make_bench

from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.kernel.profile import Profile
from netlink_emu.kernel.skbuff import SkBuff, skb_sizes
from netlink_emu.server.outbox import FIRST_RETRY, NARROW, PROBE_SECONDS, WIDE, Outbox
from netlink_emu.server.statistics import Counters
from netlink_emu.server.unix_diag import has_read_all

SIZE = 596
COST = skb_sizes(Profile()).alloc_truesize(SIZE)
SNDBUF = 64 * 1024


class Reader:
    """A client of the outbox, and its own end. The kernel may be asked about ``told`` ones."""

    def __init__(self, sock: NetlinkSock, server: str, *, connect: bool, told: bool) -> None:
        self.sock = sock
        self.told = told
        self.asked = 0
        self.end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.end.bind("")
        if connect:
            self.end.connect(server)
        self.address: str | bytes = self.end.getsockname()

    def has_read_all(self) -> bool | None:
        self.asked += 1
        return has_read_all(os.fstat(self.end.fileno()).st_ino) if self.told else None

    def queue(self, count: int) -> None:
        for _ in range(count):
            number = self.sock.queued
            datagram = number.to_bytes(4, "little") + bytes(SIZE - 4)
            assert self.sock.deliver(SkBuff(datagram, 0))

    def read(self) -> list[int]:
        """The numbers of all that is there."""
        numbers = []
        while True:
            try:
                numbers.append(int.from_bytes(self.end.recv(4096)[:4], "little"))
            except BlockingIOError:
                return numbers


class Post:
    """An outbox with clients, and time."""

    def __init__(self, path: Path) -> None:
        self.bench: Bench = make_bench()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SNDBUF // 2)
        self.listener.bind(str(path))
        self.path = str(path)
        self.counters = Counters()
        self.gone: list[Reader] = []
        self.outbox: Outbox[Reader] = Outbox(self.listener, self.counters, self.gone.append)
        self.readers: list[Reader] = []
        self.now = 0.0

    def reader(self, *, connect: bool = True, told: bool = False) -> Reader:
        reader = Reader(self.bench.sock(), self.path, connect=connect, told=told)
        self.readers.append(reader)
        return reader

    def tick(self, count: int = 1) -> None:
        for _ in range(count):
            self.now += FIRST_RETRY
            self.outbox.retry(self.now)


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    post = Post(tmp_path / "nl")
    yield post
    post.listener.close()
    for reader in post.readers:
        reader.end.close()


def test_what_fits_goes_at_once_and_in_order(post: Post) -> None:
    reader = post.reader()
    reader.queue(5)
    post.outbox.flush(reader)
    assert reader.read() == [0, 1, 2, 3, 4]
    assert not post.outbox.backlog
    assert post.counters.datagrams_out == 5


def test_a_lone_client_has_a_wide_window(post: Post) -> None:
    reader = post.reader()
    reader.queue(40)
    post.outbox.flush(reader)
    sent = SNDBUF // WIDE // COST
    assert reader.read() == list(range(sent))
    post.tick()
    assert reader.read() == list(range(sent, 2 * sent))


def test_while_much_is_unread_windows_are_narrow(post: Post) -> None:
    deaf = [post.reader() for _ in range(12)]
    for reader in deaf:
        reader.queue(40)
        post.outbox.flush(reader)
    counts = [len(reader.read()) for reader in deaf]
    assert counts[0] == SNDBUF // WIDE // COST
    assert counts[-1] == max(1, SNDBUF // NARROW // COST)
    assert sum(counts) * COST < SNDBUF // 2


def test_a_window_smaller_than_a_datagram_lets_one_pass(post: Post) -> None:
    reader = post.reader()
    assert reader.sock.deliver(SkBuff(bytes(20_000), 0))  # more than SNDBUF // WIDE
    reader.queue(1)
    post.outbox.flush(reader)
    assert len(reader.end.recv(1 << 20)) == 20_000
    assert reader.read() == []
    post.tick()
    assert len(reader.read()) == 1


def test_one_that_reads_is_told_from_one_that_does_not(post: Post) -> None:
    deaf, live = post.reader(), post.reader()
    for reader in (deaf, live):
        reader.queue(100)
        post.outbox.flush(reader)
    got = live.read()
    for _ in range(1000):
        post.tick()
        got += live.read()
        if len(got) == 100:
            break
    assert got == list(range(100))
    heard = deaf.read()
    # Its window, and a probe or two: the rest waits in its netlink socket.
    assert len(heard) <= SNDBUF // WIDE // COST + 3
    assert heard == list(range(len(heard)))
    assert len(deaf.sock.receive_queue) == 100 - len(heard)
    # It has read at last, and is found out.
    for _ in range(1000):
        post.tick()
        heard += deaf.read()
        if len(heard) == 100:
            break
    assert heard == list(range(100))
    assert not post.outbox.backlog


def test_one_of_whom_the_kernel_tells_that_it_has_read_all_is_never_held(post: Post) -> None:
    deaf, live = post.reader(told=True), post.reader(told=True)
    deaf.queue(100)
    post.outbox.flush(deaf)
    full = len(deaf.sock.receive_queue)
    for number in range(100):
        live.queue(1)
        post.outbox.flush(live)
        assert live.read() == [number]
    assert list(post.outbox.backlog) == [deaf]
    # Nor is anybody else given more than the window.
    post.tick(1000)
    assert len(deaf.sock.receive_queue) == full
    # It reads at last.
    heard = deaf.read()
    while len(heard) < 100:
        post.tick()
        heard += deaf.read()
    assert heard == list(range(100))
    assert not post.outbox.backlog


def test_the_kernel_is_not_asked_for_each_datagram_to_a_client_that_is_held(post: Post) -> None:
    deaf = post.reader(told=True)
    deaf.queue(40)
    post.outbox.flush(deaf)
    before = deaf.asked
    for _ in range(60):
        deaf.queue(1)
        post.outbox.flush(deaf)
    assert deaf.asked == before
    post.tick()
    assert deaf.asked == before + 1


def test_a_deaf_client_is_probed_ever_more_rarely(post: Post) -> None:
    deaf = post.reader()
    deaf.queue(100)
    post.outbox.flush(deaf)
    at_first = post.counters.datagrams_out
    seconds = 300.0
    post.tick(round(seconds / FIRST_RETRY))
    # 1 + 2 + 4 + ... + 128 s lie between the probes.
    assert post.counters.datagrams_out - at_first <= 9


def test_a_client_that_sends_is_tried_at_once(post: Post) -> None:
    reader = post.reader(connect=False)
    reader.queue(30)
    post.outbox.flush(reader)
    first = reader.read()
    assert 0 < len(first) < 30
    post.outbox.heard_from(reader)
    assert reader.read() == list(range(len(first), min(30, 2 * len(first))))


def test_retries_of_a_full_client_become_rarer(post: Post) -> None:
    reader = post.reader(connect=False)
    reader.queue(30)
    post.outbox.flush(reader)
    account = post.outbox.backlog[reader]
    post.tick(200)
    assert account.delay > 10 * FIRST_RETRY
    reader.read()
    ticks = 1
    post.tick()
    while not reader.read():
        post.tick()
        ticks += 1
    assert 1 < ticks <= 33
    assert account.delay < 10 * FIRST_RETRY


def test_a_full_send_buffer_of_our_own_is_nobodys_end(post: Post) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as hog:
        hog.bind("")
        hog.connect(post.path)
        while True:  # past the outbox: somebody has used the buffer up
            try:
                post.listener.sendto(bytes(4096), socket.MSG_DONTWAIT, hog.getsockname())
            except BlockingIOError:
                break
        reader = post.reader()
        reader.queue(3)
        post.outbox.flush(reader)
        assert reader.read() == []
        assert post.gone == []
        assert list(post.outbox.backlog) == [reader]
    post.tick(2)  # the hog's socket is closed, and with it all that it had not read
    assert reader.read() == [0, 1, 2]


def test_a_client_that_is_gone_is_said_to_be(post: Post) -> None:
    reader = post.reader()
    reader.end.close()
    reader.queue(2)
    post.outbox.flush(reader)
    assert post.gone == [reader]
    post.outbox.forget(reader)
    post.tick(round(2 * PROBE_SECONDS / FIRST_RETRY))
    assert post.gone == [reader]
