"""The target ``kernel``: the machine's own kernel, through real sockets and real tasks."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Final

from netlink_emu.conformance.cases.case import MAIN, Case, Outcome, Step
from netlink_emu.conformance.cases.harmless import harm
from netlink_emu.conformance.cases.masked import Symbol

from .premises import missing_for_kernel, missing_to_record
from .real import probe
from .real.channel import Channel, channel_pair
from .real.messages import LOCK_PATIENCE, Begin, End, ValueOf
from .target import About, TargetError, Unsupported

_ANSWER: Final = 120.0  # seconds that a step may take on the busiest machine
_TRIES: Final = 3  # of any case: a busy machine is slow to get ready
_QUIET_TRIES: Final = 30  # of a case that others' exits can disturb


class KernelTarget:
    """Runs each case in a driver process of its own; open and close it with ``with``."""

    name: Final = "kernel"
    exact_sequence: Final = False

    def __init__(self) -> None:
        self.family_id: Final = probe.family_id()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None

    def __enter__(self) -> KernelTarget:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop()

    def describe(self) -> dict[str, str]:
        uname = os.uname()
        return {
            "kernel": f"{uname.sysname} {uname.release} {uname.machine}",
            "possible CPUs": probe.cpus_possible(),
            "TASKSTATS": "none" if self.family_id is None else f"family {self.family_id}",
        }

    def family_id_of(self, case: Case) -> int | None:
        return self.family_id

    def premise_missing(self, case: Case) -> str | None:
        if harmful := harm(case):
            return f"{harmful}, which no transcript may on a real machine"
        return missing_for_kernel(case, self.family_id)

    def cannot_record(self, case: Case) -> str | None:
        """Why the case cannot be recorded here; it may have been on quite another machine."""
        if harmful := harm(case):
            return f"{harmful}, which no transcript may on a real machine"
        return missing_to_record(case, self.family_id)

    def attempts(self, case: Case) -> int:
        return _QUIET_TRIES if case.needs_quiet else _TRIES

    @contextlib.contextmanager
    def session(self, case: Case) -> Iterator[KernelSession]:
        channel = self._start()
        session = KernelSession(channel)
        try:
            session.ask(Begin(self.family_id or 0), LOCK_PATIENCE)
            yield session
            session.ask(End())
        except BaseException:
            self._stop()  # whatever state it is in: the next case gets another
            raise

    def _start(self) -> Channel:
        if self._channel is not None:
            return self._channel
        ours, theirs = channel_pair()
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "netlink_emu.conformance.targets.real",
                str(theirs.read_fd),
                str(theirs.write_fd),
            ],
            stdin=subprocess.DEVNULL,
            pass_fds=(theirs.read_fd, theirs.write_fd),
            start_new_session=True,
        )
        theirs.close()
        self._channel = ours
        return ours

    def _stop(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._process is not None:
            try:
                self._process.wait(2)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
            self._process = None


class KernelSession:
    """One case in a driver; ``foreign`` counts the exits of others that were left out."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.foreign = 0

    def ask(self, message: Any, patience: float = _ANSWER) -> Any:
        """Send to the driver, return its answer; raises TargetError if it has none."""
        try:
            self._channel.send(message)
            answer = self._channel.receive(patience)
        except (EOFError, OSError) as exc:
            raise TargetError(f"the driver is gone: {exc}, after {message}") from exc
        if isinstance(answer, LookupError):
            raise Unsupported(str(answer)) from answer
        if isinstance(answer, Exception):
            raise TargetError(f"{type(answer).__name__}: {answer}") from answer
        return answer

    def execute(self, step: Step) -> Outcome:
        outcome, foreign = self.ask(step)
        assert isinstance(outcome, Outcome)
        self.foreign += foreign
        return outcome

    def main_pid(self) -> int:
        """The pid of the driver."""
        return int(self.ask(ValueOf(Symbol("PID", MAIN), About(MAIN))))

    def value_of(self, symbol: Symbol, about: About) -> int | None:
        answer = self.ask(ValueOf(symbol, about))
        return None if answer is None else int(answer)
