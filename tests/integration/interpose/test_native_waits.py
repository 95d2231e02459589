"""Receives that wait in the host's kernel: nobody looks after them, and they end all the same."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.interposed import needs_interposer, run_supervised
from helpers.nets import SECONDS

from netlink_emu.interpose.supervisor import Supervisor

pytestmark = needs_interposer

WAITS = """
import os, socket
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
s.bind((0, 0))
try:
    {call}
except KeyboardInterrupt:
    print("interrupted")
"""


RECEIVES = frozenset({"recvfrom", "read", "readv"})


def state(pid: int) -> str:
    """S is a wait that a signal ends. A call that we keep is in another: it must be killed."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def waits(pid: int, supervisor: Supervisor) -> bool:
    return bool(supervisor.summary.calls.keys() & RECEIVES) and state(pid) == "S"


@pytest.mark.parametrize(
    ("call", "natively"),
    [
        ("s.recv(100)", True),
        ("os.read(s.fileno(), 100)", True),
        ("os.readv(s.fileno(), [bytearray(100)])", True),
        ("s.recvfrom(100)", False),
        ("s.recv(100, socket.MSG_PEEK)", False),
    ],
)
def test_who_waits_natively_costs_nothing(call: str, natively: bool) -> None:
    looked_after = []

    def interrupt(supervisor: Supervisor, client: subprocess.Popen[str]) -> None:
        end = time.monotonic() + SECONDS
        while not (waits(client.pid, supervisor) if natively else supervisor.looks_after_waiting):
            assert client.poll() is None, "the client has ended"
            assert time.monotonic() < end, "the client does not wait"
            time.sleep(0.01)
        looked_after.append(supervisor.looks_after_waiting)
        client.send_signal(signal.SIGINT)

    result = run_supervised(
        [sys.executable, "-c", WAITS.format(call=call)], meanwhile=interrupt, native_waits=True
    )
    assert (result.stdout, result.stderr) == ("interrupted\n", "")
    assert looked_after == [not natively]
    assert result.summary.received == 0


def test_what_is_read_natively_is_counted() -> None:
    text = """
import os, socket, threading
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
s.bind((0, 0))
request = bytes.fromhex("20000000100001000300000000000000030100000b0002006e6c6374726c0000")
def wait():
    print(len(s.recv(1000)))
thread = threading.Thread(target=wait)
thread.start()
while "S" not in open(f"/proc/self/task/{thread.native_id}/stat").read().rpartition(")")[2]:
    pass
s.send(request)
thread.join()
s.send(request)
s.send(request)
print(len(s.recv(1000)), len(os.read(s.fileno(), 1000)))
"""
    result = run_supervised([sys.executable, "-c", text], native_waits=True)
    assert (result.stdout, result.stderr) == ("136\n136 136\n", "")
    assert result.summary.received == 3
