"""The machine's time, which stands still until a test lets it pass."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from netlink_emu.machine.clock import NSEC_PER_SEC
from netlink_emu.testing import checks
from netlink_emu.testing.errors import WrongType, WrongValue, hide
from netlink_emu.testing.handle.booted import Booted

if TYPE_CHECKING:
    from netlink_emu.machine.timeline import Timeline
    from netlink_emu.testing.handle.cassette import CassetteHandle

__tracebackhide__ = hide

_ADVANCE: Final = "kernel.advance() lets the machine's time pass."


class Passing:
    """Lets time pass, and does what is due on the way: scenarios, and what is held back."""

    def __init__(self, booted: Booted, cassette: CassetteHandle | None = None) -> None:
        self._booted: Final = booted
        self._cassette: Final = cassette
        self._timelines: list[Timeline] = []

    @property
    def now(self) -> float:
        """Seconds since the machine's boot."""
        return self._booted.calls.call(self._booted.clock.monotonic_ns) / NSEC_PER_SEC

    def advance(self, seconds: float) -> None:
        checks.number("seconds", seconds, least=0)
        clock = self._booted.clock

        def advance() -> None:
            end = clock.monotonic_ns() + round(seconds * NSEC_PER_SEC)
            self._run_due()
            while (due := self._next_ns()) is not None and due <= end:
                clock.advance_ns(max(0, due - clock.monotonic_ns()))
                self._run_due()
            clock.advance_ns(end - clock.monotonic_ns())

        self._booted.calls.call(advance)

    def play(self, scenario: str | os.PathLike[str], seconds: float) -> None:
        from netlink_emu.families.own.changes import changes_in
        from netlink_emu.machine.scenario import ScenarioError, parse_scenario
        from netlink_emu.machine.timeline import Timeline

        kernel = self._booted.kernel
        try:
            script = parse_scenario(_text(scenario))
        except ScenarioError as exc:
            if exc.line is None:
                raise
            where = f"line {exc.line}, column {exc.column} of the scenario"
            raise ScenarioError(f"{where}: {exc}", line=exc.line, column=exc.column) from None
        timeline = Timeline(script, kernel.machine, prepare=changes_in(kernel))
        self._timelines.append(timeline)
        self.advance(seconds)

    def never_due(self) -> Iterator[tuple[object, str]]:
        """For each scenario that is not over, which it is, and what has not come due."""
        for timeline in self._timelines:
            paths = timeline.never_due
            if paths:
                more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
                yield id(timeline), f"of a scenario never came due: {paths[0]}{more}. {_ADVANCE}"

    def _next_ns(self) -> int | None:
        times = [timeline.next_ns for timeline in self._timelines]
        times.append(self._booted.own_faults.next_ns)
        times.append(None if self._cassette is None else self._cassette.next_ns)
        return min((time for time in times if time is not None), default=None)

    def _run_due(self) -> None:
        for timeline in self._timelines:
            timeline.run_due()
        self._booted.own_faults.run_due()
        if self._cassette is not None:
            self._cassette.run_due()


def _text(scenario: str | os.PathLike[str]) -> str:
    """TOML, or that of a file; a line without any of its signs is meant as a file's name."""
    if isinstance(scenario, str) and ("\n" in scenario or "=" in scenario or "[" in scenario):
        return scenario
    try:
        return Path(scenario).read_text("utf-8")
    except TypeError:
        raise WrongType(
            f"play() takes a scenario in TOML, or the path of a file, not {scenario!r}"
        ) from None
    except OSError as exc:
        raise WrongValue(
            f"play() takes a scenario in TOML, or a file: {scenario}: {exc.strerror}"
        ) from None
