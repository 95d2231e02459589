"""Reports of a run: text, JUnit, HTML."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from netlink_emu.conformance.cases import ops
from netlink_emu.conformance.cases.case import Case, Step
from netlink_emu.conformance.cases.corpus import load_corpus
from netlink_emu.conformance.judge.compare import Mismatch
from netlink_emu.conformance.report.html import html_page
from netlink_emu.conformance.report.junit import junit_xml
from netlink_emu.conformance.report.text import failure, totals
from netlink_emu.conformance.runner import Report, Result, Verdict

EVENT = next(case for case in load_corpus() if case.name == "event_exit_0")
DATA = (EVENT.steps[-1].expect.datagrams or ())[0].payload.data
WRONG = Mismatch(
    len(EVENT.steps) - 1,
    "datagram 0",
    "1 of 596 bytes differ, at 44",
    DATA,
    DATA[:44] + b"\x20" + DATA[45:],
    ((44, 45),),
)
ODD = Case("odd", "a title with <angle> & \x01 brackets", "odd", (Step(ops.Recv(sock="a")),))


@pytest.fixture
def report() -> Report:
    made = Report("emulator", {"release": "6.18", "made of": "<bytes>"}, seconds=1.25)
    made.results = [
        Result(EVENT, Verdict.FAILED, 0.5, mismatches=[WRONG], family_id=31),
        Result(ODD, Verdict.FAILED, reason="TargetError: the driver is gone"),
        Result(
            ODD,
            Verdict.FAILED,
            mismatches=[Mismatch(0, "datagrams", "t", (DATA,), ())],
            family_id=31,
        ),
        Result(EVENT, Verdict.PASSED, 0.25),
        Result(ODD, Verdict.SKIPPED, reason="no CPU 7 to run tasks on"),
    ]
    return made


def test_text_says_what_where_and_both_sides(report: Report) -> None:
    text = "\n".join(failure(report.results[0]))
    assert text.startswith(f"FAILED event_exit_0 (events)\n  {EVENT.title}\n")
    assert "recv a (e): datagram 0: 1 of 596 bytes differ, at 44" in text
    assert re.search(r"!  44 +ac_flag +0x0021 AFORK\|AGROUP +0x0020 AGROUP", text)
    assert re.search(r"0x0020 +expected +34 02 03 00 .* 21 00 00 00", text)


def test_text_of_datagrams_that_did_not_come(report: Report) -> None:
    text = "\n".join(failure(report.results[2]))
    assert "expected 0: 596 bytes, TASKSTATS, cmd 2 TASKSTATS_CMD_NEW" in text


def test_text_of_a_breakdown(report: Report) -> None:
    assert "TargetError: the driver is gone" in "\n".join(failure(report.results[1]))


def test_text_shows_some_of_many_differences() -> None:
    many = Result(EVENT, Verdict.FAILED, mismatches=[WRONG] * 9)
    assert "and 6 more differences" in "\n".join(failure(many))


def test_totals(report: Report) -> None:
    text = "\n".join(totals(report))
    assert "1 passed, 3 failed, 1 skipped in 1.2 s on target emulator" in text
    assert "skipped 1: no CPU 7 to run tasks on" in text
    assert re.search(r"events +1 passed, 1 failed", text)


def test_junit(report: Report) -> None:
    root = ET.fromstring(junit_xml(report))
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("5", "3", "1")
    suites = {suite.get("name"): suite for suite in root}
    assert set(suites) == {"events", "odd"}
    failed = suites["events"].find("testcase[@name='event_exit_0']/failure")
    assert failed is not None
    assert "ac_flag" in (failed.text or "")
    skipped = suites["odd"].find("testcase/skipped")
    assert skipped is not None
    assert skipped.get("message") == "no CPU 7 to run tasks on"


class Outline(HTMLParser):
    """Collects texts and checks that elements which must be closed are."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.differs: list[str] = []
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("article", "table", "pre", "div", "details", "dl", "b"):
            self.open.append(tag)
        if ("class", "differs") in attrs:
            self.differs.append("")
        for name, value in attrs:
            if name in ("src", "href") and value and not value.startswith("#"):
                self.outside.append(value)

    def handle_endtag(self, tag: str) -> None:
        if self.open and tag in ("article", "table", "pre", "div", "details", "dl", "b"):
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_html_is_one_sound_page(report: Report) -> None:
    page = html_page(report, "2026-01-01 12:00:00 UTC")
    outline = Outline()
    outline.feed(page)
    assert outline.open == []
    assert outline.outside == []  # nothing is fetched from anywhere
    assert "$" not in page.replace("$title", "")
    assert "<angle>" not in page
    assert "a title with <angle> &" in outline.text
    assert "3 of 5 cases failed" in outline.text
    assert "2026-01-01 12:00:00 UTC" in outline.text
    assert len(outline.differs) == 1
    assert re.search(r"class=differs><td>44</td>.*?ac_flag", page)


def test_html_of_a_run_without_failures(report: Report) -> None:
    report.results = [result for result in report.results if result.verdict is Verdict.PASSED]
    page = html_page(report, "now")
    assert "1 cases passed" in page
    assert "<article" not in page
