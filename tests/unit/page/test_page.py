"""A session's page: one file, whose strings stay strings."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from helpers.journals import everything
from helpers.kernel import Bench, make_bench

from netlink_emu.journal import Journal
from netlink_emu.journal.entries import ENTRY_CLASSES, Entry, Faulted
from netlink_emu.page import PageWriter, write_page
from netlink_emu.page.writer import page_before

HOSTILE = '</script><script>alert(1)</script><!--<img src=x onerror=alert(2)> \u202e\0"\\'


@pytest.fixture
def bench() -> Bench:
    return make_bench()


@pytest.fixture
def journal(bench: Bench) -> Journal:
    return everything(bench, HOSTILE)


def session_of(page: bytes) -> list[dict[str, Any]]:
    _, _, text = page.decode().partition('id="session">\n')
    text, end, rest = text.partition("</script>")
    assert end
    assert not rest.strip()
    return [json.loads(line) for line in text.splitlines()]


def entries_of(page: bytes) -> list[dict[str, Any]]:
    return [line for line in session_of(page) if "number" in line]


def test_every_entry_is_there(journal: Journal) -> None:
    found = entries_of(write_page("x", journal))
    assert [entry["number"] for entry in found] == [entry.number for entry in journal]
    assert {entry["what"] for entry in found} == {kind.what for kind in ENTRY_CLASSES}
    assert [entry["title"] for entry in found] == [entry.title() for entry in journal]


def test_every_byte_is_in_one_field(journal: Journal) -> None:
    page = write_page("x", journal)
    shapes = {line["shape"]: line["rows"] for line in session_of(page) if "rows" in line}
    datagrams = [entry for entry in entries_of(page) if entry.get("bytes")]
    assert datagrams
    for entry in datagrams:
        rows = shapes[entry["shape"]]
        at = 0
        for offset, size, _name in rows:
            assert offset == at
            at += size
        assert at == entry["size"] == len(bytes.fromhex(entry["bytes"]))
        assert len(entry["texts"].split("\n")) == len(rows)


def test_what_is_filtered_by(journal: Journal) -> None:
    found = entries_of(write_page("x", journal))
    [asked] = [e for e in found if e["what"] == "sent" and "4242" in e["summary"]]
    assert (asked["families"], asked["cmds"]) == (["TASKSTATS"], ["TASKSTATS_CMD_GET"])
    assert asked["summary"] == "TASKSTATS_CMD_GET PID 4242"
    [answer] = [e for e in found if e.get("answers") == asked["number"] and e["what"] == "queued"]
    assert answer["summary"].startswith(("TASKSTATS_CMD_NEW PID 4242", "NLMSG_ERROR ESRCH about"))
    [lost] = [e for e in found if e["what"] == "dropped" and e.get("socket")][:1]
    assert lost["reason"]


def test_no_string_ends_the_script(journal: Journal) -> None:
    page = write_page(HOSTILE, journal)
    text = page.decode()
    assert text.count("</script>") == 2
    assert text.count("<script") == 2
    assert "<img" not in text
    [fault] = [e for e in entries_of(page) if e["what"] == "fault"]
    assert fault["fault"] == HOSTILE


def test_its_policy_lets_no_other_script_run() -> None:
    text = page_before("x").decode()
    [script] = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    [style] = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    for part, name in ((script, "script-src"), (style, "style-src")):
        digest = b64encode(sha256(part.encode()).digest()).decode()
        assert f"{name} 'sha256-{digest}'" in policy[1]
    assert "default-src 'none'" in policy[1]
    assert not re.search(r"https?://(?!www\.w3\.org)", text), "nothing from elsewhere"


def test_a_file_that_ends_early_has_what_was_written(journal: Journal) -> None:
    writer = PageWriter("x", journal.started_ns, journal.epoch_ns)
    first: Entry = next(iter(journal))
    begun = writer.header() + writer.entry(first)
    assert begun.decode().rstrip().splitlines()[-1].startswith('{"number":1,')


def test_another_protocol_is_not_read_as_generic_netlink(bench: Bench) -> None:
    journal = Journal(bench.kernel)
    sock = bench.sock(9)
    journal.peer(sock).protocol = 0
    journal.faulted(sock, b"\x10\0\0\0\x10\0\1\0" + bytes(8), "drop", 1)
    [fault] = journal.of(Faulted)
    page = write_page("x", [fault])
    assert [row for line in session_of(page) for row in line.get("rows", ())] == [[0, 16, "bytes"]]


def test_every_part_is_shipped() -> None:
    import netlink_emu.page.writer as written

    folder = Path(written.__file__).parent
    assert {path.stem for path in folder.glob("*.js")} == set(written._SCRIPTS)
