"""Heavy clients under `netlink-emu run`: many threads, many sockets, one that only waits."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.commands import NETLINK_EMU, SETTLED, WAITS
from bench.figure import Effort, Relation, Result, compared
from bench.measure import Probe, by_turns, repeated

CLIENT = Path(__file__).with_name("busy_client.c")
THREADS = 16
SOCKETS = 3000
MANY = 20_000
# The supervisor reckons with two descriptors for each socket, and needs so many besides.
SPARE = 1000
LOOKED_AT = 4.0  # seconds


def figures(effort: Effort) -> list[Result]:
    rounds = min(effort.rounds, 5)
    idle = [_idle(call, min(rounds, 3)) for call in ("recv", "recvmsg")]
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return idle
    with tempfile.TemporaryDirectory() as folder:
        client = str(Path(folder, "busy_client"))
        subprocess.run([compiler, "-O2", "-pthread", "-o", client, str(CLIENT)], check=True)
        return [*_threads(client, effort, rounds), *_sockets(client, rounds), *idle]


def seconds(client: str, *arguments: object, under: Sequence[str] = ()) -> float:
    command = [*under, client, *map(str, arguments)]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


UNDER = (NETLINK_EMU, "run", "--")


def _threads(client: str, effort: Effort, rounds: int) -> list[Result]:
    """The host's own nlctrl is asked beside, as anybody may."""
    each = effort.times(200)

    def asking(threads: int, sockets: int, under: Sequence[str] = ()) -> Probe:
        requests = each * THREADS // threads
        scale = 1e6 / (requests * threads)
        return lambda: seconds(client, "ask", threads, sockets, requests, under=under) * scale

    results = []
    for sockets, name in ((THREADS, "a socket each"), (1, "on one socket")):
        found = by_turns(asking(THREADS, sockets, UNDER), asking(THREADS, sockets), rounds)
        results.append(
            compared(
                f"{THREADS} threads of a C client, {name}, per request",
                "the same, real kernel",
                "µs", Relation.AT_MOST_TIMES, 8, found,
            )
        )  # fmt: skip
    alone = by_turns(asking(THREADS, THREADS, UNDER), asking(1, 1, UNDER), rounds)
    results.append(
        compared(
            f"… {THREADS} threads with a socket each", "one thread",
            "µs", Relation.AT_MOST_TIMES, 1, alone,
        )
    )  # fmt: skip
    return results


def _sockets(client: str, rounds: int) -> list[Result]:
    """And twice to four times as many, as many as the limit of open files allows at most."""
    found = repeated(lambda: seconds(client, "keep", SOCKETS, under=UNDER), rounds)
    some = Result(
        f"{SOCKETS:,} sockets under netlink-emu run", "all of them",
        "s", Relation.AT_MOST, 2, found, None, found,
    )  # fmt: skip
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = MANY if hard == resource.RLIM_INFINITY else min(MANY, (hard - SPARE) // 2)
    if allowed < 2 * SOCKETS:
        return [some]

    def keeping(count: int) -> Probe:
        return lambda: seconds(client, "keep", count, under=UNDER) * 1e6 / count

    each = by_turns(keeping(allowed), keeping(SOCKETS), min(rounds, 3))
    return [
        some,
        compared(
            f"… each of {allowed:,}", f"each of {SOCKETS:,}",
            "µs", Relation.AT_MOST_TIMES, 1.25, each,
        ),
    ]  # fmt: skip


def _idle(call: str, rounds: int) -> Result:
    found = repeated(lambda: _share_of_a_core(call), rounds)
    return Result(
        f"supervisor of a client that waits in {call}", "one core",
        "%", Relation.AT_MOST, 0.4, found, None, found,
    )  # fmt: skip


def _share_of_a_core(call: str) -> float:
    """The supervisor's CPU time, in percent of the time that passes."""
    command = [*UNDER, sys.executable, "-c", WAITS.format(call=call)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as supervisor:
        try:
            assert supervisor.stdout is not None
            supervisor.stdout.readline()
            time.sleep(SETTLED)
            before, start = _cpu_seconds(supervisor.pid), time.monotonic()
            time.sleep(LOOKED_AT)
            used = _cpu_seconds(supervisor.pid) - before
            return 100 * used / (time.monotonic() - start)
        finally:
            supervisor.terminate()  # which is handed on to the client


def _cpu_seconds(pid: int) -> float:
    """Of all threads of a process, to the nanosecond: /proc/P/task/T/schedstat."""
    tasks = Path(f"/proc/{pid}/task")
    spent = sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir())
    return spent / 1e9
