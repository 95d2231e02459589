"""Small versions of all scenarios, a minute of chaos; and that the audits can fail."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from helpers.interposed import needs_interposer

from load.__main__ import SCENARIOS
from load.audit import MIB, Audit, Resources, check_resources
from load.chaos import chaos
from load.ledger import check_listeners, check_totals
from load.size import SMALL

INTERPOSED = {"connect", "clients", "servers", "descriptors", "signals"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[needs_interposer] if n in INTERPOSED else []) for n in SCENARIOS],
)
def test_small(name: str) -> None:
    audit = SCENARIOS[name](SMALL, 1)
    print("\n".join(audit.lines()))  # noqa: T201
    assert audit.failures == []


@pytest.mark.slow
@needs_interposer
def test_a_minute_of_chaos() -> None:
    """To repeat it: scripts/load chaos --seconds 60 --seed 1."""
    audit = chaos(60, 1)
    print("\n".join(audit.lines()))  # noqa: T201
    assert audit.failures == []


# --- audits that must fail

REPORT: dict[str, Any] = {
    "portid": 7, "kind": "channel", "cpulist": "3", "received": {"3": 4}, "first": {"3": 10},
    "missing": {"3": 2}, "disorder": 0,
}  # fmt: skip
FIGURES: dict[str, Any] = {
    "seqnum": {"3": 16},
    "left": 0,
    "journal queued": 5,
    "journal dropped": 2,
    "socks": {
        "7": {
            "queued": 5, "drops": 2, "taken": 0, "left": 0, "journal queued": 5,
            "journal dropped": 2, "since": {"3": 10},
        }
    },
    "statistics": {"datagrams_in": 1, "datagrams_out": 5, "dropped": {"OVERRUN": 2}},
}  # fmt: skip


def findings(report: dict[str, Any], figures: dict[str, Any]) -> list[str]:
    audit = Audit("test")
    check_listeners(audit, [report], figures)
    check_totals(audit, figures)
    return audit.failures


def test_an_account_that_is_right() -> None:
    assert findings(REPORT, FIGURES) == []


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("received", {"3": 3}, "delivered + dropped"),
        ("missing", {"3": 1}, "gaps"),
        ("first", {"3": 11}, "gaps"),
        ("disorder", 1, "disorder"),
        ("portid", 8, "not known"),
    ],
)
def test_a_listener_whose_account_is_wrong(key: str, value: object, words: str) -> None:
    assert any(words in failure for failure in findings(REPORT | {key: value}, FIGURES))


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("drops", "delivered + dropped"),
        ("left", "left in the kernel"),
        ("journal queued", "the journal's arrivals"),
        ("journal dropped", "the journal's drops"),
    ],
)
def test_a_kernel_whose_account_is_wrong(key: str, words: str) -> None:
    figures = copy.deepcopy(FIGURES)
    figures["socks"]["7"][key] += 1
    assert any(words in failure for failure in findings(REPORT, figures))


@pytest.mark.parametrize("key", ["journal queued", "journal dropped", "left"])
def test_totals_that_are_wrong(key: str) -> None:
    assert findings(REPORT, FIGURES | {key: FIGURES[key] + 1})


@pytest.mark.parametrize(
    "after", [Resources(6, 1, MIB, 0), Resources(5, 2, MIB, 0), Resources(5, 1, 9 * MIB, 0),
              Resources(5, 1, MIB, 1)],
)  # fmt: skip
def test_what_is_left_over_is_found(after: Resources) -> None:
    audit = Audit("test")
    check_resources(audit, Resources(5, 1, MIB, 0), after, most_growth=MIB)
    assert audit.failures
