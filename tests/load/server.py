"""A server with a machine that does as it is told: ``python -m load.server PATH``.

Commands and answers are lines of JSON on standard input and output.
"""

from __future__ import annotations

import dataclasses
import json
import os
import random
import sys
import time
from collections.abc import AsyncIterator
from typing import Any, Final

import trio
from bench.machines import Emulated

from load.tally import Tally
from load.wire import CPUS
from netlink_emu.faults import Faults
from netlink_emu.host.clock import RealClock
from netlink_emu.server.serve import Server, serve

_SERIALS: Final = 60_000  # of tasks; they are reaped at once, so that numbers come again
_FIRST: Final = 1024


class Machine:
    """The emulated kernel, and what can be done to it."""

    def __init__(self) -> None:
        self.emulated: Final = Emulated(cpus=CPUS, clock=RealClock())
        self.tally: Final = Tally(self.emulated.kernel)
        self.faults: Final = Faults(self.emulated.kernel, self.tally.journal)
        self._serial = 0

    def exit(self, cpu: int) -> int:
        """A task ends on ``cpu``, which its pid tells: pid modulo 64."""
        tasks = self.emulated.machine.tasks
        self._serial = (self._serial + 1) % _SERIALS
        task = tasks.fork(pid=CPUS * (_FIRST + self._serial) + cpu, comm="task", cpu=cpu)
        tasks.do_exit(task, 0)
        tasks.reap(task)
        return task.pid

    async def storm(self, exits: int, burst: int, pause: float, seed: int) -> float:
        """Tasks end on CPUs by chance, ``burst`` at a time; the seconds that it took."""
        chance, start = random.Random(seed), time.monotonic()
        while exits > 0:
            for _ in range(min(burst, exits)):
                self.exit(chance.randrange(CPUS))
            exits -= burst
            await trio.sleep(pause)
        return time.monotonic() - start

    async def stamped(self, exits: int, pause: float) -> list[tuple[int, int]]:
        """Single exits on CPU 0: (pid, CLOCK_MONOTONIC in ns just before)."""
        stamps = []
        for _ in range(exits):
            now = time.monotonic_ns()
            stamps.append((self.exit(0), now))
            await trio.sleep(pause)
        return stamps


async def do(machine: Machine, server: Server, order: dict[str, Any]) -> object:
    """Carry out one command; its answer."""
    match order:
        case {"do": "storm", "exits": exits, "burst": burst, "pause": pause, "seed": seed}:
            return await machine.storm(exits, burst, pause, seed)
        case {"do": "stamped", "exits": exits, "pause": pause}:
            return await machine.stamped(exits, pause)
        case {"do": "one for each CPU"}:
            for cpu in range(CPUS):
                machine.exit(cpu)
            server.flush()
            return True
        case {"do": "figures"}:
            figures = machine.tally.figures()
            return figures | {"statistics": dataclasses.asdict(server.statistics())}
        case {"do": "fault", "rule": rule}:
            return str(machine.faults.parse(rule))
        case {"do": "no faults"}:
            machine.faults.clear()
            return True
    raise ValueError(f"what is {order}?")


async def _lines(fd: int) -> AsyncIterator[bytes]:
    os.set_blocking(fd, False)
    rest = b""
    while True:
        await trio.lowlevel.wait_readable(fd)
        data = os.read(fd, 1 << 16)
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield line


async def _run_late(faults: Faults) -> None:
    """What a fault delays arrives."""
    while True:
        await trio.sleep(0.01)
        if faults.next_ns is not None:
            faults.run_due()


async def main() -> None:
    machine = Machine()
    async with trio.open_nursery() as nursery:
        server = await nursery.start(
            lambda task_status: serve(
                machine.emulated.kernel, sys.argv[1], task_status=task_status
            )
        )
        nursery.start_soon(_run_late, machine.faults)
        answer: object = True
        sys.stdout.write("true\n")
        sys.stdout.flush()
        async for line in _lines(0):
            answer = await do(machine, server, json.loads(line))
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main)
