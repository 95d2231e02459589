"""What one listener received, CPU by CPU."""

from __future__ import annotations

from typing import Any

from load.wire import CPUS, parse_event


class Record:
    """The account of the exit events of one listener; an event's CPU is its pid modulo 64."""

    def __init__(self, kind: str, cpulist: str, portid: int = 0) -> None:
        self.kind = kind
        self.cpulist = cpulist
        self.portid = portid
        self.received: dict[int, int] = {}
        self.first: dict[int, int] = {}
        self.last: dict[int, int] = {}
        self.missing: dict[int, int] = {}  # in gaps between events
        self.disorder = 0
        self.enobufs = 0
        self.others = 0  # datagrams that are no events

    def take(self, datagram: bytes) -> int | None:
        """Note a datagram; the pid if it is an event."""
        event = parse_event(datagram)
        if event is None:
            self.others += 1
            return None
        seq, pid = event
        cpu = pid % CPUS
        last = self.last.get(cpu)
        if last is None:
            self.first[cpu] = seq
        elif seq <= last:
            self.disorder += 1
        else:
            self.missing[cpu] = self.missing.get(cpu, 0) + seq - last - 1
        self.last[cpu] = seq
        self.received[cpu] = self.received.get(cpu, 0) + 1
        return pid

    def report(self) -> dict[str, Any]:
        """As JSON has it: keys are text."""
        return {
            name: {str(cpu): number for cpu, number in value.items()}
            if isinstance(value, dict)
            else value
            for name, value in vars(self).items()
        }
