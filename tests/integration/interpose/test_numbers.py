"""Numbers of emulated sockets among the client's own descriptors: nobody is in another's way."""

from __future__ import annotations

import pytest
from helpers.interposed import Compile, needs_interposer, run_supervised

pytestmark = needs_interposer


@pytest.mark.parametrize("files", [10, 520, 600, 900])
def test_no_file_of_another_thread_is_closed(program: Compile, files: int) -> None:
    """Between our look at a number and the socket's being there, it may open many."""
    result = run_supervised([program("numbers"), str(files), "300"])
    assert result.stdout == "300 sockets, 0 files lost\n"
    assert result.summary.sockets == 300


def test_below_a_limit_that_is_nearly_reached(program: Compile) -> None:
    """The last numbers are left to the threads that open files."""
    command = f"ulimit -n 1024; exec {program('numbers')} 940 300"
    result = run_supervised(["sh", "-c", command])
    *refused, told = result.stdout.splitlines()
    assert told.endswith(" sockets, 0 files lost")
    assert all(line.endswith(": EMFILE") for line in refused)


def test_reads_and_writes_of_many_files_do_not_stop(program: Compile) -> None:
    result = run_supervised([program("many_files")])
    assert result.stdout == "95 went through\n"
    assert set(result.summary.calls) == {"socket", "bind"}
