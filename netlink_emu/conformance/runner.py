"""Carries out cases on a target and collects what came of them."""

from __future__ import annotations

import enum
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from .cases.case import Case, CaseError, Outcome
from .judge.bindings import Bindings, guards_hold
from .judge.compare import DISTURBED, Mismatch, compare_step
from .judge.relations import Relations
from .judge.sequence import Sequence as SequenceCheck
from .targets.real.quiet import wait_for_quiet
from .targets.target import Session, Target, TargetError, Unsupported, foreign_exits


class Verdict(enum.Enum):
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(slots=True)
class Result:
    """What came of one case.

    ``seconds`` is real time, over all attempts; ``family_id`` that of TASKSTATS on the target;
    ``foreign`` counts others' exits during the last attempt.
    """

    case: Case
    verdict: Verdict
    seconds: float = 0.0
    reason: str = ""  # of a skip, or of a breakdown
    mismatches: list[Mismatch] = field(default_factory=list)
    attempts: int = 1
    family_id: int | None = None
    foreign: int = 0


@dataclass(slots=True)
class Report:
    """A whole run."""

    target: str
    description: dict[str, str]
    results: list[Result] = field(default_factory=list)
    seconds: float = 0.0

    def count(self, verdict: Verdict) -> int:
        return sum(result.verdict is verdict for result in self.results)

    @property
    def failed(self) -> bool:
        return self.count(Verdict.FAILED) > 0

    def sections(self) -> dict[str, list[Result]]:
        """The results by group; where several recordings were run, by recording."""
        several = len({result.case.corpus for result in self.results}) > 1
        found: dict[str, list[Result]] = {}
        for result in self.results:
            name = result.case.corpus if several else result.case.group
            found.setdefault(name, []).append(result)
        return found

    def counts(self) -> dict[str, Counter[Verdict]]:
        """How many results of each section came out how."""
        return {
            name: Counter(result.verdict for result in results)
            for name, results in self.sections().items()
        }


def run(
    cases: Iterable[Case],
    target: Target,
    on_result: Callable[[Result], None] | None = None,
    exceptions: dict[str, str] | None = None,
) -> Report:
    """Run every case; ``exceptions`` tells names (or keys) of those left out, and why."""
    report = Report(target.name, target.describe())
    began = time.monotonic()
    for case in cases:
        reason = (exceptions or {}).get(case.key) or (exceptions or {}).get(case.name)
        result = (
            Result(case, Verdict.SKIPPED, reason=reason)
            if reason is not None
            else run_case(case, target)
        )
        report.results.append(result)
        report.seconds = time.monotonic() - began
        if on_result is not None:
            on_result(result)
    return report


def run_case(case: Case, target: Target) -> Result:
    """Run one case, again while its failure may be a disturbance.

    It has failed if it did so at least once with nobody else in sight, and never passed.
    """
    began = time.monotonic()
    result = Result(case, Verdict.SKIPPED, reason=target.premise_missing(case) or "")
    disturbed = False
    if not result.reason:
        disturbed, tries = True, target.attempts(case)
        for attempt in range(1, tries + 1):
            result = _attempt(case, target)
            result.attempts = attempt
            if result.verdict is not Verdict.FAILED or result.reason:
                disturbed = False
                break
            disturbed = disturbed and _disturbed(result)
            if attempt < tries:
                wait_for_quiet(attempt)
    if disturbed:
        reason = f"others' exits or listeners never let up: {result.mismatches[0].text}"
        result = Result(case, Verdict.SKIPPED, reason=reason, attempts=result.attempts)
    if result.verdict is Verdict.FAILED:
        result.family_id = target.family_id_of(case)
    result.seconds = time.monotonic() - began
    return result


def _attempt(case: Case, target: Target) -> Result:
    try:
        with target.session(case) as session:
            mismatches = execute(case, session, exact_sequence=target.exact_sequence)
            foreign = foreign_exits(session)
    except Unsupported as exc:
        return Result(case, Verdict.SKIPPED, reason=str(exc))
    except (TargetError, CaseError, TimeoutError) as exc:
        return Result(case, Verdict.FAILED, reason=f"{type(exc).__name__}: {exc}")
    except (ArithmeticError, LookupError, TypeError, ValueError) as exc:
        # A step that names what is not there, or asks for what cannot be.
        where = traceback.extract_tb(exc.__traceback__)[-1]
        reason = f"cannot be carried out: {exc!r} in {where.name}(), line {where.lineno}"
        return Result(case, Verdict.FAILED, reason=reason)
    verdict = Verdict.FAILED if mismatches else Verdict.PASSED
    return Result(case, verdict, mismatches=mismatches, foreign=foreign)


def _disturbed(result: Result) -> bool:
    """Whether all that failed is what others on the machine may have done.

    Their exits fill a listener's buffer, and take numbers of its events.
    """
    if result.case.needs_quiet and result.foreign:
        return True
    return all(m.what == DISTURBED for m in result.mismatches)


def execute(case: Case, session: Session, *, exact_sequence: bool) -> list[Mismatch]:
    """Carry out all steps in a session; returns what differs from the record."""
    bindings = Bindings(session, case.order)
    sequence = SequenceCheck(exact_sequence)
    outcomes: list[Outcome] = []
    mismatches: list[Mismatch] = []
    for index, step in enumerate(case.steps):
        outcome = session.execute(bindings.prepare(step))
        outcomes.append(outcome)
        bindings.learn(step, outcome)
        mismatches += compare_step(case, index, step, outcome, bindings)
        if not case.unordered:
            mismatches += sequence.check(index, step, outcome, bindings)
    relations = Relations(case, outcomes, bindings, exact_sequence=exact_sequence)
    mismatches += relations.check()
    if not guards_hold(case, outcomes) and not mismatches:
        kind = "guard" if exact_sequence else DISTURBED
        what = "others' exits disturbed the run"
        mismatches.append(Mismatch(len(case.steps) - 1, kind, what))
    return mismatches


__all__ = ["Report", "Result", "Verdict", "execute", "run", "run_case"]
