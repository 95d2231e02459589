"""Chaos among the clients of ``netlink-emu run``: see load.busy. Each answer is looked at."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter
from types import TracebackType
from typing import Final

from load.audit import Audit
from load.kills import nobody_left
from load.place import until
from load.size import NETLINK_EMU
from load.talk import Gone, Talker

SECONDS: Final = 300.0  # a net: an order takes some seconds


class Bustle:
    """One process under way at a time, given an order after the other."""

    def __init__(self, audit: Audit, chance: random.Random) -> None:
        self._audit: Final = audit
        self._chance: Final = chance
        self._talker: Talker | None = None
        self._to_end = 0  # processes that the order under way starts
        self.did: Final[Counter[str]] = Counter()

    def __enter__(self) -> Bustle:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _exc: BaseException | None,
        _tb: TracebackType | None,
    ) -> None:
        self.kill()

    def files(self) -> None:
        """Threads that open and close."""
        self._tell(
            "files", threads=self._chance.randint(1, 12), rounds=self._chance.randint(10, 600),
            seed=self._chance.randrange(1 << 30),
        )  # fmt: skip

    def execs(self) -> None:
        """Processes that execute, and are stopped and continued."""
        count = self._chance.randint(1, 40)
        self._tell("execs", count=count, seed=self._chance.randrange(1 << 30))
        self._to_end = count

    def stop(self) -> None:
        """All of it, ``netlink-emu`` too, in the middle of what it does."""
        if self._talker is None or self._to_end:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._talker.pid, signal.SIGSTOP)
            time.sleep(self._chance.uniform(0, 0.05))
            os.killpg(self._talker.pid, signal.SIGCONT)

    def kill(self) -> None:
        """Whatever it does."""
        if self._talker is None:
            return
        talker, self._talker = self._talker, None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(talker.pid, signal.SIGKILL)
        talker.kill()
        self._audit.check(until(lambda: nobody_left(talker.pid)), "busy processes are left")

    def end(self) -> None:
        """In order."""
        self._look()
        if self._talker is not None:
            talker, self._talker = self._talker, None
            self._audit.equal("the busy command's status", talker.end(), 0)

    def _tell(self, do: str, **arguments: int) -> None:
        self._look()
        if self._talker is None:
            run = (*NETLINK_EMU, "run", "--tasks", "host", "--")
            self._talker = Talker("busy", before=run)
            self._talker.answer(SECONDS)
        self._talker.tell(do, **arguments)

    def _look(self) -> None:
        """What came of the last order."""
        to_end, self._to_end = self._to_end, 0
        if self._talker is None or not self._talker.owed:
            return
        try:
            answer = self._talker.answer(SECONDS)
        except Gone as exc:
            self._audit.check(False, f"busy clients: {exc}")
            self.kill()
            return
        self._audit.equal("wrong among busy clients", answer.pop("wrong"), [])
        self._audit.equal("processes that ended", answer.get("ended", 0), to_end)
        self.did.update(answer)
