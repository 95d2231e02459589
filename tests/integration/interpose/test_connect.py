"""``netlink-emu run --connect``: unmodified clients in the kernel of a server."""

from __future__ import annotations

import os
import random
import select
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from helpers.interposed import NETLINK_EMU, Compile, emulated, needs_interposer
from helpers.nets import SECONDS
from helpers.privileged import ASKS, SENDER
from helpers.serving import Serving, hello, register, request, serving

from netlink_emu.machine.credentials import Cred
from netlink_emu.machine.machine import Machine
from netlink_emu.server.service import Ucred

pytestmark = needs_interposer
TRANSCRIPTS = Path(__file__).with_name("expected")

# Says whether its portid is its pid, or the errno of bind(); then waits for a line.
PORTID = """
import errno, os, socket, sys
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
try:
    s.bind((int(sys.argv[1]) if len(sys.argv) > 1 else 0, 0))
    print("pid" if s.getsockname()[0] == os.getpid() else s.getsockname()[0], flush=True)
except OSError as exc:
    print(errno.errorcode[exc.errno], flush=True)
sys.stdin.readline()
"""
# Registers for exit events on CPUs 0 to 3; says each that comes.
LISTENER = """
import socket, struct
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
s.bind((0, 0))
s.send(struct.pack("=IHHII BBxx HH4s", 28, 0x1f, 5, 1, 0, 1, 1, 8, 3, b"0-3\\0"))
print(struct.unpack_from("=i", s.recv(4096), 16)[0], flush=True)
while True:
    print(struct.unpack_from("=I", s.recv(4096), 28)[0], flush=True)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Serving]:
    with serving(tmp_path / "run" / "nl", cpus=4) as running:
        yield running


def connected(
    path: Path, *command: str | os.PathLike[str], options: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    return emulated(*command, options=["--connect", str(path), *options])


@contextmanager
def running(path: Path, *command: str | os.PathLike[str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [*NETLINK_EMU, "run", "--connect", path, "--", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def task(*, cpu: int) -> str:
    """A scenario: a task that ends."""
    return (
        f'[[task]]\npid = 4242\ncomm = "task"\ncpu = {cpu}\ntimeline = [{{ at = 1, exit = 0 }}]\n'
    )


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


# --- the same as without


@pytest.mark.parametrize("name", sorted(path.stem for path in TRANSCRIPTS.iterdir()))
def test_programs_do_what_they_do_on_a_real_kernel(
    tmp_path: Path, program: Compile, name: str
) -> None:
    with serving(tmp_path / "run" / "nl", cpus=2) as server:
        done = connected(server.path, program(name))
        assert done.stdout == (TRANSCRIPTS / f"{name}.txt").read_text()
        assert (done.returncode, done.stderr) == (0, "")
        server.until(lambda statistics: statistics.sockets == 0)


@pytest.mark.parametrize("restart", [0, 1], ids=["EINTR", "SA_RESTART"])
def test_a_storm_of_signals(server: Serving, program: Compile, restart: int) -> None:
    done = connected(server.path, program("storm"), "1000", "300", str(restart))
    assert done.stdout == "twice 0, wrong 0, signals came\n"


def test_many_clients_have_one_kernel(server: Serving, program: Compile) -> None:
    threads = program("threads")
    clients = [
        subprocess.Popen(
            [*NETLINK_EMU, "run", "--connect", server.path, "--", threads, "4", "25", "2"],
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for client in clients:
        assert client.communicate(timeout=SECONDS)[0] == "bad 0\n"
    server.until(lambda statistics: statistics.sockets == 0)


# --- one kernel


def test_a_portid_is_one_clients(server: Serving) -> None:
    python = (sys.executable, "-c", PORTID)
    with running(server.path, *python) as first, running(server.path, *python, "77") as second:
        assert line(first) == "pid"
        assert line(second) == "77"
        assert server.statistics().sockets == 2
        assert connected(server.path, *python, "77").stdout == "EADDRINUSE\n"
        assert second.stdin is not None
        second.stdin.close()
        second.wait(SECONDS)
        assert connected(server.path, *python, "77").stdout == "77\n"
    server.until(lambda statistics: statistics.sockets == 0)


def test_exit_events_reach_all_who_listen(server: Serving) -> None:
    python = (sys.executable, "-c", LISTENER)
    with running(server.path, *python) as first, running(server.path, *python) as second:
        assert (line(first), line(second)) == ("0", "0")
        plain = server.client()
        with plain:
            assert len(plain.ask(register("0-3"))) == 1
            server.play(task(cpu=1), 2)
            assert (line(first), line(second)) == ("4242", "4242")
            assert struct.unpack_from("=I", plain.recv(), 28)[0] == 4242


def test_a_client_that_is_killed_is_forgotten(server: Serving) -> None:
    with running(server.path, sys.executable, "-c", LISTENER) as listener:
        assert line(listener) == "0"
        assert len(server.listeners()[0]) == 1
        listener.kill()
        listener.wait(SECONDS)
        server.until(lambda statistics: statistics.sockets == 0)
        server.play(task(cpu=0), 2)
        assert server.listeners()[0] == []


def test_what_overran_stays_counted_when_the_client_is_gone(server: Serving) -> None:
    with hand_over(server, relay_hello()) as stream:
        read_frame(stream)
        stream.send(call(1, a=3, b=16))
        read_frame(stream)
        registration = register("0")
        stream.send(call(4, 1, b=len(registration), data=registration))
        while struct.unpack_from("=I", read_frame(stream))[0] != 2:
            pass
        for _ in range(200):
            server.call(_exit, server)
        overran = server.statistics().dropped["OVERRUN"]
        assert overran > 0
    server.until(lambda statistics: statistics.sockets == 0)
    assert server.statistics().dropped["OVERRUN"] == overran


def _exit(server: Serving) -> None:
    """A task ends on CPU 0."""
    tasks = server.kernel.machine.tasks
    ended = tasks.fork(cpu=0)
    tasks.do_exit(ended, 0)
    tasks.reap(ended)


# --- who clients are

# The server has no task of the client's number.
ASKS_OF_INIT = ASKS.replace("os.getpid()", "1")


def test_clients_are_who_the_server_says_or_less(server: Serving) -> None:
    python = (sys.executable, "-c")
    assert connected(server.path, *python, ASKS_OF_INIT).stdout == "answered\n"
    none = ("--no-cap-net-admin",)
    assert connected(server.path, *python, ASKS_OF_INIT, options=none).stdout == "EPERM\n"
    assert connected(server.path, *python, SENDER).stdout == "0 0\n"
    somebody = ("--uid", "4711")
    assert connected(server.path, *python, SENDER, options=somebody).stdout == "4711 4711\n"


def test_clients_cannot_be_more_than_the_server_says(tmp_path: Path) -> None:
    def nobody(machine: Machine, _ucred: Ucred) -> Cred:
        return Cred.for_ids(machine.init_user_ns, 65534, 65534)

    with serving(tmp_path / "run" / "nl", policy=nobody) as server:
        for options in ((), ("--cap-net-admin",), ("--uid", "0")):
            done = connected(server.path, sys.executable, "-c", ASKS_OF_INIT, options=options)
            assert done.stdout == "EPERM\n"


# --- mistakes, and the server's end


@pytest.mark.parametrize("option", ["--release=5.10", "--cpus=2", "--tasks=any", "--control"])
def test_what_the_server_decides_cannot_be_asked_for(option: str) -> None:
    done = emulated("true", options=["--connect", "/nowhere", option])
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(
        f"netlink-emu: {option.partition('=')[0]} cannot be used with --connect"
    )


def test_without_a_server(tmp_path: Path) -> None:
    done = connected(tmp_path / "nl", "true")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"netlink-emu: no server can be reached at {tmp_path}/nl: No such file or directory\n"
    )


def test_a_server_that_does_not_understand(tmp_path: Path) -> None:
    path = tmp_path / "nl"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        with running(path, "true") as client:
            _, fds, _, _ = socket.recv_fds(other, 100, 1)
            os.close(fds[0])
            assert client.wait(SECONDS) == 1


def test_a_server_of_the_other_byte_order_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run" / "nl"
    with subprocess.Popen(
        [*NETLINK_EMU, "serve", "--arch", "s390x", "--socket", path],
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stderr is not None
        assert "ready" in server.stderr.readline()
        done = connected(path, "true")
        assert done.stderr.startswith("netlink-emu: s390x is big-endian")
        server.terminate()


ORPHAN = """
import errno, select, socket, struct, threading
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
s.bind((0, 0))
waits = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
polled = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
found = {}
def wait():
    try:
        waits.recv(100)
    except OSError as exc:
        found["waiting"] = errno.errorcode[exc.errno]
