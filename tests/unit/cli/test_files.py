"""``netlink-emu files``: where the files are that come with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from netlink_emu.cli.files import files
from netlink_emu.cli.output.errors import UserError
from netlink_emu.files import FILES, path_of


def test_every_file_that_is_there_is_told() -> None:
    folder = path_of("netlink_emu.h").parent
    assert {path.name for path in folder.iterdir() if path.suffix not in (".py", "")} == {*FILES}


def test_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    files()
    heads, *rows = capsys.readouterr().out.splitlines()
    assert heads.split() == ["file", "path", "what"]
    for row, (name, what) in zip(rows, FILES.items(), strict=True):
        file, path, said = row.split(maxsplit=2)
        assert (file, said) == (name, what)
        assert Path(path).is_file()


def test_one_path(capsys: pytest.CaptureFixture[str]) -> None:
    files("netlink_emu.h")
    path = Path(capsys.readouterr().out.removesuffix("\n"))
    assert "NLEMU_CMD_TASK_NEW" in path.read_text()


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    files(as_json=True)
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["file"] for row in rows] == [*FILES]
    assert all(row.keys() == {"file", "path", "what"} for row in rows)
    files("nlctrl.yaml", as_json=True)
    assert json.loads(capsys.readouterr().out)["path"] == str(path_of("nlctrl.yaml"))


def test_there_is_no_such_file() -> None:
    with pytest.raises(UserError, match=r"no file 'x\.h'; there are netlink_emu\.h, "):
        files("x.h")
