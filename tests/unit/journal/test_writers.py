"""A journal's files: text to read, JSON to load, captures that hold every datagram."""

from __future__ import annotations

import json
from pathlib import PurePath

import pytest
from helpers.journals import an_exchange
from helpers.kernel import Bench, make_bench

from netlink_emu.journal import Journal
from netlink_emu.journal.entries import ENTRY_CLASSES, Queued, Sent
from netlink_emu.journal.writers import Form, form_of, make_writer
from netlink_emu.protocol.format import LITTLE
from netlink_emu.protocol.reading.pcapng import read_capture


@pytest.fixture
def bench() -> Bench:
    return make_bench()


@pytest.fixture
def journal(bench: Bench) -> Journal:
    """A journal with every kind of entry but faults."""
    return an_exchange(bench, fault=False)


def written(journal: Journal, form: Form) -> bytes:
    writer = make_writer(
        form, started_ns=journal.started_ns, epoch_ns=journal.epoch_ns, order=LITTLE
    )
    return writer.header() + b"".join(map(writer.entry, journal)) + writer.footer()


def test_text(journal: Journal) -> None:
    text = written(journal, Form.TEXT).decode()
    assert "    0.500000 #" in text
    assert "client[4242] portid 7 → kernel" in text
    assert "LOST: the receive buffer is full" in text
    assert "portid 7 (client) is gone: forgotten as a listener on CPU 1" in text
    assert text.endswith("the end\n")


def test_json(journal: Journal) -> None:
    loaded = [json.loads(line) for line in written(journal, Form.JSON).splitlines()]
    assert [entry["number"] for entry in loaded] == list(range(1, len(journal) + 1))
    assert {entry["what"] for entry in loaded} == {
        cls.what for cls in ENTRY_CLASSES if cls.what != "fault"
    }
    assert loaded[0]["time"] == 1_767_225_600
    sent, _ = [entry for entry in loaded if entry["what"] == "sent"]
    assert (sent["pid"], sent["comm"], sent["errors"]) == (4242, "client", [0])
    assert sent["messages"][0]["attrs"] == [
        {"attr": "TASKSTATS_CMD_ATTR_REGISTER_CPUMASK", "value": "0-1"}
    ]
    assert bytes.fromhex(sent["bytes"])[4] == 0x1F


def test_pcapng(journal: Journal) -> None:
    packets = list(read_capture(written(journal, Form.PCAPNG)))
    datagrams = [entry for entry in journal if isinstance(entry, Sent | Queued)]
    assert [packet.data for packet in packets] == [entry.data for entry in datagrams]
    assert [packet.to_kernel for packet in packets] == [
        isinstance(entry, Sent) for entry in datagrams
    ]
    assert packets[-1].time_ns == 1_767_225_601 * 10**9
    comments = [comment for packet in packets for comment in packet.comments]
    assert any("LOST: the receive buffer is full" in comment for comment in comments)
    assert any("ended on CPU 0, code 5" in comment for comment in comments)


def test_what_follows_the_last_packet_is_in_the_capture_too(journal: Journal) -> None:
    assert b"the end" in written(journal, Form.PCAPNG)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.txt", Form.TEXT),
        ("journal", Form.TEXT),
        ("a.JSONL", Form.JSON),
        ("x/a.json", Form.JSON),
        ("a.pcapng", Form.PCAPNG),
        ("a.pcap", Form.PCAPNG),
    ],
)
def test_the_name_says_the_form(name: str, form: Form) -> None:
    assert form_of(PurePath(name)) is form
