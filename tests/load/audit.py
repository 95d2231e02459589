"""What must hold at the end: collected, and told together."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MIB = 1 << 20


@dataclass
class Audit:
    """The findings of one scenario: ``figures`` to print, ``failures`` that must not be."""

    name: str
    figures: dict[str, Any] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def check(self, holds: bool, otherwise: str) -> None:
        """Something must hold; ``otherwise`` says what is instead."""
        if not holds:
            self.failures.append(otherwise)

    def equal(self, what: str, found: object, expected: object) -> None:
        self.check(found == expected, f"{what}: {found}, not {expected}")

    def lines(self) -> list[str]:
        """The figures, then what failed."""
        told = [f"{self.name}: {key}: {value}" for key, value in self.figures.items()]
        some = [f"{self.name}: FAILED: {words}" for words in self.failures[:20]]
        more = len(self.failures) - len(some)
        return told + some + [f"{self.name}: FAILED: and {more} more"] * bool(more)


@dataclass(frozen=True)
class Resources:
    """What a process holds; ``rss`` in bytes."""

    descriptors: int
    threads: int
    rss: int
    children: int

    @classmethod
    def of(cls, pid: int) -> Resources:
        status = Path(f"/proc/{pid}/status").read_text()
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        tasks = Path(f"/proc/{pid}/task")
        return cls(
            descriptors=len(os.listdir(f"/proc/{pid}/fd")),
            threads=int(fields["Threads"]),
            rss=int(fields["VmRSS"].split()[0]) * 1024,
            children=sum(len((task / "children").read_text().split()) for task in tasks.iterdir()),
        )

    def same_but_rss(self, other: Resources) -> bool:
        return (self.descriptors, self.threads, self.children) == (
            other.descriptors, other.threads, other.children,
        )  # fmt: skip


def check_resources(
    audit: Audit, before: Resources, after: Resources, *, most_growth: int
) -> None:
    """Descriptors, threads and children are what they were; memory within ``most_growth``."""
    audit.check(before.same_but_rss(after), f"held before: {before}, after: {after}")
    growth = after.rss - before.rss
    audit.figures["server's memory, growth"] = f"{growth / MIB:.1f} MiB"
    audit.check(growth <= most_growth, f"memory grew by {growth:,} bytes, from {before.rss:,}")


def check_directory(audit: Audit, directory: Path, expected: list[str]) -> None:
    """The socket's directory has nothing but this."""
    found = sorted(os.listdir(directory)) if directory.exists() else []
    audit.equal("socket files", found, expected)
