"""Tests with here=True where seccomp is not available: socket.socket has other methods then."""

from __future__ import annotations

import array
import ctypes
import errno
import os
import select
import socket
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
import trio
from helpers.interposed import needs_interposer
from helpers.messages import decode, get, register, request, stats_of
from helpers.nets import SECONDS
from helpers.plugin import project

from netlink_emu.interpose.client import fds
from netlink_emu.interpose.errors import Unsupported
from netlink_emu.protocol.reading.decode import Decoder
from netlink_emu.testing import EmulatedKernel, KernelClosed, WrongProcess
from netlink_emu.testing.here import patched_because, run_here
from netlink_emu.testing.inprocess import threads

__all__ = ["project"]
pytest_plugins = ["pytester"]

WITHHELD = Path(__file__).parents[1] / "helpers" / "withheld.py"
NAME_NLCTRL = request(3, (2, b"nlctrl\0"), family=16)
SOL_NETLINK = 270


@pytest.fixture
def no_seccomp(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_program: object) -> NoReturn:
        raise Unsupported("seccomp(2) is forbidden here")

    monkeypatch.setattr(threads, "install_filter", refused)


def generic(kind: int = socket.SOCK_RAW) -> socket.socket:
    return socket.socket(socket.AF_NETLINK, kind, 16)


def tried(function: Callable[..., object], *args: object) -> object:
    """What a call gives, or its errno and the kind of its error."""
    try:
        return function(*args)
    except OSError as exc:
        return type(exc).__name__, exc.errno, str(exc)
    except (TypeError, ValueError) as exc:
        return type(exc).__name__


def into(function: Callable[..., Any], size: int, *args: int) -> object:
    buffer = bytearray(size)
    return tried(function, buffer, *args), bytes(buffer)


