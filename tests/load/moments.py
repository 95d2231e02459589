"""Faults: signals at any moment to the commands, clocks that jump."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final
from unittest import mock

from bench.machines import Emulated
from bench.messages import get_pid
from helpers.nets import SECONDS

from load.audit import Audit
from load.kills import nobody_left
from load.place import until
from load.size import NETLINK_EMU, Size
from load.wire import parse_event
from netlink_emu.faults import Faults
from netlink_emu.host.clock import RealClock
from netlink_emu.journal import Journal
from netlink_emu.machine.scenario import parse_scenario
from netlink_emu.machine.timeline import Timeline

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SCENARIO: Final = """
cpus = 4
[[task]]
comm = "tick"
every = 2
times = 100000
timeline = [{ at = 0, run = 1 }, { at = 1, exit = 3 }]
"""
# Registers for exits, and reads them until a signal ends it.
CLIENT: Final = """
import socket, struct
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
s.send(struct.pack("=IHHIIBBxxHH4s", 28, 0x1f, 5, 1, 0, 1, 1, 8, 3, b"0-3\\0"))
while True:
    s.recv(4096)
"""


def signals(size: Size, seed: int) -> Audit:
    """``serve`` and ``run`` get signals: as they start, as they serve, in a storm, twice."""
    audit = Audit("signals")
    with tempfile.TemporaryDirectory() as folder:
        _signals(audit, size, random.Random(seed), Path(folder))
    return audit


def _signals(audit: Audit, size: Size, chance: random.Random, folder: Path) -> None:
    (folder / "storm.toml").write_text(SCENARIO)
    (folder / "run").mkdir(mode=0o700)
    for number in range(size.signals):
        which = ("serve", "run")[number % 2]
        one = _one(audit, which, chance, folder)
        audit.figures[which] = audit.figures.get(which, 0) + one
    audit.equal("files", sorted(os.listdir(folder)), sorted({"storm.toml", "run"}))
    audit.equal("socket files", os.listdir(folder / "run"), [])


def _one(audit: Audit, which: str, chance: random.Random, folder: Path) -> int:
    options = ["--scenario", str(folder / "storm.toml"), "--start", "boot"]
    options += ["--journal", str(folder / "j.pcapng")]
    command = [*NETLINK_EMU, which, *options]
    if which == "serve":
        command += ["--socket", str(folder / "run" / "nl")]
    else:
        command += ["--tasks", "none", "--", sys.executable, "-c", CLIENT]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )
    sent = []
    time.sleep(chance.uniform(0, 1.0))
    for _ in range(chance.randint(1, 3)):
        sent.append(chance.choice(SIGNALS))
        process.send_signal(sent[-1])
        time.sleep(chance.choice([0, 0, 0.001, 0.02]))
    names = " ".join(number.name for number in sent)
    try:
        _, said = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        audit.check(False, f"{which} does not end by {names}")
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return 1
    expected = {128 + number for number in sent} | {-number for number in sent}
    # Until our main() runs, SIGINT meets Python, which shows where it was.
    expected |= {1} if b"init_import_site" in said else set()
    status = process.returncode
    audit.check(status in expected, f"{which}: status {status} after {names}: {said!r}")
    ours = re.search(rb'cli/main\.py", line \d+, in main\n', said)
    audit.check(not ours, f"{which}: a traceback after {names}: {said.decode()}")
    audit.check(not (folder / "run" / "nl").exists(), f"{which}: a socket is left by {names}")
    left = until(lambda: nobody_left(process.pid))
    audit.check(left, f"{which}: processes are left by {names}")
    for file in (folder / "j.pcapng", folder / "run" / "nl"):
        file.unlink(missing_ok=True)
    return 1


class Jumping:
    """time.time_ns() and time.monotonic_ns() of a machine whose clocks are set."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.realtime = time.time_ns()
        self.monotonic = time.monotonic_ns()

    def time_ns(self) -> int:
        return self.realtime

    def monotonic_ns(self) -> int:
        return self.monotonic

    def jump(self) -> None:
        """CLOCK_REALTIME to any time that settimeofday(2) takes; CLOCK_MONOTONIC never back."""
        self.realtime = self._chance.choice(
            [0, 1, time.time_ns(), (1 << 32) * 10**9, (1 << 33) * 10**9, self.realtime - 10**12]
        )
        self.realtime = max(0, self.realtime)
        self.monotonic += self._chance.choice([0, 1, 10**6, 10**12, 10**17])


def clocks(size: Size, seed: int) -> Audit:
    """Clocks jump under listeners, a timeline and what a fault delays."""
    audit = Audit("clocks")
    jumping = Jumping(random.Random(seed))
    jumps = size.exits // 20
    with (
        mock.patch("time.time_ns", jumping.time_ns),
        mock.patch("time.monotonic_ns", jumping.monotonic_ns),
    ):
        for speed in (1.0, 1000.0):
            jumper = Jumper(audit, jumping, speed)
            for _ in range(jumps):
                jumper.jump()
            jumper.end()
            audit.check(bool(jumper.events and jumper.late), "nothing happened")
            said = f"{jumps} jumps, {jumper.events} events, {jumper.late} late answers"
            audit.figures[f"at {speed:g} times the speed"] = said
    return audit


class Jumper:
    """A machine on the host's clock, with a timeline, a listener, and a fault that delays."""

    def __init__(self, audit: Audit, jumping: Jumping, speed: float) -> None:
        self._audit, self._jumping = audit, jumping
        self._clock = RealClock(speed)
        self._last = self._clock.monotonic_ns()
        self._emulated = Emulated(clock=self._clock)
        self._faults = Faults(self._emulated.kernel, Journal(self._emulated.kernel))
        self._faults.parse("delay seconds=1 kind=error count=always")
        self._timeline = Timeline(parse_scenario(SCENARIO), self._emulated.machine)
        self._listener, self._asks = self._emulated.listener("0-3"), self._emulated.socket()
        self.events = self.late = 0

    def jump(self) -> None:
        audit, clock, asks = self._audit, self._clock, self._asks
        self._jumping.jump()
        now = clock.monotonic_ns()
        audit.check(now >= self._last, f"the monotonic clock went from {self._last} to {now}")
        self._last = now
        self._timeline.run_due(10)
        if self._timeline.next_ns is not None:
            audit.check(clock.seconds_until(self._timeline.next_ns) < 3600, "a step is far off")
        asks.sendmsg(self._emulated.current, get_pid(3_999_999))  # ESRCH, a second later
        self._faults.run_due()
        self._read()
        asks.sendmsg(self._emulated.current, get_pid(self._emulated.task.pid))
        audit.equal("answers to a question", len(asks.receive_queue), 1)
        asks.take_datagram()

    def _read(self) -> None:
        for sock in (self._listener, self._asks):
            sock.take_error()
            while sock.receive_queue:
                self.events += parse_event(sock.recvmsg(4096).data) is not None
                self.late += sock is self._asks

    def end(self) -> None:
        self._jumping.monotonic += 10**12
        self._faults.run_due()
        self._audit.equal("what is held back at the end", self._faults.next_ns, None)
