"""Recordings that go on: what is appended is read back, wherever it was cut."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Sequence
from errno import errorcode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlink_emu.cassettes import (
    Answer,
    Bound,
    Connected,
    Event,
    Failed,
    Head,
    Option,
    RecordedFamily,
    Request,
    Stream,
)
from netlink_emu.cassettes.recording.recording import Recording
from netlink_emu.cassettes.recording.unfinished import (
    MAGIC,
    Plan,
    UnfinishedError,
    event_line,
    head_line,
    is_unfinished,
    read_unfinished,
    socket_line,
)

PLAN = Plan(
    Head("6.18.44", "x86_64", "1.0", ("ip", "li\nnk"), {"a": RecordedFamily(30, {"g": 7})}),
    ("a.1",),
    keep_secrets=True,
    append=True,
)
numbers = st.integers(0, (1 << 32) - 1)
groups = st.integers(0, 32)
datagrams = st.binary(max_size=60)
events = st.one_of(
    st.builds(Bound, numbers, st.lists(groups).map(tuple)),
    st.builds(Connected, numbers, groups),
    st.builds(Option, numbers, numbers, datagrams),
    st.builds(Failed, st.sampled_from(["recvmsg", "sendto"]), st.sampled_from([*errorcode])),
    st.builds(Request, datagrams, numbers, numbers),
    st.builds(Answer, datagrams, numbers, numbers, numbers),
)


class Lines:
    """A keeper in memory."""

    def __init__(self) -> None:
        self.data = head_line(PLAN)

    def socket(self, protocol: int, type: int, comm: str, pid: int) -> None:
        self.data += socket_line(protocol, type, comm)

    def event(self, socket: int, event: Event) -> None:
        self.data += event_line(socket, event)


def kept(streams: Sequence[Sequence[Event]]) -> bytes:
    lines = Lines()
    for number, stream in enumerate(streams):
        lines.socket(12, 3, f"client {number}", 7)
        for event in stream:
            lines.event(number, event)
    return lines.data


@given(st.lists(st.lists(events, max_size=5), max_size=3))
def test_all_comes_back(streams: list[list[Event]]) -> None:
    found = read_unfinished(kept(streams))
    assert found.plan == PLAN
    assert not found.torn
    assert found.streams == tuple(
        Stream(12, 3, f"client {number}", tuple(stream)) for number, stream in enumerate(streams)
    )


@given(st.data())
def test_what_was_cut_anywhere_is_what_was_there(data: st.DataObject) -> None:
    """A write that was cut loses its own line and nothing else."""
    stream = data.draw(st.lists(events, min_size=1, max_size=5))
    whole = kept([stream])
    end = data.draw(st.integers(len(head_line(PLAN)), len(whole)))
    found = read_unfinished(whole[:end])
    assert found.torn == (whole[:end][-1:] != b"\n")
    had = [event for stream in found.streams for event in stream.events]
    assert had == stream[: whole[:end].count(b"\n") - 2 if found.streams else 0]


@given(st.binary(max_size=200), st.integers(0, 400))
def test_junk_is_an_error_or_nothing(junk: bytes, at: int) -> None:
    whole = kept([[Bound(7), Request(b"abcd")]])
    for data in (junk, MAGIC + junk, whole[:at] + junk + whole[at:]):
        with contextlib.suppress(UnfinishedError):
            read_unfinished(data)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'[7, "bind", 1, []]', "line 2 is damaged"),
        (b'["socket", 99, 3, ""]', "line 2 is damaged"),
        (b'["socket", 0, 3, "\\ud800"]', "line 2 is damaged"),
        (b"[" * 100_000, "line 2 is damaged"),
        (b"7", "line 2 is damaged"),
        (b"{}", "line 2 is damaged"),
        (b'["socket", 0, 3]', "line 2 is damaged"),
    ],
)
def test_damage_has_its_line(line: bytes, said: str) -> None:
    with pytest.raises(UnfinishedError, match=said):
        read_unfinished(head_line(PLAN) + line + b"\n")


def test_a_head_that_is_cut_or_none() -> None:
    assert not is_unfinished(b"netlink-emu-cassette: 1\n")
    for data, said in (
        (b"netlink-emu-cassette: 1\n", "not an unfinished recording"),
        (head_line(PLAN)[:-10], "line 1 is damaged"),
        (MAGIC + b"}\n", "its first line is damaged"),
    ):
        with pytest.raises(UnfinishedError, match=said):
            read_unfinished(data)


def test_families_that_came_while_it_went_on() -> None:
    """A module was loaded: nlctrl has told of its family, and the head has not."""
    name = struct.pack("<HH4s", 8, 2, b"new\0")
    number = struct.pack("<HHHxx", 6, 1, 44)
    told = struct.pack("<IHHII", 36, 16, 0, 1, 7) + bytes((1, 2, 0, 0)) + number + name
    lines = Lines()
    lines.socket(16, 3, "wg", 7)
    lines.event(0, Answer(told))
    families = read_unfinished(lines.data).plan.head.families
    assert families == {"a": RecordedFamily(30, {"g": 7}), "new": RecordedFamily(44)}


def test_a_recording_keeps_each_event_at_once() -> None:
    lines = Lines()
    recording = Recording(lines)
    first, second = (recording.open(0, 3, comm, 0.0) for comm in ("a", "b"))
    second.request(b"abcd", 0, 0, 1.0)
    first.is_bound(7, ())
    first.is_bound(7, ())
    second.answer(b"efgh", 0, 3, 1.5)
    first.failed("recvmsg", 105)
    first.option(270, 1, b"\1")
    first.connected(0, 1)
    assert read_unfinished(lines.data).streams == recording.streams
