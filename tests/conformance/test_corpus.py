"""Every recorded case, on the emulator and on this machine's own kernel."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from helpers.interposed import NETLINK_EMU, needs_interposer
from helpers.nets import SECONDS
from helpers.nobody import AS_NOBODY, needs_root, skip_where_closed

from netlink_emu.conformance.cases.case import Case
from netlink_emu.conformance.cases.corpora import corpus_names, load_corpora
from netlink_emu.conformance.cases.corpus import GROUPS, load_corpus
from netlink_emu.conformance.cases.exceptions import not_emulated
from netlink_emu.conformance.report.text import failure
from netlink_emu.conformance.runner import Report, Verdict, run
from netlink_emu.conformance.targets.emulator import EmulatorTarget
from netlink_emu.conformance.targets.kernel import KernelTarget
from netlink_emu.conformance.targets.premises import missing_for_anything

CASES = load_corpus()


def of_group(group: str) -> list[Case]:
    return [case for case in CASES if case.group == group]


def told(report: Report) -> str:
    """What failed, in words."""
    failed = [result for result in report.results if result.verdict is Verdict.FAILED]
    return "\n".join(line for result in failed for line in failure(result))


def test_every_case_holds_on_the_emulator() -> None:
    report = run(CASES, EmulatorTarget(), exceptions=not_emulated())
    assert not report.failed, told(report)
    assert report.count(Verdict.SKIPPED) == len(not_emulated())
    assert report.count(Verdict.PASSED) >= 570


@pytest.mark.parametrize("name", corpus_names())
def test_every_recording_holds_on_its_own_machine(name: str) -> None:
    cases = load_corpora([name])
    excepted = not_emulated().keys()
    left_out = [case for case in cases if case.name in excepted or case.key in excepted]
    report = run(cases, EmulatorTarget(), exceptions=not_emulated())
    assert not report.failed, told(report)
    assert report.count(Verdict.SKIPPED) == len(left_out)
    assert report.count(Verdict.PASSED) >= 480


def test_a_case_leaves_nothing_behind() -> None:
    """In any order, and twice, the outcome is the same."""
    target = EmulatorTarget()
    report = run([*reversed(CASES), *CASES], target, exceptions=not_emulated())
    assert not report.failed, told(report)


@pytest.fixture(scope="module")
def kernel() -> Iterator[KernelTarget]:
    with KernelTarget() as target:
        reason = missing_for_anything(target.family_id, frozenset({0, 1}))
        if reason is not None:
            pytest.skip(f"this machine's kernel cannot be asked: {reason}")
        yield target


@pytest.mark.real_kernel
@pytest.mark.parametrize("group", [*GROUPS, "differential"])
def test_every_case_holds_on_the_kernel_of_this_machine(kernel: KernelTarget, group: str) -> None:
    report = run(of_group(group), kernel)
    assert not report.failed, told(report)
    if all(result.verdict is Verdict.SKIPPED for result in report.results):
        pytest.skip("; ".join({result.reason for result in report.results}) or "no such cases")


@pytest.mark.real_kernel
@needs_root
def test_an_ordinary_user_is_asked_no_more_than_it_may() -> None:
    skip_where_closed(AS_NOBODY)
    command = [*AS_NOBODY, *NETLINK_EMU, "conformance", "--target", "kernel"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, check=False, cwd="/"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "needs root with CAP_NET_ADMIN" in done.stdout
    assert re.search(r"^[1-9]\d* passed, 0 failed, ", done.stdout, re.MULTILINE), done.stdout


@needs_interposer
@needs_root
def test_receives_of_every_kind_hold_under_run() -> None:
    """The calls that the host's kernel does on the socket pair are among them."""
    conformance = [*NETLINK_EMU, "conformance", "--target", "kernel", "-k", "receive_"]
    done = subprocess.run(
        [*NETLINK_EMU, "run", "--release", "6.18", "--", *conformance],
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert re.search(r"^[1-9]\d* passed, 0 failed, ", done.stdout, re.MULTILINE), done.stdout


@pytest.mark.real_kernel
@pytest.mark.parametrize("capable", [True, False], ids=["CAP_SYS_NICE", "without"])
def test_the_runner_may_run_under_nice(capable: bool) -> None:
    """Recorded tasks had a nice value of 0. Who may not lower its own expects its own."""
    reason = missing_for_anything(KernelTarget().family_id, frozenset({0, 1}))
    if reason is not None:
        pytest.skip(f"this machine's kernel cannot be asked: {reason}")
    command = [sys.executable, "-m", "netlink_emu.cli.main", "conformance", "--target", "kernel"]
    if not capable:
        command = ["setpriv", "--bounding-set=-sys_nice", "--inh-caps=-sys_nice", *command]
    done = subprocess.run(
        ["nice", "-n", "7", *command, "-k", "ac_nice or fifo or tgid or self"],
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert re.search(r"[1-9]\d* passed, 0 failed", done.stdout)
    assert ("CAP_SYS_NICE" in done.stdout) is not capable
