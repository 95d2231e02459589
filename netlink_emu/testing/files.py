"""Journals in files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from netlink_emu.families import BootedKernel
from netlink_emu.journal.entries import Entry
from netlink_emu.journal.journal import Journal
from netlink_emu.journal.writers import Writer, form_of, make_writer


class JournalFile:
    """Writes each entry as it is made."""

    def __init__(self, file: BinaryIO, writer: Writer) -> None:
        self._file = file
        self._writer = writer
        file.write(writer.header())
        file.flush()

    def write(self, entry: Entry) -> None:
        data = self._writer.entry(entry)
        if data:
            self._file.write(data)
            # Who looks on while the kernel runs sees all that happened.
            self._file.flush()

    def end(self) -> None:
        self._file.write(self._writer.footer())
        self._file.flush()


@contextmanager
def open_journal(
    path: str | Path, kernel: BootedKernel, journal: Journal | None = None
) -> Iterator[Journal]:
    """Keep a journal of ``kernel`` in a file while the context lasts.

    The name says the form: ``.pcapng`` for captures, ``.json`` and ``.jsonl`` for JSON lines,
    else text; ``-`` is text on standard error. ``journal`` is one that is kept already. Raises
    OSError when the file cannot be written.
    """
    own = journal is None
    if journal is None:
        journal = Journal(kernel, limit=1000)
    form = form_of(Path(path))
    writer = make_writer(
        form,
        started_ns=journal.started_ns,
        epoch_ns=journal.epoch_ns,
        order=kernel.profile.arch.order,
    )
    try:
        if str(path) == "-":
            yield from _write(sys.stderr.buffer, writer, journal)
        else:
            with Path(path).open("wb") as file:
                yield from _write(file, writer, journal)
    finally:
        if own:
            journal.close()


def _write(file: BinaryIO, writer: Writer, journal: Journal) -> Iterator[Journal]:
    sink = JournalFile(file, writer)
    for entry in journal:
        sink.write(entry)
    journal.sinks.append(sink.write)
    try:
        yield journal
    finally:
        journal.sinks.remove(sink.write)
        sink.end()
