"""Journals in files."""

from __future__ import annotations

import errno
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Final

from netlink_emu.families import BootedKernel
from netlink_emu.journal.entries import Entry
from netlink_emu.journal.journal import Journal
from netlink_emu.journal.writers import Form, Writer, form_of, make_writer

_PATIENCE_MS: Final = 2000


class JournalTorn(Exception):
    """A journal's file could not be written completely; the message is one sentence."""

    def __init__(self, name: str, number: int, failure: OSError) -> None:
        super().__init__(f"the journal {name} ends behind #{number}: {failure.strerror}")


class JournalFile:
    """Writes each entry as it is made, until that fails: ``failure``, and the last ``number``.

    A full disk is no reason to give clients wrong answers, so writing does not raise.
    """

    def __init__(self, file: FileIO, writer: Writer) -> None:
        self._file = file
        self._writer = writer
        self.failure: OSError | None = None
        self.number = 0
        self._put(writer.header())
        if self.failure is not None:
            raise self.failure

    def write(self, entry: Entry) -> None:
        if self.failure is None and self._put(self._writer.entry(entry)):
            self.number = entry.number

    def end(self) -> None:
        if self.failure is None:
            self._put(self._writer.footer())

    def _put(self, data: bytes) -> bool:
        """Without a buffer: who looks on while the kernel runs sees all that happened."""
        rest = memoryview(data)
        try:
            while rest:
                written = self._file.write(rest)
                if written is None:  # standard error is not ours alone, and may not block
                    self._wait_for_room()
                else:
                    rest = rest[written:]
        except OSError as exc:
            self.failure = exc
        return self.failure is None

    def _wait_for_room(self) -> None:
        """As a descriptor that blocks would, but not for ever: clients wait for this."""
        poll = select.poll()
        poll.register(self._file, select.POLLOUT)
        if not poll.poll(_PATIENCE_MS):
            raise BlockingIOError(errno.EAGAIN, "nobody reads it")


@contextmanager
def open_journal(
    path: str | Path, kernel: BootedKernel, journal: Journal | None = None
) -> Iterator[Journal]:
    """Write a journal of ``kernel`` to a file while the context lasts.

    The file name chooses the format: ``.pcapng`` for captures, ``.json`` and ``.jsonl`` for JSON
    lines, ``.html`` for a page, otherwise text; ``-`` is text on standard error. ``journal`` is an
    existing journal to use. Raises OSError if the file cannot be opened, and at the end
    JournalTorn if it could not be written completely.
    """
    own = journal is None
    if journal is None:
        journal = Journal(kernel, limit=1000)
    writer = _writer(form_of(Path(path)), kernel, journal)
    try:
        if str(path) == "-":
            if sys.stderr is None:  # it was closed when we began
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            with FileIO(sys.stderr.fileno(), "wb", closefd=False) as file:
                yield from _write(file, writer, journal, "-")
        else:
            with FileIO(path, "wb") as file:
                yield from _write(file, writer, journal, str(path))
    finally:
        if own:
            journal.close()


def _writer(form: Form, kernel: BootedKernel, journal: Journal) -> Writer:
    if form is Form.HTML:
        from netlink_emu.page import PageWriter

        title = f"netlink-emu: Linux {kernel.profile.release}"
        return PageWriter(title, journal.started_ns, journal.epoch_ns)
    return make_writer(
        form,
        started_ns=journal.started_ns,
        epoch_ns=journal.epoch_ns,
        order=kernel.profile.arch.order,
    )


def _write(file: FileIO, writer: Writer, journal: Journal, name: str) -> Iterator[Journal]:
    sink = JournalFile(file, writer)
    for entry in journal:
        sink.write(entry)
    journal.sinks.append(sink.write)
    try:
        yield journal
    finally:
        journal.sinks.remove(sink.write)
        sink.end()
    if sink.failure is not None:
        raise JournalTorn(name, sink.number, sink.failure)
