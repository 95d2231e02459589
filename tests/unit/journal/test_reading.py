"""JSON lines and captures as entries again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from helpers.journals import an_exchange
from helpers.kernel import make_bench
from hypothesis import given
from hypothesis import strategies as st

from netlink_emu.journal import Journal
from netlink_emu.journal.captured import entries_of
from netlink_emu.journal.entries import ENTRY_CLASSES, Faulted, Note, Queued, Sent
from netlink_emu.journal.reading import NoJournal, looks_like_journal, read_entries
from netlink_emu.journal.writers import Form, make_writer
from netlink_emu.protocol.format import LITTLE
from netlink_emu.protocol.reading.describe import NLCTRL, TASKSTATS
from netlink_emu.protocol.reading.pcapng import read_capture

FAMILIES = {desc.name: desc for desc in (NLCTRL, TASKSTATS)}


@pytest.fixture
def journal() -> Journal:
    """A journal with every kind of entry."""
    return an_exchange(make_bench(), fault=True)


def written(journal: Journal, form: Form) -> bytes:
    writer = make_writer(form, started_ns=journal.started_ns, epoch_ns=0, order=LITTLE)
    return writer.header() + b"".join(map(writer.entry, journal)) + writer.footer()


def test_all_of_a_journal_comes_back(journal: Journal) -> None:
    data = written(journal, Form.JSON)
    assert looks_like_journal(data)
    read = read_entries(data, FAMILIES, {})
    assert {type(entry) for entry in read} == set(ENTRY_CLASSES)
    assert [entry.title() for entry in read] == [entry.title() for entry in journal]
    assert [list(entry.body()) for entry in read] == [list(entry.body()) for entry in journal]
    assert [entry.json() for entry in read] == [json.loads(line) for line in data.splitlines()]


def test_a_family_has_the_number_that_the_journal_tells(journal: Journal) -> None:
    data = written(journal, Form.JSON).replace(b"TASKSTATS_", b"T_")
    sent = [entry for entry in read_entries(data, FAMILIES, {31: "x"}) if isinstance(entry, Sent)]
    assert sent[0].messages[0].cmd == "TASKSTATS_CMD_GET"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"number":1}', "line 1 is not a journal's"),
        (b'{"number":1,', "line 1 is not JSON"),
        (b"[]", "line 1 is not an object"),
        (b'{"number":1,"time":0,"what":"sleep"}', "line 1 is not a journal's"),
        (b'{"number":1,"time":1e999,"what":"note","text":""}', "line 1 is not a journal's"),
    ],
)
def test_what_is_none(data: bytes, said: str) -> None:
    with pytest.raises(NoJournal, match=said):
        read_entries(data, FAMILIES, {})


_KEYS = [
    "number", "time", "what", "socket", "portid", "pid", "comm", "bytes", "messages", "errors",
    "to", "group", "source", "answers", "reason", "text", "option", "value", "errno",
]  # fmt: skip
_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["sent", "queued", "dropped", "note", "option", "10000000", "LIMIT"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip


@given(st.lists(st.dictionaries(st.sampled_from(_KEYS), _VALUES), max_size=3))
def test_hostile_lines_are_entries_or_named(lines: list[dict[str, Any]]) -> None:
    data = b"\n".join(json.dumps(line).encode() for line in lines)
    try:
        entries = read_entries(data, FAMILIES, {})
    except NoJournal:
        return
    for entry in entries:
        entry.json()
        list(entry.body())


def test_a_capture_is_a_conversation(journal: Journal) -> None:
    read = entries_of(read_capture(written(journal, Form.PCAPNG)), FAMILIES, {31: "TASKSTATS"})
    asked = [entry for entry in journal if isinstance(entry, Sent)]
    assert [entry.data for entry in read if isinstance(entry, Sent)] == [e.data for e in asked]
    queued = [e for e in journal if isinstance(e, Queued) and not isinstance(e, Faulted)]
    found = [entry for entry in read if isinstance(entry, Queued)]
    assert [entry.data for entry in found] == [entry.data for entry in queued]
    answers = [entry for entry in found if entry.request is not None]
    assert answers
    for entry in answers:
        assert entry.request is not None
        assert entry.request[0].peer is entry.peer
    assert any("FAULT drop" in entry.text for entry in read if isinstance(entry, Note))
