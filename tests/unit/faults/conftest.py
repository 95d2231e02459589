"""A kernel whose messages are damaged, its journal, and a client."""

from __future__ import annotations

import pytest
from helpers.kernel import Bench, make_bench

from netlink_emu.faults import Faults
from netlink_emu.journal import Journal
from netlink_emu.kernel.af_netlink import NetlinkSock


@pytest.fixture
def bench() -> Bench:
    return make_bench()


@pytest.fixture
def journal(bench: Bench) -> Journal:
    return Journal(bench.kernel)


@pytest.fixture
def faults(bench: Bench, journal: Journal) -> Faults:
    return Faults(bench.kernel, journal, seed=7)


@pytest.fixture
def sock(bench: Bench) -> NetlinkSock:
    return bench.sock(7)
