"""``netlink-emu serve`` itself, as a process that is asked, killed, ended and started again."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Final

from helpers.nets import SECONDS

from load.audit import Audit
from load.lines import Lines
from load.size import NETLINK_EMU
from load.wire import ask_own, open_socket

STATUS: Final = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGKILL: -9}


class Second:
    """The server at ``path``; failures go to ``audit``."""

    def __init__(self, audit: Audit, path: Path) -> None:
        self.path: Final = path
        self._audit: Final = audit
        self._ends: Counter[str] = Counter()
        self._process = self._start()

    def __enter__(self) -> Second:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _exc: BaseException | None,
        _tb: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [*NETLINK_EMU, "serve", "--socket", str(self.path), "--cpus", "64"]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, bufsize=0)
        assert self._process.stderr is not None
        self._said = Lines(self._process.stderr.fileno())
        self._audit.check(b"ready" in self._line(), "the second server does not start")
        return self._process

    def _line(self) -> bytes:
        return self._said.next(SECONDS) or b""

    def statistics(self) -> None:
        """SIGUSR1: a line, and it goes on."""
        self._process.send_signal(signal.SIGUSR1)
        self._audit.check(b"datagrams in" in (said := self._line()), f"SIGUSR1 brought {said!r}")
        with open_socket("connected", str(self.path)) as sock:
            sock.settimeout(SECONDS)
            ask_own(sock, "connected", str(self.path))
            self._audit.check(bool(sock.recv(4096)), "the second server does not answer")

    def restart(self, chance: random.Random) -> None:
        """Ended by a signal, once or twice, in order or not; then started again."""
        number = chance.choice(list(STATUS))
        self._ends[number.name] += 1
        for _ in range(chance.randint(1, 2)):
            self._process.send_signal(number)
        said = self._said.rest + self._process.communicate(timeout=SECONDS)[1]
        status = self._process.returncode
        self._audit.equal(f"status after {number.name}", status, STATUS[number])
        self._audit.check(b"Traceback" not in said, f"{number.name} brought {said!r}")
        left = number == signal.SIGKILL  # which nobody can clean up after
        self._audit.equal(f"the socket file after {number.name}", self.path.exists(), left)
        self._start()

    def end(self) -> None:
        """For good."""
        self._process.terminate()
        self._process.communicate(timeout=SECONDS)
        self._audit.equal("the second server's status", self._process.returncode, 143)
        self._audit.equal("its files", os.listdir(self.path.parent), [])
        ends = ", ".join(f"{count} {name}" for name, count in sorted(self._ends.items()))
        self._audit.figures["restarts of the second server"] = ends or "none"
