"""``netlink-emu conformance`` as a command: exit statuses, texts, files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import netlink_emu.cli.conformance as command
from netlink_emu.cli.output.errors import UserError
from netlink_emu.conformance.cases.corpus import load_corpus
from netlink_emu.conformance.cases.corpus_form import write_cases
from netlink_emu.conformance.targets.emulator import Boot, EmulatorTarget

DATA = Path(__file__).parents[2] / "data" / "transcripts"


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(command.app, list(arguments))


def test_everything_passes_on_the_emulator() -> None:
    result = invoke()
    assert result.exit_code == 0, result.output
    assert ", 0 failed, 0 skipped in " in result.output


def test_a_choice() -> None:
    result = invoke("-k", "event_exit_0")
    assert result.exit_code == 0
    assert result.output.splitlines()[-1].startswith("1 passed, 0 failed, 0 skipped")


def test_listing_runs_nothing() -> None:
    result = invoke("--list", "-k", "event_exec")
    assert result.exit_code == 0
    assert [line.partition(":")[0] for line in result.output.splitlines()] == [
        "events/event_exec_symlink",
        "events/event_exec_true",
    ]


def test_a_folder_of_transcripts(tmp_path: Path) -> None:
    shutil.copy(DATA / "event_exit_0.json", tmp_path)
    ours = [case for case in load_corpus() if case.name == "get_pid_live"]
    (tmp_path / "ours.json").write_text(write_cases(ours))
    result = invoke("--vectors", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert "2 passed" in result.output


def test_reports(tmp_path: Path) -> None:
    html, junit = tmp_path / "r.html", tmp_path / "r.xml"
    result = invoke("-k", "ctrl_getfamily", "--html", str(html), "--junit-xml", str(junit))
    assert result.exit_code == 0
    assert "<!doctype html>" in html.read_text()
    assert 'name="ctrl_getfamily_name_taskstats"' in junit.read_text()


def test_a_failure_is_told_and_is_status_1(
    monkeypatch: pytest.MonkeyPatch, broken_boot: Boot
) -> None:
    monkeypatch.setattr(
        command,
        "EmulatorTarget",
        lambda release, **others: EmulatorTarget(release, broken_boot, **others),
    )
    result = invoke("-k", "frame_flag_ack_error")
    assert result.exit_code == 1
    assert "FAILED frame_flag_ack_error (framing)" in result.output
    assert "0 passed, 1 failed" in result.output


def test_a_folder_brings_its_machine_along(tmp_path: Path) -> None:
    """The case passes under the family's id and the CPUs that it was recorded with."""
    folder = tmp_path / "transcripts"
    folder.mkdir()
    source = DATA / "ctrl_dump_families_plain.json"
    (folder / source.name).write_text(source.read_text())
    machine = tmp_path / "machine.json"
    machine.write_text('{"release": "6.18.44", "family_id": 31}')
    assert invoke("--vectors", str(folder)).exit_code == 0
    assert invoke("--vectors", str(tmp_path)).exit_code == 0
    machine.write_text('{"release": 6.18}')
    result = invoke("--vectors", str(folder))
    assert isinstance(result.exception, UserError)
    assert "machine.json: release cannot be '6.18'" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("-k", "and"), "a word is missing"),
        (("--release", "nonsense"), "--release"),
        (("--release", "6.18", "--target", "kernel"), "only the emulator can be another machine"),
        (("--arch", "vax"), "unknown architecture 'vax'"),
        (("--config", "nr_cpus=0"), "nr_cpus is between 1 and 8192"),
        (("--config", "colour=red"), "a kernel has no 'colour' to configure"),
        (("--no-such-option",), "No such option"),
    ],
)
def test_wrong_usage_is_status_2(arguments: tuple[str, ...], text: str) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert text in result.output.replace("\n", " ")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("-k", "no_such_case"), "no case matches 'no_such_case'"),
        (("--vectors", "/no/such/folder"), "/no/such/folder is not a folder"),
        (("--target", "/no/such/socket"), "cannot reach /no/such/socket: No such file"),
        (("-k", "event_exit_0", "--html", "/no/such/file"), "cannot write /no/such/file"),
    ],
)
def test_what_a_user_can_mend(arguments: tuple[str, ...], text: str) -> None:
    result = invoke(*arguments)
    assert isinstance(result.exception, UserError)
    assert str(result.exception).startswith(text)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"name": "x"}', '{"cases": [{}]}'])
def test_a_file_that_is_no_transcript(tmp_path: Path, content: str) -> None:
    (tmp_path / "bad.json").write_text(content)
    result = invoke("--vectors", str(tmp_path))
    assert isinstance(result.exception, UserError)
    assert "bad.json is not a transcript" in str(result.exception)


def test_an_empty_folder(tmp_path: Path) -> None:
    result = invoke("--vectors", str(tmp_path))
    assert str(result.exception) == f"there are no transcripts (*.json) in {tmp_path}"


def test_another_release_differs() -> None:
    """2.6.35 has neither policies nor extended acks: cases about them fail, others hold."""
    result = invoke("--release", "2.6.35", "-k", "ctrl_getpolicy_taskstats_name")
    assert result.exit_code == 1
    assert "ctrl_getpolicy_taskstats_name" in result.output
    assert invoke("--release", "2.6.35", "-k", "sock_create_rdm").exit_code == 0
