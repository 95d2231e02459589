"""What validation answers, on this machine's kernel and emulated: a bounded run.

The long one: PYTHONPATH=tests python -m validation --requests 20000 --seed N
"""

from __future__ import annotations

import pytest
from validation.compare import run
from validation.facts import NAMES
from validation.make import Maker
from validation.sides import FromSpecs, Live, record_all

pytestmark = pytest.mark.real_kernel


@pytest.fixture(scope="module")
def live() -> object:
    try:
        live = Live()
    except OSError as error:
        pytest.skip(f"nothing to compare with: {error}")
    try:
        missing = {*NAMES} - record_all(live).keys()
    finally:
        live.close()
    if missing:
        pytest.skip(f"this kernel has no {', '.join(sorted(missing))}")
    return live


@pytest.mark.usefixtures("live")
def test_no_difference() -> None:
    figures = run(2000, seed=1, stop_after=3)
    assert not figures.differences, figures.text()
    assert figures.equal > 400, figures.text()
    assert len(figures.by_answer) > 12, figures.text()


@pytest.mark.usefixtures("live")
def test_no_difference_of_specs_with_a_recording() -> None:
    """ethtool has what neither tells: see validation.facts."""
    names = ("netdev", "tcp_metrics", "mptcp_pm")
    figures = run(2000, seed=1, stop_after=3, names=names, side=FromSpecs)
    assert not figures.differences, figures.text()
    assert figures.equal > 400, figures.text()
    assert {*figures.by_family} == {*names}


@pytest.mark.usefixtures("live")
def test_the_same_seed_makes_the_same_requests() -> None:
    live = Live()
    try:
        families = record_all(live)
    finally:
        live.close()
    first, second = Maker(families, 7), Maker(families, 7)
    assert [first.make() for _ in range(200)] == [second.make() for _ in range(200)]
