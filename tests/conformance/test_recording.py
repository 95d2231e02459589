"""Recording on this machine's kernel."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

import netlink_emu.cli.conformance as command
from netlink_emu.cli.output import loudness
from netlink_emu.cli.output.errors import UserError
from netlink_emu.conformance.cases import ops
from netlink_emu.conformance.cases.bytes_text import read
from netlink_emu.conformance.cases.case import Case, Outcome, Step
from netlink_emu.conformance.cases.corpus import load_corpus
from netlink_emu.conformance.cases.corpus_form import read_cases, write_cases
from netlink_emu.conformance.cases.machine import read_machine
from netlink_emu.conformance.cases.selection import select
from netlink_emu.conformance.cases.transcripts import read_transcripts
from netlink_emu.conformance.record import Disturbed, NotReproducible, record
from netlink_emu.conformance.runner import Verdict, run_case
from netlink_emu.conformance.targets.emulator import EmulatorTarget
from netlink_emu.conformance.targets.kernel import KernelTarget
from netlink_emu.conformance.targets.premises import missing_for_anything
from netlink_emu.conformance.targets.real import probe
from netlink_emu.protocol.format import LITTLE

pytestmark = pytest.mark.real_kernel

CASES = {case.name: case for case in load_corpus()}


@pytest.fixture(scope="module")
def kernel() -> Iterator[KernelTarget]:
    with KernelTarget() as target:
        reason = missing_for_anything(target.family_id, frozenset({0, 1}))
        if reason is not None:
            pytest.skip(f"nothing to record: {reason}")
        yield target


def recorded(case: Case, kernel: KernelTarget) -> Case:
    try:
        return record(case, kernel)
    except Disturbed as exc:
        pytest.skip(str(exc))


@pytest.mark.parametrize(
    "name",
    [
        "event_threads_then_leader",
        "event_thread_exec",
        "event_orphan_ppid",
        "priv_pidns_seen_from_init",
        "get_pid_zombie",
        "sock_autobind_second_socket",
        "sock_send_user_passcred",
        "cgroup_ordinary_file",
        "ctrl_dump_families_plain",
        "error_erange_policy_ext_cap",
    ],
)
def test_recorded_again_a_case_has_the_same_masks(kernel: KernelTarget, name: str) -> None:
    case = CASES[name]
    made = recorded(case, kernel)
    for old, new in zip(case.steps, made.steps, strict=True):
        assert new.op == old.op or isinstance(old.op, ops.Send)
        assert new.expect.symbols == old.expect.symbols
        olds, news = old.expect.datagrams or (), new.expect.datagrams or ()
        for a, b in zip(olds, news, strict=True):
            ours = [(m.offset, m.length, m.symbol) for m in a.payload.masks]
            theirs = [(m.offset, m.length, m.symbol) for m in b.payload.masks]
            assert [m for m in ours if m[2].kind != "FOREIGN_FAMILY"] == [
                m for m in theirs if m[2].kind != "FOREIGN_FAMILY"
            ]
    assert list(read_cases(write_cases([made]))) == [made]
    result = run_case(made, kernel)
    if result.verdict is Verdict.SKIPPED:
        pytest.skip(result.reason)
    assert result.verdict is Verdict.PASSED


def test_a_new_case_from_its_steps_alone(kernel: KernelTarget) -> None:
    request = read(
        "1c000000 FAMILY_ID(TASKSTATS)=0000 0500 07000000 00000000 01010000"
        " 08000100 PID(c1)=00000000",
        LITTLE,
    )
    steps = (
        Step(ops.Spawn(cpu=0, comm="mine"), task="c1"),
        Step(ops.Socket(sock="a")),
        Step(ops.Bind(sock="a", pid=0x4F123456, groups=0)),
        Step(ops.Send(sock="a", payload=request)),
        Step(ops.Recv(sock="a")),
        Step(ops.Exit(code=3), task="c1"),
        Step(ops.Reap(), task="c1"),
    )
    made = record(Case("mine", "a case of mine", "mine", steps), kernel)
    reply, ack = made.steps[4].expect.datagrams or ()
    kinds = {mask.symbol.kind for mask in reply.payload.masks}
    assert {"FAMILY_ID", "PID", "PPID", "TGID", "STATS", "EXE_INODE"} <= kinds
    assert [mask.symbol.kind for mask in ack.payload.masks] == ["FAMILY_ID"]
    assert made.steps[-1].expect == Outcome(result={"wait_status": 768})
    assert run_case(made, EmulatorTarget()).verdict is Verdict.PASSED


def test_a_socket_that_is_bound_to_a_tasks_pid(kernel: KernelTarget) -> None:
    """Its portid is another one each time, here and in what is sent to it."""
    request = read("14000000 1000 0500 07000000 00000000 03020000", LITTLE)
    steps = (
        Step(ops.Spawn(cpu=0, comm="mine"), task="c1"),
        Step(ops.Socket(sock="a")),
        Step(ops.Bind(sock="a", pid_of="c1", groups=0)),
        Step(ops.GetSockName(sock="a")),
        Step(ops.Send(sock="a", payload=request)),
        Step(ops.Recv(sock="a")),
        Step(ops.Exit(code=0), task="c1"),
        Step(ops.Reap(), task="c1"),
    )
    made = recorded(Case("pid_of", "a socket named as a task", "mine", steps), kernel)
    assert {str(s) for s in made.steps[3].expect.symbols.values()} == {"PORTID(a)"}
    (answer,) = made.steps[5].expect.datagrams or ()
    assert "PORTID(a)" in {str(mask.symbol) for mask in answer.payload.masks}
    assert run_case(made, EmulatorTarget()).verdict is Verdict.PASSED


def test_what_cannot_be_reproduced_is_refused(kernel: KernelTarget) -> None:
    """The pid of the driver, in bytes that nothing says it of, is another one each time."""
    steps = (
        Step(ops.Socket(sock="a")),
        Step(ops.SetSockOpt(sock="a", level=1, opt=16, value=1)),  # SO_PASSCRED
        Step(ops.Bind(sock="a", pid=0x4F123457, groups=0)),
        Step(ops.Send(sock="a", payload=read("'hello'", LITTLE), addr=["a", 0])),
        Step(ops.Recv(sock="a")),
    )
    with pytest.raises(NotReproducible, match=r"two runs differ, step 4: .*control message 0"):
        record(Case("creds", "", "mine", steps), kernel)


def test_the_machine_is_described_beside_the_cases(kernel: KernelTarget, tmp_path: Path) -> None:
    out = tmp_path / "recorded.json"
    arguments = ["record", "-k", "ctrl_getfamily_id", "--output", str(out)]
    assert CliRunner().invoke(command.app, arguments).exit_code == 0
    machine = read_machine(tmp_path)
    assert machine is not None
    assert machine.family_id == kernel.family_id
    assert machine.cpus_possible == probe.cpus_possible()
    assert machine.skb_small_truesize
    assert machine.skb_small_truesize % 64 == 0
    assert {"nlctrl", "TASKSTATS"} <= set(machine.families)
    case = read_transcripts(out.read_text())[0]
    assert (case.kernel, case.arch) == (machine.release, machine.arch)
    # What is emulated by default is that machine, and so all holds.
    assert CliRunner().invoke(command.app, ["--vectors", str(tmp_path)]).exit_code == 0
    assert CliRunner().invoke(command.app, arguments).exit_code == 0  # again, in its place


@pytest.mark.parametrize(
    ("there", "name", "problem"),
    [
        ('{"release": "4.4"}', "r.json", "describes another machine: record into a folder"),
        ("{", "r.json", "it is no JSON: .*: record into a folder of its own"),
        ("{}", "machine.json", "is the name of the machine's description: name another file"),
    ],
)
def test_another_machines_description_is_not_replaced(
    kernel: KernelTarget, tmp_path: Path, there: str, name: str, problem: str
) -> None:
    (tmp_path / "machine.json").write_text(there)
    arguments = ["record", "-k", "ctrl_getfamily_id", "--output", str(tmp_path / name)]
    result = CliRunner().invoke(command.app, arguments)
    assert isinstance(result.exception, UserError)
    assert re.search(problem, str(result.exception))
    assert (tmp_path / "machine.json").read_text() == there
    assert kernel.family_id


def test_the_command_writes_what_can_be_read(kernel: KernelTarget, tmp_path: Path) -> None:
    out = tmp_path / "made.json"
    arguments = ["record", "-k", "ctrl_getfamily_id", "--output", str(out)]
    result = CliRunner().invoke(command.app, arguments)
    assert result.exit_code == 0, result.output
    names = [case["name"] for case in json.loads(out.read_text())["cases"]]
    assert names == [case.name for case in select(load_corpus(), "ctrl_getfamily_id")]
    again = CliRunner().invoke(command.app, ["--vectors", str(tmp_path)])
    assert again.exit_code == 0, again.output


@pytest.fixture
def forgotten() -> Iterator[None]:
    """How loud a command of this process was."""
    yield
    loudness.forget()


@pytest.mark.usefixtures("forgotten")
def test_the_command_tells_in_json(kernel: KernelTarget, tmp_path: Path) -> None:
    out = tmp_path / "mine.json"
    expression = "ctrl_getfamily_id or event_exec_by_a_thread"
    arguments = ["record", "-k", expression, "--output", str(out), "--json", "--verbose"]
    done = CliRunner().invoke(command.app, arguments)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    made = {case.name for case in read_cases(out.read_text())}
    assert {each["case"] for each in told if each["recorded"]} == made
    assert all(bool(each["reason"]) is not each["recorded"] for each in told)
    assert all(each["seconds"] > 0 for each in told if each["recorded"])
    assert sum(line.startswith("recorded ") for line in done.stderr.splitlines()) == len(made)
    assert done.exit_code == (0 if len(made) == len(told) else 1)


def test_json_needs_a_file_for_the_transcripts() -> None:
    done = CliRunner().invoke(command.app, ["record", "--json"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--output" in done.stderr
