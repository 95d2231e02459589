"""Exit events over a Unix datagram socket: who gets them, who loses them, who is forgotten."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
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

from netlink_emu.faults import Faults
from netlink_emu.journal import Journal
from netlink_emu.kernel.profile import KernelConfig
from netlink_emu.server import endpoint, watching

EVENT = 596  # bytes: PID and struct taskstats of 6.18


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Serving]:
    with serving(tmp_path / "run" / "nl") as running:
        yield running


def _exits(server: Serving, count: int, *, cpu: int = 2, first: int = 1000) -> None:
    """So many tasks start and end on a CPU, at one time."""
    server.play(
        "".join(
            f'[[task]]\ncomm = "t{n}"\npid = {first + n}\ncpu = {cpu}\n'
            "timeline = [{ at = 0.5, exit = 3 }]\n"
            for n in range(count)
        ),
        1.0,
    )


def _event(datagram: bytes) -> tuple[int, int]:
    """(seq, pid) of an exit event."""
    assert len(datagram) == EVENT
    seq, portid = struct.unpack_from("=II", datagram, 8)
    assert portid == 0
    return seq, struct.unpack_from("=I", datagram, 28)[0]


def _register(client: Client, cpulist: str) -> None:
    (ack,) = client.ask(register(cpulist))
    assert struct.unpack_from("=i", ack, 16) == (0,)


def _max_dgram_qlen() -> int:
    return int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text())


def test_two_listeners_of_a_cpu_get_identical_bytes_and_no_other_anything(server: Serving) -> None:
    with server.client() as one, server.client() as two, server.client() as other:
        _register(one, "0-3")
        _register(two, "2")
        _register(other, "0,1,3")
        _exits(server, 1, cpu=2)
        event = one.recv()
        assert two.recv() == event
        assert _event(event) == (0, 1000)
        assert struct.unpack_from("=I", event, 40) == (3 << 8,)  # ac_exitcode
        for client in (one, two, other):
            assert client.ask(b"") == []


def test_a_listener_that_was_killed_is_pruned_at_the_next_exit(server: Serving) -> None:
    script = (
        "import socket, sys, time\n"
        "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "s.bind(''); s.connect(sys.argv[1])\n"
        "s.send(bytes.fromhex(sys.argv[2])); s.recv(4096)\n"
        "print('registered', flush=True)\n"
        "time.sleep(600)\n"
    )
    arguments = [sys.executable, "-c", script, str(server.path), register("0-3").hex()]
    with server.client() as other:
        _register(other, "0-3")
        with subprocess.Popen(arguments, stdout=subprocess.PIPE) as victim:
            assert victim.stdout is not None
            assert victim.stdout.readline() == b"registered\n"
            assert server.listeners()[2] == [os.getpid(), victim.pid]
            _exits(server, 1)
            victim.send_signal(signal.SIGKILL)
        assert _event(other.recv()) == (0, 1000)
        # Its socket is gone; as in the kernel the registration stays until an exit finds nobody.
        server.until(lambda statistics: statistics.sockets == 1)
        assert server.listeners()[2] == [os.getpid(), victim.pid]
        _exits(server, 1)
        assert server.listeners() == {
            0: [os.getpid(), victim.pid],
            1: [os.getpid(), victim.pid],
            2: [os.getpid()],
            3: [os.getpid(), victim.pid],
        }
        assert _event(other.recv()) == (1, 1000)
        assert other.ask(b"") == []


def test_a_client_that_closes_and_lives_on_is_found_gone_when_sent_to(server: Serving) -> None:
    with server.client() as other:
        _register(other, "2")
        with server.client() as closing:
            closing.send(hello(portid=77))
            assert hello_answer(closing.recv()) == (0, 77)
            _register(closing, "2")
        _exits(server, 1)
        assert _event(other.recv()) == (0, 1000)
        server.until(lambda statistics: statistics.sockets == 1)
        assert server.statistics().dropped["CLIENT_GONE"] == 1
        _exits(server, 1)
        assert server.listeners()[2] == [os.getpid()]
        assert _event(other.recv()) == (1, 1000)


def test_a_full_client_waits_alone_and_gets_all_in_order(server: Serving) -> None:
    """It reads 60 events that it could not hold, without having sent anything meanwhile."""
    with server.client(connect=False) as slow, server.client() as quick:
        _register(slow, "2")
        _register(quick, "2")
        _exits(server, 60)
        assert [_event(quick.recv())[0] for _ in range(60)] == list(range(60))
        server.until(lambda statistics: statistics.backlogged == 1)  # it holds max_dgram_qlen + 1
        assert quick.ask(request(9, 1, b"\1\0\0\0"))  # served while the other is full
        assert [_event(slow.recv())[0] for _ in range(60)] == list(range(60))
        assert server.until(lambda statistics: not statistics.backlogged).dropped == {}


def test_a_client_that_becomes_active_gets_its_backlog_at_once(server: Serving) -> None:
    with server.client(connect=False) as slow:
        _register(slow, "2")
        _exits(server, 2 * _max_dgram_qlen() + 2)
        held = [slow.recv() for _ in range(_max_dgram_qlen() + 1)]
        slow.send(FENCE)
        held += slow.until_fence()
        assert [_event(event)[0] for event in held] == list(range(2 * _max_dgram_qlen() + 2))


def test_what_the_modelled_buffer_does_not_hold_is_lost_and_counted(server: Serving) -> None:
    """A burst is limited by its netlink socket's room; the gap shows in the numbers."""
    with server.client(connect=False) as slow:
        slow.send(hello(rcvbuf=8192))  # doubled: room for 12 events of 1280 bytes of truesize
        assert hello_answer(slow.recv()) == (0, 0)
        _register(slow, "2")
        _exits(server, 100)
        kept = 12
        server.until(lambda statistics: statistics.dropped == {"OVERRUN": 100 - kept})
        assert [_event(slow.recv())[0] for _ in range(kept)] == list(range(kept))
        _exits(server, 1)
        assert _event(slow.recv()) == (100, 1000)


