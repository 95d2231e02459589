"""No text that we print has what a client meant for the terminal, or for a line of its own."""

from __future__ import annotations

import html
import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import PurePath
from xml.etree import ElementTree as ET

import pytest
from helpers.kernel import Bench, make_bench
from helpers.nets import SECONDS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netlink_emu.cli.output.errors import UserError, report
from netlink_emu.cli.usage.remote import Line, Lines, Single, Table, TimedOut, as_line
from netlink_emu.conformance.cases import ops
from netlink_emu.conformance.cases.case import Case, Step
from netlink_emu.conformance.judge.compare import Mismatch
from netlink_emu.conformance.report.html import html_page
from netlink_emu.conformance.report.junit import junit_xml
from netlink_emu.conformance.report.text import failure, totals
from netlink_emu.conformance.runner import Report, Result, Verdict
from netlink_emu.families.control.watch import WatchOps
from netlink_emu.interpose.summary import Summary
from netlink_emu.journal import Journal
from netlink_emu.journal.writers import form_of, make_writer
from netlink_emu.protocol.format import LITTLE
from netlink_emu.protocol.reading.decode import Decoder
from netlink_emu.protocol.reading.pcapng import read_capture
from netlink_emu.protocol.reading.printable import printable, printable_json, printable_lines
from netlink_emu.protocol.reading.render import message_lines
from netlink_emu.testing.errors import ControlError, TimeIsUp
from netlink_emu.testing.process import ClientProcess
from netlink_emu.testing.waiting import explain

# A terminal's escapes, a forged line, C1's CSI and NEL, DEL, and what turns or hides text.
NASTY = [
    "\x1b[31m", "\x1b]0;X\x07", "\n#9 ok", "\r", "\x9b2J", "\x85", "\x7f", "\u202e", "\u2066",
    "\u200f", "\u2028", "\ufeff", "\U000e0001", "\udc9b", "<script>", "\\", '"', "é", "A",
]  # fmt: skip
HOSTILE = st.lists(st.sampled_from(NASTY) | st.text(max_size=2), max_size=6).map("".join)


def encoded(text: str, size: int) -> bytes:
    return text.encode(errors="surrogatepass").replace(b"\0", b"")[:size]


def check(lines: Iterator[str] | list[str]) -> None:
    for line in lines:
        assert line.isprintable(), ascii(line)


@given(st.text() | HOSTILE)
def test_one_line(text: str) -> None:
    done = printable(text)
    check([done])
    assert printable(done) == done
    if text.isprintable():
        assert done == text
    check(printable_lines(text).replace("\t", "").split("\n"))
    assert printable_lines(text).count("\n") == text.count("\n")


@given(HOSTILE)
def test_json_means_the_same(text: str) -> None:
    line = printable_json(json.dumps([text], ensure_ascii=False))
    check([line])
    assert json.loads(line) == [text]


def test_what_it_looks_like() -> None:
    assert printable("a\x1b[0m\n\x9b\u202e\U000e0001é") == r"a\x1b[0m\n\x9b\u202e\U000e0001é"


def talk(comm: bytes, text: bytes) -> tuple[Bench, Journal]:
    """A client of that name asks for that family, registers, loses something, ends."""
    bench = make_bench()
    bench.client.comm = comm
    journal = Journal(bench.kernel)
    sock = bench.sock(7)
    sock.setsockopt(bench.current, 1, 8, b"\1\0\0\0")
    bench.ask(sock, bench.request(16, 3, [(2, text + b"\0")]))
    bench.ask(sock, bench.request(0x1F, 1, [(3, b"0-1\0" + text)], flags=4))
    bench.register(sock, "0-1")
    for _ in range(2):
        task = bench.machine.tasks.fork()
        task.comm = comm
        bench.machine.tasks.do_group_exit(task, 5 << 8)
    sock.release()
    bench.machine.tasks.do_group_exit(bench.machine.tasks.fork(cpu=1), 0)
    journal.note(text.decode(errors="replace"))
    return bench, journal


