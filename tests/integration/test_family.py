"""``netlink-emu family``: specs shown and checked, operations called, a kernel recorded."""

from __future__ import annotations

import functools
import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from helpers.interposed import NETLINK_EMU, needs_interposer
from helpers.nets import SECONDS

from netlink_emu.protocol.family import talk
from netlink_emu.specs import read_spec_file

SPECS = Path(__file__).parents[1] / "data" / "specs" / "7.3"
LAMPS = """\
name: lamps
attribute-sets:
  - name: lamp
    attributes:
      - {name: id, type: u32}
      - {name: level, type: u8, checks: {max: 11}}
      - {name: key, type: binary}
      - {name: colour, type: nest, nested-attributes: colour}
  - {name: colour, attributes: [{name: red, type: u8, checks: {max: 9}}]}
operations:
  list:
    - name: lamp-get
      attribute-set: lamp
      do: {request: {attributes: [id]}, reply: {attributes: &all [id, level, key, colour]}}
      dump: {reply: {attributes: *all}}
    - name: lamp-set
      doc: |
        Turn it.
        More than that is not to be said.
      attribute-set: lamp
      flags: [admin-perm]
      do: {request: {attributes: *all}}
    - {name: lamp-ntf, notify: lamp-get, mcgrp: events}
mcast-groups: {list: [{name: events}]}
"""
STATE = {"lamp": [{"id": 1, "level": 3, "key": "00ff"}, {"id": 2}]}