@pytest.fixture
def cramped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    """A server whose send buffer holds about 100 events, and a client's window 3 to 12 of them."""
    monkeypatch.setattr(endpoint, "WANTED_SNDBUF", 128 * 1024)
    config = KernelConfig(rmem_default=64 << 20)
    with serving(tmp_path / "run" / "nl", config=config) as running:
        yield running


def test_connected_clients_that_never_read_do_not_starve_the_others(cramped: Serving) -> None:
    """Six who would fill the server's send buffer three times over; two who read get all."""
    deaf = [cramped.client() for _ in range(6)]
    with cramped.client() as one, cramped.client(connect=False) as two:
        for client in (one, two, *deaf):
            _register(client, "2")
        for burst in range(3):
            _exits(cramped, 50)
            expected = list(range(burst * 50, burst * 50 + 50))
            assert [_event(one.recv())[0] for _ in expected] == expected
            assert [_event(two.recv())[0] for _ in expected] == expected
        assert one.ask(request(9, 1, b"\1\0\0\0"))
        cramped.until(lambda statistics: statistics.backlogged == len(deaf))
        # Who reads at last has lost nothing.
        assert [_event(deaf[0].recv())[0] for _ in range(150)] == list(range(150))
    for client in deaf:
        client.sock.close()


def test_a_dump_waits_for_a_full_client_and_goes_on_as_it_reads(server: Serving) -> None:
    with server.client(connect=False) as client:
        _register(client, "2")
        _exits(server, _max_dgram_qlen() + 1)
        client.send(struct.pack("=IHHIIBBH", 20, 16, 0x301, 7, 0, 3, 2, 0))
        events = [_event(client.recv())[0] for _ in range(_max_dgram_qlen() + 1)]
        assert events == list(range(_max_dgram_qlen() + 1))
        client.send(FENCE)
        dump = b"".join(client.until_fence())
    names = [name for name in (b"nlctrl\0", b"TASKSTATS\0") if name in dump]
    assert names == [b"nlctrl\0", b"TASKSTATS\0"]
    assert struct.unpack_from("=IHHI", dump, len(dump) - 20) == (20, 3, 2, 7)  # NLMSG_DONE


