"""Cancelled at any checkpoint, server, supervisor and the tests' loop leave nothing behind."""

from __future__ import annotations

import array
import contextlib
import select
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import CancelledError
from functools import partial
from pathlib import Path
from typing import Final

import pytest
import trio
from helpers.cancelling import CancelAt, Traces, at_every_checkpoint, run_cancelled
from helpers.interposed import needs_interposer
from helpers.nets import SECONDS
from helpers.serving import FENCE, hello, register

from netlink_emu.families import BootedKernel, boot
from netlink_emu.interpose.abi import native
from netlink_emu.interpose.client import fds
from netlink_emu.interpose.filter.bpf_filter import build_filter
from netlink_emu.interpose.launch import launch
from netlink_emu.interpose.supervisor import Supervisor
from netlink_emu.machine.machine import Machine
from netlink_emu.protocol.format import HOST_ORDER
from netlink_emu.protocol.ours.relay import RELAY_HELLO, RelayHello
from netlink_emu.server.serve import serve
from netlink_emu.testing.thread.loop import Loop, Running


def make_kernel() -> BootedKernel:
    return boot(Machine(cpus=2))


def hand_over(way: socket.socket, greeting: bytes, kind: int) -> socket.socket:
    mine, theirs = socket.socketpair(socket.AF_UNIX, kind)
    with theirs:
        rights = array.array("i", [theirs.fileno()])
        way.sendmsg([greeting], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    mine.setblocking(False)
    return mine


async def answer(sock: socket.socket) -> bytes:
    await trio.lowlevel.wait_readable(sock)
    return sock.recv(1 << 16)


async def talk(kernel: BootedKernel, path: Path) -> None:
    """Each way of being a client, each kind of task that the server starts."""
    with contextlib.ExitStack() as stack:
        way = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        way.bind("")
        way.connect(str(path))
        way.setblocking(False)
        way.send(register("0-1"))
        await answer(way)
        channel = stack.enter_context(hand_over(way, hello(), socket.SOCK_SEQPACKET))
        await answer(channel)
        channel.send(register("0-1"))
        await answer(channel)
        greeting = RELAY_HELLO[HOST_ORDER].encode(RelayHello())
        relay = stack.enter_context(hand_over(way, greeting, socket.SOCK_STREAM))
        await answer(relay)
        for _ in range(20):  # more than a client holds: a backlog
            task = kernel.machine.tasks.fork(comm="x")
            kernel.machine.tasks.do_group_exit(task, 0)
        await answer(way)
        await answer(channel)
        channel.close()
        await trio.sleep(0.01)  # the backlog is tried again
        relay.close()
        way.send(FENCE)
        await answer(way)


def test_the_server(tmp_path: Path) -> None:
    path = tmp_path / "run" / "nl"

    async def scenario() -> None:
        kernel = make_kernel()
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(serve, kernel, path))
            await talk(kernel, path)
            nursery.cancel_scope.cancel()

    def no_file() -> None:
        assert not path.exists()

    steps = at_every_checkpoint(partial(run_cancelled, scenario), no_file)
    assert steps > 20


# Asks, is asked, waits for a message in one thread while another sends it.
CLIENT: Final = """
import socket, threading, struct
a, b = (socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16) for _ in range(2))
try:
    b.bind((77, 0))
    thread = threading.Thread(target=b.recv, args=(100,))
    thread.start()
    a.send(struct.pack("=IHHIIBBHHH", 28, 16, 1, 1, 0, 3, 1, 0, 8, 1) + bytes(4))
    a.recv(4096)
    a.sendto(bytes(16), (77, 0))
    thread.join()
except OSError:
    pass
"""


@needs_interposer
def test_the_supervisor() -> None:
    high = fds.choose_high(fds.open_files_limit())
    program = build_filter(native(), high=high)
    command = [sys.executable, "-I", "-S", "-c", CLIENT]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, stderr=subprocess.DEVNULL)

    def run(step: int) -> bool:
        launched = launch(program, start)
        with launched.value as client:

            async def scenario() -> None:
                supervisor = Supervisor(
                    make_kernel(), launched.listener, high=high, pending=launched.pending
                )
                await supervisor.run()

            try:
                cancelled = run_cancelled(scenario, step)
                # Nobody serves it any more, and it does not wait for anybody.
                client.wait(SECONDS)
            finally:
                client.kill()
        return cancelled

    assert at_every_checkpoint(run, lambda: None) > 5


@pytest.fixture
def loop() -> Iterator[Loop]:
    before = Traces()
    loop = Loop()
    yield loop
    loop.stop()
    assert Traces().new(before) == []


def test_the_loop_of_tests(loop: Loop, tmp_path: Path) -> None:
    path = tmp_path / "run" / "nl"
    ends: list[str] = []

    def ask(instrument: CancelAt) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.bind("")
            client.connect(str(path))
            client.send(FENCE)
            # A datagram socket does not tell that the other is gone.
            while not instrument.fired:
                if select.select([client], [], [], 0.01)[0]:
                    assert struct.unpack_from("=I", client.recv(100)) == (36,)
                    return

    def run(step: int) -> bool:
        kernel = make_kernel()
        ends.clear()

        def begin() -> tuple[Running, CancelAt]:
            running = Running(
                partial(serve, kernel, path),
                lambda exc: ends.append(repr(exc)),
                lambda: ends.append("over"),
            )
            instrument = CancelAt(step, running._scope)
            trio.lowlevel.add_instrument(instrument)
            return running, instrument

        running, instrument = loop.call(begin)
        try:
            running.started.result(SECONDS)
            loop.call(lambda: None)
            if not instrument.fired:
                with contextlib.suppress(OSError):
                    ask(instrument)
        except CancelledError:
            assert instrument.fired
        running.cancel(loop)
        loop.call(lambda: trio.lowlevel.remove_instrument(instrument))
        return instrument.fired

    def it_ended_once() -> None:
        assert ends == ["over"]
        assert not path.exists()

    assert at_every_checkpoint(run, it_ended_once) > 5
