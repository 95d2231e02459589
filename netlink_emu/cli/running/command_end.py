"""A command that is run in the foreground, to its end: also where we fail before it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from netlink_emu.cli.output.errors import UserError, leaves, report, say
from netlink_emu.interpose.errors import InterposeError, SpawnError
from netlink_emu.interpose.foreground import Finished, Foreground
from netlink_emu.interpose.summary import Summary

# Seconds that a command has to end by itself when we have failed it.
_GRACE: Final = 5.0


def finish(foreground: Foreground, scenario: Path | None = None) -> Finished:
    """Run the command to its end. Where we fail first, that is told at once, and so its end."""
    try:
        return foreground.run()
    except Exception as exc:
        explained = _explained(exc, scenario)
        if not foreground.started:
            raise explained from None
        ended_before = foreground.await_end(0)
        status = report(explained)
        if ended_before is not None:  # its daemons were left
            return Finished(ended_before, Summary())
        _tell_end(foreground)
        raise SystemExit(status) from None


def _tell_end(foreground: Foreground) -> None:
    """Say what becomes of a command whose kernel is gone."""
    try:
        wait_status = foreground.await_end(_GRACE)
    except KeyboardInterrupt:
        wait_status = None
    if wait_status is None:
        say("the command still runs, without a kernel: its generic netlink calls fail")
    else:
        say(f"the command ended then, with status {Finished(wait_status, Summary()).exit_code}")


def _explained(exc: BaseException, scenario: Path | None = None) -> BaseException:
    """What the user is told; a mistake of ours stays as it is."""
    from netlink_emu.machine.scenario_table import ScenarioError

    failures = leaves(exc)
    for failure in failures:
        if not isinstance(failure, InterposeError | ScenarioError):
            return exc
    failure = failures[0]
    if isinstance(failure, SpawnError):
        say(str(failure))
        return SystemExit(failure.status)
    if isinstance(failure, ScenarioError):
        from netlink_emu.cli.running.sandbox import scenario_problem

        return UserError(scenario_problem(scenario, failure))
    return UserError(f"{failure}; netlink-emu doctor tells more")
