"""When a scenario begins: what clients have to do for it."""

from __future__ import annotations

import struct

import pytest
from helpers.kernel import Bench, error_of

from netlink_emu.families.starting import Starter
from netlink_emu.machine.scenario import parse_scenario
from netlink_emu.machine.start import Start
from netlink_emu.machine.timeline import Timeline

SCENARIO = """
[[task]]
comm = "brief"
pid = 700
cpu = 1
timeline = [{ at = 0, exit = 3 }]

[[task]]
comm = "stays"
pid = 701
"""


def waiting(bench: Bench, start: Start) -> Timeline:
    timeline = Timeline(parse_scenario(SCENARIO), bench.machine, begin=False)
    Starter(bench.kernel, timeline, start)
    return timeline


@pytest.mark.parametrize("start", [Start.LISTENER, Start.CLIENT])
def test_who_listens_begins_it_and_misses_nothing(bench: Bench, start: Start) -> None:
    timeline = waiting(bench, start)
    sock = bench.sock(7)
    assert error_of(bench.register(sock, "0-9")) != 0
    assert not timeline.begun
    ack, event = bench.register(sock, "0-1")  # CPU 1, where it ends, is the last of them
    assert error_of([ack]) == 0
    assert struct.unpack_from("<I", event, 28) == (700,)
    assert timeline.over
    assert bench.kernel.trace is None


@pytest.mark.parametrize("kind", [1, 2])
def test_who_asks_finds_the_tasks(bench: Bench, kind: int) -> None:
    timeline = waiting(bench, Start.CLIENT)
    (answer,) = bench.ask(bench.sock(7), bench.get(kind, 701))
    assert struct.unpack_from("<I", answer, 28) == (701,)
    assert timeline.begun
    assert bench.kernel.trace is None


def test_who_asks_for_a_cgroup_begins_it(bench: Bench) -> None:
    timeline = waiting(bench, Start.CLIENT)
    bench.ask(bench.sock(7), bench.request(0x1F, 4, [(1, struct.pack("<I", 99))]))
    assert timeline.begun


def test_who_asks_is_no_listener(bench: Bench) -> None:
    timeline = waiting(bench, Start.LISTENER)
    assert error_of(bench.ask(bench.sock(7), bench.get(1, 701))) == 3
    assert not timeline.begun


@pytest.mark.parametrize("start", [Start.LISTENER, Start.CLIENT])
def test_a_family_looked_up_is_no_beginning(bench: Bench, start: Start) -> None:
    timeline = waiting(bench, start)
    sock = bench.sock(7)
    assert len(bench.ask(sock, bench.request(16, 3, [(2, b"TASKSTATS\0")]))) == 1
    bench.register(sock, "0", kind=4)
    assert not timeline.begun
