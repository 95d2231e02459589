"""The commands that control a kernel, on one whose byte order is not this machine's."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from helpers.interposed import NETLINK_EMU
from helpers.nets import SECONDS

ARCH: Final = "s390x" if sys.byteorder == "little" else "x86_64"
SPEC: Final = Path(__file__).parents[1] / "data" / "specs" / "7.3" / "nlctrl.yaml"


def served(*commands: str) -> list[Any]:
    """What these commands print, one JSON a line; all of them succeed."""
    program = shlex.join(NETLINK_EMU)
    script = "set -e\n" + "\n".join(f"{program} {command}" for command in commands)
    done = subprocess.run(
        [
            *NETLINK_EMU, "serve", "--arch", ARCH, "--tasks", "none", "--cpus", "2", "--control",
            "--virtual-time", "-q", "--", "sh", "-c", script,
        ],
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_tasks() -> None:
    found = served(
        "tasks spawn nginx --pid 4201 --cpu 1 utime=1.2 --json",
        "tasks exit 4201 --code 3 --zombie",
        "tasks list --json",
        "tasks cpus --json",
    )
    spawned, init, zombie, *cpus = found
    assert spawned == {"pid": 4201}
    assert (init["pid"], init["comm"]) == (1, "init")
    assert (zombie["pid"], zombie["comm"], zombie["cpu"]) == (4201, "nginx", 1)
    assert zombie["exit_status"] == 3 << 8
    assert [row["cpu"] for row in cpus] == [0, 1]


def test_faults_and_journal() -> None:
    rule = "delay seconds=0.5 cmd=TASKSTATS_CMD_GET"
    found = served(
        f"faults add '{rule}' --json",
        "faults list --json",
        "journal note 'two words'",
        "journal show --json",
        "family call " + shlex.quote(str(SPEC)) + """ getfamily '{"family-name": "TASKSTATS"}'""",
        "journal wait cmd=CTRL_CMD_GETFAMILY --timeout 300 --json",
    )
    added, listed, note, family, waited = found
    assert added == {"id": 1}
    assert (listed["rule"], listed["seen"]) == (rule, 0)
    assert (note["what"], note["text"]) == ("note", "two words")
    assert family["family-name"] == "TASKSTATS"
    assert waited["portid"] > 0


def test_many_over_one_connection() -> None:
    asked = r"printf 'tasks spawn nginx --pid 4201\ntasks exit 4201\nfaults list\n'"
    program = shlex.join(NETLINK_EMU)
    done = subprocess.run(
        [
            *NETLINK_EMU, "serve", "--arch", ARCH, "--tasks", "none", "--control", "-q",
            "--", "sh", "-c", f"{asked} | {program} ctl -",
        ],
        capture_output=True, text=True, timeout=SECONDS, check=True,
    )  # fmt: skip
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert answers == [
        {"ok": True, "result": {"pid": 4201}},
        {"ok": True},
        {"ok": True, "result": []},
    ]


def test_the_journal_follows(tmp_path: Path) -> None:
    path = tmp_path / "run" / "nl"
    with subprocess.Popen(
        [
            *NETLINK_EMU, "serve", "--arch", ARCH, "--tasks", "none", "--control",
            "--socket", str(path),
        ],
        stderr=subprocess.PIPE, text=True,
    ) as server:  # fmt: skip
        try:
            assert server.stderr is not None
            assert "ready" in server.stderr.readline()
            _follow(path)
        finally:
            server.terminate()


def _follow(path: Path) -> None:
    with subprocess.Popen(
        [*NETLINK_EMU, "watch", str(path)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as follows:  # fmt: skip
        try:
            assert follows.stdout is not None
            assert follows.stderr is not None
            assert "so the journal follows" in follows.stderr.readline()
            note = [*NETLINK_EMU, "journal", "note", "hello", "--socket", str(path)]
            subprocess.run(note, check=True, timeout=SECONDS)
            assert follows.stdout.readline().endswith("hello\n")
        finally:
            follows.terminate()
