"""The account of each listener: what it received, what was counted as dropped, what was sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from load.audit import Audit


def check_listeners(
    audit: Audit, reports: Iterable[Mapping[str, Any]], figures: Mapping[str, Any]
) -> None:
    """Delivered and counted as dropped are what was sent, for every listener.

    ``reports`` are the listeners' own, ``figures`` the server's. All must have read everything,
    and have been sent something at the end, so that what was lost shows as a gap.
    """
    sent = received = dropped = count = overrun = 0
    for report in reports:
        who = f"listener {report['portid']} ({report['kind']}, CPUs {report['cpulist']})"
        sock = figures["socks"].get(str(report["portid"]))
        if sock is None:
            audit.check(False, f"{who} is not known to the kernel")
            continue
        count += 1
        mine = _check_listener(audit, who, report, sock, figures["seqnum"])
        sent, received, dropped = sent + mine[0], received + mine[1], dropped + mine[2]
        overrun += bool(mine[2])
    audit.figures["listeners"] = f"{count:,}, of which {overrun:,} lost something"
    audit.figures["exit events sent"] = f"{sent:,}"
    audit.figures["delivered + dropped"] = f"{received:,} + {dropped:,}"


def _check_listener(
    audit: Audit, who: str, report: Mapping[str, Any], sock: Mapping[str, Any],
    seqnum: Mapping[str, int],
) -> tuple[int, int, int]:  # fmt: skip
    """(sent, received, dropped) of one."""
    since = sock["since"]
    sent = sum(seqnum[cpu] - first for cpu, first in since.items())
    received = sum(report["received"].values())
    lost = sock["drops"] + sock["taken"]  # the kernel counts the first, a fault the others
    audit.equal(f"{who}: disorder", report["disorder"], 0)
    audit.equal(f"{who}: delivered + dropped", received + lost, sent)
    audit.equal(f"{who}: left in the kernel", sock["left"], 0)
    # What is lost before the first is a gap, too: the listener knows nothing of it.
    gaps = sum(report["missing"].values())
    gaps += sum(report["first"].get(cpu, first) - first for cpu, first in since.items())
    audit.equal(f"{who}: gaps in the sequence numbers", gaps, lost)
    audit.equal(f"{who}: the journal's drops", sock["journal dropped"], sock["drops"])
    audit.equal(f"{who}: the journal's arrivals", sock["journal queued"], sock["queued"])
    audit.check(bool(received), f"{who} received nothing")
    return sent, received, lost


def check_totals(audit: Audit, figures: Mapping[str, Any]) -> None:
    """What the kernel queued was sent on, or is counted, or waits; for all that ever were."""
    statistics = figures["statistics"]
    dropped = statistics["dropped"]
    went = statistics["datagrams_out"] + dropped.get("CLIENT_GONE", 0)
    went += dropped.get("UNSENDABLE", 0) + figures["left"]
    audit.equal("datagrams queued, by the journal", figures["journal queued"], went)
    audit.equal(
        "datagrams overrun, by the journal", figures["journal dropped"], dropped.get("OVERRUN", 0)
    )
    audit.figures["datagrams in, out"] = (
        f"{statistics['datagrams_in']:,}, {statistics['datagrams_out']:,}"
    )
    audit.figures["dropped, by reason"] = (
        ", ".join(f"{count:,} {name}" for name, count in sorted(dropped.items())) or "none"
    )
