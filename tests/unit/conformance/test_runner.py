"""The runner: verdicts, repetitions, premises; and premises of the real kernel."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from netlink_emu.conformance.cases import ops
from netlink_emu.conformance.cases.bytes_text import read
from netlink_emu.conformance.cases.case import Case, Outcome, Step
from netlink_emu.conformance.cases.corpus import load_corpus
from netlink_emu.conformance.cases.masked import Symbol
from netlink_emu.conformance.runner import Result, Verdict, run, run_case
from netlink_emu.conformance.targets.premises import missing_for_kernel, missing_to_record
from netlink_emu.conformance.targets.real import probe
from netlink_emu.conformance.targets.target import About, TargetError, Unsupported
from netlink_emu.protocol.format import LITTLE

CASES = {case.name: case for case in load_corpus()}
BIND = Case("bind", "", "t", (Step(ops.Bind(sock="a", pid=1), Outcome(result=0)),))


class Scripted:
    """A target whose sessions answer what they are told, one list of answers per attempt."""

    name = "scripted"
    exact_sequence = True

    def __init__(self, *attempts: Any, premise: str | None = None) -> None:
        self.script = list(attempts)
        self.premise = premise
        self.sent: list[Step] = []

    def describe(self) -> dict[str, str]:
        return {}

    def family_id_of(self, case: Case) -> int | None:
        return 42

    def premise_missing(self, case: Case) -> str | None:
        return self.premise

    def attempts(self, case: Case) -> int:
        return len(self.script)

    @contextlib.contextmanager
    def session(self, case: Case) -> Iterator[Scripted]:
        self.answer = self.script.pop(0)
        yield self

    def execute(self, step: Step) -> Outcome:
        self.sent.append(step)
        if isinstance(self.answer, Exception):
            raise self.answer
        assert isinstance(self.answer, Outcome)
        return self.answer

    def value_of(self, symbol: Symbol, about: About) -> int | None:
        return {"FAMILY_ID": 42}.get(symbol.kind)


def test_passed() -> None:
    assert run_case(BIND, Scripted(Outcome(result=0))).verdict is Verdict.PASSED


def test_failed() -> None:
    result = run_case(BIND, Scripted(Outcome(error="EADDRINUSE")))
    assert result.verdict is Verdict.FAILED
    assert [m.text for m in result.mismatches] == ["expected success, got EADDRINUSE"]


def test_again_until_it_passes() -> None:
    busy = Outcome(error="EADDRINUSE")
    result = run_case(BIND, Scripted(busy, busy, Outcome(result=0), busy))
    assert (result.verdict, result.attempts) == (Verdict.PASSED, 3)


def test_skipped_with_the_premise() -> None:
    result = run_case(BIND, Scripted(premise="no such machine"))
    assert (result.verdict, result.reason) == (Verdict.SKIPPED, "no such machine")


def test_skipped_when_the_target_cannot() -> None:
    result = run_case(BIND, Scripted(Unsupported("it has no bind")))
    assert (result.verdict, result.reason) == (Verdict.SKIPPED, "it has no bind")


def test_a_breakdown_fails_at_once() -> None:
    target = Scripted(TargetError("gone"), Outcome(result=0))
    result = run_case(BIND, target)
    assert (result.verdict, result.reason) == (Verdict.FAILED, "TargetError: gone")
    assert target.script  # not tried again


def test_requests_have_their_symbols_resolved() -> None:
    step = Step(
        ops.Send(sock="a", payload=read("01 FAMILY_ID(TASKSTATS)=1f00", LITTLE)), Outcome(result=3)
    )
    target = Scripted(Outcome(result=3))
    run_case(Case("send", "", "t", (step,)), target)
    (sent,) = target.sent
    assert isinstance(sent.op, ops.Send)
    assert sent.op.payload == read("01 2a00", LITTLE)


def test_a_disturbance_that_never_ends_is_no_failure() -> None:
    step = Step(ops.Recv(sock="a"), Outcome(), label="e")
    case = Case("guarded", "", "t", (step,), guard={"e": 1})
    target = Scripted(*[Outcome(datagrams=())] * 3)
    target.exact_sequence = False
    result = run_case(case, target)
    assert (result.verdict, result.attempts) == (Verdict.SKIPPED, 3)
    assert result.reason.startswith("others' exits or listeners never let up")


@pytest.mark.parametrize(
    ("quiet", "seen", "verdict"),
    [
        (True, [1, 1, 1], Verdict.SKIPPED),
        (True, [1, 0, 1], Verdict.FAILED),
        (False, [1, 1, 1], Verdict.FAILED),
    ],
)
def test_whose_exits_were_seen_may_have_disturbed(
    quiet: bool, seen: list[int], verdict: Verdict
) -> None:
    """A case that needs quiet has failed if it did so once with nobody else in sight."""

    class Busy(Scripted):
        foreign = 0

        def execute(self, step: Step) -> Outcome:
            self.foreign = seen.pop(0)
            return super().execute(step)

    case = dataclasses.replace(BIND, needs_quiet=quiet)
    result = run_case(case, Busy(*[Outcome(error="EADDRINUSE")] * 3))
    assert (result.verdict, result.attempts) == (verdict, 3)


def test_a_guard_that_does_not_hold() -> None:
    step = Step(ops.Recv(sock="a"), Outcome(), label="e")
    case = Case("guarded", "", "t", (step,), guard={"e": 1})
    result = run_case(case, Scripted(Outcome(datagrams=())))
    assert [m.what for m in result.mismatches] == ["guard"]


def test_a_run_counts_and_leaves_exceptions_out() -> None:
    seen: list[Result] = []
    other = dataclasses.replace(BIND, name="other")
    report = run([BIND, other], Scripted(Outcome(result=0)), seen.append, {"other": "why not"})
    assert [r.verdict for r in report.results] == [Verdict.PASSED, Verdict.SKIPPED]
    assert seen == report.results
    assert not report.failed
    assert report.counts()["t"][Verdict.SKIPPED] == 1


# --- premises of the real kernel


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A machine that has all it takes; tests take something away."""
    has: dict[str, Any] = {
        "is_admin": True,
        "in_initial_namespaces": True,
        "cpus_possible": "0-1",
        "cpus_usable": frozenset({0, 1}),
        "can_unshare_users": True,
        "sysctl": {
            "kernel.task_delayacct": "0",
            "kernel.core_pattern": "core",
            "net.core.rmem_default": "212992",
            "net.core.wmem_default": "212992",
        },
    }
    for name in ("is_admin", "in_initial_namespaces", "cpus_possible", "cpus_usable"):
        monkeypatch.setattr(probe, name, lambda name=name: has[name])
    monkeypatch.setattr(probe, "can_unshare_users", lambda: has["can_unshare_users"])
    monkeypatch.setattr(probe, "sysctl", lambda name: has["sysctl"].get(name, ""))
    monkeypatch.setattr(Path, "exists", lambda self: str(self) not in has.get("no", ()))
    return has


