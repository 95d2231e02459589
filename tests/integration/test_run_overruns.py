"""ENOBUFS on demand wakes clients however they wait, and is over when they have read it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from helpers.interposed import emulated, needs_interposer

pytestmark = needs_interposer

# Listens on a CPU; of two tasks that end there it is not told of the first. The second is a child
# of its own, which ends when all that comes before has been looked at.
CLIENT = """
import os, select, socket, struct, sys, time
def attr(kind, data): return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)
def message(kind, command, payload, flags=1):
    body = struct.pack("=BBH", command, 1, 0) + payload
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 7, 0) + body
how = sys.argv[1]
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
s.send(message(16, 3, attr(2, b"TASKSTATS\\0")))
family, = struct.unpack_from("=H", s.recv(4096), 40)
poll, edge = select.poll(), select.epoll()
poll.register(s, select.POLLIN)
edge.register(s, select.EPOLLIN | select.EPOLLET)
s.send(message(family, 1, attr(3, b"0\\0"), 5))
s.recv(4096)
edge.poll(0)
def wait():
    if how == "poll":
        print("ready", [bool(events & select.POLLIN) for _, events in poll.poll()])
    elif how == "epoll":
        print("ready", [bool(events & select.EPOLLIN) for _, events in edge.poll()])
    elif how == "select":
        print("ready", select.select([s], [], [])[0] == [s])
wait()
if how == "low":
    low = socket.socket(fileno=os.dup2(s.fileno(), 33))
    print("past us", struct.unpack_from("=IHHII", low.recv(4096)))
elif how == "SO_ERROR":
    poll.poll()
    print("error", s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
else:
    try:
        s.recv(4096)
    except OSError as exc:
        print("error", exc.errno)
print("then", poll.poll(0), edge.poll(0) if how == "epoll" else [])
try:
    s.recv(4096, socket.MSG_DONTWAIT)
except OSError as exc:
    print("error", exc.errno)
child = os.fork()
if child == 0:
    time.sleep(0.1)
    os._exit(0)
wait()
print("event of its child", struct.unpack_from("=I", s.recv(4096), 28)[0] == child)
"""
SCENARIO = """
[[task]]
comm = "lost"
pid = 4001
timeline = [{ at = 0.1, exit = 0 }]
"""


@pytest.mark.parametrize("how", ["poll", "epoll", "select", "recv", "SO_ERROR", "low"])
def test_who_waits_is_woken(tmp_path: Path, how: str) -> None:
    scenario = tmp_path / "scenario.toml"
    scenario.write_text(SCENARIO)
    fault = "enobufs kind=event"
    options = ["--cpus", "1", "--scenario", str(scenario), "--fault", fault]
    done = emulated(sys.executable, "-c", CLIENT, how, options=options)
    assert done.stderr == ""
    ready = {"poll": ["ready [True]"], "epoll": ["ready [True]"], "select": ["ready True"]}
    woken = ready.get(how, [])
    told = "past us (16, 4, 0, 0, 0)" if how == "low" else "error 105"
    assert done.stdout.splitlines() == (
        [*woken, told, "then [] []", "error 11", *woken, "event of its child True"]
    )
