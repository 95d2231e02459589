"""``netlink-emu decode`` of a journal in JSON lines, and pages of whatever it reads."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from netlink_emu.cli import main as root
from netlink_emu.testing import EmulatedKernel

ASKED = "1c0000001f00010001000000000000000101000008000100c8000000"


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """A folder with one session in each form."""
    with EmulatedKernel("6.1", tasks=[{"comm": "w", "pid": 200}]) as kernel:
        sock = kernel.connect()
        sock.send(bytes.fromhex(ASKED))
        sock.recv(4096)
        for suffix in ("jsonl", "pcapng", "txt"):
            with kernel.journal_to(tmp_path / f"s.{suffix}"):
                pass
    (tmp_path / "s.hex").write_text(ASKED)
    return tmp_path


def decode(
    args: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    monkeypatch.setattr(sys, "argv", ["netlink-emu", "decode", *args])
    with pytest.raises(SystemExit) as ended:
        root.main()
    out, err = capsys.readouterr()
    assert (ended.value.code, err) == (0, "")
    return out


def test_a_journal_reads_as_it_was_written(
    session: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = decode([str(session / "s.jsonl")], monkeypatch, capsys)
    assert "TASKSTATS TASKSTATS_CMD_GET REQUEST seq 1 pid 0" in text
    wanted = (session / "s.txt").read_text("utf-8")
    assert [line[12:] for line in text.splitlines()] == [line[12:] for line in wanted.splitlines()]


def test_a_journal_as_json(
    session: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = decode(["--json", str(session / "s.jsonl")], monkeypatch, capsys)
    wanted = (session / "s.jsonl").read_text("utf-8")
    assert list(map(json.loads, out.splitlines())) == list(map(json.loads, wanted.splitlines()))


@pytest.mark.parametrize("form", ["jsonl", "pcapng", "hex"])
def test_a_page(
    form: str, session: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = decode(["--html", str(session / f"s.{form}")], monkeypatch, capsys)
    assert out.startswith("<!DOCTYPE html>")
    assert f"<title>netlink-emu: s.{form}</title>" in out
    assert f'"bytes":"{ASKED}"' in out
    assert '"summary":"TASKSTATS_CMD_GET PID 200"' in out
