"""A scenario that changes families: what is refused at once, and what happens when."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from helpers.kernel import Bench, error_of

from netlink_emu.families.own import Family
from netlink_emu.families.own.changes import changes_in
from netlink_emu.families.starting import Starter
from netlink_emu.kernel.af_netlink import NetlinkSock
from netlink_emu.machine.scenario import ScenarioError, parse_scenario
from netlink_emu.machine.start import Start
from netlink_emu.machine.timeline import Timeline

LAMPS = """\
name: lamps
attribute-sets:
  - {name: lamp, attributes: [{name: id, type: u32}, {name: level, type: u8}]}
operations:
  list:
    - name: lamp-get
      attribute-set: lamp
      do: {request: {attributes: [id]}, reply: {attributes: &all [id, level]}}
      dump: {reply: {attributes: *all}}
    - {name: lamp-new, attribute-set: lamp, do: {request: {attributes: [level]}}}
    - {name: lamp-ntf, notify: lamp-get, mcgrp: events}
    - {name: lamp-blown-ntf, attribute-set: lamp, event: {attributes: [id]}, mcgrp: events}
mcast-groups: {list: [{name: events}, {name: others}]}
"""
JOIN = 1  # NETLINK_ADD_MEMBERSHIP
ALL = """
[[family]]
name = "lamps"
timeline = [
    { at = 0, change = "lamp", values = { id = 1, level = 4 } },
    { at = 1, add = "lamp", values = { id = 2, level = 9 } },
    { at = 2, notify = "lamp-blown-ntf", values = { id = 2 } },
    { at = 2, notify = "lamp-blown-ntf", values = { id = 3 }, group = "others" },
    { at = 3, fail = "lamp-get", errno = "EIO", message = "dark", attr = "id", times = 1 },
    { at = 4, remove = "lamp", values = { id = 2 } },
    { at = 5, reply = "lamp-get", values = { level = 77 } },
    { at = 6, forget = "lamp-get" },
    { at = 7, reply = "lamp-get", values = [], times = 1 },
]
"""


@pytest.fixture
def lamps(bench: Bench) -> Family:
    family = Family.from_spec(LAMPS, state={"lamp": [{"id": 1, "level": 3}]})
    family.attach(bench.kernel)
    return family


def planned(bench: Bench, text: str, *, begin: bool = True) -> Timeline:
    scenario = parse_scenario(text)
    return Timeline(scenario, bench.machine, begin=begin, prepare=changes_in(bench.kernel))


def get(bench: Bench, family: Family, sock: NetlinkSock) -> int | str:
    """The level of lamp 1, an errno, or nothing for an ack alone."""
    request = bench.request(family.genl.id, 1, [(1, struct.pack("<I", 1))], flags=4)
    answer, *more = bench.ask(sock, request)
    return answer[-4] if more else error_of([answer])


def member(bench: Bench, family: Family) -> NetlinkSock:
    sock = bench.sock(9)
    group = struct.pack("<i", family.genl.mcgrp_offset)
    sock.setsockopt(bench.current, 270, JOIN, group)
    return sock


def told(bench: Bench, sock: NetlinkSock) -> list[tuple[int, int]]:
    """The commands and ids of what has arrived."""
    return [(data[16], data[24]) for data in bench.drain(sock)]


def test_what_happens_when(bench: Bench, lamps: Family) -> None:
    asking, listening = bench.sock(7), member(bench, lamps)
    timeline = planned(bench, ALL)
    seen: list[Any] = []
    for _ in range(9):
        timeline.play(bench.clock, 0.5)
        seen.append((get(bench, lamps, asking), told(bench, listening)))
        timeline.play(bench.clock, 0.5)
    assert seen == [
        (4, [(3, 1)]), (4, [(3, 2)]), (4, [(4, 2)]), (5, []), (4, [(3, 2)]), (77, []), (4, []),
        (0, []), (4, []),
    ]  # fmt: skip
    assert timeline.over
    assert timeline.never_due == []


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ('add = "lantern"', "lamps has no objects 'lantern'; it has: lamp"),
        ('add = "lamp", values = { level = 300 }', "lamp: level: 300 does not fit in u8"),
        ('change = "lamp", values = 3', "lamp: attributes are given by name, not as 3"),
        ('notify = "lamp-get"', "'lamp-get' of lamps is not an event"),
        ('notify = "lamp-ntf", values = { size = 3 }', "there is no attribute of lamp 'size'"),
        ('notify = "lamp-ntf", group = "x"', "lamps has no group 'x'; it has events, others"),
        ('reply = "lamp-put"', "there is no operation of lamps 'lamp-put'"),
        ('reply = "lamp-get", values = { level = "x" }', "level: 'x' is no u8"),
        ('fail = "lamp-get", errno = "EFOO"', "there is no errno 'EFOO'"),
        ('fail = "lamp-get", errno = 0', "an errno is a number from 1 to 4095, not 0"),
        ('fail = "lamp-get", errno = 5, attr = "a"', "there is no attribute of lamp 'a'"),
        ('forget = "x"', "there is no operation of lamps 'x'"),
    ],
)
def test_what_is_refused_at_once(bench: Bench, lamps: Family, step: str, said: str) -> None:
    text = f'[[family]]\nname = "lamps"\ntimeline = [\n  {{ at = 1, {step} }},\n]\n'
    with pytest.raises(ScenarioError) as refused:
        planned(bench, text)
    assert f"family[0].timeline[0]: {said}" in str(refused.value)
    assert (refused.value.line, refused.value.column) == (4, 3)
    assert lamps.store.objects("lamp") == [{"id": 1, "level": 3}]


def test_a_family_that_is_not_there(bench: Bench) -> None:
    text = '[[family]]\nname = "lamp"\ntimeline = [{ at = 0, forget = "x" }]\n'
    with pytest.raises(ScenarioError, match="no family 'lamp' was added to this kernel"):
        planned(bench, text)
    with pytest.raises(ScenarioError, match="there are no families here"):
        Timeline(parse_scenario(text), bench.machine)


def test_a_family_without_objects(bench: Bench) -> None:
    Family("plain").attach(bench.kernel)
    text = '[[family]]\nname = "plain"\ntimeline = [{ at = 0, add = "x" }]\n'
    with pytest.raises(ScenarioError, match="plain has no store"):
        planned(bench, text)


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ('add = "lamp", values = { id = 1 }', "lamps has a lamp with this id already"),
        ('change = "lamp", values = { id = 5 }', "lamps has no such lamp: id 5"),
        ('remove = "lamp"', "say which lamp of lamps: by its id"),
    ],
)
def test_what_cannot_be_done_by_then(bench: Bench, lamps: Family, step: str, said: str) -> None:
    timeline = planned(bench, f'[[family]]\nname = "lamps"\ntimeline = [{{ at = 1, {step} }}]\n')
    with pytest.raises(ScenarioError, match=said):
        timeline.play(bench.clock, 2)


FIRST = """
[[family]]
name = "lamps"
timeline = [{ at = 0, change = "lamp", values = { id = 1, level = 4 } }]
"""


@pytest.mark.parametrize("start", [Start.LISTENER, Start.CLIENT])
def test_who_joins_begins_it_and_misses_nothing(bench: Bench, lamps: Family, start: Start) -> None:
    timeline = planned(bench, FIRST, begin=False)
    Starter(bench.kernel, timeline, start)
    bench.ask(bench.sock(7), bench.request(16, 3, [(2, b"lamps\0")]))
    assert not timeline.begun
    assert told(bench, member(bench, lamps)) == [(3, 1)]
    assert timeline.over
    assert bench.kernel.trace is None


def test_who_asks_finds_what_there_is_at_time_0(bench: Bench, lamps: Family) -> None:
    for start, found in ((Start.LISTENER, 3), (Start.CLIENT, 4)):
        timeline = planned(bench, FIRST, begin=False)
        Starter(bench.kernel, timeline, start)
        assert get(bench, lamps, bench.sock(20 + found)) == found
        assert timeline.begun == (start is Start.CLIENT)
