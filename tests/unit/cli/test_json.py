"""``--json`` of commands that look at releases, this machine and recorded cases."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from helpers.nets import SECONDS

from netlink_emu import __version__
from netlink_emu.cli import main as root
from netlink_emu.interpose.doctor import Finding
from netlink_emu.kernel.releases import CAPABILITIES, eras


def call(
    args: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, list[Any]]:
    """Exit status, and the objects that are printed."""
    monkeypatch.setattr(sys, "argv", ["netlink-emu", *args])
    with pytest.raises(SystemExit) as ended:
        root.main()
    assert isinstance(ended.value.code, int)
    out, err = capsys.readouterr()
    assert err == ""
    return ended.value.code, [json.loads(line) for line in out.splitlines()]


def test_releases(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    status, rows = call(["releases", "--json"], monkeypatch, capsys)
    assert status == 0
    assert [row["release"] for row in rows] == [era.release for era in eras("x86_64")]
    newest = rows[-1]
    assert newest["taskstats_version"] >= 16
    assert newest["get_bytes"] > newest["struct_bytes"] > 300
    assert set(newest["new"]) <= set(CAPABILITIES)


def test_one_release(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    status, rows = call(["releases", "show", "6.1", "--json"], monkeypatch, capsys)
    assert status == 0
    assert {row["capability"] for row in rows} == set(CAPABILITIES)
    [version] = [row for row in rows if row["capability"] == "taskstats_version"]
    assert version["value"] == 13
    assert version["text"].startswith("Version 13")


def test_two_releases(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    status, rows = call(["releases", "diff", "5.10", "6.1", "--json"], monkeypatch, capsys)
    assert status == 0
    [version] = [row for row in rows if row["capability"] == "taskstats_version"]
    assert (version["from"], version["to"]) == (10, 13)
    assert all(row["from"] != row["to"] for row in rows)
    assert call(["releases", "diff", "6.1", "6.1", "--json"], monkeypatch, capsys) == (0, [])


def test_doctor(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    findings = [Finding("a", True, "is there"), Finding("b", False, "grant it", required=False)]
    monkeypatch.setattr("netlink_emu.cli.doctor.examine", lambda: findings)
    status, rows = call(["doctor", "--json"], monkeypatch, capsys)
    assert status == 0
    assert rows[1] == {
        "verdict": "absent", "name": "b", "works": False, "meaning": "grant it",
        "required": False,
    }  # fmt: skip
    findings.append(Finding("c", False, "no"))
    status, rows = call(["doctor", "--json"], monkeypatch, capsys)
    assert (status, rows[2]["verdict"]) == (1, "missing")


def test_conformance(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _, listed = call(["conformance", "--list", "--json"], monkeypatch, capsys)
    assert len(listed) > 100
    name = listed[0]["case"]
    status, [result] = call(["conformance", "--json", "-k", name], monkeypatch, capsys)
    assert (status, result["case"], result["verdict"]) == (0, name, "passed")
    assert result["mismatches"] == []
    assert result.keys() > listed[0].keys()


def test_short_options_and_the_module(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for args in (["-h"], ["run", "-h"], ["tasks", "-h"], ["tasks", "spawn", "-h"]):
        monkeypatch.setattr(sys, "argv", ["netlink-emu", *args])
        with pytest.raises(SystemExit) as ended:
            root.main()
        assert ended.value.code == 0
        assert "Usage: netlink-emu" in capsys.readouterr().out
    done = subprocess.run(
        [sys.executable, "-m", "netlink_emu", "-V"],
        capture_output=True, text=True, timeout=SECONDS, check=True,
    )  # fmt: skip
    assert done.stdout == f"netlink-emu {__version__}\n"
