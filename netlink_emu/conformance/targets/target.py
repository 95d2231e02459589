"""What a case can be carried out on: the interface between the runner and a target."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from netlink_emu.conformance.cases.case import Case, Outcome, Step
from netlink_emu.conformance.cases.masked import Symbol


class Unsupported(Exception):
    """The target cannot carry out a step; the reason is the message."""


class TargetError(Exception):
    """The target itself broke down: a driver that died, a server that is gone."""


@dataclass(frozen=True, slots=True)
class About:
    """Where a symbol stands: in the block of a task that had this comm, or beside a path."""

    task: str
    comm: bytes = b""
    path: str | None = None


class Session(Protocol):
    """One case being carried out. All steps of a case go through one session, in order."""

    def execute(self, step: Step) -> Outcome:
        """Carry out a step whose symbols are resolved; what went wrong is in the outcome.

        Raises Unsupported where this target has no such operation.
        """
        ...

    def value_of(self, symbol: Symbol, about: About) -> int | None:
        """What a symbol stands for here.

        None for a symbol that this target cannot know.
        """
        ...


def foreign_exits(session: Session) -> int:
    """How many exits of others' tasks a session has left out: 0 where there are no others."""
    count: int = getattr(session, "foreign", 0)
    return count


class Target(Protocol):
    """A kernel of some sort.

    ``exact_sequence`` says that nothing but the case's own tasks ends here, so that the per-CPU
    counters of events advance as recorded.
    """

    @property
    def name(self) -> str: ...

    @property
    def exact_sequence(self) -> bool: ...

    def describe(self) -> dict[str, str]:
        """What was tested, for a report: release, CPUs and so on."""
        ...

    def family_id_of(self, case: Case) -> int | None:
        """The id that TASKSTATS has here, for reports; None if it has none."""
        ...

    def premise_missing(self, case: Case) -> str | None:
        """Why the case cannot be carried out here, None if it can."""
        ...

    def attempts(self, case: Case) -> int:
        """How often a case may be tried before its failure counts: 1 where nothing disturbs."""
        ...

    def session(self, case: Case) -> AbstractContextManager[Session]:
        """A fresh session for a case; everything that it made is gone afterwards."""
        ...
