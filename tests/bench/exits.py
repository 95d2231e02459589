"""Exit events, from the machine to the listeners' sockets, beside a bare loop of sends."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from socket import AF_UNIX, MSG_DONTWAIT, SO_SNDBUF, SOCK_DGRAM, SOL_SOCKET, socket

import trio

from bench.figure import Effort, Relation, Result, compared
from bench.machines import Emulated
from bench.measure import Comparison, Spread, ratio
from bench.messages import ANSWER_SIZE, register
from netlink_emu.host.clock import RealClock
from netlink_emu.server.endpoint import WANTED_SNDBUF, raise_sndbuf
from netlink_emu.server.serve import serve

LISTENERS = 100
# A client that did not connect holds net.unix.max_dgram_qlen + 1 = 11 unread datagrams.
FAN_OUT_EXITS = 5
BURST = 100
DONTWAIT = int(MSG_DONTWAIT)
EVENT = bytes(ANSWER_SIZE)

Round = Callable[[], Awaitable[float]]


def drain(clients: list[socket], each: int) -> None:
    """Read ``each`` datagrams of every client; BlockingIOError says that one is missing."""
    for client in clients:
        for _ in range(each):
            client.recv(4096, DONTWAIT)


class Bare:
    """A socket that sends, and as many receivers as the server has."""

    def __init__(self, stack: ExitStack, folder: Path, count: int, *, connected: bool) -> None:
        self.sock = stack.enter_context(socket(AF_UNIX, SOCK_DGRAM))
        self.sock.bind(str(folder / "sender"))
        raise_sndbuf(self.sock)
        assert self.sock.getsockopt(SOL_SOCKET, SO_SNDBUF) >= min(WANTED_SNDBUF, 1 << 20)
        self.names = [str(folder / f"receiver{number}") for number in range(count)]
        self.receivers = [stack.enter_context(socket(AF_UNIX, SOCK_DGRAM)) for _ in self.names]
        for receiver, name in zip(self.receivers, self.names, strict=True):
            receiver.bind(name)
            if connected:
                receiver.connect(str(folder / "sender"))

    async def send(self, times: int) -> int:
        """Nanoseconds for ``times`` datagrams to each receiver."""
        sendto = self.sock.sendto
        start = time.perf_counter_ns()
        for _ in range(times):
            for name in self.names:
                sendto(EVENT, DONTWAIT, name)
        taken = time.perf_counter_ns() - start
        drain(self.receivers, times)
        return taken


class Served:
    """A server with listeners of CPU 0, in this process."""

    def __init__(self, emulated: Emulated, clients: list[socket]) -> None:
        self.emulated = emulated
        self.clients = clients
        assert emulated.kernel.taskstats is not None
        self.last: int = emulated.kernel.taskstats.listeners[0][0]

    async def exit(self, times: int, *, singly: bool = False) -> int:
        """Nanoseconds until listeners were sent ``times`` exits, at once or one by one."""
        emulated = self.emulated
        tasks = [emulated.fork(cpu=0) for _ in range(times)]
        exit_ = emulated.machine.tasks.do_exit
        # Who registered first is served last.
        queue = emulated.kernel.netlink.sockets(emulated.machine.init_net, 16)[
            self.last
        ].receive_queue
        start = time.perf_counter_ns()
        for task in tasks:
            exit_(task, 0)
            if singly:
                while queue:
                    await trio.lowlevel.checkpoint()
        while queue:
            await trio.lowlevel.checkpoint()
        taken = time.perf_counter_ns() - start
        drain(self.clients, times)
        for task in tasks:
            emulated.machine.tasks.reap(task)
        return taken


async def _register(client: socket, path: Path) -> None:
    client.sendto(register("0"), str(path))
    await trio.lowlevel.wait_readable(client)
    assert client.recv(4096)[4:6] == b"\2\0"


async def _by_turns(ours: Round, limit: Round, rounds: int) -> Comparison:
    """:func:`bench.measure.by_turns` for what runs on trio."""
    await ours()
    await limit()
    pairs = []
    for number in range(rounds):
        if number % 2:
            theirs = await limit()
            pairs.append((await ours(), theirs))
        else:
            pairs.append((await ours(), await limit()))
    return Comparison(
        Spread.of([mine for mine, _ in pairs]),
        Spread.of([theirs for _, theirs in pairs]),
        Spread.of([ratio(*pair) for pair in pairs]),
        rounds,
    )


@contextmanager
def _places(connected: bool, count: int) -> Iterator[tuple[Path, Bare, ExitStack]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        yield folder, Bare(stack, folder, count, connected=connected), stack


async def _measure(effort: Effort, count: int, times: int, *, singly: bool = False) -> Comparison:
    one = count == 1
    with _places(one, count) as (folder, bare, stack):
        emulated = Emulated(clock=RealClock())
        async with trio.open_nursery() as nursery:
            path = folder / "private" / "socket"
            await nursery.start(serve, emulated.kernel, os.fspath(path))
            clients = []
            for number in range(count):
                client = stack.enter_context(socket(AF_UNIX, SOCK_DGRAM))
                client.bind(str(folder / f"client{number}"))
                if one:  # for a burst there must be room
                    client.connect(str(path))
                await _register(client, path)
                clients.append(client)
            served = Served(emulated, clients)
            # A socket has little room, so that a round is a sum of short ones.
            repeats = effort.times(10)

            async def rate(once: Callable[[], Awaitable[int]]) -> float:
                taken = sum([await once() for _ in range(repeats)])
                return repeats * times * count / (taken / 1e9)

            comparison = await _by_turns(
                lambda: rate(lambda: served.exit(times, singly=singly)),
                lambda: rate(lambda: bare.send(times)),
                effort.rounds,
            )
            nursery.cancel_scope.cancel()
    return comparison


def figures(effort: Effort) -> list[Result]:
    fan_out = trio.run(lambda: _measure(effort, LISTENERS, FAN_OUT_EXITS, singly=True))
    burst = trio.run(_measure, effort, 1, BURST)
    single = trio.run(lambda: _measure(effort, 1, BURST, singly=True))
    limit = "bare loop of non-blocking sends of the same size"
    return [
        compared(
            f"one exit to {LISTENERS} listeners, datagrams per second", limit,
            "1/s", Relation.AT_LEAST_TIMES, 0.6, fan_out,
        ),
        compared(
            f"exits per second with one listener, machine to socket, {BURST} at a time", limit,
            "1/s", Relation.AT_LEAST_TIMES, 0.2, burst,
        ),
        compared(
            "… one at a time, each by a turn of the server's loop", limit,
            "1/s", Relation.AT_LEAST_TIMES, None, single,
        ),
    ]  # fmt: skip
