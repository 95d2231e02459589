"""Programs in C, static and not, and in Python; pyroute2."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from helpers.interposed import compile_c
from helpers.sides import Side

SOURCE = Path(__file__).parent / "programs" / "taskstats.c"
# struct taskstats of each version, in bytes: TASKSTATS_VERSION 8 to 17.
SIZES = {
    8: 328, 9: 344, 10: 352, 11: 368, 12: 400, 13: 416, 14: 432, 15: 560, 16: 560, 17: 688,
}  # fmt: skip


@pytest.fixture(scope="module", params=["dynamic", "static"])
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    options = ["-static"] if request.param == "static" else []
    return compile_c(SOURCE, tmp_path_factory.mktemp(request.param), *options)


def test_a_c_client_reads_its_own_statistics(side: Side, client: Path) -> None:
    done = side.run(client)
    assert (done.returncode, done.stderr) == (0, "")
    words = done.stdout.split()
    version, size = int(words[3].rstrip(",")), int(words[5])
    assert size == SIZES.get(version, size)
    assert done.stdout == (
        f"pid right, version {version}, of {size} bytes, comm taskstats, uid {os.getuid()}\n"
    )
    if side.emulated:
        assert version == 16


def test_a_c_client_asks_for_nobody(side: Side, client: Path) -> None:
    done = side.run(client, "4194303")
    assert (done.returncode, done.stdout) == (2, "error No such process\n")


@pytest.mark.parametrize(
    ("release", "version", "size"), [("3.10", 8, 328), ("5.10", 10, 352), ("6.1", 13, 416)]
)
def test_other_releases(side: Side, client: Path, release: str, version: int, size: int) -> None:
    if not side.emulated:
        pytest.skip("the real kernel has one release")
    done = side.run(client, options=["--release", release])
    assert done.stdout.startswith(f"pid right, version {version}, of {size} bytes,")


def test_without_tasks_nobody_is_there(side: Side, client: Path) -> None:
    if not side.emulated:
        pytest.skip("the real kernel has tasks")
    done = side.run(client, options=["--tasks", "none"])
    assert (done.returncode, done.stdout) == (2, "error No such process\n")


def test_any_task_is_there_if_wanted(side: Side, client: Path) -> None:
    if not side.emulated:
        pytest.skip("the real kernel has its own tasks")
    done = side.run(client, "32767", options=["--tasks", "any"])
    assert "comm any/32767" in done.stdout


PYTHON = """
import socket, struct, os
def attr(kind, data): return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)
def message(kind, command, payload):
    body = struct.pack("=BBH", command, 1, 0) + payload
    return struct.pack("=IHHII", 16 + len(body), kind, 1, 7, 0) + body
with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16) as s:
    s.bind((0, 0))
    name = s.getsockname() == (os.getpid(), 0)
    print(name, s.getsockopt(1, 3), s.getsockopt(1, 38), s.family.name)
    s.sendto(message(16, 3, attr(2, b"TASKSTATS\\0")), (0, 0))
    answer, sender = s.recvfrom(4096)
    family, = struct.unpack_from("=H", answer, 40)
    print(sender, len(answer), answer[4:8].hex())
    print(struct.unpack_from("=II", answer, 8) == (7, os.getpid()))
    s.sendmsg([message(family, 1, attr(1, struct.pack("=I", os.getpid())))])
    answer, control, flags, sender = s.recvmsg(4096, 100)
    print(struct.unpack_from("=I", answer, 28)[0] == os.getpid(), control, flags, sender)
    s.send(message(family, 1, attr(1, struct.pack("=I", 0x7ffffff0))))
    print(struct.unpack_from("=HHIIi", s.recv(4096), 4)[4])
    s.send(message(family, 9, b""))
    print(struct.unpack_from("=HHIIi", s.recv(4096), 4)[4])
"""


def test_a_python_script(side: Side) -> None:
    done = side.run(sys.executable, "-c", PYTHON)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "True 3 16 AF_NETLINK",
        "(0, 0) 112 10000000",
        "True",
        "True [] 0 (0, 0)",
        "-3",
        "-95",
    ]


PYROUTE2 = """
import os
from pyroute2 import TaskStats
from pyroute2.netlink.exceptions import NetlinkError
with TaskStats() as ts:
    ts.bind()
    attrs = dict(ts.get_pid_stat(os.getpid())[0]["attrs"])["TASKSTATS_TYPE_AGGR_PID"]
    stats = dict(attrs["attrs"])["TASKSTATS_TYPE_STATS"]
    print(stats["version"], stats["ac_comm"])
    try:
        ts.get_pid_stat(0x7ffffff0)
    except NetlinkError as exc:
        print(exc.code)
    ts.register_mask("0")
    ts.deregister_mask("0")
    print(len(ts.policy("TASKSTATS")))
"""


def test_pyroute2(side: Side) -> None:
    pytest.importorskip("pyroute2")
    done = side.run(sys.executable, "-c", PYROUTE2)
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    version, comm = lines[0].split()
    assert int(version) >= 8
    assert "python" in comm
    # Seven messages of the policy, as genl shows them.
    assert lines[1:] == ["3", "7"]
