"""What a client or a file has chosen colours no terminal and forges no line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from netlink_emu.cli import cassette, family
from netlink_emu.cli.output.lines import tell, tell_json

SPEC = r"""
name: "x\e[31mred"
doc: one
attribute-sets:
  - name: "a\e[1m"
    attributes:
      - {name: "id\e[2m", type: u32}
operations:
  list:
    - name: "get\e[3m"
      attribute-set: "a\e[1m"
      do: {request: {attributes: ["id\e[2m"]}, reply: {attributes: ["id\e[2m"]}}
mcast-groups: {list: [{name: "group\e[4m"}]}
"""
CASSETTE = r"""netlink-emu-cassette: 1
kernel: "6.18.44\e[31m"
arch: x86_64
command: [client, "a\e[32m\nforged"]
families:
  nlctrl: {id: 16, groups: {notify: 16}}
sockets:

- protocol: generic
  type: raw
  comm: "\x1b[33mA\x0a#9 ok"
  events:
  - request: |2
      nlctrl CTRL_CMD_GETFAMILY REQUEST|ACK
        CTRL_ATTR_FAMILY_NAME 1b5d303b 580700
    bytes: >-
      20000000 10000500 01000000 00000000 03010000 0b000200 1b5d303b 58070000
"""


def test_one_line_stays_one(capsys: pytest.CaptureFixture[str]) -> None:
    tell("\x1b[31ma\nb\u202e")
    tell_json({"comm": "\x9b1m\u202e"})
    out = capsys.readouterr().out
    assert out == '\\x1b[31ma\\nb\\u202e\n{"comm": "\\u009b1m\\u202e"}\n'
    assert json.loads(out.splitlines()[1]) == {"comm": "\x9b1m\u202e"}


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    return path


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    path = tmp_path / "tape.yaml"
    path.write_text(CASSETTE)
    return path


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
@pytest.mark.parametrize(
    "run",
    [
        lambda spec, as_json: family.show(spec, None, as_json=as_json),
        lambda spec, as_json: family.show(spec, "get\x1b[3m", as_json=as_json),
        lambda spec, as_json: family.check([spec], as_json=as_json),
    ],
    ids=["show", "show an operation", "check"],
)
def test_a_spec(
    run: Callable[..., None], as_json: bool, spec: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(spec, as_json=as_json)
    out = capsys.readouterr().out
    assert ("\\u001b[" if as_json else "\\x1b[") in out
    assert "\x1b" not in out


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_a_cassette(as_json: bool, tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cassette.show(tape, None, raw=True, as_json=as_json)
    with pytest.raises(SystemExit):  # nobody answers its request
        cassette.check([str(tape)], fix=False, as_json=as_json)
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\nforged" not in out
    assert "\n#9 ok" not in out
    if not as_json:
        assert "\\x1b[33mA\\n#9 ok" in out
        assert "\\x1b[32m\\nforged" in out
