"""A journal's entry in one line."""

from __future__ import annotations

import pytest

from netlink_emu.cli.watching.news import Message


def message(text: str) -> Message:
    return Message(1, 0.0, "queued", text)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "    3.715376 #7 python[2675] portid 3993517612 → kernel, 28 bytes\n"
            "                TASKSTATS TASKSTATS_CMD_GET REQUEST seq 1 pid 0\n"
            "                  TASKSTATS_CMD_ATTR_PID 1",
            "python[2675] → kernel  TASKSTATS_CMD_GET  pid 1",
        ),
        (
            "    3.715376 #7 kernel → python[2675], 596 bytes, answers #6\n"
            "                TASKSTATS TASKSTATS_CMD_NEW seq 1 pid 3993517612\n"
            "                  TASKSTATS_TYPE_AGGR_PID\n"
            "                    TASKSTATS_TYPE_PID 1\n"
            "                    TASKSTATS_TYPE_STATS\n"
            "                      version=16 ac_exitcode=256",
            "kernel → python[2675]  TASKSTATS_CMD_NEW  pid 1  ac_exitcode=256",
        ),
        (
            "    3.715376 #7 kernel → genl[5], group 3, 36 bytes\n"
            "                nlctrl CTRL_CMD_NEWFAMILY MULTI seq 1 pid 5\n"
            "                  CTRL_ATTR_OPS/1/CTRL_ATTR_OP_ID 3",
            "kernel → genl[5]  nlctrl CTRL_CMD_NEWFAMILY MULTI  ops/1/op_id 3",
        ),
        (
            "    0.333201 #11 kernel → python[22699], 36 bytes, answers #6\n"
            "                NLMSG_ERROR ESRCH CAPPED seq 1 pid 22699\n"
            "                  about TASKSTATS TASKSTATS_CMD_GET seq 1",
            "kernel → python[22699]  NLMSG_ERROR ESRCH  about TASKSTATS_CMD_GET",
        ),
        (
            "    0.333201 #11 a[1] → kernel, 36 bytes\n"
            "                RTM_GETLINK REQUEST|DUMP seq 1 pid 0",
            "a[1] → kernel  RTM_GETLINK DUMP",
        ),
        ("    1.0 #2 task 42 'nginx' started on CPU 0", "task 42 'nginx' started on CPU 0"),
        ("    1.0 #2 kernel → a[1], 8 bytes LOST: no room", "kernel → a[1] LOST: no room"),
        ("", ""),
    ],
)
def test_an_entry_in_one_line(text: str, line: str) -> None:
    assert message(text).line == line


def test_a_long_datagram_makes_no_endless_line() -> None:
    entry = message("\n".join(["1.0 #2 kernel → a[1], 4000 bytes", *["X 1"] * 100_000]))
    assert len(entry.line) < 2000


def test_a_filter_looks_in_the_whole_entry() -> None:
    entry = message("1.0 #2 a → kernel\n  TASKSTATS_CMD_ATTR_PID 4242")
    assert "taskstats_cmd_attr_pid 4242" in entry.sought
