"""Files that are no transcripts: one sentence, whatever they hold."""

from __future__ import annotations

import json
from typing import Any

import pytest

from netlink_emu.conformance.cases.case import CaseError
from netlink_emu.conformance.cases.transcripts import read_transcripts
from netlink_emu.conformance.runner import Verdict, run_case
from netlink_emu.conformance.targets.emulator import EmulatorTarget

STEP: dict[str, Any] = {"op": "socket", "sock": "s"}


def text(*steps: Any, **members: Any) -> str:
    case = {"name": "x", "title": "x", "group": "x", "steps": list(steps)}
    return json.dumps({"cases": [case | members]})


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("", "Expecting value"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "list"),
        ('{"cases": {}, "group": 3', "delimiter"),
        (text(STEP, name=None), "case.name cannot be a NoneType"),
        (text(STEP, privileged=1), "case.privileged cannot be a int"),
        (text({"op": "socket", "sock": 3}), "steps[0].op.sock cannot be a int"),
        (text({"op": "nothing"}), "unknown operation nothing"),
        (text({"op": "socket"}), "missing 1 required keyword-only argument: 'sock'"),
        (text({"op": "shutdown", "sock": "s", "how": True}), "op.how cannot be a bool"),
        (text({"op": "send", "sock": "s", "payload": "0"}), "not understood: '0'"),
        (text({"op": "send", "sock": "s", "payload": "00*99999999999"}), "more than any datagram"),
        (text({"op": "send", "sock": "s", "payload": "PID(a)="}), "a mask of 0 bytes at 0"),
        (text(STEP, cpus_possible="0-99999999"), "cpus_possible is '0-99999999'"),
        (text(STEP, cpus_possible="0-\u0663"), "cpus_possible is"),
        (text(STEP, guard={"a": "b"}), "case.guard[a] cannot be a str"),
        ('{"name": "x", "steps": [{"op": "recv", "sock": "s", "datagrams": [{"hex": "00"}]}], '
         '"symbols": [{"step": 0, "part": "recv", "datagram": 0, "offset": 9, "length": 4, '
         '"kind": "PID"}]}', "a mask of 4 bytes at 9"),
    ],
)  # fmt: skip
def test_one_sentence(source: str, said: str) -> None:
    with pytest.raises(CaseError) as caught:
        read_transcripts(source)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "step",
    [
        {"op": "close", "sock": "unknown"},
        {"op": "send", "sock": "s", "payload": "00", "addr": [[], {}]},
        {"op": "socket", "sock": "t", "type": "no such type"},
        {"op": "bind", "sock": "s", "addr_hex": "zz"},
        {"op": "task", "action": "reap", "task": "nobody"},
        {"op": "sleep", "ms": -1},
    ],
)
def test_steps_that_cannot_be_carried_out(step: dict[str, Any]) -> None:
    (case,) = read_transcripts(text(STEP, step))
    result = run_case(case, EmulatorTarget())
    assert result.verdict is Verdict.FAILED
    assert result.reason
