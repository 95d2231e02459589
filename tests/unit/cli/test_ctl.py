"""``netlink-emu ctl``: each command of a line is answered by a line of JSON."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.imports import brought_by_construct
from helpers.nets import SECONDS

from netlink_emu.cli.ctl import ctl
from netlink_emu.cli.output.errors import UserError
from netlink_emu.testing import EmulatedKernel, Family


@pytest.fixture
def kernel() -> Iterator[EmulatedKernel]:
    with EmulatedKernel("6.18", arch="x86_64", cpus=4, control=True) as kernel:
        yield kernel


class Ctl:
    """Carries out lines; ``status`` is how the last run ended."""

    def __init__(
        self, path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.path = path
        self.monkeypatch = monkeypatch
        self.capsys = capsys
        self.status = 0

    def __call__(self, *lines: str) -> list[dict[str, Any]]:
        self.monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{x}\n" for x in lines)))
        try:
            ctl("-", self.path)
            self.status = 0
        except SystemExit as exc:
            self.status = int(exc.code or 0)
        return [json.loads(line) for line in self.capsys.readouterr().out.splitlines()]


@pytest.fixture
def run(
    kernel: EmulatedKernel, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Ctl:
    assert kernel.path is not None
    return Ctl(Path(kernel.path), monkeypatch, capsys)


def test_a_life_over_one_connection(kernel: EmulatedKernel, run: Ctl) -> None:
    answers = run(
        "# a comment, and an empty line",
        "",
        "tasks spawn 'a b' --pid 42 --nice=-5 utime=1.5",
        "tasks set 42 --state running",
        "faults add drop cmd=TASKSTATS_CMD_GET",
        "faults list",
        "tasks exit 42 --code 3 --zombie",
        "tasks reap 42",
        "journal note 'from a script'",
        "journal show",
    )
    assert run.status == 0
    assert all(answer["ok"] for answer in answers)
    pid, changed, rule, rules, _, reaped, _, entries = (answer.get("result") for answer in answers)
    assert (pid, changed, rule) == ({"pid": 42}, None, {"id": 1})
    assert rules == [{"id": 1, "seen": 0, "applied": 0, "rule": "drop cmd=TASKSTATS_CMD_GET"}]
    assert reaped == {"exit_status": 768}
    assert "from a script" in str(entries)
    assert 42 not in [task.pid for task in kernel.tasks]


def test_what_fails_is_told_and_the_rest_is_carried_out(run: Ctl) -> None:
    answers = run(
        "tasks exit 99",
        "tasks spawn x --policy nosuch",
        "tasks spawn x --cpu",
        "tasks spawn x --nosuch 3",
        "tasks spawn --help",
        "tasks spawn 'x",
        "tasks",
        "tasks nosuch",
        "nosuch",
        "journal follow",
        "journal wait cmd=TASKSTATS_CMD_GET --timeout 0",
        "tasks spawn y --pid 7",
    )
    assert run.status == 1
    told = [answer.get("error", "") for answer in answers]
    assert answers[0]["errno"] == "ESRCH"
    assert (
        told[1] == "there is no policy 'nosuch'; there are " + told[1].partition("there are ")[2]
    )
    assert told[2].startswith("tasks spawn: Option '--cpu' requires an argument")
    assert told[3].startswith("tasks spawn: No such option")
    assert told[4] == "netlink-emu tasks spawn --help tells how it is used"
    assert told[5].endswith("No closing quotation")
    assert told[6].startswith("tasks takes one of list, spawn")
    assert told[7] == told[6]
    assert told[8] == "there is no 'nosuch' here; there are tasks, faults, journal, family"
    assert told[9] == "journal follow does not end: run it as a command of its own"
    assert answers[10]["result"]["timed_out"] is True
    assert answers[11] == {"ok": True, "result": {"pid": 7}}


def test_a_file_of_commands(
    kernel: EmulatedKernel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "commands"
    file.write_text("tasks spawn z --pid 5\n")
    ctl(str(file), Path(str(kernel.path)))
    assert capsys.readouterr().out == '{"ok": true, "result": {"pid": 5}}\n'
    with pytest.raises(UserError, match="nosuch cannot be read"):
        ctl(str(tmp_path / "nosuch"), Path(str(kernel.path)))


def test_each_answer_comes_at_once(kernel: EmulatedKernel) -> None:
    """A test in another language asks, reads the answer, and asks again."""
    argv = [sys.executable, "-m", "netlink_emu.cli.main", "ctl", "-", "--socket", str(kernel.path)]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for pid in (5, 6):
            process.stdin.write(f"tasks spawn z --pid {pid}\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline()) == {"ok": True, "result": {"pid": pid}}
        process.stdin.close()
        assert process.wait(SECONDS) == 0


@pytest.mark.parametrize("command", ["tasks spawn x", "faults list", "journal show", "ctl -"])
def test_nothing_heavy_is_imported(kernel: EmulatedKernel, command: str) -> None:
    program = (
        "import sys; from netlink_emu.cli.main import main\n"
        "try: main()\n"
        "finally: print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *command.split(), "--socket", str(kernel.path)],
        input="", capture_output=True, text=True, check=True, timeout=SECONDS,
    )  # fmt: skip
    heavy = {"typer", "click", "rich", "trio", "asyncio", "yaml"} - brought_by_construct()
    assert not heavy & set(done.stderr.split())


LAMP = """\
name: lamp
attribute-sets:
  - name: lamp
    attributes: [{name: id, type: u32}, {name: level, type: u8}]
