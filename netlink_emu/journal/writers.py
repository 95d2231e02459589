"""A journal as bytes for a file: readable text, JSON lines, or pcapng.

Pages are :mod:`netlink_emu.page`'s, whose parts are read from files.
"""

from __future__ import annotations

import enum
import json
from pathlib import PurePath
from typing import Final, Protocol

from netlink_emu.journal.entries import Dropped, Entry, Faulted, Queued, Sent
from netlink_emu.journal.record import text_lines
from netlink_emu.protocol.format import LITTLE, ByteOrder
from netlink_emu.protocol.reading.pcapng import Packet, PcapngWriter
from netlink_emu.protocol.reading.printable import printable, printable_json


class Form(enum.Enum):
    """The forms of a journal's file."""

    TEXT = "text"
    JSON = "json"
    PCAPNG = "pcapng"
    HTML = "html"


_SUFFIXES: Final = {
    ".pcapng": Form.PCAPNG,
    ".pcap": Form.PCAPNG,
    ".json": Form.JSON,
    ".jsonl": Form.JSON,
    ".ndjson": Form.JSON,
    ".html": Form.HTML,
    ".htm": Form.HTML,
}


def form_of(path: PurePath) -> Form:
    """The form that a file's name asks for."""
    return _SUFFIXES.get(path.suffix.lower(), Form.TEXT)


class Writer(Protocol):
    """Turns entries into bytes: the beginning, each entry, the end."""

    def header(self) -> bytes: ...

    def entry(self, entry: Entry) -> bytes: ...

    def footer(self) -> bytes: ...


class TextWriter:
    """Lines to read, with the seconds since ``started_ns``."""

    def __init__(self, started_ns: int) -> None:
        self._started_ns = started_ns

    def header(self) -> bytes:
        return b""

    def entry(self, entry: Entry) -> bytes:
        return ("\n".join(text_lines([entry], self._started_ns)) + "\n").encode()

    def footer(self) -> bytes:
        return b""


class JsonWriter:
    """One JSON object a line, with the seconds since 1970."""

    def __init__(self, epoch_ns: int) -> None:
        self._epoch_ns = epoch_ns

    def header(self) -> bytes:
        return b""

    def entry(self, entry: Entry) -> bytes:
        values = entry.json()
        values["time"] = (entry.time_ns + self._epoch_ns) / 1e9
        return (printable_json(json.dumps(values, ensure_ascii=False)) + "\n").encode()

    def footer(self) -> bytes:
        return b""


# Behind so many comments without a packet they get a block of their own.
_MOST_COMMENTS: Final = 1000


class PcapngJournalWriter:
    """A capture as an nlmon device would make it.

    What is no datagram (a task's end, a fault, a listener forgotten) is a comment on the next
    packet. A datagram between clients is written where it arrives.
    """

    def __init__(self, epoch_ns: int, order: ByteOrder = LITTLE) -> None:
        self._epoch_ns = epoch_ns
        self._writer = PcapngWriter(order)
        self._comments: list[str] = []
        self._last_ns = 0

    def header(self) -> bytes:
        return self._writer.header()

    def entry(self, entry: Entry) -> bytes:
        self._last_ns = entry.time_ns + self._epoch_ns
        is_packet = (isinstance(entry, Sent) and not entry.to) or (
            isinstance(entry, Queued) and not isinstance(entry, Faulted)
        )
        if not is_packet or isinstance(entry, Dropped):
            self._comments.append(f"#{entry.number} {printable(entry.title())}")
        if not is_packet:
            return self.footer() if len(self._comments) >= _MOST_COMMENTS else b""
        assert isinstance(entry, Sent | Queued)
        packet = Packet(
            self._last_ns,
            entry.data,
            isinstance(entry, Sent),
            entry.peer.protocol if entry.peer is not None else 16,
            comments=tuple(self._comments),
        )
        self._comments.clear()
        return self._writer.packet(packet)

    def footer(self) -> bytes:
        comments, self._comments = self._comments, []
        return self._writer.end(self._last_ns, comments) if comments else b""


def make_writer(form: Form, *, started_ns: int, epoch_ns: int, order: ByteOrder) -> Writer:
    """The writer of a form but HTML; see :class:`netlink_emu.journal.Journal` for the times."""
    match form:
        case Form.TEXT:
            return TextWriter(started_ns)
        case Form.JSON:
            return JsonWriter(epoch_ns)
        case Form.PCAPNG:
            return PcapngJournalWriter(epoch_ns, order)
        case Form.HTML:
            raise ValueError("pages have a writer of their own")