@settings(max_examples=60, deadline=None)
@given(HOSTILE, HOSTILE)
def test_a_journal(name: str, text: str) -> None:
    _, journal = talk(encoded(name, 15), encoded(text, 15))
    check(list(journal.lines()))
    found = journal.requests(cmd="TASKSTATS_CMD_GET", kind="event")
    check([repr(found), repr(journal.requests()), *found.explain().split("\n")])
    check(journal.requests(comm=name).explain().split("\n"))
    said = str(explain("it", "why", journal, journal.entries, [], text))
    check(said.replace("\t", "").removeprefix("it: why\n" + printable_lines(text)).split("\n"))
    for file in ("journal.txt", "journal.json", "journal.pcapng"):
        writer = make_writer(form_of(PurePath(file)), started_ns=0, epoch_ns=1, order=LITTLE)
        data = writer.header() + b"".join(map(writer.entry, journal)) + writer.footer()
        if file.endswith("pcapng"):
            check([comment for packet in read_capture(data) for comment in packet.comments])
        else:
            check(data.decode().removesuffix("\n").split("\n"))


@settings(max_examples=40, deadline=None)
@given(HOSTILE, HOSTILE)
def test_the_journal_over_netlink(name: str, text: str) -> None:
    bench, journal = talk(encoded(name, 15), encoded(text, 15))
    watch = WatchOps(bench.kernel, journal, reply=lambda *_: None, began=lambda _: None)
    for entry in journal:
        row = watch.row(entry)
        texts = [str(value) for key, value in row.items() if key in ("text", "json")]
        check([line for each in texts for line in each.split("\n")])


@given(st.binary(max_size=40) | HOSTILE.map(lambda text: encoded(text, 40)))
def test_an_extended_ack_and_a_family(text: bytes) -> None:
    message = struct.pack("=HH", len(text) + 5, 1) + text + bytes(1 + -(len(text) + 5) % 4)
    request = struct.pack("=IHHII", 16, 16, 5, 1, 0)
    error = struct.pack("=i", -22) + request + message
    family = struct.pack("=BBxxHH", 1, 2, len(text) + 5, 2) + text
    family += bytes(1 + -(len(text) + 5) % 4) + struct.pack("=HHHxx", 6, 1, 40)
    decoder = Decoder()
    for kind, body in ((2, error), (16, family), (40, family)):
        data = struct.pack("=IHHII", 16 + len(body), kind, 0x200, 1, 2) + body
        for found in decoder.datagram(data):
            check(list(message_lines(found)))


@given(HOSTILE, HOSTILE)
def test_answers_of_the_command_line(name: str, text: str) -> None:
    row = {"comm": name, "pid": 5}
    check([*Table(("comm", "pid"), [row, row]).text(), *Single("name", text).text()])
    check([as_line(row), *Table((), [row]).json(), *Single("name", text).json()])
    lines = Lines([Line(text, as_line(row))])
    check([each for line in lines.text() for each in line.replace("\t", "").split("\n")])
    check(list(lines.json()))
    check(list(TimedOut(text).json()))
    for exc in (TimeIsUp(text), ControlError(1, text)):
        check(str(exc).replace("\t", "").split("\n"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HOSTILE)
def test_standard_error(capsys: pytest.CaptureFixture[str], text: str) -> None:
    report(UserError(text))
    said = capsys.readouterr().err
    assert said.endswith("\n")
    check([said[:-1]])


@settings(deadline=None)
@given(HOSTILE, HOSTILE)
def test_reports_of_conformance(name: str, text: str) -> None:
    case = Case(name, text, name, (Step(ops.Recv(sock="a"), label=name),))
    data = encoded(text, 40)
    made = Report(name, {"release": text}, seconds=1.25)
    made.results = [
        Result(case, Verdict.FAILED, reason=text),
        Result(case, Verdict.FAILED, mismatches=[Mismatch(0, name, text, (data,), ())]),
        Result(case, Verdict.FAILED, mismatches=[Mismatch(0, name, text, data, b"x")]),
        Result(case, Verdict.SKIPPED, reason=name),
    ]
    for result in made.results:
        check(list(failure(result)))
    check(list(totals(made)))
    page = html_page(made, "today")
    check(page.split("\n"))
    assert html.escape(printable(text)) in page
    assert "<script>" not in page
    ET.fromstring(junit_xml(made))
    check(junit_xml(made).replace("\t", "").split("\n"))


def test_what_a_client_wrote_in_a_report() -> None:
    script = r"import sys; sys.stdout.write('\33[31mred\x9b\n#9 ok'); sys.exit(3)"
    popen = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with ClientProcess(
        popen, ["py", "\x1b[0m"], Summary(), lambda: None, leads_group=False, kind=str
    ) as client:
        client.wait(SECONDS)
        check(client.describe().split("\n"))
        assert r"\x1b[31mred" in client.describe()
