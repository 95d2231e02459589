"""What the calls about a tracee say when it is not where it was."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest
from helpers.interposed import needs_interposer
from helpers.nets import SECONDS

from netlink_emu.interpose.live import ptrace

pytestmark = needs_interposer


def stop_of(pid: int) -> tuple[int, int]:
    """The event and the signal of the next stop."""
    info = os.waitid(os.P_PID, pid, os.WSTOPPED | ptrace.WALL)
    assert info is not None
    return info.si_status >> 8, info.si_status & 0xFF


@pytest.fixture
def stopped() -> Iterator[int]:
    """A tracee that SIGSTOP has stopped, which we were told."""
    pid = os.fork()
    if pid == 0:
        time.sleep(SECONDS)
        os._exit(0)
    ptrace.seize(pid)
    os.kill(pid, signal.SIGSTOP)
    assert stop_of(pid) == (0, signal.SIGSTOP)
    assert ptrace.go_on(pid, signal.SIGSTOP)
    assert stop_of(pid) == (ptrace.PTRACE_EVENT_STOP, signal.SIGSTOP)
    yield pid
    os.kill(pid, signal.SIGKILL)
    ptrace.go_on(pid)  # from a stop that has been told
    while not os.WIFSIGNALED(os.waitpid(pid, ptrace.WALL)[1]):
        ptrace.go_on(pid)


def test_it_stays_stopped_and_tells_when_it_is_continued(stopped: int) -> None:
    assert ptrace.listen(stopped)
    os.kill(stopped, signal.SIGCONT)
    assert stop_of(stopped)[0] == ptrace.PTRACE_EVENT_STOP


def test_one_that_is_killed_before_it_is_left_stopped_is_told_of_as_it_exits(stopped: int) -> None:
    os.kill(stopped, signal.SIGKILL)
    os.waitid(os.P_PID, stopped, os.WSTOPPED | os.WNOWAIT | ptrace.WALL)
    assert not ptrace.listen(stopped)
    assert stop_of(stopped)[0] == ptrace.PTRACE_EVENT_EXIT
