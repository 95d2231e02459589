"""Events of the emulated machine reach clients that wait for them in any way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from helpers.interposed import NETLINK_EMU, emulated, needs_interposer

pytestmark = needs_interposer

SCENARIO = """
cpus = 2

[[task]]
comm = "worker"
cpu = 1
every = 0.2
timeline = [{ at = 0.1, exit = 3 }]
"""

LISTENER = """
import select, socket, struct, sys
def attr(kind, data): return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)
def message(kind, command, payload, flags=1):
    body = struct.pack("=BBH", command, 1, 0) + payload
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 7, 0) + body
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
s.send(message(16, 3, attr(2, b"TASKSTATS\\0")))
family, = struct.unpack_from("=H", s.recv(4096), 40)
s.send(message(family, 1, attr(3, b"0-1\\0"), 5))
print("registered", struct.unpack_from("=i", s.recv(4096), 16)[0])
how = sys.argv[1]
for n in range(3):
    if how == "select":
        print("ready", select.select([s], [], [])[0] == [s])
    elif how == "epoll":
        poll = select.epoll()
        poll.register(s, select.EPOLLIN | select.EPOLLET)
        print("ready", poll.poll()[0][1] == select.EPOLLIN)
    elif how == "time-out":
        s.settimeout(None)
        s.setsockopt(1, 20, struct.pack("=qq", 1000, 0))
    answer = s.recvfrom(8192)
    data, sender = answer
    kind, flags, seq, portid = struct.unpack_from("=HHII", data, 4)
    exit_code = struct.unpack_from("=I", data, 20 + 4 + 8 + 4 + 4)[0] >> 8
    print("event", kind == family, seq, portid, sender, "exit", exit_code)
s.send(message(family, 1, attr(4, b"0-1\\0"), 5))
while True:
    data = s.recv(8192)
    if data[4] == 2:
        print("deregistered", struct.unpack_from("=i", data, 16)[0])
        break
s.close()
"""


@pytest.mark.parametrize("how", ["recv", "select", "epoll", "time-out"])
def test_exits_are_told(tmp_path: Path, how: str) -> None:
    scenario = tmp_path / "scenario.toml"
    scenario.write_text(SCENARIO)
    done = emulated(sys.executable, "-c", LISTENER, how, options=["--scenario", str(scenario)])
    assert done.stderr == ""
    ready = ["ready True"] if how in ("select", "epoll") else []
    lines = done.stdout.splitlines()
    first = int(lines[1 + len(ready)].split()[2])
    events = [
        line
        for seq in range(first, first + 3)
        for line in (*ready, f"event True {seq} 0 (0, 0) exit 3")
    ]
    assert lines == ["registered 0", *events, "deregistered 0"]


# Its very first call but for socket(): a name, or the errno.
ASKS = """
import socket, struct, sys
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
s.send(struct.pack("=IHHIIBBxxHHI", 28, 0x1F, 1, 1, 0, 1, 1, 8, 1, int(sys.argv[1])))
m = s.recv(4096)
print(struct.unpack_from("=i", m, 16)[0] if m[4] == 2 else m[116:148].rstrip(b"\\0").decode())
"""


def free_pid() -> int:
    """A number that no task of the host has, and that every emulated machine allows."""
    return next(n for n in range(32700, 300, -1) if not Path(f"/proc/{n}").exists())


ONE_EXIT = """
[[task]]
comm = "worker"
timeline = [{ at = 0, run = 0.25 }, { at = 0.5, exit = 3 }]
"""
EXITS = Path(__file__).parents[2] / "docs" / "examples" / "exits.py"


def last_line(text: str) -> str:
    return text.splitlines()[-1]


def test_a_client_that_comes_late_misses_nothing(tmp_path: Path) -> None:
    """Not even what happens before it listens where that is much later."""
    scenario = tmp_path / "scenario.toml"
    scenario.write_text(ONE_EXIT)
    client = ("sh", "-c", f"sleep 1; exec {sys.executable} {EXITS} 0 1")
    done = emulated(*client, options=["--scenario", str(scenario)])
    assert last_line(done.stdout).split()[1:] == (
        ["worker", "0", "exit", "3", "0.50", "s", "0.25", "s", "0.00", "s", "0.0", "MiB"]
    )
    assert done.stderr == ""


def test_what_happened_before_the_first_call_did_at_its_time(tmp_path: Path) -> None:
    """The kernel was there, though nobody looked: its times are those that were planned.

    Whenever the client listens, a task ends that began before.
    """
    scenario = tmp_path / "scenario.toml"
    scenario.write_text(
        "[[task]]\ncomm = 'worker'\nstart = 0.2\nevery = 0.5\n"
        "timeline = [{ at = 0.1, run = 0.25 }, { at = 2, exit = 3 }]\n"
    )
    client = ("sh", "-c", f"sleep 1; exec {sys.executable} {EXITS} 0 1")
    options = ["--scenario", str(scenario), "--start", "boot", "--tasks", "none"]
    done = emulated(*client, options=options)
    assert "exit 3          2.00 s   0.25 s" in last_line(done.stdout)
    assert done.stderr == ""


def test_who_asks_is_no_listener(tmp_path: Path) -> None:
    pid, scenario = free_pid(), tmp_path / "scenario.toml"
    scenario.write_text(f"start = 'listener'\n[[task]]\npid = {pid}\ncomm = 'early'\n")
    client = (sys.executable, "-c", ASKS, str(pid))
    done = emulated(*client, options=["--scenario", str(scenario)])
    assert done.stdout == "-3\n"
    assert done.stderr == (
        "netlink-emu: the scenario has not begun: no client listened or asked; see --start\n"
    )
    done = emulated(*client, options=["--scenario", str(scenario), "--start", "client"])
    assert (done.stdout, done.stderr) == ("early\n", "")


def test_who_waits_after_the_end_is_told_of(tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.toml"
    scenario.write_text(ONE_EXIT)
    command = [*NETLINK_EMU, "run", "--tasks", "none", "--scenario", str(scenario), "--"]
    client = [sys.executable, str(EXITS), "0", "2"]
    with subprocess.Popen(
        [*command, *client], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        process.terminate()
    assert line.startswith("netlink-emu: the scenario is over; still waiting for exits: python")
    assert line.endswith(")\n")


@pytest.mark.parametrize("beforehand", ["", "sleep 0.3; "], ids=["at once", "later"])
def test_what_is_due_is_done_before_the_first_call(tmp_path: Path, beforehand: str) -> None:
    pid, scenario = free_pid(), tmp_path / "scenario.toml"
    scenario.write_text(f"[[task]]\npid = {pid}\ncomm = 'early'\n")
    script = f'{beforehand}exec "$@"'
    client = ("sh", "-c", script, "sh", sys.executable, "-c", ASKS, str(pid))
    done = emulated(*client, options=["--scenario", str(scenario)])
    assert (done.stdout, done.stderr) == ("early\n", "")


FAMILY = """
families = ["lamps.yaml"]
[[family]]
name = "lamps"
timeline = [
    { at = 0, add = "lamp", values = { id = 1 } },
    { at = 0.2, change = "lamp", values = { id = 1, level = 7 } },
    { at = 0.2, fail = "lamp-get", errno = "EBUSY", times = 1 },
    { at = 0.4, remove = "lamp", values = { id = 1 } },
]
"""
LAMPS = """
name: lamps
attribute-sets:
  - {name: lamp, attributes: [{name: id, type: u32}, {name: level, type: u8}]}
