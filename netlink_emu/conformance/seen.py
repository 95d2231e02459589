"""``python -m netlink_emu.conformance.seen``: which recordings show which capability.

A recording shows the value that a capability has on its machine if one of its cases fails where
the emulator has a value that the capability had just before, or just after. The outcome, kept in
``netlink_emu/eras/seen.json``, names that case; docs/releases.md is made from it.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final

from netlink_emu.families import BootedKernel, boot
from netlink_emu.kernel.profile import Profile
from netlink_emu.kernel.releases import CAPABILITIES
from netlink_emu.kernel.releases_table import CHANGES, FIRST_VALUES
from netlink_emu.machine.machine import Machine

from .cases.case import Case
from .cases.corpora import corpus_names, load_corpora
from .runner import Verdict, run_case
from .targets.emulator import Boot, EmulatorTarget

# For each capability and recording, the case that fails with each of the values beside its own.
Seen = dict[str, dict[str, list[str]]]


def values_beside(capability: str, profile: Profile) -> list[Any]:
    """The values that a capability had just before and just after the profile's own.

    Those that no kernel of its architecture had are among them: they are as wrong.
    """
    history: list[Any] = [FIRST_VALUES.get(capability, False)]
    for change in CHANGES:
        if change.capability == capability and change.value != history[-1]:
            history.append(change.value)
    value = getattr(profile, capability)
    beside = [
        other
        for index, other in enumerate(history)
        if other != value and value in history[max(0, index - 1) : index + 2]
    ]
    return list(dict.fromkeys(beside))


def with_value(capability: str, value: Any) -> Boot:
    """What boots a kernel that has another value of one capability."""

    def boot_changed(machine: Machine, profile: Profile) -> BootedKernel:
        return boot(machine, dataclasses.replace(profile, **{capability: value}))

    return boot_changed


def fails(case: Case, capability: str, value: Any) -> bool:
    """Whether a recorded case tells that a kernel has another value of a capability."""
    return run_case(case, EmulatorTarget(boot=with_value(capability, value))).verdict is (
        Verdict.FAILED
    )


def deciding(cases: Sequence[Case], capability: str, value: Any) -> str | None:
    """The first case that fails with this value; None if none does."""
    target = EmulatorTarget(boot=with_value(capability, value))
    for case in cases:
        if run_case(case, target).verdict is Verdict.FAILED:
            return case.name
    return None


class _Traced(Profile):
    """A profile that notes of which capabilities it is asked.

    Each is equal to itself alone, so that nothing is found in a cache without being asked.
    """

    __slots__ = ()
    __hash__ = object.__hash__
    __eq__ = object.__eq__

    def __getattribute__(self, name: str) -> Any:
        if name in _NAMES:
            _asked.add(name)
        return super().__getattribute__(name)


_NAMES: Final = frozenset(CAPABILITIES)
_asked: Final[set[str]] = set()


def _boot_traced(machine: Machine, profile: Profile) -> BootedKernel:
    values = {field.name: getattr(profile, field.name) for field in dataclasses.fields(Profile)}
    _asked.clear()
    return boot(machine, _Traced(**values))


def asking(cases: Iterable[Case]) -> dict[str, list[Case]]:
    """The cases in which the kernel asks for each capability: no others can decide it."""
    target = EmulatorTarget(boot=_boot_traced)
    found: dict[str, list[Case]] = {}
    for case in cases:
        run_case(case, target)
        for name in sorted(_asked):
            found.setdefault(name, []).append(case)
    return found


def seen(recordings: Iterable[str]) -> Seen:
    """What the recordings show."""
    found: Seen = {capability: {} for capability in CAPABILITIES}
    for recording in recordings:
        cases = load_corpora([recording])
        profile = EmulatorTarget().profile(cases[0])
        for capability, candidates in asking(cases).items():
            beside = values_beside(capability, profile)
            decided = [deciding(candidates, capability, value) for value in beside]
            if decided and None not in decided:
                found[capability][recording] = [case for case in decided if case]
    return {capability: shown for capability, shown in found.items() if shown}


def written(found: Seen) -> str:
    """The text of ``seen.json``, a capability on each line."""
    lines = (f"{json.dumps(name)}: {json.dumps(shown)}" for name, shown in found.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main() -> None:
    """Print what all recordings show, as JSON."""
    sys.stdout.write(written(seen(corpus_names())))


if __name__ == "__main__":
    main()
