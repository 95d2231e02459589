"""A server of this package in a directory of its own, and what scenarios do with it."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from helpers.nets import SECONDS

from load.audit import Audit, Resources, check_directory, check_resources
from load.ledger import check_listeners, check_totals
from load.talk import Talker


def until(holds: Callable[[], bool], seconds: float = SECONDS) -> bool:
    """Look until something holds, for so long at most; whether it does."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


class Place:
    """The server, and its socket's path."""

    def __init__(self, folder: Path, server: Talker) -> None:
        self.folder: Final = folder
        self.path: Final = folder / "run" / "nl"
        self.server: Final = server

    @classmethod
    @contextmanager
    def prepared(cls) -> Iterator[Place]:
        """With a server that is ready."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with Talker("server", str(folder / "run" / "nl")) as server:
                server.answer()
                yield cls(folder, server)

    def herd(self, *before: str, quiet: bool = False, **config: Any) -> Talker:
        """Start clients; :meth:`Talker.answer` says that they are registered."""
        whole: dict[str, Any] = {"sockets": 1, "listeners": 0, "deaf": 0, "kind": "mixed"} | config
        whole["sockets"] = max(whole["sockets"], whole["listeners"])
        return Talker("herd", str(self.path), json.dumps(whole), before=before, quiet=quiet)

    def figures(self) -> Any:
        return self.server.ask("figures")

    def storm(self, exits: int, *, burst: int = 64, pause: float = 0.0, seed: int = 1) -> float:
        """The seconds that it took."""
        took: float = self.server.ask("storm", exits=exits, burst=burst, pause=pause, seed=seed)
        return took

    def drain(self, audit: Audit, herds: list[Talker]) -> list[dict[str, Any]]:
        """Have everything read to the end, and a last exit on each CPU; the listeners' reports."""
        portids = [str(r["portid"]) for herd in herds for r in herd.ask("report")]

        def empty() -> bool:
            for herd in herds:
                herd.ask("read all")
            socks = self.figures()["socks"]
            return not any(socks[portid]["left"] for portid in portids if portid in socks)

        audit.check(until(empty), "the server still holds datagrams though all is read")
        self.server.ask("one for each CPU")
        audit.check(until(empty), "the server still holds datagrams though all is read")
        return [report for herd in herds for report in herd.ask("report")]

    def gone(self, audit: Audit) -> None:
        """All clients have ended: the server knows it, and prunes their registrations."""
        found = until(lambda: self.figures()["statistics"]["sockets"] == 0)
        audit.check(found, f"sockets of nobody: {self.figures()['statistics']}")
        self.server.ask("one for each CPU")
        figures = self.figures()
        audit.equal("listeners that are gone and still registered", figures["listeners"], 0)
        audit.equal("datagrams for nobody", figures["left"], 0)
        check_totals(audit, figures)

    def resources(self) -> Resources:
        return Resources.of(self.server.pid)

    def settled(self, before: Resources) -> Resources:
        """What the server holds, when its descriptors are what they were or stay what they are."""
        until(lambda: self.resources().same_but_rss(before), 60)
        return self.resources()

    def audit_listeners(self, audit: Audit, herds: list[Talker]) -> None:
        reports = self.drain(audit, herds)
        figures = self.figures()
        check_listeners(audit, reports, figures)

    def end(self, audit: Audit, before: Resources, *, most_growth: int) -> None:
        """Everything is as it was, and the server ends in order."""
        self.gone(audit)
        check_directory(audit, self.path.parent, ["nl"])
        check_resources(audit, before, self.settled(before), most_growth=most_growth)
        audit.equal("the server's status", self.server.end(), 0)
        check_directory(audit, self.path.parent, [])
