"""A run as JUnit XML, for CI systems."""

from __future__ import annotations

from collections import Counter
from xml.etree import ElementTree as ET

from netlink_emu.conformance.runner import Report, Result, Verdict
from netlink_emu.protocol.reading.printable import printable_lines

from .text import failure


def junit_xml(report: Report) -> str:
    """The whole report: a test suite per group, or per recording where there are several."""
    root = ET.Element(
        "testsuites",
        name=_clean(f"netlink-emu conformance, target {report.target}"),
        tests=str(len(report.results)),
        failures=str(report.count(Verdict.FAILED)),
        skipped=str(report.count(Verdict.SKIPPED)),
        time=f"{report.seconds:.3f}",
    )
    for name, results in report.sections().items():
        counts = Counter(result.verdict for result in results)
        suite = ET.SubElement(
            root,
            "testsuite",
            name=_clean(name),
            tests=str(len(results)),
            failures=str(counts[Verdict.FAILED]),
            errors="0",
            skipped=str(counts[Verdict.SKIPPED]),
            time=f"{sum(result.seconds for result in results):.3f}",
        )
        properties = ET.SubElement(suite, "properties")
        for key, value in report.description.items():
            ET.SubElement(properties, "property", name=key, value=_clean(value))
        for result in results:
            _case(suite, result)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: ET.Element, result: Result) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        classname=_clean(
            ".".join(filter(None, ("conformance", result.case.corpus, result.case.group)))
        ),
        name=_clean(result.case.name),
        time=f"{result.seconds:.3f}",
    )
    if result.verdict is Verdict.SKIPPED:
        ET.SubElement(case, "skipped", message=_clean(result.reason))
    elif result.verdict is Verdict.FAILED:
        first = result.mismatches[0].text if result.mismatches else result.reason
        node = ET.SubElement(case, "failure", message=_clean(f"{result.case.title}: {first}"))
        node.text = _clean("\n".join(failure(result)))


def _clean(text: str) -> str:
    """Without the control characters, some of which XML 1.0 has no way to hold."""
    return printable_lines(text)