operations:
  list:
    - name: lamp-get
      attribute-set: lamp
      do: {request: {attributes: [id]}, reply: {attributes: [id, level]}}
    - {name: lamp-ntf, notify: lamp-get, mcgrp: events}
mcast-groups: {list: [{name: events}]}
"""


def test_a_family(kernel: EmulatedKernel, run: Ctl) -> None:
    lamp = kernel.register_family(Family.from_spec(LAMP))
    answers = run(
        "family list",
        """family add lamp lamp '{"id": 1, "level": 3}'""",
        """family change lamp lamp '{"id": 1, "level": 4}'""",
        "family objects lamp lamp",
        """family remove lamp lamp '{"id": 1}'""",
        """family notify lamp lamp-ntf '{"id": 1}' --group events""",
        "family notify lamp lamp-ntf",
        """family reply lamp lamp-get '{"id": 2}' --times 3""",
        "family fail lamp lamp-get EBUSY --message 'it is hot' --attr id --missing level",
        "family forget lamp lamp-get",
    )
    assert run.status == 0
    assert [answer.get("result") for answer in answers[:4]] == [
        [{"name": "lamp", "id": lamp.genl.id, "kind": "lamp", "key": "id"}],
        None,
        None,
        [{"id": 1, "level": 4}],
    ]
    assert answers[4:] == [{"ok": True}] * 6
    assert lamp.store.objects("lamp") == []


def test_what_a_family_refuses(kernel: EmulatedKernel, run: Ctl) -> None:
    kernel.register_family(Family.from_spec(LAMP))
    answers = run(
        "family add lamp lamp {id:1}",
        "family fail lamp lamp-get EBUSI",
        """family remove lamp lamp '{"id": 1}'""",
        "family objects lampe lamp",
        "family show lamp.yaml",
    )
    told = [(answer["error"], answer.get("errno")) for answer in answers]
    assert told[0][0].startswith("'{id:1}' is no JSON: ")
    assert told[1][0] == "there is no errno 'EBUSI', did you mean EBUSY or ENOBUFS or EFBIG?"
    assert told[2] == ("lamp has no such lamp: id 1", "ENOENT")
    assert told[3][0] == "no family 'lampe' was added to this kernel, did you mean lamp?"
    assert told[4][0].startswith("family takes one of list, objects, add")
