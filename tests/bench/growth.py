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

AT_ONCE = 20
MANY = 1_000  # listeners of one exit: a few exits take long enough


@dataclass(frozen=True, slots=True)
class Curve:
    """Microseconds by how many there are of something."""

    title: str
    axis: str
    lines: dict[str, list[tuple[int, Spread]]] = field(default_factory=dict)

    def note(self, line: str, count: int, spread: Spread) -> None:
        self.lines.setdefault(line, []).append((count, spread))


class Sample:
    """One machine of a curve, and what was measured on it so far."""

    def __init__(self, line: str, count: int, emulated: Emulated, listeners: int = 1) -> None:
        self.line = line
        self.count = count
        self._emulated = emulated
        self._listeners = [emulated.listener("0") for _ in range(listeners)]
        self._asking = emulated.socket()
        self._request = get_pid(emulated.task.pid)
        self.exits: list[float] = []
        self.gets: list[float] = []

    def exit(self) -> None:
        """Tasks exit on CPU 0; microseconds until that lies in the queues of its listeners."""
        tasks = self._emulated.machine.tasks
        for _ in range(AT_ONCE if len(self._listeners) < MANY else 2):
            task = self._emulated.fork(cpu=0)
            start = time.perf_counter_ns()
            tasks.do_exit(task, 0)
            self.exits.append((time.perf_counter_ns() - start) / 1000)
            tasks.reap(task)
            for sock in self._listeners:
                assert sock.take_datagram() is not None

    def get(self) -> None:
        """Microseconds for a GET and its answer, in memory."""
        sock, current = self._asking, self._emulated.current
        for _ in range(AT_ONCE):
            start = time.perf_counter_ns()
            sock.sendmsg(current, self._request)
            answer = sock.take_datagram()
            self.gets.append((time.perf_counter_ns() - start) / 1000)
            assert answer is not None


def _measure(curve: Curve, samples: list[Sample], rounds: int, *, gets: bool = True) -> Curve:
    """All machines in turn, again and again: what else this one does meets them all."""
    gc.collect()
    gc.freeze()  # what is there stays, and need not be looked through
    for _ in range(rounds):
        for sample in samples:
            sample.exit()
            if gets:
                sample.get()
    gc.unfreeze()
    for sample in samples:
        curve.note(sample.line, sample.count, Spread.of(sample.exits))
    if gets:
        for sample in samples:
            curve.note("a GET", sample.count, Spread.of(sample.gets))
    return curve


def _grow(axis: str, counts: list[int], rounds: int, build: Callable[[int], Emulated]) -> Curve:
    """Exits with one listener on their CPU, and GETs, on ever larger machines."""
    line = "an exit, one listener on its CPU"
    samples = [Sample(line, count, build(count)) for count in counts]
    return _measure(Curve(axis, axis), samples, rounds)


def _with_listeners(rounds: int) -> Curve:
    counts = (1, 10, 100, 1_000, 10_000)
    samples = [Sample("an exit, all on its CPU", n, Emulated(cpus=2), n) for n in counts]
    for count in counts:
        emulated = Emulated(cpus=2)
        for _ in range(count - 1):
            emulated.listener("1")
        samples.append(Sample("an exit, all but one on another", count, emulated))
    return _measure(Curve("listeners", "listeners"), samples, rounds, gets=False)


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
    rounds = effort.times(30)
    return [
        _with_listeners(rounds),
        _grow("tasks", [1, 10, 100, 1_000, 10_000, 100_000], rounds, _with_tasks),
        _grow("CPUs", [1, 4, 16, 64, 256, 1_024], rounds, lambda count: Emulated(cpus=count)),
        _grow("sockets", [1, 5, 50, 500, 5_000], rounds, _with_sockets),
    ]
