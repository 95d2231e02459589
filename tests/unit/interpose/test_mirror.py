"""The socket pair: what a client sees of it, and what we see of the client."""

from __future__ import annotations

import os
import select
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from netlink_emu.interpose.mirror import Mirror


class Pair:
    """A mirror whose client end a client has."""

    def __init__(self, *, nonblocking: bool = False) -> None:
        self.mirror = Mirror(nonblocking=nonblocking)
        self.client = socket.socket(fileno=os.dup(self.mirror.client_fileno()))
        self.mirror.hand_over()


@pytest.fixture
def pair() -> Iterator[Pair]:
    pair = Pair()
    yield pair
    pair.client.close()
    pair.mirror.close()


def test_end_of_file_at_the_last_close(pair: Pair) -> None:
    second = pair.client.dup()
    pair.client.close()
    with pytest.raises(BlockingIOError):
        pair.mirror.receive(100)
    second.close()
    assert pair.mirror.receive(100) is None
    assert not pair.mirror.push(b"nobody reads this")


def test_end_of_file_with_datagrams_unread(pair: Pair) -> None:
    assert pair.mirror.push(b"unread")
    pair.client.close()
    assert pair.mirror.receive(100) is None


def test_what_a_close_throws_away_has_not_been_read(pair: Pair) -> None:
    for data in (b"one", b"two"):
        assert pair.mirror.push(data)
    assert pair.client.recv(100) == b"one"
    pair.client.close()
    # A sender that waits would find room, before the end of file is noticed.
    assert pair.mirror.taken() == (0, False)
    assert pair.mirror.receive(100) is None


def test_an_empty_send_is_not_the_end(pair: Pair) -> None:
    pair.client.send(b"")
    assert pair.mirror.receive(100) == (b"", os.getpid())
    with pytest.raises(BlockingIOError):
        pair.mirror.receive(100)


def test_a_send_with_a_netlink_address_arrives(pair: Pair) -> None:
    libc_sockaddr_nl = struct.pack("=HHII", socket.AF_NETLINK, 0, 0, 0)
    # Python would refuse the address family, the kernel does not.
    sent = _sendto(pair.client.fileno(), b"request", libc_sockaddr_nl)
    assert sent == 7
    assert pair.mirror.receive(100) == (b"request", os.getpid())


def _sendto(fd: int, data: bytes, address: bytes) -> int:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    return int(libc.sendto(fd, data, len(data), 0, address, len(address)))


def test_a_read_past_us_gets_an_address_like_the_kernels(pair: Pair) -> None:
    pair.mirror.push(b"answer")
    data, address = pair.client.recvfrom(100)
    assert data == b"answer"
    # sun_path: nl_pad, nl_pid, nl_groups; only nl_family differs.
    assert len(address) == 10
    assert address[2:] == bytes(8)


def test_what_is_taken_past_us_is_counted(pair: Pair) -> None:
    for size in (36, 596, 4000, 0, 20000, 36):
        assert pair.mirror.push(bytes(size))
    assert pair.mirror.taken() == (0, False)
    assert len(pair.client.recv(1 << 16)) == 36
    assert pair.mirror.taken() == (1, False)
    assert pair.mirror.taken() == (0, False)
    pair.client.recv(1)
    pair.client.recv(1)
    assert pair.mirror.taken() == (2, False)
    assert len(pair.mirror) == 3
    for _ in range(3):
        pair.client.recv(1)
    assert pair.mirror.taken() == (3, False)
    assert len(pair.mirror) == 0


def test_a_peek_takes_nothing(pair: Pair) -> None:
    pair.mirror.push(b"answer")
    assert pair.client.recv(100, socket.MSG_PEEK) == b"answer"
    assert pair.mirror.taken() == (0, False)


def test_what_we_take_is_not_counted(pair: Pair) -> None:
    pair.mirror.push(b"first")
    pair.mirror.push(b"second")
    pair.mirror.take(pair.client.fileno())
    assert pair.mirror.taken() == (0, False)
    assert pair.client.recv(100) == b"second"
    assert pair.mirror.taken() == (1, False)
    pair.mirror.take(pair.client.fileno())  # nothing is there: must not wait
    assert len(pair.mirror) == 0


def test_the_only_datagram_shows_by_being_taken(pair: Pair) -> None:
    client = pair.client.fileno()
    assert not pair.mirror.take_only(client)
    pair.mirror.push(b"first")
    assert pair.mirror.take_only(client)
    assert len(pair.mirror) == 0
    assert pair.mirror.taken() == (0, False)
    with pytest.raises(BlockingIOError):
        pair.client.recv(100, socket.MSG_DONTWAIT)
    pair.mirror.push(b"second")
    pair.mirror.push(b"third")
    assert not pair.mirror.take_only(client)  # which of them it would be, it cannot tell
    assert pair.client.recv(100) == b"second"
    assert pair.mirror.taken() == (1, False)
    assert pair.client.recv(100) == b"third"
    assert not pair.mirror.take_only(client)
    assert pair.mirror.taken() == (1, False)


