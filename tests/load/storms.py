"""Load: thousands of sockets and listeners under storms of exits, through each way in."""

from __future__ import annotations

import random
import statistics
import time

from bench.machines import Emulated

from load.audit import Audit
from load.herd import ALL, cpulist_of
from load.ledger import check_listeners
from load.place import Place
from load.record import Record
from load.size import GROWTH, GROWTH_SOCKET, NETLINK_EMU, Size
from load.tally import Tally
from load.wire import CPUS


def kernel_alone(size: Size, seed: int) -> Audit:
    """The emulated kernel by itself, in this process; some listeners never read."""
    audit = Audit("kernel alone")
    chance = random.Random(seed)
    emulated = Emulated(cpus=CPUS)
    tally = Tally(emulated.kernel)
    socks = [emulated.socket() for _ in range(size.sockets - size.listeners)]
    deaf = size.listeners // 20
    lists = [ALL if n < deaf else cpulist_of(n) for n in range(size.listeners)]
    listeners = [(emulated.listener(cpulist), cpulist) for cpulist in lists]
    records = [Record("kernel", cpulist, sock.portid) for sock, cpulist in listeners]
    start = time.monotonic()
    pids = {cpu: CPUS * 1024 + cpu for cpu in range(CPUS)}

    def exit_(cpu: int) -> None:
        task = emulated.machine.tasks.fork(pid=pids[cpu], comm="task", cpu=cpu)
        emulated.machine.tasks.do_exit(task, 0)
        emulated.machine.tasks.reap(task)

    def read(first: int) -> None:
        for (sock, _), record in zip(listeners[first:], records[first:], strict=True):
            while sock.receive_queue:
                if sock.take_error():
                    record.enobufs += 1
                record.take(sock.recvmsg(4096).data)

    for number in range(size.exits):
        exit_(chance.randrange(CPUS))
        if number % 1000 == 999:
            read(deaf)
    audit.figures["seconds"] = f"{time.monotonic() - start:.1f}"
    read(0)
    for cpu in range(CPUS):
        exit_(cpu)
    read(0)
    check_listeners(audit, [record.report() for record in records], tally.figures())
    for sock in [*socks, *(sock for sock, _ in listeners)]:
        sock.release()
    for cpu in range(CPUS):
        exit_(cpu)
    audit.equal("listeners at the end", tally.figures()["listeners"], 0)
    audit.equal("sockets at the end", tally.figures()["socks"], {})
    return audit


def server(size: Size, seed: int) -> Audit:
    """The Unix server: clients of each kind, a storm, some that read only at its end."""
    audit = Audit("server")
    with Place.prepared() as place:
        before = place.resources()
        herd = place.herd(
            sockets=size.sockets, listeners=size.listeners, deaf=size.listeners // 20
        )
        with herd:
            start = time.monotonic()
            herd.answer()
            audit.figures["sockets"] = f"{size.sockets:,}"
            audit.figures["seconds until all had registered"] = f"{time.monotonic() - start:.1f}"
            took = place.storm(size.exits, burst=CPUS, seed=seed)
            audit.figures["exits"] = f"{size.exits:,} on {CPUS} CPUs in {took:.1f} s"
            place.audit_listeners(audit, [herd])
            audit.equal("the clients' status", herd.end(), 0)
        place.end(audit, before, most_growth=GROWTH + GROWTH_SOCKET * size.sockets)
    return audit


def vanishing(size: Size, seed: int) -> Audit:
    """Clients that come and are gone, beside a listener that stays."""
    audit = Audit("vanishing")
    with Place.prepared() as place:
        # Once before: what is kept after the first of all is no leak.
        with place.herd(sockets=3) as first:
            first.answer()
            first.ask("vanish", count=100, seed=seed)
            first.end()
        place.gone(audit)
        before = place.resources()
        with place.herd(sockets=3) as herd, place.herd(listeners=3, cpulist="0-63") as steady:
            herd.answer(), steady.answer()
            start = time.monotonic()
            herd.tell("vanish", count=size.vanishing, seed=seed)
            while not herd.has_answered():
                place.storm(CPUS, seed=seed)
            herd.answer()
            audit.figures["clients"] = f"{size.vanishing:,} in {time.monotonic() - start:.1f} s"
            place.audit_listeners(audit, [steady])
            herd.end(), steady.end()
        place.end(audit, before, most_growth=GROWTH)
    return audit


def connect(size: Size, seed: int) -> Audit:
    """Interposed clients in the server's kernel, beside one of the server's own."""
    audit = Audit("run --connect")
    with Place.prepared() as place:
        before = place.resources()
        way = (*NETLINK_EMU, "run", "--connect", str(place.path), "--")
        herds = [
            place.herd(*way, kind="netlink", listeners=size.interposed, deaf=1, seed=seed),
            place.herd(*way, kind="netlink", listeners=size.interposed, deaf=1, seed=seed + 1),
            place.herd(kind="channel", listeners=10, cpulist="0-63"),
        ]
        with herds[0], herds[1], herds[2]:
            for herd in herds:
                herd.answer()
            took = place.storm(size.exits // 10, burst=CPUS, pause=0.001, seed=seed)
            audit.figures["exits"] = f"{size.exits // 10:,} in {took:.1f} s"
            place.audit_listeners(audit, herds)
            for herd in herds:
                audit.equal("the clients' status", herd.end(), 0)
        place.end(audit, before, most_growth=GROWTH)
    return audit


def latency(size: Size, seed: int) -> Audit:
    """A listener by itself, and beside others that never read: what it waits for an event."""
    audit = Audit("latency")
    with Place.prepared() as place:
        before = place.resources()
        for kind in ("connected", "channel"):
            alone = _latencies(audit, place, kind, size, deaf=0)
            beside = _latencies(audit, place, kind, size, deaf=20)
            for name, found in (("alone", alone), ("beside 20 that never read", beside)):
                median = statistics.median(found) / 1000
                p99 = statistics.quantiles(found, n=100)[-1] / 1000
                audit.figures[f"{kind}, {name}"] = f"median {median:.0f} us, p99 {p99:.0f} us"
        place.end(audit, before, most_growth=GROWTH)
    return audit


def _latencies(audit: Audit, place: Place, kind: str, size: Size, *, deaf: int) -> list[int]:
    """Nanoseconds from just before an exit to the return of recv(), for each exit."""
    others = dict.fromkeys(("connected", "unconnected", "channel"), deaf // 3 + bool(deaf))
    herds = [
        place.herd(kind=other, listeners=count, deaf=count, cpulist="0-63")
        for other, count in others.items()
        if count
    ]
    with place.herd(kind=kind, listeners=1, cpulist="0", stamps=True) as quick:
        try:
            for herd in [quick, *herds]:
                herd.answer()
            if deaf:  # until they are full to the brim
                place.storm(1000, burst=16)
                quick.ask("read all")
            exits = place.server.ask("stamped", exits=size.stamped, pause=0.001)
            sent = dict(map(tuple, exits))
            place.audit_listeners(audit, [quick, *herds])
            (report,) = quick.ask("report")
            arrived = {pid: at for pid, at in report["stamps"] if pid in sent}
            audit.equal("stamped events that arrived", len(arrived), len(sent))
            quick.end()
        finally:
            for herd in herds:
                herd.kill()
    place.gone(audit)
    return [at - sent[pid] for pid, at in arrived.items()]
