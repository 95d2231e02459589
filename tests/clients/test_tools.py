"""Tools of a distribution: what they print is from the kernel that answers them."""

from __future__ import annotations

import os
import re

import pytest
from helpers.sides import Side

POLICY = """\
\tID: 0x1f  op 1 policies: do=0
\tID: 0x1f  op 4 policies: do=1
\tID: 0x1f  policy[0]:attr[1]: type=U32 range:[0,4294967295]
\tID: 0x1f  policy[0]:attr[2]: type=U32 range:[0,4294967295]
\tID: 0x1f  policy[0]:attr[3]: type=STRING
\tID: 0x1f  policy[0]:attr[4]: type=STRING
\tID: 0x1f  policy[1]:attr[1]: type=U32 range:[0,4294967295]
"""


def emulated_id(text: str) -> str:
    """A real kernel may have given TASKSTATS another id."""
    return re.sub(r"ID: 0x[2-9a-f][0-9a-f]\b|ID: 0x1[3-9a-e]\b", "ID: 0x1f", text)


def without_capabilities(text: str) -> list[str]:
    """Lines of genl before iproute2 6.15, which added what each command wants and can."""
    text = re.sub(r"^\t\tCapabilities .*\n .*\n\n", "", text, flags=re.MULTILINE)
    return [line for line in text.splitlines() if line]


def families(text: str) -> list[str]:
    return re.findall(r"^Name: (\S+)$", text, re.MULTILINE)


# --- iproute2


def test_genl_gets_a_family(side: Side) -> None:
    done = side.run("genl", "ctrl", "get", "name", "TASKSTATS")
    assert (done.returncode, done.stderr) == (0, "")
    assert without_capabilities(emulated_id(done.stdout)) == [
        "Name: TASKSTATS",
        "\tID: 0x1f  Version: 0x1  header size: 0  max attribs: 0 ",
        "\tcommands supported: ",
        "\t\t#1:  ID-0x1 ",
        "\t\t#2:  ID-0x4 ",
    ]
    told = re.findall(r"^\s+(\S.*; has policy)$", done.stdout, re.MULTILINE)
    can = "can doit; has policy"
    assert told in ([], [f"requires admin permission; {can}", can])


def test_genl_lists_the_families(side: Side) -> None:
    done = side.run("genl", "ctrl", "list")
    assert (done.returncode, done.stderr) == (0, "")
    found = families(done.stdout)
    assert found[0] == "nlctrl"
    assert "TASKSTATS" in found
    if side.emulated:
        assert found == ["nlctrl", "TASKSTATS"]


def test_genl_dumps_a_policy(side: Side) -> None:
    done = side.run("genl", "ctrl", "policy", "name", "TASKSTATS")
    assert (done.returncode, done.stderr) == (0, "")
    # iproute2 7.2 leaves the comma out.
    assert emulated_id(done.stdout).replace("range:[04", "range:[0,4") == POLICY


def test_genl_of_a_family_that_is_not_there(side: Side) -> None:
    done = side.run("genl", "ctrl", "get", "name", "NOSUCH")
    assert done.returncode == 255
    assert "RTNETLINK answers: No such file or directory" in done.stderr


# --- libnl


def test_genl_ctrl_list(side: Side) -> None:
    done = side.run("genl-ctrl-list")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "0x0010 nlctrl version 2"
    assert any(re.fullmatch(r"0x[0-9a-f]{4} TASKSTATS version 1", line) for line in lines)
    if side.emulated:
        assert lines[1:] == ["0x001f TASKSTATS version 1"]


# --- statistics of tasks


def row_of(output: str, pid: int) -> str:
    """The one line that begins with this number."""
    rows = [line for line in output.splitlines() if line.split()[:1] == [str(pid)]]
    assert len(rows) == 1, output
    return rows[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="iotop wants root")
@pytest.mark.parametrize("program", ["iotop", "iotop-c"])
def test_iotop_shows_a_process(side: Side, program: str) -> None:
    done = side.run(program, "-b", "-n", "1", "-P", "-p", str(os.getpid()))
    assert done.returncode == 0
    assert "B/s" in row_of(done.stdout, os.getpid())
    assert "fatal reply error" not in done.stdout + done.stderr
    assert "Netlink error" not in done.stdout + done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="iotop wants root")
@pytest.mark.parametrize("program", ["iotop", "iotop-c"])
def test_iotop_shows_all_processes(side: Side, program: str) -> None:
    done = side.run(program, "-b", "-n", "1", "-P")
    assert done.returncode == 0
    assert "B/s" in row_of(done.stdout, os.getpid())
    assert "B/s" in row_of(done.stdout, 1)
    assert "fatal reply error" not in done.stdout + done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="this stressor wants CAP_NET_ADMIN")
def test_stress_ng_compares_what_it_is_told(side: Side) -> None:
    done = side.run(
        "stress-ng", "--netlink-task", "1", "--netlink-task-ops", "200", options=["--summary"]
    )
    assert done.returncode == 0
    assert "fail:" not in done.stdout + done.stderr
    assert "successful run completed" in done.stdout + done.stderr
    if side.emulated:
        assert "201 request datagrams, 201 datagrams received" in done.stderr
