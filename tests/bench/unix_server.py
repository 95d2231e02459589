"""Requests over the Unix datagram socket, beside an echo server that does nothing else."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from socket import AF_UNIX, MSG_DONTWAIT, SOCK_DGRAM, socket
from typing import NoReturn

import trio

from bench import real_kernel
from bench.figure import Effort, Relation, Result, compared
from bench.machines import Emulated
from bench.measure import Probe, by_turns, repeated
from bench.messages import ANSWER_SIZE, get_pid
from bench.processes import process
from netlink_emu.host.clock import RealClock
from netlink_emu.server.serve import serve

ANSWER = bytes(ANSWER_SIZE)
BUFFER = 65536
IN_FLIGHT = 8


def _serve_emulated(path: str) -> None:
    trio.run(serve, Emulated(clock=RealClock()).kernel, path)


def _echo(path: str) -> NoReturn:
    """The bare limit: a blocking read, a send, in a loop."""
    with socket(AF_UNIX, SOCK_DGRAM) as sock:
        sock.bind(path)
        while True:
            _, address = sock.recvfrom(BUFFER)
            sock.sendto(ANSWER, address)


async def _echo_batches(path: str) -> NoReturn:
    """The bare limit of a trio server: each wake-up reads and answers all that is there."""
    with socket(AF_UNIX, SOCK_DGRAM) as sock:
        sock.bind(path)
        while True:
            await trio.lowlevel.wait_readable(sock)
            try:
                while True:
                    _, address = sock.recvfrom(BUFFER, MSG_DONTWAIT)
                    sock.sendto(ANSWER, MSG_DONTWAIT, address)
            except BlockingIOError:
                pass


@contextmanager
def _client(path: Path, name: str) -> Iterator[socket]:
    """A client of the server at ``path``, as soon as there is one."""
    with socket(AF_UNIX, SOCK_DGRAM) as sock:
        sock.bind(str(path.parent / name))
        deadline = time.monotonic() + 10
        while True:
            try:
                sock.connect(str(path))
                break
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        sock.settimeout(10)
        sock.send(REQUEST)
        assert len(sock.recv(BUFFER)) == ANSWER_SIZE
        sock.settimeout(None)
        yield sock


REQUEST = get_pid(3)  # the second task behind init and the client


def _one_by_one(sock: socket, count: int) -> Probe:
    """Microseconds from a request to its answer."""

    def probe() -> float:
        send, recv = sock.send, sock.recv
        start = time.perf_counter_ns()
        for _ in range(count):
            send(REQUEST)
            recv(BUFFER)
        return (time.perf_counter_ns() - start) / count / 1000

    return probe


def _several(sock: socket, count: int) -> Probe:
    """Requests answered in a second while IN_FLIGHT are on their way."""

    def probe() -> float:
        send, recv = sock.send, sock.recv
        start = time.perf_counter_ns()
        for _ in range(IN_FLIGHT):
            send(REQUEST)
        for _ in range(count):
            recv(BUFFER)
            send(REQUEST)
        for _ in range(IN_FLIGHT):
            recv(BUFFER)
        return (count + IN_FLIGHT) / ((time.perf_counter_ns() - start) / 1e9)

    return probe


@contextmanager
def _pair(
    echo: Callable[[str], object], client_cpus: set[int] | None, server_cpus: set[int] | None
) -> Iterator[tuple[socket, socket]]:
    """Clients of both servers."""
    allowed = os.sched_getaffinity(0)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ours, bare = folder / "private" / "emulated", folder / "bare"
        stack.enter_context(process(lambda: _serve_emulated(str(ours)), server_cpus))
        stack.enter_context(process(lambda: echo(str(bare)), server_cpus))
        if client_cpus is not None:
            os.sched_setaffinity(0, client_cpus)
            stack.callback(os.sched_setaffinity, 0, allowed)
        (ours.parent).mkdir(mode=0o700, exist_ok=True)
        yield (
            stack.enter_context(_client(ours, "client")),
            stack.enter_context(_client(bare, "bare-client")),
        )


def round_trip(
    effort: Effort,
    name: str,
    client_cpus: set[int] | None = None,
    server_cpus: set[int] | None = None,
    goal: float | None = None,
) -> Result:
    count = effort.times(2000)
    with _pair(_echo, client_cpus, server_cpus) as (ours, bare):
        comparison = by_turns(_one_by_one(ours, count), _one_by_one(bare, count), effort.rounds)
    kernel = None
    if client_cpus is None and real_kernel.available():
        with real_kernel.Client() as client:
            kernel = repeated(client.one_by_one(count), effort.rounds)
    return compared(
        name, "bare Python echo, recvfrom and sendto of the same sizes",
        "µs", Relation.AT_MOST_TIMES, goal, comparison, kernel,
    )  # fmt: skip


def in_flight(effort: Effort) -> Result:
    count = effort.times(4000)
    with _pair(lambda path: trio.run(_echo_batches, path), None, None) as (ours, bare):
        comparison = by_turns(_several(ours, count), _several(bare, count), effort.rounds)
    return compared(
        f"the same, {IN_FLIGHT} in flight, requests per second",
        "bare echo, batched after trio's wait_readable",
        "1/s", Relation.AT_LEAST_TIMES, 0.5, comparison,
    )  # fmt: skip


def figures(effort: Effort) -> list[Result]:
    name = "request → answer over the Unix datagram socket (GET by PID)"
    results = [round_trip(effort, name, goal=1.3)]
    cpus = sorted(os.sched_getaffinity(0))
    results.append(round_trip(effort, "… client and server on one CPU", {cpus[0]}, {cpus[0]}))
    if len(cpus) > 1:
        results.append(round_trip(effort, "… client and server on two CPUs", {cpus[0]}, {cpus[1]}))
    results.append(in_flight(effort))
    return results
