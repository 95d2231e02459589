"""Plain Unix datagram clients get a kernel's answers."""

from __future__ import annotations

import errno
import os
import random
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.nets import SECONDS
from helpers.serving import (
    FENCE,
    LIVE,
    Serving,
    check_answers,
    hello,
    hello_answer,
    register,
    request,
    serving,
)

from netlink_emu.protocol.netlink import NetlinkSockOpt
from netlink_emu.server import names
from netlink_emu.server.service import everyone_is_themselves

# Children here use nothing but sockets, whatever locks the server's thread holds.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Serving]:
    with serving(tmp_path / "run" / "nl", cpus=2) as running:
        yield running


def _options(case: dict[str, Any]) -> tuple[int, ...]:
    return tuple(NetlinkSockOpt[f"NETLINK_{name}"].value for name in case["sockopts"])


CASES = [pytest.param(case, id=case["name"]) for case in LIVE]


@pytest.mark.parametrize("case", CASES)
def test_a_python_client_gets_the_live_kernels_bytes(
    server: Serving, case: dict[str, Any]
) -> None:
    with server.client() as client:
        client.send(hello(portid=4242, options=_options(case)))
        assert hello_answer(client.recv()) == (0, 4242)
        check_answers(case, client.ask(bytes.fromhex(case["request"])))
    expected = {case["send_error"]: 1} if case["send_error"] else {}
    assert server.statistics().dropped == expected


@pytest.fixture(scope="module")
def c_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    program = tmp_path_factory.mktemp("c") / "unix_client"
    source = Path(__file__).with_name("unix_client.c")
    subprocess.run([compiler, "-Wall", "-Werror", "-o", program, source], check=True)
    return program


@pytest.mark.parametrize("case", CASES)
def test_a_c_client_gets_the_live_kernels_bytes(
    server: Serving, c_client: Path, case: dict[str, Any]
) -> None:
    mask = sum(1 << option for option in _options(case))
    arguments = [str(server.path), "4242", str(mask), case["request"]]
    done = subprocess.run(
        [c_client, *arguments], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    check_answers(case, [bytes.fromhex(line) for line in done.stdout.splitlines()])


def test_the_portid_is_the_process_id_by_autobind(server: Serving) -> None:
    with server.client() as client:
        (answer,) = client.ask(request(9, 1, b"\1\0\0\0"))
        assert struct.unpack_from("=I", answer, 12) == (os.getpid(),)
        with server.client() as second:
            (answer,) = second.ask(request(9, 1, b"\1\0\0\0"))
            (portid,) = struct.unpack_from("=i", answer, 12)
            assert portid < -4096  # the rover of netlink_autobind()


def test_a_socket_that_was_closed_gives_its_portid_back(server: Serving) -> None:
    for _ in range(3):
        with server.client() as client:
            (answer,) = client.ask(request(9, 1, b"\1\0\0\0"))
        assert struct.unpack_from("=I", answer, 12) == (os.getpid(),)
    for _ in range(3):
        with server.client() as client:
            client.send(hello(portid=4242))
            assert hello_answer(client.recv()) == (0, 4242)


def test_an_unconnected_client_with_a_path_is_answered_by_the_servers_path(
    server: Serving, tmp_path: Path
) -> None:
    with server.client(tmp_path / "client", connect=False) as client:
        client.send(FENCE)
        answer, sender = client.sock.recvfrom(4096)
    assert len(answer) == 36
    assert sender == str(server.path)


def _is_itself(server: Serving, name: str | Path) -> bool:
    """Whether another process with this socket name has its own number as its portid."""
    child = os.fork()
    if child == 0:  # pragma: no cover - in another process
        status = 1
        try:
            with server.client(name) as client:
                (answer,) = client.ask(request(9, 1, b"\1\0\0\0"))
            status = struct.unpack_from("=I", answer, 12) != (os.getpid(),)
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_path_that_another_process_binds_is_another_client(
    server: Serving, tmp_path: Path
) -> None:
    name = tmp_path / "client"
    with server.client(name) as client:
        client.ask(register("0"))
    name.rename(tmp_path / "former")  # else the next socket may get the same inode
    assert _is_itself(server, name)


@pytest.mark.parametrize("known", [True, False], ids=["unix_diag", "no unix_diag"])
def test_an_abstract_name_is_another_client_once_its_process_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    if not known:
        monkeypatch.setattr(names, "find_inode", lambda _name: None)
    name = f"\0netlink-emu-test-{os.getpid()}"
    with serving(tmp_path / "run" / "nl") as server:
        for _ in range(2):
            assert _is_itself(server, name)


def test_a_child_that_inherits_the_socket_is_the_same_client(server: Serving) -> None:
    with server.client() as client:
        (answer,) = client.ask(request(9, 1, b"\1\0\0\0"))
        child = os.fork()
        if child == 0:  # pragma: no cover - in another process
            status = 1
            try:
                status = client.ask(request(9, 1, b"\1\0\0\0")) != [answer]
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert server.statistics().sockets == 1


def test_a_child_that_outlives_its_parent_keeps_the_socket(server: Serving) -> None:
    """As a daemon does that registers and then goes to the background."""
    ours, theirs = socket.socketpair()
    parent = os.fork()
    if parent == 0:  # pragma: no cover - in another process
        status = 1
        try:
            with server.client() as client:
                client.ask(register("1"))
                if os.fork() == 0:
                    theirs.recv(1)  # until the parent is gone
                    (answer,) = client.ask(request(9, 1, b"\1\0\0\0"))
                    theirs.send(answer)
                    status = 0
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(parent, 0)[1]) == 0
    with ours, theirs:
        ours.settimeout(SECONDS)
        ours.send(b"x")
        assert struct.unpack_from("=I", ours.recv(4096), 12) == (parent,)
    assert server.listeners() == {1: [parent]}