def family(*args: str | Path, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [*NETLINK_EMU, *before, *(NETLINK_EMU if before else ()), "family", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)


@pytest.fixture
def lamps(tmp_path: Path) -> Path:
    (tmp_path / "state.json").write_text(json.dumps(STATE))
    spec = tmp_path / "lamps.yaml"
    spec.write_text(LAMPS)
    return spec


def test_show(lamps: Path) -> None:
    assert family("show", lamps).stdout.splitlines() == [
        "lamps, version 1, genetlink",
        "  lamp-get: do, dump",
        "  lamp-set: do, admin-perm",
        "  lamp-ntf: event",
        "  keeps lamp: by id",
        "  group events",
        "  attributes lamp: 4",
        "  attributes colour: 1",
    ]
    assert family("show", lamps, "lamp-set").stdout.splitlines() == [
        "lamp-set: do, admin-perm",
        "  Turn it.",
        "  do, command 2",
        "    request id: u32",
        "    request level: u8",
        "    request key: binary",
        "    request colour: nest colour",
    ]
    whole = json.loads(family("show", "--json", lamps).stdout)
    assert whole["objects"] == {"lamp": ["id"]}
    assert whole["attribute-sets"]["lamp"][1] == {"name": "level", "number": 2, "type": "u8"}


@pytest.mark.parametrize("spec", sorted(SPECS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_kernels_specs_can_be_shown(
    spec: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from netlink_emu.cli import family
    from netlink_emu.cli.family import show

    monkeypatch.setattr(family, "read_spec_file", functools.cache(read_spec_file))
    show(spec, as_json=True)
    whole = json.loads(capsys.readouterr().out)
    for operation in whole["operations"]:
        show(spec, operation["name"])
    assert capsys.readouterr().out
    assert whole["name"] == read_spec_file(spec).declaration.name


def test_check(lamps: Path, tmp_path: Path) -> None:
    done = family("check", lamps)
    assert (done.returncode, done.stdout) == (0, f"{lamps}: lamps, 3 operations, is sound\n")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(LAMPS.replace("type: u8", "type: u7", 1) + "colour: 1\n")
    odd = tmp_path / "odd.yaml"
    odd.write_text(LAMPS + "nmae: 1\n")
    done = family("check", wrong, odd)
    assert done.returncode == 1
    first, second, third = done.stdout.splitlines()
    assert first.startswith(f"{wrong}:6:")
    assert "u7" in first
    assert second == f"{odd}:25:7: 'nmae' is not known here, did you mean name?"
    assert third.endswith("is sound")
    told = [json.loads(line) for line in family("check", "--json", wrong, odd).stdout.splitlines()]
    assert [each["sound"] for each in told] == [False, True]


def lines(done: subprocess.CompletedProcess[str]) -> list[Any]:
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


CALLS = [
    ("lamp-get", '{"id": 1}'),
    ("lamp-set", '{"id": 2, "key": "aa", "colour": {"red": 3}}'),
    ("lamp-get", "--dump"),
    ("lamp-get", '{"id": 9}'),
    ("lamp-get",),
    ("lamp-set", '{"id": 1, "colour": {"red": 10}}'),
    ("lamp-set", "--dump"),
]
SAID = """\
{"id": 1, "level": 3, "key": "00ff"}
{"id": 1, "level": 3, "key": "00ff"}
{"id": 2, "key": "aa", "colour": {"red": 3}}
netlink-emu: lamp-get: ENOENT
netlink-emu: lamp-get: EINVAL (attribute id is missing)
netlink-emu: lamp-set: ERANGE: integer out of range (attribute colour.red)
netlink-emu: lamp-set: lamp-set of lamps is done alone
"""


def test_call_a_server(lamps: Path, tmp_path: Path) -> None:
    calls = [shlex.join([*NETLINK_EMU, "family", "call", str(lamps), *call]) for call in CALLS]
    done = subprocess.run(
        [
            *NETLINK_EMU, "serve", "--family", f"{lamps}:{tmp_path}/state.json",
            "--", "sh", "-c", "exec 2>&1\n" + "\n".join(calls),
        ],
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 1, "of the last call"
    assert done.stdout == SAID


CONTROL = """
    family list
    family add lamps lamp '{"id": 3, "level": 9, "key": "0102"}'
    family change lamps lamp '{"id": 1, "level": 4}'
    family remove lamps lamp '{"id": 2}'
    family objects lamps lamp
    family call LAMPS lamp-get --dump
    family add lamps lamp '{"id": 3}'
    family reply lamps lamp-get '[{"id": 7}, {"id": 8}]' --times=1
    family call LAMPS lamp-get '{"id": 1}'
    family fail lamps lamp-set ERANGE --message 'it is hot' --attr=colour.red --times=1
    family call LAMPS lamp-set '{"id": 1, "colour": {"red": 1}}'
    family call LAMPS lamp-set '{"id": 1, "colour": {"red": 1}}'
    family fail lamps lamp-set EIO --missing=level
    family call LAMPS lamp-set '{"id": 1}'
    family forget lamps lamp-set
    family call LAMPS lamp-set '{"id": 1}'
    family notify lamps lamp-nft
    family objects lamps lamp --json
"""
CONTROLLED = """\
name   id  kind  key
lamps  19  lamp  id
{"id": 1, "level": 4, "key": "00ff"}
{"id": 3, "level": 9, "key": "0102"}
{"id": 1, "level": 4, "key": "00ff"}
{"id": 3, "level": 9, "key": "0102"}
netlink-emu: lamps has a lamp with this id already
{"id": 7}
{"id": 8}
netlink-emu: lamp-set: ERANGE: it is hot (attribute colour.red)
netlink-emu: lamp-set: EIO (attribute level is missing)
netlink-emu: there is no operation of lamps 'lamp-nft', did you mean lamp-ntf or lamp-set or lamp-get?
{"id": 1, "level": 4, "key": "00ff", "colour": {"red": 1}}
{"id": 3, "level": 9, "key": "0102"}
"""  # noqa: E501


def test_change_what_a_server_has(lamps: Path, tmp_path: Path) -> None:
    program = shlex.join(NETLINK_EMU)
    lines = [
        f"{program} {line}" for line in CONTROL.replace("LAMPS", str(lamps)).split("\n    ")[1:]
    ]
    done = subprocess.run(
        [
            *NETLINK_EMU, "serve", "--control", "--family", f"{lamps}:{tmp_path}/state.json",
            "--", "sh", "-c", "exec 2>&1\n" + "\n".join(lines),
        ],
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.stdout == CONTROLLED


@needs_interposer
def test_call_under_run(lamps: Path, tmp_path: Path) -> None:
    run = ("run", "--family", f"{lamps}:{tmp_path}/state.json", "--")
    done = family("call", lamps, "lamp-get", '{"id": 1}', before=run)
    assert lines(done) == [STATE["lamp"][0]]
    done = family("call", SPECS / "netdev.yaml", "dev-get", before=run)
    first = done.stderr.splitlines()[0]
    assert first == "netlink-emu: dev-get: the kernel has no family netdev"


@needs_interposer
def test_the_names_are_in_the_journal(lamps: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    run = ("run", "--journal", str(log), "--family", f"{lamps}:{tmp_path}/state.json", "--")
    family("call", lamps, "lamp-set", '{"id": 1, "level": 7}', before=run)
    assert '"lamp-set"' in log.read_text()
    assert '"level"' in log.read_text()


def test_decode_knows_a_specs_names(lamps: Path) -> None:
    message = talk.request(
        read_spec_file(lamps).declaration,
        read_spec_file(lamps).declaration.operation("lamp-set"),
        {"id": 7, "colour": {"red": 3}},
        family=40,
    )
    for options in (["--family", f"{lamps}=40"], ["--family", str(lamps), "--family", "lamps=40"]):
        done = subprocess.run(
            [*NETLINK_EMU, "decode", *options, message.hex()],
            capture_output=True, text=True, timeout=SECONDS, check=True,
        )  # fmt: skip
        assert "lamp-set" in done.stdout
        assert re.search(r"\bid\b.*7", done.stdout)
        assert re.search(r"\bred\b.*3", done.stdout)


@pytest.mark.real_kernel
def test_call_and_record_a_real_kernel(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    done = family("call", SPECS / "nlctrl.yaml", "getfamily", '{"family-name": "nlctrl"}')
    (answer,) = lines(done)
    assert answer["family-id"] == 16
    file = tmp_path / "nlctrl.json"
    assert family("record", "nlctrl", "-o", file).returncode == 0
    (recorded,) = json.loads(file.read_text())["families"]
    assert recorded["id"] == 16
    assert recorded["getfamily"]
    assert recorded["getpolicy_dump"]
    done = family("record", "nlctrl", "-o", tmp_path / "no" / "file")
    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot be written" in done.stderr
