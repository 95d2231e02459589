"""Everything at once: clients come and go, are slow, are killed; descriptors run out; faults.

What happens is drawn from a seed. A model says what must hold: for each listener that lives to
be asked, and for the server, at all times.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from load.audit import Audit
from load.bustle import Bustle
from load.kills import feed, kill_one, nobody_left, starve
from load.ledger import check_listeners
from load.place import Place, until
from load.second import Second
from load.size import GROWTH, NETLINK_EMU
from load.talk import Gone, Talker
from load.wire import KINDS

MOST_HERDS: Final = 6
RULES: Final = (
    "enobufs kind=event count=3",
    "drop kind=event count=20 probability=0.1",
    "delay seconds=0.05 kind=error count=3",
    "duplicate kind=error count=2",
    "corrupt kind=error count=2",
)


@dataclass(eq=False)
class Herd:
    """Clients under way. ``sure`` says that they must come to serve: nothing is short."""

    talker: Talker
    sure: bool
    ready: bool = False


@dataclass
class Chaos:
    """One run; see :func:`chaos`."""

    audit: Audit
    place: Place
    second: Second
    bustle: Bustle
    chance: random.Random
    herds: list[Herd] = field(default_factory=list)
    did: Counter[str] = field(default_factory=Counter)
    starved: bool = False
    sent: Counter[str] = field(default_factory=Counter)

    def step(self) -> None:
        """Something happens."""
        actions: dict[Callable[[], None], int] = {
            self.come: 6, self.storm: 10, self.leave: 4, self.kill: 2, self.kill_as_they_go: 4,
            self.vanish: 3, self.starve: 3, self.feed: 3, self.fault: 2, self.no_fault: 1,
            self.usr1: 2, self.restart: 1, self.bustle.files: 4, self.bustle.execs: 4,
            self.bustle.stop: 4, self.bustle.kill: 1,
        }  # fmt: skip
        (action,) = self.chance.choices(list(actions), list(actions.values()))
        whose = "busy " if getattr(action, "__self__", self) is self.bustle else ""
        self.did[whose + action.__name__.replace("_", " ")] += 1
        action()
        self._look()

    def _look(self) -> None:
        """Herds that have come to serve meanwhile, or failed for want of descriptors."""
        for herd in list(self.herds):
            if not herd.ready and herd.talker.has_answered():
                self._await(herd)

    def _await(self, herd: Herd) -> bool:
        if herd.ready:
            return True
        try:
            herd.talker.answer()
        except Gone as exc:
            self.audit.check(not herd.sure, f"clients could not begin: {exc}")
            self._remove(herd)
            return False
        herd.ready = True
        return True

    def _remove(self, herd: Herd) -> None:
        self.herds.remove(herd)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(herd.talker.pid, signal.SIGKILL)
        herd.talker.kill()
        gone = until(lambda: nobody_left(herd.talker.pid))
        self.audit.check(gone, "processes of clients are left")

    def _some(self) -> Herd | None:
        return self.chance.choice(self.herds) if self.herds else None

    # --- what can happen

    def come(self) -> None:
        if len(self.herds) >= MOST_HERDS:
            return self.leave()
        kind = self.chance.choice([*KINDS, "mixed", "netlink"])
        before: tuple[str, ...] = ()
        if kind == "netlink":
            before = (*NETLINK_EMU, "run", "--connect", str(self.place.path), "--")
        listeners = self.chance.randint(1, 10)
        talker = self.place.herd(
            *before, quiet=True, kind=kind, listeners=listeners,
            sockets=listeners + self.chance.randint(0, 10), deaf=self.chance.randint(0, 1),
            pace=self.chance.choice([0.0, 0.0, 0.0002, 0.002]),
        )  # fmt: skip
        self.herds.append(Herd(talker, sure=not self.starved))
        return None

    def storm(self) -> None:
        exits = self.chance.randint(1, 3000)
        pause = self.chance.choice([0.0, 0.001])
        self.place.storm(
            exits, burst=self.chance.choice([1, 16, 64, 500]), pause=pause, seed=exits
        )

    def leave(self) -> None:
        """A herd's account is made up; then it ends in order."""
        herd = self._some()
        if herd is None or not self._await(herd):
            return
        self.no_fault()  # the last event of each CPU must arrive, to show what is missing
        part = Audit("account")
        reports = self.place.drain(part, [herd.talker])
        check_listeners(part, reports, self.place.figures())
        self.audit.failures += part.failures
        self.sent["listeners"] += len(reports)
        self.sent["events"] += sum(sum(report["received"].values()) for report in reports)
        self.audit.equal("the clients' status", herd.talker.end(), 0)
        self._remove(herd)

    def kill(self) -> None:
        herd = self._some()
        if herd is not None:
            self._remove(herd)

    def kill_as_they_go(self) -> None:
        path = self.chance.choice([self.place.path, self.second.path])
        self.place.server.tell("storm", exits=1000, burst=32, pause=0.002, seed=1)
        try:
            kill_one(self.audit, path, self.chance.choice([*KINDS, "netlink"]), self.chance)
        except Gone as exc:
            self.audit.check(self.starved, f"a client could not begin: {exc}")
        self.place.server.answer()

    def vanish(self) -> None:
        herd = self._some()
        if herd is None or self.starved or not self._await(herd):
            return
        count = self.chance.randint(1, 200)
        with self.place.herd(sockets=1, quiet=True) as one:
            one.answer()
            one.ask("vanish", count=count, seed=count)
        self.did["clients that vanish"] += count

    def starve(self) -> None:
        if not self.starved:
            for herd in list(self.herds):
                self._await(herd)
            self.starved = True
            starve(self.place.server.pid)

    def feed(self) -> None:
        if self.starved:
            self.starved = False
            feed(self.place.server.pid)

    def fault(self) -> None:
        self.place.server.ask("fault", rule=self.chance.choice(RULES))

    def no_fault(self) -> None:
        self.place.server.ask("no faults")

    def usr1(self) -> None:
        self.second.statistics()

    def restart(self) -> None:
        self.second.restart(self.chance)

    def end(self) -> None:
        """All are asked for their accounts."""
        self.bustle.end()
        self.feed()
        self.no_fault()
        while self.herds:
            self.leave()
        # With descriptors again, who could not be watched is looked for as a client comes.
        with self.place.herd() as one:
            one.answer()
            one.end()


def chaos(seconds: float, seed: int) -> Audit:
    """A run of so many seconds, from the seed."""
    audit = Audit("chaos")
    chance = random.Random(seed)
    with (
        Place.prepared() as place,
        Second(audit, place.folder / "second" / "nl") as second,
        Bustle(audit, chance) as bustle,
    ):
        before = place.resources()
        run = Chaos(audit, place, second, bustle, chance)
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end and len(audit.failures) < 20:
                run.step()
            run.end()
        finally:
            for herd in list(run.herds):
                run._remove(herd)
        audit.figures["seconds"] = f"{seconds:.0f}, seed {seed}"
        audit.figures["did"] = ", ".join(f"{n} {what}" for what, n in sorted(run.did.items()))
        audit.figures["listeners asked for their account"] = f"{run.sent['listeners']:,}"
        audit.figures["events that they had received"] = f"{run.sent['events']:,}"
        audit.figures["busy clients"] = ", ".join(f"{n:,} {w}" for w, n in bustle.did.items())
        second.end()
        if place.server.process.poll() is None:
            place.end(audit, before, most_growth=GROWTH)
    return audit
