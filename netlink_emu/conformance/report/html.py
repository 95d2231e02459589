"""A run as one self-contained page: counts by group, and each failure with both sides."""

from __future__ import annotations

import html
import importlib.resources
from collections.abc import Iterator
from string import Template

from netlink_emu.conformance.judge.compare import Mismatch
from netlink_emu.conformance.report.words import summary
from netlink_emu.conformance.runner import Report, Result, Verdict
from netlink_emu.protocol.format import ByteOrder
from netlink_emu.protocol.reading.printable import printable

from .sidebyside import HexLine, hex_lines, is_bytes, lines, worth_showing
from .text import describe_step

_ORDER = (Verdict.PASSED, Verdict.FAILED, Verdict.SKIPPED)


def html_page(report: Report, when: str) -> str:
    """The page; ``when`` is shown as the time of the run."""
    template = importlib.resources.files(__package__).joinpath("report.html").read_text("utf-8")
    failed = [result for result in report.results if result.verdict is Verdict.FAILED]
    return Template(template).substitute(
        title=_escape(f"netlink-emu conformance: {report.target}"),
        verdict="failed" if report.failed else "passed",
        headline=_escape(_headline(report)),
        facts="".join(_facts(report, when)),
        groups="".join(_groups(report)),
        failures="".join(_failure(result) for result in failed) or "<p class=none>None.</p>",
        skips="".join(_skips(report)) or "<p class=none>None.</p>",
        cases="".join(_cases(report)),
    )


def _headline(report: Report) -> str:
    counts = {verdict: report.count(verdict) for verdict in _ORDER}
    if counts[Verdict.FAILED]:
        return f"{counts[Verdict.FAILED]} of {len(report.results)} cases failed"
    skipped = f", {counts[Verdict.SKIPPED]} skipped" if counts[Verdict.SKIPPED] else ""
    return f"{counts[Verdict.PASSED]} cases passed{skipped}"


def _facts(report: Report, when: str) -> Iterator[str]:
    facts = {"target": report.target, **report.description}
    facts |= {"run": when, "took": f"{report.seconds:.1f} s"}
    for key, value in facts.items():
        yield f"<dt>{_escape(key)}</dt><dd>{_escape(value)}</dd>"


def _groups(report: Report) -> Iterator[str]:
    for name, counts in report.counts().items():
        total = sum(counts.values())
        bar = "".join(
            f'<i class={verdict.value} style="flex:{counts[verdict]}"></i>'
            for verdict in _ORDER
            if counts[verdict]
        )
        cells = "".join(
            f"<td class={verdict.value if counts[verdict] else 'zero'}>{counts[verdict]}</td>"
            for verdict in _ORDER
        )
        yield (
            f"<tr><th scope=row>{_escape(name)}</th><td>{total}</td>{cells}"
            f"<td><div class=bar>{bar}</div></td></tr>"
        )


def _failure(result: Result) -> str:
    case = result.case
    parts = [f"<p>{_escape(result.reason)}</p>"] if result.reason else []
    for mismatch in result.mismatches:
        where = f"{describe_step(case, mismatch.step)}: {mismatch.what}"
        parts.append(f"<h4>{_escape(where)}</h4><p>{_escape(mismatch.text)}</p>")
        parts += _details(mismatch, result.family_id, case.order)
    return (
        f'<article id="{_escape(case.key)}"><h3>{_escape(case.name)} '
        f"<small>{_escape(case.place)}</small></h3>"
        f"<p class=title>{_escape(case.title)}</p>{''.join(parts)}</article>"
    )


def _details(mismatch: Mismatch, family_id: int | None, order: ByteOrder) -> Iterator[str]:
    if is_bytes(mismatch):
        yield from _table(mismatch, family_id, order)
        yield "<pre class=hex>" + "".join(map(_hex, hex_lines(mismatch))) + "</pre>"
    elif isinstance(mismatch.expected, tuple) and isinstance(mismatch.got, tuple):
        for side, datagrams in (("expected", mismatch.expected), ("got", mismatch.got)):
            items = "".join(
                f"<li>{_escape(summary(data, family_id, order))}</li>" for data in datagrams
            )
            yield f"<p>{side}</p><ol start=0>{items}</ol>"


def _table(mismatch: Mismatch, family_id: int | None, order: ByteOrder) -> Iterator[str]:
    yield "<div class=wide><table class=sides><tr><th>at<th>field<th>expected<th>got</tr>"
    for line in worth_showing(lines(mismatch, family_id, order)):
        expected = _escape(line.expected.text) if line.expected else "&mdash;"
        got = _escape(line.got.text) if line.got else "&mdash;"
        mark = " class=differs" if line.differs else " class=loose" if line.loose else ""
        yield (
            f"<tr{mark}><td>{line.row.offset}</td>"
            f'<td style="padding-left:{0.6 + 1.1 * line.row.depth:.1f}em">'
            f"{_escape(line.row.label)}</td><td>{expected}</td><td>{got}</td></tr>"
        )
    yield "</table></div>"


def _hex(line: HexLine) -> str:
    def side(name: str, data: bytes) -> str:
        cells = (
            f"<b>{byte:02x}</b>" if number in line.differing else f"{byte:02x}"
            for number, byte in enumerate(data)
        )
        return f"{line.offset:#06x}  {name:8}  {' '.join(cells)}\n"

    return side("expected", line.expected) + side("got", line.got)


def _skips(report: Report) -> Iterator[str]:
    reasons: dict[str, list[str]] = {}
    for result in report.results:
        if result.verdict is Verdict.SKIPPED:
            reasons.setdefault(result.reason, []).append(result.case.key)
    for reason, names in reasons.items():
        yield (
            f"<details><summary>{len(names)}: {_escape(reason)}</summary>"
            f"<p>{_escape(', '.join(names))}</p></details>"
        )


def _cases(report: Report) -> Iterator[str]:
    for result in report.results:
        case = result.case
        name = _escape(case.key)
        if result.verdict is Verdict.FAILED:
            name = f'<a href="#{name}">{name}</a>'
        yield (
            f"<tr><td class={result.verdict.value}>{result.verdict.value}</td><td>{name}</td>"
            f"<td>{_escape(case.title)}</td></tr>"
        )


def _escape(text: str) -> str:
    return html.escape(printable(text))
