"""Each entry of seen.json: the case it names decides the capability on that recording."""

from __future__ import annotations

from pathlib import Path

import pytest

from netlink_emu import eras
from netlink_emu.conformance.cases.case import Case
from netlink_emu.conformance.cases.corpora import corpus_names, load_corpora
from netlink_emu.conformance.runner import Verdict, run_case
from netlink_emu.conformance.seen import deciding, fails, values_beside, written
from netlink_emu.conformance.targets.emulator import EmulatorTarget
from netlink_emu.eras.seen import arch_of, release_of, seen, told, witnesses
from netlink_emu.kernel.releases import CAPABILITIES, profile_for
from netlink_emu.kernel.releases_table import CHANGES


@pytest.fixture(scope="module")
def cases() -> dict[str, dict[str, Case]]:
    return {name: {case.name: case for case in load_corpora([name])} for name in corpus_names()}


def test_the_file_is_as_it_is_written() -> None:
    path = Path(eras.__file__).with_name("seen.json")
    assert written(seen()) == path.read_text("utf-8")


def test_names() -> None:
    assert seen().keys() <= set(CAPABILITIES)
    assert {name for recordings in seen().values() for name in recordings} == set(corpus_names())


@pytest.mark.parametrize("capability", sorted(seen()))
def test_a_broken_capability_is_noticed(
    capability: str, cases: dict[str, dict[str, Case]]
) -> None:
    """With the value beside its own the case fails, and with its own it holds."""
    target = EmulatorTarget()
    for recording, names in seen()[capability].items():
        first = cases[recording][names[0]]
        beside = values_beside(capability, target.profile(first))
        for name, value in zip(names, beside, strict=True):
            case = cases[recording][name]
            assert fails(case, capability, value), (recording, name, value)
            assert run_case(case, target).verdict is Verdict.PASSED


def test_what_no_case_decides_is_not_there(cases: dict[str, dict[str, Case]]) -> None:
    """One capability that clients of recorded kernels do not meet, and one that they do."""
    old = list(cases["5.10.46-um"].values())
    assert deciding(old, "autobind_random", value=False) is None
    assert "autobind_random" not in seen()
    assert deciding(old, "zero_send_enodata", value=True) == "sock_send_empty"


def test_a_recordings_name_says_its_kernel(cases: dict[str, dict[str, Case]]) -> None:
    target = EmulatorTarget()
    for recording, of_recording in cases.items():
        profile = target.profile(next(iter(of_recording.values())))
        named = profile_for(release_of(recording), arch=arch_of(recording))
        assert named.arch == profile.arch
        for capability in CAPABILITIES:
            assert getattr(named, capability) == getattr(profile, capability)


def test_who_saw_a_line() -> None:
    lines = {(change.since, change.capability): change for change in CHANGES}
    later = lines["6.0", "last_thread_decides_status"]
    after, before = witnesses(later)
    assert all(release_of(name).startswith("5.10.") for name in before)
    assert before
    assert after
    assert told(later).startswith("6.1.176")
    assert ", not on 5.10." in told(later)
