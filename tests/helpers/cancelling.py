"""Cancels a scenario at its first checkpoint, at its second, and so on; looks for what is left."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, Final

import trio

_MOST_STEPS: Final = 2000  # a net, not a pace


class CancelAt(trio.abc.Instrument):
    """Cancels ``scope`` when the tasks of the loop have made so many steps."""

    def __init__(self, step: int, scope: trio.CancelScope) -> None:
        self._left = step
        self._scope: Final = scope
        self.fired = False

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self._left -= 1
        if self._left == 0:
            self.fired = True
            self._scope.cancel()


class Traces:
    """What a process holds: descriptors by what they refer to, threads, children."""

    def __init__(self) -> None:
        self.fds: Final[dict[int, str]] = {}
        for name in os.listdir("/proc/self/fd"):
            try:
                self.fds[int(name)] = os.readlink(f"/proc/self/fd/{name}")
            except FileNotFoundError:  # that of listdir() itself
                continue
        self.threads: Final = {thread.name for thread in threading.enumerate()}
        self.children: Final = _children()

    def new(self, before: Traces) -> list[str]:
        """What has come since; empty if nothing has."""
        found = [f"{fd}: {to}" for fd, to in self.fds.items() if before.fds.get(fd) != to]
        found += [f"thread {name}" for name in self.threads - before.threads]
        return found + [f"child {pid}" for pid in self.children - before.children]


def _children() -> set[int]:
    found: set[int] = set()
    for tid in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{tid}/children") as file:
                found |= {int(pid) for pid in file.read().split()}
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def at_every_checkpoint(run: Callable[[int], bool], holds: Callable[[], Any]) -> int:
    """Call ``run`` with 1, 2, 3... until it says that it was not cancelled; returns how often.

    Each time nothing may be left, and ``holds`` must not raise.
    """
    run(_MOST_STEPS)  # what is made once in a process is made by then
    for step in range(1, _MOST_STEPS):
        before = Traces()
        cancelled = run(step)
        left = Traces().new(before)
        assert not left, f"cancelled at step {step}: {left}"
        holds()
        if not cancelled:
            return step
    raise AssertionError("the scenario has no end")


def run_cancelled(scenario: Callable[[], Any], step: int) -> bool:
    """Run an async function in a loop of its own; True if it was cancelled at this step.

    It may raise nothing but what it is cancelled by.
    """

    async def main() -> bool:
        with trio.CancelScope() as scope:
            instrument = CancelAt(step, scope)
            trio.lowlevel.add_instrument(instrument)
            try:
                await scenario()
            finally:
                trio.lowlevel.remove_instrument(instrument)
        return instrument.fired

    return trio.run(main)
