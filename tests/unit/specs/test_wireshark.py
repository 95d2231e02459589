"""The Lua dissector: what it knows of families is what their declarations say."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from helpers.nets import SECONDS

from netlink_emu.files import path_of
from netlink_emu.protocol.reading.declared import describe
from netlink_emu.protocol.reading.describe import NLCTRL, TASKSTATS, FamilyDesc
from netlink_emu.specs import read_spec_file
from netlink_emu.specs.wireshark import _lua, dissector

SPECS = sorted((Path(__file__).parents[2] / "data/specs/7.3").glob("*.yaml"))


def test_names_are_there() -> None:
    text = dissector([TASKSTATS])
    for name in ("TASKSTATS_CMD_GET", "CGROUPSTATS_CMD_NEW", "ac_comm", "nr_io_wait", "AFORK"):
        assert f'"{name}"' in text
    assert '{ "u32", "taskstats.taskstats_cmd_attr_pid", "TASKSTATS_CMD_ATTR_PID" }' in text
    assert '[3] = "ESRCH"' in text
    assert "--@TABLES@" not in text


def test_the_shipped_one_has_what_is_ours() -> None:
    text = path_of("netlink_emu.lua").read_text()
    for name in (NLCTRL.name, TASKSTATS.name, "NETLINK_EMU"):
        assert f'["{name}"] = {{' in text


def test_a_filter_has_one_type() -> None:
    descs = [describe(read_spec_file(path).declaration) for path in SPECS]
    fields = re.findall(r'^  \{ "(\w+)", "([^"]+)", ', dissector(descs), re.MULTILINE)
    assert len(fields) > 500
    assert len({name for _, name in fields}) == len(fields)


@pytest.mark.parametrize("text", ['"]]\n', "\\", "\0", "é\u202e", "--]]", "a b"])
def test_no_name_ends_its_string(text: str) -> None:
    quoted = _lua(text)
    assert re.fullmatch(r'"([ !#-\[\]-~]|\\\d{3})*"', quoted)
    inner = re.sub(r"\\(\d{3})", lambda found: chr(int(found[1])), quoted[1:-1])
    assert inner.encode("latin-1").decode() == text


def test_every_spec_is_sound_lua(tmp_path: Path) -> None:
    compiler = next(filter(None, map(shutil.which, ("luac", "luac5.4", "luac5.3"))), None)
    if compiler is None:
        pytest.skip("needs luac, of Debian's lua5.4")
    descs: list[FamilyDesc] = [describe(read_spec_file(path).declaration) for path in SPECS]
    script = tmp_path / "all.lua"
    script.write_text(dissector(descs))
    subprocess.run([compiler, "-p", str(script)], check=True, timeout=SECONDS)
