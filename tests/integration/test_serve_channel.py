"""Private channels: a SEQPACKET pair of a client's own, handed over by SCM_RIGHTS."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.nets import SECONDS
from helpers.serving import (
    FENCE,
    FENCE_SEQ,
    LIVE,
    Serving,
    check_answers,
    hello,
    hello_answer,
    register,
    request,
    serving,
)

from netlink_emu.journal import Journal
from netlink_emu.journal.entries import Queued
from netlink_emu.protocol.netlink import NetlinkSockOpt


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Serving]:
    with serving(tmp_path / "run" / "nl", cpus=2) as running:
        yield running


class Channel:
    """A client with a channel. It needs no address."""

    def __init__(self, server: Serving, greeting: bytes, *, expect: int = 0) -> None:
        self.sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(SECONDS)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, theirs:
            sender.connect(str(server.path))
            socket.send_fds(sender, [greeting], [theirs.fileno()])
        error, self.portid = hello_answer(self.sock.recv(4096))
        assert error == expect

    def __enter__(self) -> Channel:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.sock.close()

    def ask(self, datagram: bytes) -> list[bytes]:
        self.sock.send(datagram)
        self.sock.send(FENCE)
        answers: list[bytes] = []
        while True:
            answer = self.sock.recv(1 << 20)
            if len(answer) == 36 and struct.unpack_from("=I", answer, 8)[0] == FENCE_SEQ:
                return answers
            answers.append(answer)


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in LIVE])
def test_the_live_kernels_bytes_come_through_a_channel(
    server: Serving, case: dict[str, Any]
) -> None:
    options = tuple(NetlinkSockOpt[f"NETLINK_{name}"].value for name in case["sockopts"])
    with Channel(server, hello(portid=4242, options=options)) as channel:
        assert channel.portid == 4242
        check_answers(case, channel.ask(bytes.fromhex(case["request"])))


def test_the_portid_is_the_process_id_by_autobind(server: Serving) -> None:
    with Channel(server, hello()) as channel:
        assert channel.portid == 0
        (answer,) = channel.ask(request(9, 1, b"\1\0\0\0"))
        assert struct.unpack_from("=I", answer, 12) == (os.getpid(),)


def test_closing_is_noticed_before_the_next_exit(server: Serving) -> None:
    """The registration stays with the portid, and is pruned by the first exit after it."""
    with Channel(server, hello(portid=77)) as channel:
        channel.ask(register("0-1"))
    server.until(lambda statistics: not statistics.sockets)
    assert server.listeners() == {0: [77], 1: [77]}
    server.play('[[task]]\ncomm = "t"\ncpu = 1\ntimeline = [{ at = 0, exit = 0 }]', 0)
    assert server.listeners() == {0: [77], 1: []}


def test_a_portid_is_free_as_soon_as_its_channel_is_closed(server: Serving) -> None:
    for _ in range(20):
        with Channel(server, hello(portid=4242)) as channel:
            assert channel.portid == 4242
    with (
        Channel(server, hello(portid=4242)),
        Channel(server, hello(portid=4242), expect=errno.EADDRINUSE) as second,
    ):
        assert second.portid == 0


def test_a_channel_that_is_full_loses_nothing_until_its_netlink_socket_is(
    server: Serving,
) -> None:
    with Channel(server, hello(rcvbuf=1 << 20)) as channel:
        channel.ask(register("1"))
        tasks = "".join(
            f'[[task]]\ncomm = "t"\npid = {2 + n}\ncpu = 1\ntimeline = [{{ at = 0, exit = 0 }}]\n'
            for n in range(1000)
        )
        server.play(tasks, 0)
        server.until(lambda statistics: statistics.backlogged == 1)
        seqs = [struct.unpack_from("=I", channel.sock.recv(4096), 8)[0] for _ in range(1000)]
        assert seqs == list(range(1000))
        assert server.until(lambda statistics: not statistics.backlogged).dropped == {}


def test_an_empty_datagram_is_not_the_end(server: Serving) -> None:
    with Channel(server, hello()) as channel:
        channel.sock.send(b"")
        assert len(channel.ask(b"")) == 0
    with Channel(server, hello()) as channel:
        # What was sent before closing is still done: the registration is there.
        channel.sock.send(b"")
        channel.sock.send(register("0"))
        portid = os.getpid()
    server.until(lambda statistics: not statistics.sockets)
    assert server.listeners() == {0: [portid]}


def test_junk_on_a_channel(server: Serving) -> None:
    with Channel(server, hello()) as channel:
        channel.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 << 20)
        if channel.sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) > 1 << 20:
            assert channel.ask(bytes(300 * 1024)) == []
            assert server.statistics().dropped["TOO_LONG"] == 1
        for junk in (b"\0", b"\xff" * 15, b"\xff" * 4096):
            assert channel.ask(junk) == []


@pytest.mark.parametrize("kind", ["a pipe", "a datagram socket", "an unconnected socket"])
def test_what_cannot_be_a_channel_is_refused_and_closed(server: Serving, kind: str) -> None:
    reader, writer = os.pipe()
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    lone = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    fd = {"a pipe": writer, "a datagram socket": pair[1].fileno()}.get(kind, lone.fileno())
    with server.client() as client, pair[0], pair[1], lone:
        socket.send_fds(client.sock, [hello()], [fd])
        assert client.ask(b"") == []
        server.until(lambda statistics: statistics.sockets == 1)
    os.close(writer)
    assert os.read(reader, 1) == b""
    os.close(reader)


def test_what_a_client_asked_that_is_gone_is_not_answered(server: Serving) -> None:
    """The first answer finds nobody; a dump would fill the queue of a socket that is closed."""
    journal = server.call(Journal, server.kernel)
    with Channel(server, hello()) as channel:

        def ask_and_go() -> None:  # in the server's thread: it reads afterwards
            channel.sock.send(request(1, 1, bytes(4)))
            channel.sock.send(struct.pack("=IHHIIBBH", 20, 16, 0x301, 7, 0, 3, 1, 0))
            channel.sock.close()

        server.call(ask_and_go)
        server.until(lambda statistics: not statistics.channels)
    assert server.statistics().dropped == {"CLIENT_GONE": 1}
    assert len(journal.of(Queued)) == 1