def calls_of_every_kind(kernel: EmulatedKernel) -> list[object]:
    """What the methods of a socket give, and in which state they leave it."""
    said: list[object] = []
    with generic() as sock, generic() as other:
        say = said.append
        say((sock.family, sock.type, sock.proto, sock.gettimeout(), sock.get_inheritable()))
        say(tried(sock.getsockname))
        for address in [(7, 0), (8, 0), (-1, 0), (1 << 40, 1), ("x", 0), [7, 0], (7,), "abc"]:
            say(tried(sock.bind, address))
        say((sock.getsockname(), sock.getpeername()))
        say(tried(other.bind, (7, 0)))
        say(tried(other.bind, (0, 1 << 15)))
        for level, option in [(1, 3), (1, 38), (1, 39), (1, 8), (270, 1), (270, 9), (6, 1)]:
            say(tried(sock.getsockopt, level, option))
            say(tried(sock.getsockopt, level, option, 8))
        say(tried(sock.getsockopt, 1, 3, 5000))
        for args in [(1, 8, 4096), (270, 11, 1), (270, 1, 77), (270, 3, b"\1\0\0\0"), (1, 8, b"")]:
            say(tried(sock.setsockopt, *args))
        say(tried(sock.setsockopt, 270, 1, None, 4))
        for method in (sock.listen, sock.accept, lambda: sock.shutdown(2)):
            say(tried(method))
        sock.setsockopt(SOL_NETLINK, 3, 1)  # NETLINK_PKTINFO
        say(sock.send(NAME_NLCTRL))
        say(sock.recv(4096, socket.MSG_PEEK))
        say(sock.recv(20, socket.MSG_PEEK | socket.MSG_TRUNC)[:20])
        say(into(sock.recv_into, 64, 16, socket.MSG_PEEK))
        say(into(sock.recv_into, 8, 9))
        say(into(sock.recvfrom_into, 64))
        say(sock.sendto(NAME_NLCTRL, (0, 0)))
        say(sock.recvmsg(4096, 64, socket.MSG_PEEK))
        say(sock.recvmsg(4096, 14, socket.MSG_PEEK))
        say(sock.recvmsg(16, 0, socket.MSG_PEEK))
        pieces: list[Any] = [bytearray(10), array.array("I", [0, 0])]
        say((sock.recvmsg_into(pieces, 64), *map(bytes, pieces)))
        say(sock.sendmsg([NAME_NLCTRL[:16], NAME_NLCTRL[16:]], [], 0, (0, 0)))
        say(sock.recvfrom(4096, 0))
        sock.sendall(NAME_NLCTRL)
        say(sock.recv(4096))
        say(tried(sock.recv, -1))
        say(tried(sock.send, "text"))
        say(tried(sock.sendto, NAME_NLCTRL))
        say(tried(sock.sendto, NAME_NLCTRL, (99, 0)))
        say(tried(sock.sendmsg, [b"x"], [(1, 1, b"1234")]))
        say(tried(sock.send, bytes(1 << 20)))
        say(tried(sock.recv, 10, socket.MSG_DONTWAIT))
        sock.settimeout(0.01)
        say(tried(sock.recv, 10))
        sock.settimeout(None)
        sock.setsockopt(1, 20, struct.pack("@qq", 0, 1000))  # SO_RCVTIMEO
        say(tried(sock.recv, 10))
        say(tried(other.connect, (7, 0)))
        say(other.connect_ex((0, 0)))
        with sock.dup() as again, socket.fromfd(sock.fileno(), -1, -1) as third:
            say((again.getsockname(), third.getsockname(), third.family, third.type, third.proto))
            sock.send(NAME_NLCTRL)
            say(third.recv(4096))
        code = (ctypes.c_char * 8).from_buffer_copy(struct.pack("=HBBI", 6, 0, 0, 20))
        sock.setsockopt(1, 26, struct.pack("@HP", 1, ctypes.addressof(code)))  # SO_ATTACH_FILTER
        sock.send(NAME_NLCTRL)
        say(sock.recv(4096))
        say(sock.setsockopt(1, 27, 0))
        kernel.faults.enobufs_now(portid=7)
        say(select.select([sock], [], [], SECONDS)[0] == [sock])
        say(tried(sock.recv, 4096))
        say(select.select([sock], [], [], 0)[0])
        sock.setblocking(False)
        say(tried(sock.recv, 4096))
    say(tried(sock.getsockname))
    with generic() as sock:
        say(tried(sock.bind, (7, 0)))  # its portid is free at once
    say(tried(socket.socket, socket.AF_NETLINK, socket.SOCK_STREAM, 16))
    with generic(socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
        say((sock.type, sock.gettimeout(), os.get_blocking(sock.fileno()), tried(sock.recv, 1)))
    return said


@needs_interposer
def test_methods_give_what_stopped_calls_give(no_seccomp: None, monkeypatch: Any) -> None:
    with EmulatedKernel("6.18", allow_unused=True) as kernel:
        patched = run_here(kernel, calls_of_every_kind, kernel=kernel)
        assert patched_because(kernel) == "seccomp(2) is forbidden here"
    monkeypatch.undo()
    with EmulatedKernel("6.18", allow_unused=True) as kernel:
        stopped = run_here(kernel, calls_of_every_kind, kernel=kernel)
        assert patched_because(kernel) == ""
    assert patched == stopped


def test_what_is_not_netlink_is_left_alone(kernel: EmulatedKernel, no_seccomp: None) -> None:
    before = dict(vars(socket.socket))

    def function() -> None:
        first, second = socket.socketpair()
        with first, second:
            first.sendall(b"hello")
            assert second.recv(10) == b"hello"
        server = socket.create_server(("127.0.0.1", 0))
        with server, socket.create_connection(server.getsockname()) as client:
            accepted, _ = server.accept()
            with accepted:
                client.sendall(b"hello")
                assert accepted.recv_into(bytearray(5)) == 5
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as route:  # the host's
            route.bind((0, 0))
        assert before != dict(vars(socket.socket))

    run_here(kernel, function)
    assert before == dict(vars(socket.socket))
    assert len(kernel.journal) == 0


def test_an_event_wakes_who_waits(kernel: EmulatedKernel, no_seccomp: None) -> None:
    task = kernel.tasks.spawn("sshd", cpu=1)
    heard: list[object] = []

    def listen() -> None:
        with generic() as sock:
            sock.send(register("1"))
            assert decode(sock.recv(4096)).error == 0
            heard.append(stats_of(decode(sock.recv(1 << 16)))["ac_comm"])

    def function() -> None:
        listener = threading.Thread(target=listen)
        listener.start()
        kernel.wait_for_listener(1, timeout=SECONDS)
        task.exit()
        listener.join(SECONDS)

    run_here(kernel, function)
    assert heard == ["sshd"]


def test_polling_and_trio(kernel: EmulatedKernel, no_seccomp: None) -> None:
    task = kernel.tasks.spawn("sshd", cpu=1)

    async def ask() -> object:
        with trio.socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16) as sock:
            await sock.bind((0, 0))
            await sock.send(get(task.pid))
            data, address = await sock.recvfrom(1 << 16)
            assert address == (0, 0)
            kernel.faults.send_errno("EPERM")
            with pytest.raises(PermissionError):
                await sock.send(get(task.pid))
            async with trio.open_nursery() as nursery:

                async def overrun() -> None:
                    with pytest.raises(OSError, match="No buffer space") as caught:
                        await sock.recv(10)
                    assert caught.value.errno == errno.ENOBUFS

                nursery.start_soon(overrun)
                await trio.testing.wait_all_tasks_blocked()
                kernel.faults.enobufs_now()
            return stats_of(decode(data))["ac_comm"]

    assert run_here(kernel, lambda: trio.run(ask)) == "sshd"


