"""Clients that do what no client does. The server goes on, and serves the others."""

from __future__ import annotations

import errno
import os
import resource
import select
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.examples import SHARING_A_FIXTURE
from helpers.nets import SECONDS
from helpers.serving import (
    FENCE,
    Client,
    Serving,
    hello,
    hello_answer,
    register,
    request,
    serving,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st

DUMP_FAMILIES = struct.pack("=IHHIIBBH", 20, 16, 0x301, 7, 0, 3, 1, 0)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(tmp_path_factory.mktemp("hostile") / "run" / "nl", cpus=2) as running:
        yield running


def hand_over(path: Path, *ends: socket.socket, greeting: bytes = b"") -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(str(path))
        socket.send_fds(sender, [greeting or hello()], [end.fileno() for end in ends])


def pair() -> tuple[socket.socket, socket.socket]:
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    mine.settimeout(SECONDS)
    return mine, theirs


def still_serves(server: Serving) -> bool:
    with server.client() as client:
        return client.ask(register("0")) != []


@pytest.fixture(autouse=True)
def _alive(server: Serving) -> Iterator[None]:
    yield
    assert still_serves(server)
    server.until(lambda statistics: statistics.channels == 0)


class TestChannels:
    def test_both_ends_of_a_pair(self, server: Serving) -> None:
        """The server would answer its own answers for ever."""
        before = server.statistics().datagrams_in
        one, other = pair()
        with one, other:
            hand_over(server.path, one)
            hand_over(server.path, other)
        after = server.until(lambda statistics: not statistics.channels)
        assert after.datagrams_in - before < 50

    def test_nothing_but_hellos(self, server: Serving) -> None:
        mine, theirs = pair()
        with mine, theirs:
            hand_over(server.path, theirs)
            theirs.close()
            answers = 0
            try:
                while mine.recv(100):
                    answers += 1
                    mine.send(hello())
            except ConnectionError:
                pass
        assert answers == 17

    def test_one_end_twice(self, server: Serving) -> None:
        mine, theirs = pair()
        with mine, theirs:
            hand_over(server.path, theirs)
            hand_over(server.path, theirs)
            theirs.close()
            assert [hello_answer(mine.recv(100)) for _ in range(2)] == [(0, 0)] * 2
            mine.send(FENCE)
            assert len(mine.recv(100)) == 36

    def test_more_descriptors_than_one(self, server: Serving) -> None:
        mine, theirs = pair()
        pipes = [os.pipe() for _ in range(30)]
        with mine, theirs:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.connect(str(server.path))
                writers = [writer for _, writer in pipes]
                socket.send_fds(sender, [hello()], [theirs.fileno(), *writers])
                socket.send_fds(sender, [b"no hello"], writers)
            theirs.close()
            assert hello_answer(mine.recv(100)) == (0, 0)
            for reader, writer in pipes:
                os.close(writer)
                assert os.read(reader, 1) == b""  # the server holds no other end
                os.close(reader)

    def test_a_small_send_buffer_is_widened(self, server: Serving) -> None:
        mine, theirs = pair()
        with mine, theirs:
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
            hand_over(server.path, theirs)
            theirs.close()
            hello_answer(mine.recv(100))
            mine.send(struct.pack("=IHHII", 200_000, 0x3FF, 1, 1, 0) + bytes(200_000 - 16))
            assert len(mine.recv(1 << 20)) == 200_020  # ENOENT, with the request

    def test_and_made_small_again(self, server: Serving) -> None:
        """What cannot be sent is counted, and what comes behind it arrives."""
        mine, theirs = pair()
        before = server.statistics().dropped.get("UNSENDABLE", 0)
        with mine, theirs:
            hand_over(server.path, theirs)
            hello_answer(mine.recv(100))
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
            mine.send(struct.pack("=IHHII", 100_000, 0x3FF, 1, 1, 0) + bytes(100_000 - 16))
            mine.send(FENCE)
            assert len(mine.recv(1 << 20)) == 36
        assert server.statistics().dropped["UNSENDABLE"] == before + 1

    def test_no_credentials(self, server: Serving) -> None:
        mine, theirs = pair()
        with mine, theirs:
            hand_over(server.path, theirs)
            hello_answer(mine.recv(100))
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
            theirs.close()
            mine.send(FENCE)
            assert struct.unpack_from("=I", mine.recv(100), 12) == (os.getpid(),)

    def test_closed_in_the_midst_of_a_dump(self, server: Serving) -> None:
        for _ in range(50):
            mine, theirs = pair()
            with mine, theirs:
                hand_over(server.path, theirs)
                theirs.close()
                for _ in range(5):
                    mine.send(DUMP_FAMILIES)

    @pytest.mark.parametrize("how", [socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR])
    def test_shut_down(self, server: Serving, how: int) -> None:
        mine, theirs = pair()
        with mine, theirs:
            hand_over(server.path, theirs)
            hello_answer(mine.recv(100))
            theirs.shutdown(how)
            mine.close()


class TestHellos:
    @given(
        greeting=st.one_of(
            st.binary(max_size=60),
            st.binary(max_size=60).map(lambda tail: hello()[:16] + tail),
            st.builds(
                lambda *words: hello()[:16] + struct.pack("=6I", *words),
                *[st.one_of(st.integers(0, 3), st.integers(0, 0xFFFFFFFF))] * 6,
            ),
        )
    )
    @example(greeting=hello(portid=0xFFFFFFFF, options=tuple(range(32)), rcvbuf=0xFFFFFFFF))
    @settings(
        max_examples=200,
        suppress_health_check=SHARING_A_FIXTURE,
    )
    def test_any_bytes(self, server: Serving, greeting: bytes) -> None:
        """A hello is answered, all else is netlink's."""
        with server.client() as client:
            client.send(greeting)
            client.send(FENCE)
            answers = client.until_fence()
            if greeting.startswith(hello()[:16]):
                error, _ = hello_answer(answers[0])
                version = greeting[16:20] == struct.pack("=I", 1)
                assert (error == errno.EPROTO) == (len(greeting) != 40 or not version)
            assert len(answers) <= 1 + len(greeting) // 16

    def test_a_taken_portid_again_and_again(self, server: Serving) -> None:
        with server.client() as holder, server.client() as other:
            holder.send(hello(portid=4711))
            assert hello_answer(holder.recv()) == (0, 4711)
            for _ in range(500):
                other.send(hello(portid=4711))
                assert hello_answer(other.recv())[0] == errno.EADDRINUSE


class TestDatagrams:
    @given(datagram=st.binary(max_size=200))
    @settings(
        max_examples=200,
        suppress_health_check=SHARING_A_FIXTURE,
    )
    def test_any_bytes(self, server: Serving, datagram: bytes) -> None:
        with server.client() as client:
            client.ask(datagram)

    def test_names_of_all_kinds(self, server: Serving, tmp_path: Path) -> None:
        longest = f"{tmp_path}/".ljust(107, "x")  # sun_path, and a NUL
        names = [
            longest, str(tmp_path / "new\nline"), str(tmp_path / "\udc80"),
            "\0" + "y" * 100, "\0\0\0\0", "\0../../x", str(tmp_path / "%s%n"),
        ]  # fmt: skip
        for name in names:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.settimeout(SECONDS)
                sock.bind(name)
                sock.sendto(FENCE, str(server.path))
                assert len(sock.recv(100)) == 36

    def test_a_name_that_leads_back_to_the_server(self, server: Serving, tmp_path: Path) -> None:
        """Bound, then the file replaced by a link to the server's own socket."""
        path = tmp_path / "me"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.bind(str(path))
            path.unlink()
            path.symlink_to(server.path)
            before = server.statistics().datagrams_in
            sock.sendto(FENCE, str(server.path))
            # The answer goes to the server itself, which takes no notice of an NLMSG_ERROR.
            after = server.until(lambda statistics: statistics.datagrams_in >= before + 2)
        assert after.datagrams_in < before + 10

    def test_ancillary_data_of_all_kinds(self, server: Serving) -> None:
        with server.client() as client:
            for level, kind, data in (
                (
                    socket.SOL_SOCKET,
                    socket.SCM_CREDENTIALS,
                    struct.pack("iII", os.getpid(), os.getuid(), os.getgid()),
                ),
                (socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", client.sock.fileno())),
            ):
                client.sock.sendmsg([FENCE], [(level, kind, data)])
                assert client.until_fence() == []


def test_a_flood_of_descriptors(server: Serving) -> None:
    reader, writer = os.pipe()
    before = len(os.listdir("/proc/self/fd"))  # the server's, too: it is a thread of ours
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(str(server.path))
        for number in (1, 4, 5, 253):
            for greeting in (hello(), FENCE, b"", hello(version=2)):
                for _ in range(50):
                    socket.send_fds(sender, [greeting], [writer] * number)
    os.close(writer)
    assert select.select([reader], [], [], SECONDS)[0]
    assert os.read(reader, 1) == b"", "the server holds none"
    os.close(reader)
    server.until(lambda _: len(os.listdir("/proc/self/fd")) <= before)


def test_descriptors_run_out(tmp_path: Path) -> None:
    """Channels are refused, clients without one and channels that are there go on."""
    path = tmp_path / "run" / "nl"
    command = [sys.executable, "-m", "netlink_emu.cli.main", "serve", "--socket", str(path)]

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))

    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=limit) as process:
        assert process.stderr is not None
        assert "ready" in process.stderr.readline()
        channels = []
        for _ in range(200):
            mine, theirs = pair()
            hand_over(path, theirs)
            theirs.close()
            channels.append(mine)
        greeted = [end for end in channels if end.recv(100)]
        assert 50 < len(greeted) < 128
        for end in greeted:
            end.send(FENCE)
            assert len(end.recv(100)) == 36
        clients = [Client(path, "", connect=True) for _ in range(50)]
        for client in clients:
            assert len(client.ask(request(1, 1, bytes(4)))) == 1
        for end in channels:
            end.close()
        for client in clients:
            client.sock.close()
        process.terminate()
        said = process.stderr.read()
        assert f"{200 - len(greeted)} NO_DESCRIPTORS" in said
        assert process.wait(SECONDS) == 143