def test_a_mark_is_not_taken_for_the_only_datagram(pair: Pair) -> None:
    pair.mirror.mark(b"lost")
    assert not pair.mirror.take_only(pair.client.fileno())
    assert pair.client.recv(100) == b"lost"


def test_an_end_that_is_held_is_not_asked_whether_it_is_closed(pair: Pair) -> None:
    pair.mirror.push(b"answer")
    assert pair.mirror.taken(held=True) == (0, False)
    assert pair.client.recv(100) == b"answer"
    assert pair.mirror.taken(held=True) == (1, False)


def test_a_full_pair_says_so_and_takes_more_later(pair: Pair) -> None:
    pushed = 0
    while pair.mirror.push(bytes(60000)):
        pushed += 1
        assert pushed < 1000
    assert pushed >= 5, "a client's default receive buffer must fit"
    pair.mirror.take(pair.client.fileno())
    assert pair.mirror.push(bytes(60000))


def test_nonblocking_is_of_the_client_end() -> None:
    pair = Pair(nonblocking=True)
    assert not os.get_blocking(pair.client.fileno())
    with pytest.raises(BlockingIOError):
        pair.client.recv(1)
    pair.client.close()
    pair.mirror.close()


def test_identity_is_of_the_client_end(pair: Pair) -> None:
    status = os.fstat(pair.client.fileno())
    assert pair.mirror.identity == (status.st_dev, status.st_ino)


def test_a_socket_works_when_all_names_are_taken() -> None:
    others = 0
    with ExitStack() as stack:
        for byte in range(256):
            holder = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            try:
                holder.bind(bytes((0, byte)) + bytes(8))
            except OSError:  # another emulator's, which may give it back at any time
                others += 1
        pair = Pair()
        stack.callback(pair.mirror.close)
        with pair.client:
            assert pair.mirror.push(b"answer")
            data, address = pair.client.recvfrom(100)
            assert data == b"answer"
            assert len(address) == 6 or (others and len(address) == 10)  # 6: Linux gave it out


def test_our_end_closed_is_end_of_file_for_the_client(pair: Pair) -> None:
    pair.mirror.close()
    assert pair.client.recv(100) == b""
    with pytest.raises(BrokenPipeError):
        pair.client.send(b"request")


# --- the mark


def edges(epoll: select.epoll) -> list[int]:
    return [events for _, events in epoll.poll(0)]


def test_a_mark_wakes_whoever_polls(pair: Pair) -> None:
    with select.epoll() as epoll:
        epoll.register(pair.client, select.EPOLLIN | select.EPOLLET)
        pair.mirror.mark(b"lost")
        assert edges(epoll) == [select.EPOLLIN]
        pair.mirror.mark(b"lost")  # it lies there
        assert edges(epoll) == []
    assert len(pair.mirror) == 0
    assert pair.mirror.taken() == (0, False)
    pair.mirror.unmark(pair.client.fileno())
    assert pair.mirror.taken() == (0, False)
    with pytest.raises(BlockingIOError):
        pair.client.recv(100, socket.MSG_DONTWAIT)


def test_a_mark_behind_datagrams_is_a_new_edge(pair: Pair) -> None:
    with select.epoll() as epoll:
        epoll.register(pair.client, select.EPOLLIN | select.EPOLLET)
        pair.mirror.push(b"first")
        assert edges(epoll) == [select.EPOLLIN]
        pair.mirror.mark(b"lost")
        assert edges(epoll) == [select.EPOLLIN]
    assert len(pair.mirror) == 1
    pair.mirror.unmark(pair.client.fileno())  # not yet: something is before it
    pair.mirror.take(pair.client.fileno())
    assert len(pair.mirror) == 0
    assert pair.client.recv(100, socket.MSG_PEEK) == b"lost"
    pair.mirror.unmark(pair.client.fileno())
    with pytest.raises(BlockingIOError):
        pair.client.recv(100, socket.MSG_DONTWAIT)


def test_a_datagram_behind_a_mark_is_taken_with_it(pair: Pair) -> None:
    pair.mirror.mark(b"lost")
    pair.mirror.push(b"first")
    pair.mirror.push(b"second")
    assert len(pair.mirror) == 2
    pair.mirror.take(pair.client.fileno())
    assert len(pair.mirror) == 1
    assert pair.client.recv(100) == b"second"
    assert pair.mirror.taken() == (1, False)


def test_a_mark_that_is_read_past_us_is_told_of(pair: Pair) -> None:
    pair.mirror.push(b"first")
    pair.mirror.mark(b"lost")
    pair.mirror.push(b"second")
    assert [pair.client.recv(100) for _ in range(2)] == [b"first", b"lost"]
    assert pair.mirror.taken() == (1, True)
    assert len(pair.mirror) == 1
    assert pair.client.recv(100) == b"second"
    assert pair.mirror.taken() == (1, False)


def test_a_full_pair_has_no_room_for_a_mark(pair: Pair) -> None:
    while pair.mirror.push(bytes(60000)):
        pass
    before = len(pair.mirror)
    while pair.mirror.push(b""):
        before += 1
    pair.mirror.mark(b"lost")
    assert len(pair.mirror) == before
    pair.mirror.unmark(pair.client.fileno())
    assert len(pair.mirror) == before
