"""A transcript can have a real machine do only what the shipped ones do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from netlink_emu.conformance.cases.corpus import load_corpus
from netlink_emu.conformance.cases.harmless import harm
from netlink_emu.conformance.cases.transcripts import read_transcripts


def harm_of(*steps: dict[str, Any]) -> str:
    text = json.dumps({"cases": [{"name": "x", "title": "x", "group": "x", "steps": steps}]})
    (case,) = read_transcripts(text)
    return harm(case)


def send(payload: str, sock: str = "s") -> dict[str, Any]:
    return {"op": "send", "sock": sock, "payload": payload}


def test_the_shipped_ones_do_no_harm() -> None:
    cases = load_corpus()
    assert len(cases) > 500
    assert {case.name: found for case in cases if (found := harm(case))} == {}


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ({"op": "task", "action": "spawn", "exec": ["/bin/rm", "-rf", "/"]}, "executes '/bin/rm"),
        ({"op": "task", "action": "spawn", "exec": ["/bin/sh", "-c", "exit 1; id"]}, "executes"),
        ({"op": "task", "action": "spawn", "exec": []}, "executes ''"),
        (
            {"op": "task", "action": "exit", "how": "exec", "argv": ["/usr/bin/id"]},
            "executes '/usr/bin/id'",
        ),
        ({"op": "open", "fd": "f", "path": "/etc/shadow"}, "opens '/etc/shadow'"),
        ({"op": "open", "fd": "f", "path": "/sys/fs/cgroup/../../../etc/x"}, "opens"),
        ({"op": "open", "fd": "f", "path": "/tmp", "flags": 0o1101}, "with flags 0o1101"),
        ({"op": "task", "action": "mkdir", "path": "/root/x"}, "makes, fills or removes"),
        ({"op": "task", "action": "rmdir", "path": "/tmp"}, "makes, fills or removes"),
        ({"op": "task", "action": "rmdir", "path": "/sys/fs/cgroup/cpu/user"}, "removes"),
        (
            {"op": "task", "action": "cgroup_attach", "path": "/sys/fs/cgroup/freezer"},
            "makes, fills or removes",
        ),
        (send("14000000 1500 0100 00*8 01010000"), "it asks family 21, which is not named"),
        (send("10000000 1000 0100 00*8 14000000 1500 0100 00*8 01010000"), "family 21"),
    ],
)
def test_what_only_a_program_may_do(step: dict[str, Any], said: str) -> None:
    assert said in harm_of({"op": "socket", "sock": "s"}, step)


@pytest.mark.parametrize(
    "step",
    [
        {"op": "task", "action": "spawn", "exec": ["/bin/sleep", "60"]},
        {"op": "task", "action": "exit", "how": "exit_group", "code": 3},
        {"op": "open", "fd": "f", "path": "/sys/fs/cgroup/freezer/tasks"},
        {"op": "task", "action": "mkdir", "path": "/sys/fs/cgroup/freezer/netlink-emu"},
        send("14000000 FAMILY_ID(TASKSTATS)=1f00 0100 00*8 01010000"),
        send("14000000 1000 0100 00*8 03010000"),
        send("14000000 ff03 0100 00*8 03010000"),
    ],
)
def test_what_any_may_do(step: dict[str, Any]) -> None:
    assert harm_of({"op": "socket", "sock": "s"}, step) == ""


def test_other_protocols_are_opened_but_not_spoken_to() -> None:
    route = {"op": "socket", "sock": "r", "proto": 0}
    assert harm_of(route) == ""
    assert harm_of(route, send("14000000 1000 0100 00*8 00*4", "r")).startswith("it sends to")
