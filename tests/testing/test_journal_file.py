"""A journal goes to a descriptor that may be another's: a standard error that does not block."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from errno import EAGAIN
from io import FileIO

import pytest

from netlink_emu.families import boot
from netlink_emu.journal.writers import Form, make_writer
from netlink_emu.kernel.profile import Profile
from netlink_emu.machine.machine import Machine
from netlink_emu.protocol.format import LITTLE
from netlink_emu.testing import files
from netlink_emu.testing.files import JournalFile

LONG = bytes(range(256)) * 1024  # more than a pipe holds


@pytest.fixture
def pipe() -> Iterator[tuple[int, FileIO]]:
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    with FileIO(write_end, "wb") as file:
        yield read_end, file
    os.close(read_end)


def journal(file: FileIO) -> JournalFile:
    return JournalFile(file, make_writer(Form.TEXT, started_ns=0, epoch_ns=0, order=LITTLE))


def test_a_standard_error_that_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    kernel = boot(Machine(cpus=1), Profile())
    with pytest.raises(OSError, match="Bad file descriptor"), files.open_journal("-", kernel):
        pass


def test_who_reads_slowly_gets_all(pipe: tuple[int, FileIO]) -> None:
    read_end, file = pipe
    sink = journal(file)
    received = bytearray()

    def read() -> None:
        while len(received) < len(LONG):
            received.extend(os.read(read_end, 4096))

    reader = threading.Thread(target=read)
    reader.start()
    assert sink._put(LONG)
    reader.join()
    assert bytes(received) == LONG
    assert sink.failure is None


def test_clients_do_not_wait_for_who_never_reads(
    pipe: tuple[int, FileIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_PATIENCE_MS", 20)
    sink = journal(pipe[1])
    assert not sink._put(LONG)
    assert sink.failure is not None
    assert sink.failure.errno == EAGAIN
