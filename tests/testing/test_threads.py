"""Clients in the test's own process: a thread of it is in the emulated kernel, the rest is not."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import trio
from helpers.in_thread import ask, generic
from helpers.interposed import needs_interposer
from helpers.messages import FAMILY, decode, get, register, stats_of
from helpers.nets import SECONDS

from netlink_emu.testing import EmulatedKernel, TimeIsUp

pytestmark = needs_interposer

SOL_NETLINK = 270


def test_a_function_of_the_test(kernel: EmulatedKernel) -> None:
    kernel.tasks.spawn("postgres", pid=4242)
    stats = kernel.thread(ask, 4242).result()
    assert (stats["ac_comm"], stats["ac_pid"]) == ("postgres", 4242)
    (request,) = kernel.journal.requests()
    assert (request.pid, request.portid) == (os.getpid(), os.getpid())


def test_the_rest_of_the_process_is_not_in_it(kernel: EmulatedKernel) -> None:
    def status() -> str:
        text = Path("/proc/thread-self/status").read_text()
        return next(line for line in text.splitlines() if line.startswith("Seccomp:"))

    before = status()
    assert kernel.thread(status).result() == "Seccomp:\t2"
    assert status() == before


def test_exits_while_it_listens(kernel: EmulatedKernel) -> None:
    def listen() -> list[int]:
        with generic() as sock:
            sock.send(register("0-3"))
            assert decode(sock.recv(65536)).error == 0
            events = [decode(sock.recv(65536)) for _ in range(3)]
            return [int(stats_of(event)["ac_pid"]) for event in events]

    thread = kernel.thread(listen)
    kernel.wait_for_listener(cpu=3)
    assert kernel.tasks.storm(3) == thread.result()


def test_options_that_python_sets_with_its_lock_held(kernel: EmulatedKernel) -> None:
    def options() -> list[object]:
        with generic(77) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            sock.setsockopt(SOL_NETLINK, 11, 1)
            with pytest.raises(OSError, match="not available"):
                sock.setsockopt(SOL_NETLINK, 99, 1)
            copy = socket.socket(fileno=os.dup(sock.fileno()))
            with copy:
                return [
                    sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF),
                    copy.getsockopt(SOL_NETLINK, 11),
                    copy.getsockname(),
                    copy.family,
                    copy.proto,
                ]

    assert kernel.thread(options).result() == [131072, 1, (77, 0), socket.AF_NETLINK, 16]


def test_an_extended_ack_by_an_option_set_there(kernel: EmulatedKernel) -> None:
    def provoke() -> object:
        with generic() as sock:
            sock.setsockopt(SOL_NETLINK, 11, 1)
            sock.send(struct.pack("=IHHIIBBHHHH2x", 28, FAMILY, 1, 1, 0, 1, 1, 0, 6, 1, 5))
            found = decode(sock.recv(65536)).find("NLMSGERR_ATTR_MSG")
            return found and found.value

    assert kernel.thread(provoke).result() == "Attribute failed policy validation"


def test_options_that_need_a_capability(kernel: EmulatedKernel) -> None:
    """They are told without asking the kernel's process, which must come to the same."""

    def force() -> int:
        with generic() as sock:
            sock.setsockopt(socket.SOL_SOCKET, 33, 1 << 20)  # SO_RCVBUFFORCE
            return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)

    assert kernel.thread(force).result() == 2 << 20
    with EmulatedKernel("6.18", uid=1000) as other, pytest.raises(PermissionError):
        other.thread(force).result()


def test_many_threads_set_options_while_others_wait(kernel: EmulatedKernel) -> None:
    """Nobody hangs, whoever holds Python's lock when an answer is due."""

    def busy() -> int:
        done = []

        def options() -> None:
            with generic() as sock:
                for _ in range(100):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
                    sock.getsockname()
            done.append(1)

        def asks() -> None:
            with generic() as sock:
                for _ in range(30):
                    sock.send(get(1))
                    sock.recv(65536)
            done.append(1)

        threads = [threading.Thread(target=target) for target in (options, asks) * 3]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(done)

    assert kernel.thread(busy).result(timeout=SECONDS) == 6


def test_threads_of_the_kernel_do_not_hang_in_each_other_s_calls(kernel: EmulatedKernel) -> None:
    """setsockopt() holds Python's lock, which the answer to another thread's socket() needs."""

    def options() -> int:
        with generic() as sock:
            for _ in range(200):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        return 1

    def sockets() -> int:
        for _ in range(200):
            generic().close()
        return 1

    threads = [kernel.thread(function) for function in (options, sockets) * 2]
    assert [thread.result(timeout=SECONDS) for thread in threads] == [1] * 4


def test_a_dump_in_parts(kernel: EmulatedKernel) -> None:
    def dump() -> list[int]:
        with generic() as sock:
            sock.send(struct.pack("=IHHIIBBH", 20, 16, 0x301, 1, 0, 3, 1, 0))
            kinds = []
            while 3 not in kinds:
                data, flags = sock.recv(65536), 0
                offset = 0
                while offset < len(data):
                    length, kind, flags = struct.unpack_from("=IHH", data, offset)
                    kinds.append(kind)
                    assert flags & 2
                    offset += (length + 3) & ~3
            return kinds

    assert kernel.thread(dump).result() == [16, 16, 3]


