"""Whatever a system call of the tracer fails with: the clients end as they would, and so do we."""

from __future__ import annotations

import errno
import sys
import time
from pathlib import Path

import pytest
from helpers.interposed import emulated, needs_interposer
from helpers.nets import SECONDS

from netlink_emu.interpose.filter.bpf_filter import PTRACE_SEIZE
from netlink_emu.interpose.live import ptrace

pytestmark = needs_interposer
LISTEN = Path(__file__).with_name("live") / "listen.py"
FAILING = Path(__file__).parents[2] / "helpers" / "failing_tracer.py"
# Ends of each kind, threads, a stop, and a program that is executed.
SCRIPT = f"""
(exit 3); echo $?
sh -c 'kill -TERM $$'; echo $?
sh -c '>"$0"; kill -STOP $$; exit 4' "$0" &
until [ -e "$0" ]; do :; done
until read -r _ _ state _ </proc/$!/stat && [ "$state" != "${{state#[tT]}}" ]; do :; done
until kill -CONT $! 2>/dev/null; do :; done # the stop's SIGCHLD may end a kill (EINTR)
wait $!; echo $?
{sys.executable} -c 'import threading; threading.Thread(target=print, args=["thread"]).start()'
exit 7
"""
SAID = "3\n143\n4\nthread\n"
CALLS = {
    "posix.waitid": 9, "posix.waitpid": 2, "posix.read": 3, "poll.poll": 5,
    "io.open in _figures": 1, "io.open in threads_below": 1, str(ptrace.PTRACE_CONT): 3,
    str(ptrace.PTRACE_LISTEN): 1, str(ptrace.PTRACE_GETEVENTMSG): 2, str(PTRACE_SEIZE): 1,
}  # fmt: skip
# Who is not found is found the next time: all are looked for until nobody new is there.
MENDED = {"io.open in threads_below"}


@pytest.mark.parametrize(
    "error", [errno.EBUSY, errno.EMFILE, errno.ENOMEM], ids=["EBUSY", "EMFILE", "ENOMEM"]
)
@pytest.mark.parametrize("call", CALLS)
def test_it_fails_once(tmp_path: Path, call: str, error: int) -> None:
    failed = tmp_path / "failed"
    ours = (sys.executable, str(FAILING), str(failed), call, str(CALLS[call]), str(error))
    end = time.monotonic() + SECONDS
    # A stop that is over before we listen to it is none: the call is then not made.
    while True:
        done = emulated(sys.executable, LISTEN, "sh", "-c", SCRIPT, tmp_path / "stops", ours=ours)
        if failed.exists():
            break
        assert time.monotonic() < end, "the call is never made"
        (tmp_path / "stops").unlink()
    assert (done.stdout, done.returncode) == (SAID, 7), done.stderr
    assert "bug" not in done.stderr
    # Nothing is lost silently.
    assert ("netlink-emu: 1 " in done.stderr) is (call not in MENDED)
