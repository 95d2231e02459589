"""The machine that the families' tests run on."""

from __future__ import annotations

import pytest
from helpers.kernel import Bench, make_bench


@pytest.fixture
def bench() -> Bench:
    return make_bench()
