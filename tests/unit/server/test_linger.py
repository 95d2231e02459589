"""Waiting in poll(2) for the next request."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator

import pytest

from netlink_emu.server.linger import Linger


@pytest.fixture
def ends() -> Iterator[list[socket.socket]]:
    """A pair, and ten sockets at which nothing comes."""
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    others = [socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(10)]
    yield [*pair, *others]
    for sock in (*pair, *others):
        sock.close()


def test_something_comes_there_or_elsewhere(ends: list[socket.socket]) -> None:
    ours, theirs, other, *_ = ends
    linger = Linger(ours)
    assert not linger.wait()
    theirs.send(b"x")
    assert linger.wait()
    linger.add(theirs)
    ours.send(b"x")
    assert not linger.wait()
    assert not linger.wait(theirs)
    ours.recv(1)
    assert linger.wait(theirs)
    linger.add(other)
    linger.remove(theirs)
    assert not linger.wait()


def test_a_limit_that_was_lowered_below_what_is_open(ends: list[socket.socket]) -> None:
    """poll(2) takes no more descriptors than RLIMIT_NOFILE: there is no waiting here, then."""
    ours, theirs, *others = ends
    linger = Linger(ours)
    for other in others:
        linger.add(other)
    theirs.send(b"x")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(others), hard))
    try:
        assert not linger.wait()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert linger.wait()