def test_nothing_is_missing(machine: dict[str, Any]) -> None:
    assert {missing_for_kernel(case, 31) for case in CASES.values()} == {None}


@pytest.mark.parametrize(
    ("change", "case", "reason"),
    [
        ({"is_admin": False}, "get_pid_live", "asking TASKSTATS needs root with CAP_NET_ADMIN"),
        ({"is_admin": False}, "sock_send_user_passcred", "making tasks needs root"),
        ({"is_admin": False}, "sock_membership_unassigned", "joining the groups of other"),
        ({"is_admin": False}, "sock_send_to_self", "sending to other sockets needs root"),
        ({"is_admin": False}, "diff_sol_socket_rare", "privileged socket options needs root"),
        ({"is_admin": False}, "sock_send_scm_credentials", "sending the credentials of root "),
        ({"in_initial_namespaces": False}, "get_pid_dead", "not in the kernel's initial user"),
        ({"cpus_possible": "0-3"}, "mask_register_0", "possible CPUs are 0-3, recorded with 0-1"),
        ({"cpus_usable": frozenset({0})}, "event_seq_per_cpu", "no CPU 1 to run tasks on"),
        ({"can_unshare_users": False}, "cgroup_userns", "user namespaces are switched off"),
        (
            {"sysctl": {"kernel.task_delayacct": "1"}},
            "get_pid_live",
            "kernel.task_delayacct is on, recorded with it off",
        ),
        (
            {"sysctl": {"kernel.core_pattern": "|/bin/x"}},
            "event_core_abrt_dumped",
            "kernel.core_pattern is '|/bin/x', not 'core'",
        ),
        (
            {"sysctl": {"net.core.rmem_default": "1"}},
            "sock_options_defaults",
            "net.core.rmem_default is 1, not 212992",
        ),
        (
            {"no": ["/sys/fs/cgroup/freezer"]},
            "cgroup_v1_zombie",
            "no cgroup hierarchy at /sys/fs/cgroup/freezer",
        ),
        ({"no": ["/bin/true"]}, "event_exec_true", "no /bin/true"),
    ],
)
def test_what_is_missing(
    machine: dict[str, Any], change: dict[str, Any], case: str, reason: str
) -> None:
    machine |= change
    assert (missing_for_kernel(CASES[case], 31) or "").startswith(reason)


def test_a_kernel_without_taskstats(machine: dict[str, Any]) -> None:
    assert missing_for_kernel(CASES["get_pid_live"], None) == "this kernel has no TASKSTATS"
    assert missing_for_kernel(CASES["ctrl_getfamily_name_nlctrl"], None) is None


@pytest.mark.parametrize(
    ("change", "compared", "recorded"),
    [
        ({"cpus_possible": "0-7"}, "possible CPUs are 0-7, recorded with 0-1", None),
        (
            {"sysctl": {"kernel.task_delayacct": "1"}},
            "kernel.task_delayacct is on, recorded with it off",
            None,
        ),
        ({"cpus_usable": frozenset({1})}, "no CPU 0 to run tasks on", "no CPU 0 to run tasks on"),
    ],
)
def test_what_cannot_be_compared_can_be_recorded(
    machine: dict[str, Any], change: dict[str, Any], compared: str, recorded: str | None
) -> None:
    """How another machine was does not matter where all outcomes are new."""
    machine |= change
    assert missing_for_kernel(CASES["event_exit_0"], 31) == compared
    assert missing_to_record(CASES["event_exit_0"], 31) == recorded


def test_an_ordinary_user_can_run_some(machine: dict[str, Any]) -> None:
    machine["is_admin"] = False
    can = [name for name, case in CASES.items() if missing_for_kernel(case, 31) is None]
    assert len(can) > 100
    assert "ctrl_getfamily_name_nlctrl" in can
