"""CGROUPSTATS: a descriptor's number in a request means what it means in the client."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from helpers.sides import Side

SCRIPT = """
import os, socket, struct, sys
def attr(kind, data): return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)
def message(kind, command, payload, flags=1):
    body = struct.pack("=BBH", command, 1, 0) + payload
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 7, 0) + body
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
s.send(message(16, 3, attr(2, b"TASKSTATS\\0")))
family, = struct.unpack_from("=H", s.recv(4096), 40)
def ask(what, fd):
    s.send(message(family, 4, attr(1, struct.pack("=i", fd)), 5))
    answer = s.recv(4096)
    if answer[4] == 2:
        print(what, "error", -struct.unpack_from("=i", answer, 16)[0])
        return
    print(what, "tasks", sum(struct.unpack_from("=5Q", answer, 24)))
    s.recv(4096)
ask("directory", os.open("/", os.O_RDONLY))
ask("file", os.open("/etc/passwd", os.O_RDONLY))
ask("socket", s.fileno())
if len(sys.argv) > 1:
    fd = os.open(sys.argv[1], os.O_RDONLY)
    ask("cgroup", fd)
    ask("its file", os.open("tasks", os.O_RDONLY, dir_fd=fd))
s.close()
"""


def cgroup_v1() -> Path | None:
    """A directory of a cgroup v1 hierarchy, if one is mounted."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        if right.split()[0] == "cgroup":
            return Path(left.split()[4])
    return None


def test_what_is_no_cgroup(side: Side) -> None:
    done = side.run(sys.executable, "-c", SCRIPT)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["directory error 22", "file error 22", "socket error 22"]


def test_a_cgroup_of_the_host(side: Side) -> None:
    directory = cgroup_v1()
    if directory is None:
        pytest.skip("no cgroup v1 is mounted")
    before = len((directory / "tasks").read_text().split())
    done = side.run(sys.executable, "-c", SCRIPT, str(directory))
    after = len((directory / "tasks").read_text().split())
    assert done.stderr == ""
    *_, cgroup, its_file = done.stdout.splitlines()
    assert its_file == "its file error 22"
    what, _, number = cgroup.rpartition(" ")
    assert what == "cgroup tasks"
    # Idle kernel threads count nowhere; other processes come and go meanwhile.
    assert 0 < int(number) <= max(before, after) + 20