def test_the_end_of_a_process_that_no_descriptor_was_left_to_watch(
    server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is noticed when a client comes after there are descriptors again."""
    script = (
        "import socket, sys\n"
        "sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "sock.bind('')\n"
        "sock.connect(sys.argv[1])\n"
        "sock.send(bytes.fromhex(sys.argv[2]))\n"
        "sock.recv(4096)\n"
    )

    def no_descriptor(_pid: int) -> int:
        raise OSError(errno.EMFILE, "too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pidfd_open", no_descriptor)
        for _ in range(3):
            command = [sys.executable, "-c", script, str(server.path), FENCE.hex()]
            subprocess.run(command, check=True, timeout=SECONDS)
        assert server.statistics().sockets == 3
    server.until(lambda statistics: statistics.sockets == 0)


def test_a_client_whose_process_has_ended_when_its_request_is_read(
    server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[int] = []

    def ended(pid: int) -> int:
        opened.append(pid)
        raise ProcessLookupError

    monkeypatch.setattr(os, "pidfd_open", ended)
    with server.client() as client:
        client.ask(b"")
    server.until(lambda statistics: statistics.sockets == 0)
    assert opened[0] == os.getpid()


def test_a_process_is_watched_no_longer_than_it_has_clients(server: Serving) -> None:
    before = _pidfds()
    for _ in range(2):
        with server.client() as first, server.client(connect=False) as second:
            _register(first, "2")
            _register(second, "2")
            assert _pidfds() == before + 1
        _exits(server, 1)  # which finds nobody there
        server.until(lambda statistics: statistics.sockets == 0)
        server.until(lambda _: _pidfds() == before)


def _pidfds() -> int:
    """How many descriptors of processes this process has: the server is a thread of it."""
    found = 0
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # of the listing itself
            found += os.readlink(f"/proc/self/fd/{fd}") == "anon_inode:[pidfd]"
    return found


def test_clients_that_no_descriptor_was_left_to_try(
    server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = threading.Event()

    def no_descriptor(_address: object) -> bool:
        tried.set()
        raise OSError(errno.EMFILE, "too many open files")

    script = "import socket, sys; s = socket.socket(1, 2); s.bind(''); s.connect(sys.argv[1]); "
    script += "s.send(bytes.fromhex(sys.argv[2])); s.recv(4096)"
    with monkeypatch.context() as patch:
        patch.setattr(watching, "is_bound", no_descriptor)
        command = [sys.executable, "-c", script, str(server.path), FENCE.hex()]
        subprocess.run(command, check=True, timeout=SECONDS)
        assert tried.wait(SECONDS)
        assert server.statistics().sockets == 1
    server.until(lambda statistics: statistics.sockets == 0)


def test_more_clients_than_are_swept_at_once(server: Serving) -> None:
    # Names of our own: those that Linux gives out, of a million, come again by chance.
    name = f"\0{server.path}-"
    clients = [server.client(f"{name}{number}") for number in range(300)]
    for client in clients:
        client.ask(b"")
    assert server.statistics().sockets == 300
    for client in clients[1:]:
        client.sock.close()
    for number in range(300, 600):
        with server.client(f"{name}{number}") as another:
            another.ask(b"")
    # Those that were gone were looked for when there were 512 of them.
    assert server.statistics().sockets == 1 + 600 - 512
    clients[0].sock.close()


def test_a_client_connected_elsewhere_cannot_be_answered(server: Serving, tmp_path: Path) -> None:
    with (
        server.client(tmp_path / "odd", connect=False) as odd,
        server.client(tmp_path / "peer", connect=False) as peer,
    ):
        odd.sock.connect(str(tmp_path / "peer"))
        odd.sock.sendto(FENCE, str(server.path))
        assert peer.ask(b"") == []
        statistics = server.until(lambda s: s.dropped.get("CLIENT_GONE") == 1)
        assert statistics.sockets == 1


def test_a_fault_that_overruns_a_client_who_has_read_all(server: Serving) -> None:
    """It loses what the fault takes, and nothing after that: no read of its ends a congestion."""
    with server.client() as client:
        _register(client, "2")
        faults = server.call(lambda: Faults(server.kernel, Journal(server.kernel)))
        server.call(faults.parse, "enobufs kind=event count=1")
        _exits(server, 3)
        assert [_event(client.recv())[0] for _ in range(2)] == [1, 2]
        assert server.statistics().dropped == {"OVERRUN": 1}