def test_reading_and_writing_the_descriptor(kernel: EmulatedKernel, no_seccomp: None) -> None:
    """Past the methods, as a library in C does it with a descriptor that it is given."""

    def function() -> None:
        with generic() as sock:
            sock.bind((0, 0))
            os.write(sock.fileno(), NAME_NLCTRL)
            select.select([sock], [], [], SECONDS)
            assert decode(os.read(sock.fileno(), 4096)).find("CTRL_ATTR_FAMILY_NAME")

    run_here(kernel, function)
    assert len(kernel.journal.requests()) == 1


def test_a_dump_in_parts(kernel: EmulatedKernel, no_seccomp: None) -> None:
    def function() -> list[int]:
        with generic() as sock:
            sock.settimeout(SECONDS)
            sock.send(request(3, family=16, flags=0x301))
            parts: list[int] = []
            while 3 not in parts:
                messages = Decoder().datagram(sock.recv(1 << 16))
                parts += [message.header.nlmsg_type for message in messages]
            return parts

    assert run_here(kernel, function) == [16, 16, 3]


def test_a_forked_child_is_told(kernel: EmulatedKernel, no_seccomp: None) -> None:
    def function() -> int:
        with generic() as sock:
            sock.bind((0, 0))
            child = os.fork()
            if not child:
                status = 1
                try:
                    with pytest.raises(WrongProcess, match="seccomp is not available here"):
                        sock.getsockname()
                    with pytest.raises(WrongProcess):
                        generic()
                    status = 0
                finally:
                    os._exit(status)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert run_here(kernel, function) == 0


def test_a_kernel_that_is_closed_meanwhile(kernel: EmulatedKernel, no_seccomp: None) -> None:
    def function() -> None:
        with generic() as sock:
            sock.bind((0, 0))
            kernel.close()
            with pytest.raises(KernelClosed):
                sock.getsockname()
        with pytest.raises(KernelClosed):
            generic()

    run_here(kernel, function)