def test_an_overrun(kernel: EmulatedKernel) -> None:
    kernel.faults.enobufs(kind="event")
    acked = threading.Event()

    def listen() -> int | None:
        with generic() as sock:
            sock.send(register("0"))
            sock.recv(65536)
            acked.set()  # before that, ENOBUFS would come first
            try:
                sock.recv(65536)
            except OSError as exc:
                return exc.errno
            return None

    thread = kernel.thread(listen)
    assert acked.wait(SECONDS)
    kernel.tasks.storm(1, cpu=0)
    assert thread.result() == 105


def test_errors_are_the_functions_own(kernel: EmulatedKernel) -> None:
    def fails() -> None:
        raise LookupError("nothing here")

    with pytest.raises(LookupError, match="nothing here"):
        kernel.thread(fails).result()


def test_portids_in_use(kernel: EmulatedKernel) -> None:
    def bind_twice() -> int | None:
        with generic(77):
            try:
                generic(77)
            except OSError as exc:
                return exc.errno
        generic(77).close()
        return None

    assert kernel.thread(bind_twice).result() == 98
    kernel.thread(lambda: generic(77).close()).result()


def test_programs_and_loops_that_it_starts(kernel: EmulatedKernel) -> None:
    async def in_asyncio() -> int:
        loop = asyncio.get_running_loop()
        with generic() as sock:
            sock.setblocking(False)
            await loop.sock_sendall(sock, get(1))
            return len(await loop.sock_recv(sock, 65536))

    async def in_trio() -> int:
        with generic() as sock:
            sock.setblocking(False)
            await trio.lowlevel.wait_writable(sock)
            sock.send(get(1))
            await trio.lowlevel.wait_readable(sock)
            return len(sock.recv(65536))

    def all_of_them() -> list[object]:
        code = f"import socket; s = socket.socket(16, 3, 16); s.send({get(1)!r}); " \
               "print(len(s.recv(9999)))"  # fmt: skip
        program = subprocess.check_output([sys.executable, "-c", code], text=True)
        return [int(program), asyncio.run(in_asyncio()), trio.run(in_trio)]

    assert kernel.thread(all_of_them).result(timeout=SECONDS) == [596, 596, 596]


def test_pyroute2(kernel: EmulatedKernel) -> None:
    pyroute2 = pytest.importorskip("pyroute2")
    kernel.tasks.spawn("x", pid=321)

    def use() -> object:
        with pyroute2.TaskStats() as tasks:
            tasks.bind()
            (message,) = tasks.get_pid_stat(321)
            return message.get_nested("TASKSTATS_TYPE_AGGR_PID", "TASKSTATS_TYPE_PID")

    assert kernel.thread(use).result(timeout=SECONDS) == 321


# Debian's, which is synchronous; ours above is an asyncio program (0.9). In a process of its own,
# for one process can import one of them.
OLD_PYROUTE2 = """
import sys
from netlink_emu.testing import EmulatedKernel
sys.path.insert(0, "/usr/lib/python3/dist-packages")
import pyroute2
from pyroute2.netlink.exceptions import NetlinkError

def use():
    with pyroute2.TaskStats() as tasks:
        tasks.bind()
        (message,) = tasks.get_pid_stat(321)
        try:
            tasks.get_pid_stat(322)
        except NetlinkError as exc:
            error = exc.code
        tasks.register_mask("0")
        return message.get_nested("TASKSTATS_TYPE_AGGR_PID", "TASKSTATS_TYPE_PID"), error

def seccomp():
    lines = open("/proc/thread-self/status").read().splitlines()
    return [line for line in lines if line.startswith(("Seccomp:", "NoNewPrivs:"))]

before = seccomp()
with EmulatedKernel() as kernel:
    kernel.tasks.spawn("x", pid=321)
    print(kernel.thread(use).result(timeout=300), pyroute2.__file__.startswith("/usr/lib"))
print(seccomp() == before)
"""


def test_the_pyroute2_of_debian() -> None:
    if not Path("/usr/lib/python3/dist-packages/pyroute2").exists():
        pytest.skip("needs python3-pyroute2")
    done = subprocess.run(
        [sys.executable, "-c", OLD_PYROUTE2],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("(321, 3) True\nTrue\n", "")


def test_two_kernels_beside_each_other() -> None:
    with EmulatedKernel("2.6.35") as old, EmulatedKernel("6.18") as new:
        assert [k.thread(ask, 1).result()["version"] for k in (old, new)] == [7, 16]


def test_one_that_does_not_end(kernel: EmulatedKernel) -> None:
    forever = threading.Event()
    thread = kernel.thread(forever.wait)
    with pytest.raises(TimeIsUp, match="still runs after"):
        thread.result(timeout=0.05)
    forever.set()
    assert thread.result()


def test_a_thread_that_ended_is_not_waited_for(kernel: EmulatedKernel) -> None:
    def fails() -> None:
        raise ValueError("no config")

    kernel.thread(fails)
    with pytest.raises(TimeIsUp, match=r"every client has ended(.|\n)*thread fails: raised"):
        kernel.wait_for_listener(timeout=SECONDS)


def test_closing_the_kernel_ends_its_receive() -> None:
    ended = threading.Event()

    def listen() -> None:
        with generic() as sock:
            sock.send(register("0"))
            try:
                while sock.recv(65536):
                    pass
            except OSError:
                pass
        ended.set()

    with EmulatedKernel() as kernel:
        kernel.thread(listen)
        kernel.wait_for_listener(cpu=0)
    assert ended.wait(SECONDS)
