"""How cost grows: an exit costs what its own CPU's listeners cost, and nothing else."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.figure import Effort
from bench.machines import Emulated
from bench.measure import Spread
from bench.messages import get_pid
from netlink_emu.kernel.af_netlink import NetlinkSock


@dataclass(frozen=True, slots=True)
class Curve:
    """Microseconds by how many there are of something."""

    title: str
    axis: str
    lines: dict[str, list[tuple[int, Spread]]] = field(default_factory=dict)

    def note(self, line: str, count: int, spread: Spread) -> None:
        self.lines.setdefault(line, []).append((count, spread))


def _exits(emulated: Emulated, listeners: list[NetlinkSock], times: int) -> Spread:
    """Microseconds for an exit on CPU 0, until it lies in the queues of ``listeners``."""
    tasks = emulated.machine.tasks
    found = []
    for _ in range(times):
        task = emulated.fork(cpu=0)
        start = time.perf_counter_ns()
        tasks.do_exit(task, 0)
        found.append((time.perf_counter_ns() - start) / 1000)
        tasks.reap(task)
        for sock in listeners:
            assert sock.take_datagram() is not None
    return Spread.of(found)


def _gets(emulated: Emulated, times: int) -> Spread:
    """Microseconds for a GET and its answer, in memory."""
    sock, request = emulated.socket(), get_pid(emulated.task.pid)
    found = []
    for _ in range(times):
        start = time.perf_counter_ns()
        sock.sendmsg(emulated.current, request)
        answer = sock.take_datagram()
        found.append((time.perf_counter_ns() - start) / 1000)
        assert answer is not None
    return Spread.of(found)


def _grow(curve: Curve, counts: list[int], times: int, build: Callable[[int], Emulated]) -> Curve:
    """Exits with one listener on their CPU, and GETs, on ever larger machines."""
    for count in counts:
        emulated = build(count)
        listener = emulated.listener("0")
        gc.collect()
        curve.note("an exit, one listener on its CPU", count, _exits(emulated, [listener], times))
        curve.note("a GET", count, _gets(emulated, times))
    return curve


def _with_listeners(times: int) -> Curve:
    curve = Curve("listeners", "listeners")
    for count in (1, 10, 100, 1_000, 10_000):
        few = max(5, times * 10 // (10 + count))
        emulated = Emulated(cpus=2)
        listeners = [emulated.listener("0") for _ in range(count)]
        gc.collect()
        curve.note("an exit, all on its CPU", count, _exits(emulated, listeners, few))
        emulated = Emulated(cpus=2)
        one = emulated.listener("0")
        others = [emulated.listener("1") for _ in range(count - 1)]
        gc.collect()
        curve.note("an exit, all but one on another", count, _exits(emulated, [one], times))
        assert not any(sock.receive_queue for sock in others)
    return curve


def _with_tasks(count: int) -> Emulated:
    emulated = Emulated()
    for _ in range(count):
        emulated.fork(cpu=1)
    return emulated


def _with_sockets(count: int) -> Emulated:
    emulated = Emulated()
    for _ in range(count):
        emulated.listener("1")
    return emulated


def curves(effort: Effort) -> list[Curve]:
    times = effort.times(400)
    tasks, cpus, sockets = (
        Curve("tasks", "tasks"),
        Curve("CPUs", "CPUs"),
        Curve("sockets", "sockets"),
    )
    return [
        _with_listeners(times),
        _grow(tasks, [1, 10, 100, 1_000, 10_000, 100_000], times, _with_tasks),
        _grow(cpus, [1, 4, 16, 64, 256, 1_024], times, lambda count: Emulated(cpus=count)),
        _grow(sockets, [1, 5, 50, 500, 5_000], times, _with_sockets),
    ]
