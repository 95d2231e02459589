"""Emulated sockets: the model's queue, and the pair that shows its head."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
from helpers.kernel import make_bench

from netlink_emu.interpose.mirror import Mirror
from netlink_emu.interpose.sockets import EmulatedSocket
from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.kernel.skbuff import SkBuff


class Shown:
    """An emulated socket whose client end a client has."""

    def __init__(self) -> None:
        bench = make_bench()
        self.nl: NetlinkSock = bench.sock(7)
        self.sock = EmulatedSocket(self.nl, Mirror(nonblocking=True), bench.current)
        self.client = socket.socket(fileno=os.dup(self.sock.mirror.client_fileno()))
        self.sock.mirror.hand_over()

    def arrive(self, *datagrams: bytes) -> None:
        for data in datagrams:
            assert self.nl.admit(SkBuff(data, 512))
        self.sock.fill()

    def take_head(self) -> bool:
        return self.sock.take_head(self.client.fileno())

    def queued(self) -> list[bytes]:
        return [skb.data for skb in self.nl.receive_queue]

    def close(self) -> None:
        self.client.close()
        self.sock.mirror.close()


@pytest.fixture
def shown() -> Iterator[Shown]:
    with closing(Shown()) as shown:
        yield shown


def test_the_head_that_lies_there_alone_is_taken(shown: Shown) -> None:
    assert not shown.take_head()
    shown.arrive(b"answer")
    assert shown.take_head()
    assert shown.queued() == [b"answer"]  # the model's is taken by who receives it
    with pytest.raises(BlockingIOError):
        shown.client.recv(100)


def test_what_was_read_past_us_is_not_taken_for_the_head(shown: Shown) -> None:
    shown.arrive(b"answer")
    assert shown.client.recv(100) == b"answer"
    assert not shown.take_head()
    shown.sock.settle(held=True)
    assert shown.queued() == []


def test_of_several_the_head_must_be_asked_for(shown: Shown) -> None:
    shown.arrive(b"first", b"second")
    assert not shown.take_head()
    assert shown.client.recv(100) == b"first"
    shown.sock.settle(held=True)
    assert shown.queued() == [b"second"]
    assert shown.take_head()


def test_an_empty_datagram_cannot_be_told_from_none(shown: Shown) -> None:
    shown.arrive(b"")
    assert not shown.take_head()
    assert shown.client.recv(100) == b""


def test_before_an_error_nothing_is_taken(shown: Shown) -> None:
    shown.arrive(b"answer")
    shown.nl.set_error(105)
    assert not shown.take_head()
    assert shown.client.recv(100) == b"answer"