def test_an_unnamed_client_is_counted_and_dropped(server: Serving) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as unnamed:
        unnamed.sendto(FENCE, str(server.path))
    with server.client() as client:
        assert client.ask(b"\0") == []
    statistics = server.statistics()
    assert statistics.dropped == {"UNNAMED": 1}
    assert (statistics.datagrams_in, statistics.datagrams_out, statistics.sockets) == (3, 1, 1)


def test_clients_may_be_held_to_their_own_rights(tmp_path: Path) -> None:
    """Without CAP_NET_ADMIN, TASKSTATS_CMD_GET is refused: GENL_ADMIN_PERM."""
    with (
        serving(tmp_path / "run" / "nl", policy=everyone_is_themselves) as server,
        server.client() as client,
    ):
        (answer,) = client.ask(register("0"))
    (error,) = struct.unpack_from("=i", answer, 16)
    assert error == (0 if os.getuid() == 0 else -errno.EPERM)


def test_a_request_larger_than_a_netlink_socket_takes_is_dropped(server: Serving) -> None:
    with server.client() as client:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        assert client.ask(FENCE * (212992 // 16)) == []
        assert server.statistics().dropped == {"EMSGSIZE": 1}
        # 20 messages fit, are walked, and each is acknowledged.
        assert len(client.ask(request(9, 1, b"\1\0\0\0") * 20)) == 20


def _junk() -> list[Any]:
    dice = random.Random(6)
    header = struct.pack("=IHHII", 28, 31, 1, 7, 0)
    return [
        pytest.param(b"", 0, id="empty"),
        pytest.param(b"\x24", 0, id="one byte"),
        pytest.param(FENCE[:15], 0, id="a header less one byte"),
        pytest.param(struct.pack("=IHHII", 15, 31, 1, 7, 0), 0, id="length below a header"),
        pytest.param(header, 0, id="truncated: the length is beyond the end"),
        pytest.param(struct.pack("=IHHII", 0xFFFFFFFF, 31, 1, 7, 0) * 9, 0, id="length 2^32-1"),
        pytest.param(struct.pack("=IHHII", 16, 31, 1, 7, 0), 1, id="no genl header: EINVAL"),
        pytest.param(bytes(64), 0, id="zeros"),
        pytest.param(b"\xff" * 4096, 0, id="ones"),
        pytest.param(struct.pack("=I", 4096) + dice.randbytes(4092), None, id="random body"),
        pytest.param(dice.randbytes(1 << 20), 0, id="1 MiB of random bytes"),
    ]


@pytest.mark.parametrize(("junk", "answers"), _junk())
def test_junk_meets_silence_or_an_errno_and_the_server_goes_on(
    server: Serving, junk: bytes, answers: int | None
) -> None:
    with server.client() as client:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 << 20)
        if client.sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) < len(junk) + 4096:
            pytest.skip("net.core.wmem_max does not let us send so much")
        got = client.ask(junk)
        assert answers is None or len(got) == answers
        assert all(struct.unpack_from("=H", answer, 4) == (2,) for answer in got)  # NLMSG_ERROR
        (answer,) = client.ask(register("0"))
        assert struct.unpack_from("=i", answer, 16) == (0,)


def test_descriptors_that_come_along_are_closed(server: Serving) -> None:
    reader, writer = os.pipe()
    with server.client() as client:
        socket.send_fds(client.sock, [FENCE], [writer] * 3)
        os.close(writer)
        assert client.until_fence() == []
        os.set_blocking(reader, False)
        server.call(lambda: None)  # the server's turn is over
        assert os.read(reader, 1) == b""  # the end of the file: nobody has the other end
    os.close(reader)


def test_a_hello_of_another_version_is_refused_in_words_it_may_know(server: Serving) -> None:
    with server.client() as client:
        client.send(hello(version=2))
        assert hello_answer(client.recv()) == (errno.EPROTO, 0)
        client.send(hello()[:-1])
        assert hello_answer(client.recv()) == (errno.EPROTO, 0)
    assert server.statistics().dropped == {"BAD_HELLO": 2}


def test_a_hello_gets_the_errno_of_what_it_asks_for(server: Serving) -> None:
    with server.client() as first, server.client() as second:
        first.send(hello(portid=77))
        assert hello_answer(first.recv()) == (0, 77)
        second.send(hello(portid=77))
        assert hello_answer(second.recv()) == (errno.EADDRINUSE, 0)
        second.send(hello(options=(13,)))  # no such option
        assert hello_answer(second.recv()) == (errno.ENOPROTOOPT, 0)
        first.send(hello(portid=78))  # bound already
        assert hello_answer(first.recv()) == (errno.EINVAL, 77)