thread = threading.Thread(target=wait)
thread.start()
poll = select.poll()
poll.register(polled, select.POLLIN)
print("ready", flush=True)
events = poll.poll()
thread.join()
for name, call in (("send", lambda: s.send(b"x" * 16)), ("recv", lambda: s.recv(16)),
                   ("socket", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)),
                   ("getsockopt", lambda: s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF))):
    try:
        call()
    except OSError as exc:
        found[name] = errno.errorcode[exc.errno]
print(found["waiting"], found["send"], found["recv"], found["socket"], found["getsockopt"],
      bool(events[0][1] & select.POLLHUP), flush=True)
"""


def test_the_servers_end_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "run" / "nl"
    with subprocess.Popen(
        [*NETLINK_EMU, "serve", "--socket", path], stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr is not None
        assert "ready" in server.stderr.readline()
        with subprocess.Popen(
            [*NETLINK_EMU, "run", "--connect", path, "--", sys.executable, "-c", ORPHAN],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as client:
            assert line(client) == "ready"
            server.kill()
            assert line(client) == " ".join(["ECONNRESET"] * 5) + " True"
            assert client.wait(SECONDS) == 0
            assert client.stderr is not None
            assert client.stderr.read() == (
                f"netlink-emu: the server at {path} was gone before the command ended\n"
            )


# --- hostile supervisors


def relay_hello(*, version: int = 2) -> bytes:
    """struct netlink_emu_relay_hello, written down anew."""
    return struct.pack("=16sIIIIII", b"\0\0\0\0netlink-emu\0", version, 0, 0, 0, 0, 0)


def hand_over(server: Serving, greeting: bytes, kind: int = socket.SOCK_STREAM) -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    ours.settimeout(SECONDS)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way, theirs:
        way.connect(str(server.path))
        socket.send_fds(way, [greeting], [theirs.fileno()])
    return ours


def call(method: int, sock: int = 0, *, a: int = 0, b: int = 0, data: bytes = b"") -> bytes:
    header = struct.pack(
        "=8I3q", 56 + len(data), method, sock, os.getpid(), os.getpid(), 0, 0, 0, a, b, 0
    )
    return header + data


def read_frame(stream: socket.socket) -> bytes:
    size = struct.unpack("=I", stream.recv(4, socket.MSG_WAITALL))[0]
    return stream.recv(size - 4, socket.MSG_WAITALL)


def test_the_protocol_as_it_is_written_down(server: Serving) -> None:
    with hand_over(server, relay_hello()) as stream:
        welcome = read_frame(stream)
        assert struct.unpack_from("=I", welcome)[0] == 1
        assert welcome[84:].split(b"\0")[1] == os.uname().machine.encode()
        stream.send(call(1, a=3, b=16))
        kind, _, error, number = struct.unpack_from("=IIiq", read_frame(stream))
        assert (kind, error, number) == (2, 0, 1)
        question = request(1, 1, struct.pack("=I", 1))
        # In two pieces: a stream has no records.
        whole = call(4, number, b=len(question), data=question)
        stream.send(whole[:30])
        stream.send(whole[30:])
        arrived, returned = read_frame(stream), read_frame(stream)
        assert struct.unpack_from("=II", arrived) == (3, number)
        assert struct.unpack_from("=H", arrived[84:], 4)[0] == 0x1F
        assert struct.unpack_from("=IIiq", returned) == (2, number, 0, len(question))
        portid = struct.unpack_from("=I", returned, 40)[0]
        assert portid == os.getpid()
        stream.send(call(12, number))
        server.until(lambda statistics: statistics.sockets == 0)


@pytest.mark.parametrize(
    "nonsense",
    [
        pytest.param(struct.pack("=I", 0) * 20, id="a frame of nothing"),
        pytest.param(struct.pack("=I", 0xFFFFFFFF), id="a frame of 4 GiB"),
        pytest.param(struct.pack("=I", 8) + bytes(4), id="a short frame"),
        pytest.param(call(99, 1), id="no such method"),
        pytest.param(call(9, 1, data=b"x"), id="a broken filter"),
        pytest.param(call(4, 1)[:20] + b"\xff" * 12 + bytes(24), id="lengths beyond the frame"),
    ],
)
def test_nonsense_ends_the_stream_and_nothing_else(server: Serving, nonsense: bytes) -> None:
    with hand_over(server, relay_hello()) as stream, server.client() as other:
        read_frame(stream)
        stream.send(call(1, a=3, b=16))
        read_frame(stream)
        stream.send(nonsense)
        assert stream.recv(4096) == b""
        assert len(other.ask(request(1, 1, struct.pack("=I", 1)))) == 1
        server.until(lambda statistics: statistics.sockets == 1)


def test_what_is_no_stream_is_not_taken(server: Serving) -> None:
    with hand_over(server, relay_hello(), socket.SOCK_SEQPACKET) as packets:
        assert packets.recv(100) == b""
    with hand_over(server, hello()) as stream:
        assert stream.recv(100) == b""
    server.until(lambda statistics: statistics.dropped == {"BAD_HELLO": 2})


def test_a_call_on_no_socket_is_an_error(server: Serving) -> None:
    with hand_over(server, relay_hello()) as stream:
        read_frame(stream)
        stream.send(call(6, 12345) + call(12, 12345) + call(1, a=3, b=99))
        assert struct.unpack_from("=IIi", read_frame(stream)) == (2, 0, 71)  # EPROTO
        assert struct.unpack_from("=IIi", read_frame(stream))[2] == 93  # EPROTONOSUPPORT


def test_random_calls_do_no_harm(server: Serving) -> None:
    chance = random.Random(5)
    with server.client() as other:
        for _ in range(30):
            with hand_over(server, relay_hello()) as stream:
                stream.send(call(1, a=3, b=16))
                for _ in range(30):
                    data = chance.randbytes(chance.randrange(40))
                    sizes = [chance.choice((0, 0, 1, 12, 40)) for _ in range(2)]
                    numbers = [chance.choice((0, 1, -1, 270, 12, 1 << 40)) for _ in range(3)]
                    frame = struct.pack(
                        "=8I3q", 56 + len(data), chance.randrange(14), 1, 1, 1, *sizes, 0, *numbers
                    )
                    try:
                        stream.send(frame + data)
                    except ConnectionError:
                        break
        assert len(other.ask(request(1, 1, struct.pack("=I", 1)))) == 1
    server.until(lambda statistics: statistics.sockets <= 1)


def test_a_supervisor_that_never_reads_holds_up_nobody(server: Serving) -> None:
    with hand_over(server, relay_hello()) as stream, server.client() as other:
        stream.setblocking(False)
        stream.send(call(1, a=3, b=16))
        question = request(1, 1, struct.pack("=I", 1))
        whole = call(4, 1, b=len(question), data=question)
        sent = 0
        while sent < 5000 and select.select([], [stream], [], 1.0)[1]:
            sent += 1
            stream.send(whole)
        assert len(other.ask(question)) == 1