operations:
  list:
    - name: lamp-get
      attribute-set: lamp
      do: {request: {attributes: [id]}, reply: {attributes: [id, level]}}
    - {name: lamp-add-ntf, notify: lamp-get, mcgrp: events}
    - {name: lamp-change-ntf, notify: lamp-get, mcgrp: events}
    - {name: lamp-del-ntf, notify: lamp-get, mcgrp: events}
mcast-groups: {list: [{name: events}]}
"""
# Joins the family's group, and asks when it has heard that the lamp has changed.
MEMBER = """
import socket, struct
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
s.send(struct.pack("=IHHIIBBHHH6sxx", 32, 16, 1, 1, 0, 3, 1, 0, 10, 2, b"lamps"))
answer = s.recv(4096)
family, = struct.unpack_from("=H", answer, answer.index(struct.pack("=HH", 6, 1)) + 4)
name = answer.index(b"events")
at = answer.rindex(struct.pack("=HH", 8, 2), 0, name)
s.setsockopt(270, 1, answer[at + 4 : at + 8])
for command in (2, 3, 4):
    event = s.recv(4096)
    print(event[16], *struct.unpack_from("=I", event, 24), *event[32:33])
    if event[16] == 3:
        t = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
        t.send(struct.pack("=IHHIIBBHHHI", 28, family, 1, 1, 0, 1, 1, 0, 8, 1, 1))
        print(struct.unpack_from("=i", t.recv(4096), 16)[0])
"""


def test_a_family_changes_as_the_scenario_says(tmp_path: Path) -> None:
    (tmp_path / "lamps.yaml").write_text(LAMPS)
    scenario = tmp_path / "scenario.toml"
    scenario.write_text(FAMILY)
    done = emulated(sys.executable, "-c", MEMBER, options=["--scenario", str(scenario)])
    assert (done.stdout.splitlines(), done.stderr) == (["2 1", "3 1 7", "-16", "4 1 7"], "")
    scenario.write_text(FAMILY.replace('"lamp-get"', '"lamp-put"'))
    done = emulated("echo", "started", options=["--scenario", str(scenario)])
    assert done.stdout == ""
    assert done.stderr.startswith(
        f"netlink-emu: {scenario}:8:5: family[0].timeline[2]: "
        "there is no operation of lamps 'lamp-put', did you mean lamp-get"
    )


def test_what_cannot_be_done_is_told_before_the_command_starts(tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.toml"
    scenario.write_text("[[task]]\npid = 40000\ncomm = 'x'\n")
    done = emulated("echo", "started", options=["--scenario", str(scenario)])
    assert (done.returncode, done.stdout) == (1, "")
    assert "pid 40000 is not between 1 and pid_max" in done.stderr


def test_a_scenario_that_cannot_be_read(tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.toml"
    scenario.write_text("cpus = 'many'\n")
    done = emulated("echo", "run", options=["--scenario", str(scenario)])
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"netlink-emu: {scenario}:1:1: cpus: ")
