"""Whole commands: how soon they begin and end, and the conformance corpus."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.figure import Effort, Relation, Result, compared
from bench.measure import by_turns, difference, repeated

NETLINK_EMU = str(Path(sys.executable).with_name("netlink-emu"))
# How long a client waits before it is interrupted: it is looked after more rarely by then.
SETTLED = 1.5
WAITS = """
import socket
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
s.bind((0, 0))
print(flush=True)
s.{call}(100)
"""
FIRST = """
import time
from netlink_emu.testing import EmulatedKernel
with EmulatedKernel() as kernel:
    start = time.perf_counter()
    {what}
    print(1000 * (time.perf_counter() - start))
"""


def environment(cache: str) -> dict[str, str]:
    """With compiled modules kept, as an installed program has them, but not in the checkout."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": cache}


def seconds(command: Sequence[str], env: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=env)
    return time.perf_counter() - start


def cpu_seconds(command: Sequence[str], env: dict[str, str]) -> float:
    """What a command that runs alone uses, with all that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=env)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def figures(effort: Effort) -> list[Result]:
    with tempfile.TemporaryDirectory() as cache:
        env = environment(cache)
        start_up = by_turns(
            lambda: seconds([NETLINK_EMU, "run", "--", "true"], env) * 1000,
            lambda: seconds(["true"], env) * 1000,
            effort.rounds,
            difference,
        )
        corpus = repeated(
            lambda: seconds([NETLINK_EMU, "conformance"], env), min(5, effort.rounds)
        )
        return [
            compared(
                "netlink-emu run -- true", "true alone",
                "ms", Relation.AT_MOST_MORE, 75, start_up,
            ),
            _spawn(effort, env),
            _first("popen", "kernel.popen(['true']).wait()", 150, effort, env),
            _first("thread", "kernel.thread(lambda: None)", 300, effort, env),
            *(_interrupt(call, effort, env) for call in ("recv", "recvmsg")),
            Result(
                "conformance corpus, emulator", "the whole command",
                "s", Relation.AT_MOST, 10, corpus, None, corpus,
            ),
        ]  # fmt: skip


@contextmanager
def _server(env: dict[str, str]) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "netlink-emu"))
        command = [NETLINK_EMU, "serve", "--socket", path, "--control", "--tasks", "none"]
        with subprocess.Popen(command, env=env, stderr=subprocess.PIPE) as server:
            try:
                assert server.stderr is not None
                server.stderr.readline()  # ready
                yield path
            finally:
                server.terminate()


def _spawn(effort: Effort, env: dict[str, str]) -> Result:
    with _server(env) as path:
        command = [NETLINK_EMU, "tasks", "spawn", "--socket", path, "worker"]
        cpu_seconds(command, env)
        found = repeated(lambda: cpu_seconds(command, env) * 1000, min(11, effort.rounds))
    return Result(
        "netlink-emu tasks spawn, CPU time", "the command's own",
        "ms", Relation.AT_MOST, 150, found, None, found,
    )  # fmt: skip


def _first(name: str, what: str, goal: float, effort: Effort, env: dict[str, str]) -> Result:
    command = [sys.executable, "-c", FIRST.format(what=what)]

    def probe() -> float:
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=env)
        return float(done.stdout)

    probe()
    found = repeated(probe, min(11, effort.rounds))
    return Result(
        f"first kernel.{name}() of a process", "the call's own",
        "ms", Relation.AT_MOST, goal, found, None, found,
    )  # fmt: skip


def _interrupt(call: str, effort: Effort, env: dict[str, str]) -> Result:
    found = repeated(lambda: _interrupted(call, env) * 1000, min(5, effort.rounds))
    return Result(
        f"Ctrl-C while a client waits in {call}", "until all have ended",
        "ms", Relation.AT_MOST, 150, found, None, found,
    )  # fmt: skip


def _interrupted(call: str, env: dict[str, str]) -> float:
    command = [NETLINK_EMU, "run", "--", sys.executable, "-c", WAITS.format(call=call)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env, process_group=0
    ) as client:
        assert client.stdout is not None
        client.stdout.readline()
        time.sleep(SETTLED)
        start = time.perf_counter()
        os.killpg(client.pid, signal.SIGINT)
        client.wait()
        return time.perf_counter() - start
