"""Faults: clients and servers that are killed, descriptors that run out."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from load.audit import Audit, Resources
from load.orphan import OWN_TIMEOUT
from load.place import Place, until
from load.size import GROWTH, NETLINK_EMU, Size
from load.talk import Talker
from load.wire import CPUS, KINDS

# An error must come within 100 ms; the audit has patience, for the machine may be busy.


def nobody_left(group: int) -> bool:
    """Whether no process of a process group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def killed_clients(size: Size, seed: int) -> Audit:
    """Unix clients and interposed ones, SIGKILLed at any point of what they do."""
    audit = Audit("killed clients")
    chance = random.Random(seed)
    with Place.prepared() as place:
        before = place.resources()
        with place.herd(listeners=3, cpulist="0-63") as steady:
            steady.answer()
            for number in range(size.kills):
                kind = chance.choice([*KINDS, "netlink"])
                place.server.tell("storm", exits=2000, burst=CPUS // 2, pause=0.005, seed=number)
                kill_one(audit, place.path, kind, chance)
                place.server.answer()
            audit.figures["killed"] = f"{size.kills} clients"
            place.audit_listeners(audit, [steady])
            steady.end()
        place.end(audit, before, most_growth=GROWTH)
    return audit


def kill_one(audit: Audit, path: Path, kind: str, chance: random.Random) -> None:
    """Of an interposed client: it, its supervisor, or both at once."""
    before: tuple[str, ...] = ()
    if kind == "netlink":
        before = (*NETLINK_EMU, "run", "--connect", str(path), "--")
    with Talker("victim", kind, str(path), before=before, quiet=True) as victim:
        # As it starts, or as it goes about its business.
        if chance.random() < 0.3:
            time.sleep(chance.uniform(0, 0.3))
        else:
            victim.answer()
            time.sleep(chance.uniform(0, 0.1))
        if not before or chance.random() < 0.3:
            victim.process.kill()
        elif chance.random() < 0.5:
            os.killpg(victim.pid, signal.SIGKILL)
        else:
            _kill_children(victim.pid)
    gone = until(lambda: nobody_left(victim.pid))
    audit.check(gone, f"processes of a killed client ({kind}) are left")


def _kill_children(pid: int) -> None:
    with contextlib.suppress(OSError):  # it may have ended, and they
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                os.kill(int(child), signal.SIGKILL)


@contextmanager
def serve(path: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """``netlink-emu serve``, ready."""
    command = [*NETLINK_EMU, "serve", "--socket", str(path), *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            assert process.stderr is not None
            assert b"ready" in process.stderr.readline()
            yield process
        finally:
            process.kill()


def killed_server(size: Size, seed: int) -> Audit:
    """The server is SIGKILLed under clients of each kind, and started again."""
    audit = Audit("killed server")
    with tempfile.TemporaryDirectory() as folder:
        for kind in [*KINDS, "netlink"]:
            _kill_server(audit, kind, Path(folder) / "run" / "nl")
    return audit


def _kill_server(audit: Audit, kind: str, path: Path) -> None:
    before = (*NETLINK_EMU, "run", "--connect", str(path), "--") if kind == "netlink" else ()
    with serve(path) as server, Talker("orphan", kind, str(path), before=before) as orphan:
        orphan.answer()
        orphan.ask("wait")
        start = time.monotonic()
        server.kill()
        server.wait()
        for what, (said, at) in sorted(orphan.ask("ask").items()):
            audit.figures[f"{kind}, {what}"] = f"{said} after {1000 * (at - start):.0f} ms"
            audit.check(said != "an answer", f"{kind}: {what} was answered by nobody")
            told = kind in ("channel", "netlink") or what != "recv() that waits"
            audit.check(said != OWN_TIMEOUT or not told, f"{kind}: {what} waited in vain")
        with serve(path):  # the stale socket file is no obstacle
            if kind != "netlink":
                said = orphan.ask("come again")
                audit.equal(f"{kind}, a new socket at the new server", said, "an answer")
        orphan.end()
    audit.check(until(lambda: nobody_left(orphan.pid)), f"{kind}: processes are left")


def descriptors(size: Size, seed: int) -> Audit:
    """The server, then a supervisor, has no descriptor left, and then has some again."""
    audit = Audit("descriptors run out")
    with Place.prepared() as place:
        before = place.resources()
        with place.herd(listeners=6, cpulist="0-63") as steady:
            steady.answer()
            starve(place.server.pid)
            with place.herd(sockets=2) as thirsty:
                place.server.ask("one for each CPU")
                dropped = place.figures()["statistics"]["dropped"]
                thirsty.kill()
            feed(place.server.pid)
            with place.herd(sockets=60, listeners=30) as herd:
                herd.answer()
                place.storm(500)
                place.audit_listeners(audit, [herd, steady])
                herd.end(), steady.end()
            audit.figures["server"] = f"dropped while starved: {dropped}"
        place.end(audit, before, most_growth=GROWTH)
    _supervisor(audit)
    return audit


def _supervisor(audit: Audit) -> None:
    with Talker("opener", before=(*NETLINK_EMU, "run", "--")) as opener:
        opener.answer()
        audit.equal("a first socket", opener.ask("open"), "works")
        before = Resources.of(opener.pid)
        starve(opener.pid)
        said = opener.ask("open")
        audit.figures["supervisor"] = f"socket() while starved: {said}"
        audit.check(said in ("EMFILE", "ENFILE", "ENOBUFS"), f"socket() while starved: {said}")
        feed(opener.pid)
        for _ in range(20):
            audit.equal("a socket afterwards", opener.ask("open"), "works")
        opener.ask("close")
        audit.equal("a socket at the end", opener.ask("open"), "works")
        opener.ask("close")
        few = until(lambda: Resources.of(opener.pid).descriptors <= before.descriptors)
        audit.check(few, f"before {before}, after {Resources.of(opener.pid)}")
        audit.equal("status", opener.end(), 0)


def starve(pid: int) -> None:
    """No descriptor more than there are."""
    highest = max(int(fd) for fd in os.listdir(f"/proc/{pid}/fd"))
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    # What is free below the highest would still be found: so far down that nothing is.
    used = {int(fd) for fd in os.listdir(f"/proc/{pid}/fd")}
    lowest = min(set(range(highest + 2)) - used)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (lowest, hard))


def feed(pid: int) -> None:
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