def test_where_no_thread_can_begin(
    kernel: EmulatedKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_few(_limit: int) -> NoReturn:
        raise Unsupported("RLIMIT_NOFILE is 64")

    monkeypatch.setattr(fds, "choose_high", too_few)

    def function() -> object:
        with generic() as sock:
            sock.bind((7, 0))
            return sock.getsockname()

    assert run_here(kernel, function) == (7, 0)
    assert patched_because(kernel) == "RLIMIT_NOFILE is 64"
    assert "patched sockets: RLIMIT_NOFILE is 64" in kernel.report()


def test_what_the_function_raises_is_its_own(kernel: EmulatedKernel) -> None:
    """Something that is not available in a test is not the reason to run it once more."""
    calls: list[int] = []

    def function() -> None:
        calls.append(1)
        raise Unsupported("mine")

    with pytest.raises(Unsupported, match="mine"):
        run_here(kernel, function)
    assert calls == [1]


TESTS = """
    import asyncio, socket, struct
    import pytest, trio

    ASK = struct.pack("=IHHIIBBHHHH2x", 28, 16, 1, 1, 0, 3, 1, 0, 6, 1, 16)

    def generic():
        return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)

    def answered(data):
        return struct.unpack_from("=H", data, 4) == (16,)

    pytestmark = pytest.mark.netlink_emu("6.1", here=True)

    def test_sync(netlink_emu_kernel):
        with generic() as sock:
            sock.send(ASK)
            assert answered(sock.recv(4096))
        (request,) = netlink_emu_kernel.journal.requests()
        assert request.pid == request.portid

    @pytest.mark.trio
    async def test_trio():
        with trio.socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16) as sock:
            await sock.bind((0, 0))
            await sock.send(ASK)
            assert answered(await sock.recv(4096))

    @pytest.mark.asyncio
    async def test_asyncio():
        loop = asyncio.get_running_loop()
        with generic() as sock:
            sock.setblocking(False)
            sock.bind((0, 0))
            await loop.sock_sendall(sock, ASK)
            assert answered(await loop.sock_recv(sock, 4096))

    @pytest.mark.asyncio
    async def test_asyncio_transport():
        class Protocol(asyncio.DatagramProtocol):
            def datagram_received(self, data, address):
                heard.set_result((answered(data), address))

        loop = asyncio.get_running_loop()
        heard = loop.create_future()
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, 16)
        sock.setblocking(False)
        transport, _ = await loop.create_datagram_endpoint(Protocol, sock=sock)
        transport.sendto(ASK)
        assert await heard == (True, (0, 0))
        transport.close()

    def test_pyroute2(netlink_emu_kernel):
        taskstats = pytest.importorskip("pyroute2.netlink.taskstats")
        task = netlink_emu_kernel.tasks.spawn("sshd")
        with taskstats.TaskStats() as client:
            client.bind()
            (message,) = client.get_pid_stat(task.pid)
        assert netlink_emu_kernel.journal.requests(TASKSTATS_CMD_ATTR_PID=task.pid)

    def test_fails():
        with generic() as sock:
            sock.send(ASK)
            assert not answered(sock.recv(4096))

    def test_nobody_asks():
        pass
"""
UNIT = """
    import socket, unittest
    from netlink_emu.testing import EmulatedKernelMixin
    from test_them import ASK, answered, generic

    class TestUnit(EmulatedKernelMixin, unittest.TestCase):
        netlink_emu_here = True

        def test_it(self):
            with generic() as sock:
                sock.send(ASK)
                assert answered(sock.recv(4096))
            assert len(self.kernel.journal.requests()) == 1
"""


@pytest.mark.parametrize(
    ("parts", "why"),
    [("seccomp=EPERM", "seccomp(2) is forbidden"), ("pidfd_getfd=EPERM", "pidfd_getfd(2) is fo")],
)
def test_a_project_where_calls_cannot_be_stopped(
    project: pytest.Pytester, parts: str, why: str
) -> None:
    project.makepyfile(test_them=TESTS, test_unit=UNIT)
    result = project.run(sys.executable, WITHHELD, parts, sys.executable, "-m", "pytest", "-q")
    result.assert_outcomes(passed=6, failed=2)
    result.stdout.fnmatch_lines(
        [
            "*here=True with patched sockets: *",
            "*no client talked to the emulated kernel (Linux 6.1)*",
            f"netlink-emu: 7 tests with here=True ran with patched sockets, as {why}*",
        ]
    )
